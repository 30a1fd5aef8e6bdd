//! A verification that is linked to a customer by e-mail.

use std::time::Duration;

use serde_json::Value;

use super::{DAY, adult, minor, pass, resubmit, use_up, verify};
use crate::customers::{BOTH, prove, standing};
use crate::harness::{Settings, TestApp, flows};
use crate::orders::placed;

flows!(
    a_linked_verification_proves_identity,
    without_the_setting_it_changes_nothing,
    the_proof_expires_with_the_verification,
    a_refused_resubmission_withdraws_it,
    a_passed_resubmission_renews_it,
    a_remembered_answer_links_to_another_address,
    a_refused_attempt_links_nobody,
    an_address_linked_before_its_customer_is_known_counts_later,
    a_link_makes_the_customer_and_keeps_evidence,
    companies_link_their_own_customers,
    any_linked_verification_that_holds_proves,
);

const ANN: &str = "ann@example.com";
const BOB: &str = "bob@example.com";

fn scopes() -> String {
    format!("{BOTH} ages:read ages:write orders:read orders:write")
}

/// An instance to which an age verification is proof of identity.
async fn believing(app: &TestApp) -> TestApp {
    let mut settings = Settings::default();
    settings.ages.proves_identity = true;
    app.another(settings).await
}

fn with_email(mut claim: Value, email: &str) -> Value {
    claim["email"] = email.into();
    claim
}

/// A customer to whom nothing but identity is missing.
async fn almost(app: &TestApp, key: &str, email: &str) {
    for proof in ["membership", "email_optin"] {
        prove(app, key, email, proof, true).await;
    }
    assert_eq!(all_verified(app, key, email).await, false);
}

async fn all_verified(app: &TestApp, key: &str, email: &str) -> Value {
    standing(app, key, email).await["all_verified"].clone()
}

async fn a_linked_verification_proves_identity(app: TestApp) {
    let app = believing(&app).await;
    let key = app.key("default", &scopes()).await;
    almost(&app, &key, ANN).await;
    pass(&app, &key, "unlinked").await;
    assert_eq!(all_verified(&app, &key, ANN).await, false);
    let claim = with_email(adult("a"), " Ann@Example.com");
    verify(&app, &key, &claim).expect(200).await;
    let known = standing(&app, &key, ANN).await;
    assert_eq!(known["all_verified"], true);
    assert_eq!(
        (&known["veriff_approved"], &known["veriff_date"]),
        (&false.into(), &Value::Null)
    );
    prove(&app, &key, ANN, "membership", false).await;
    assert_eq!(
        all_verified(&app, &key, ANN).await,
        false,
        "identity is not everything"
    );
}

async fn without_the_setting_it_changes_nothing(app: TestApp) {
    let key = app.key("default", &scopes()).await;
    almost(&app, &key, ANN).await;
    verify(&app, &key, &with_email(adult("a"), ANN))
        .expect(200)
        .await;
    assert_eq!(all_verified(&app, &key, ANN).await, false);
    // It is kept all the same, for the day it is set.
    let believing = believing(&app).await;
    assert_eq!(all_verified(&believing, &key, ANN).await, true);
}

async fn the_proof_expires_with_the_verification(app: TestApp) {
    let app = believing(&app).await;
    let key = app.key("default", &scopes()).await;
    almost(&app, &key, ANN).await;
    verify(&app, &key, &with_email(adult("a"), ANN))
        .expect(200)
        .await;
    app.advance(365 * DAY - Duration::from_micros(1));
    assert_eq!(all_verified(&app, &key, ANN).await, true);
    app.advance(Duration::from_micros(1));
    assert_eq!(all_verified(&app, &key, ANN).await, false);
    // A renewal need not say again whose it is.
    pass(&app, &key, "a").await;
    assert_eq!(all_verified(&app, &key, ANN).await, true);
}

async fn a_refused_resubmission_withdraws_it(app: TestApp) {
    let app = believing(&app).await;
    let key = app.key("default", &scopes()).await;
    almost(&app, &key, ANN).await;
    verify(&app, &key, &with_email(adult("a"), ANN))
        .expect(200)
        .await;
    resubmit(&app, &key, &minor("a")).expect(400).await;
    assert_eq!(all_verified(&app, &key, ANN).await, false);

    // Somebody else's verification of the same customer is not touched.
    verify(&app, &key, &with_email(adult("b"), ANN))
        .expect(200)
        .await;
    verify(&app, &key, &with_email(adult("c"), ANN))
        .expect(200)
        .await;
    resubmit(&app, &key, &minor("b")).expect(400).await;
    assert_eq!(all_verified(&app, &key, ANN).await, true);
}

async fn a_passed_resubmission_renews_it(app: TestApp) {
    let app = believing(&app).await;
    let key = app.key("default", &scopes()).await;
    almost(&app, &key, ANN).await;
    almost(&app, &key, BOB).await;
    verify(&app, &key, &with_email(adult("a"), ANN))
        .expect(200)
        .await;
    app.advance(DAY);
    resubmit(&app, &key, &adult("a")).expect(200).await;
    app.advance(364 * DAY);
    assert_eq!(all_verified(&app, &key, ANN).await, true);
    resubmit(&app, &key, &with_email(adult("a"), BOB))
        .expect(200)
        .await;
    assert_eq!(all_verified(&app, &key, ANN).await, false, "it moved");
    assert_eq!(all_verified(&app, &key, BOB).await, true);
}

async fn a_remembered_answer_links_to_another_address(app: TestApp) {
    let app = believing(&app).await;
    let key = app.key("default", &scopes()).await;
    almost(&app, &key, ANN).await;
    almost(&app, &key, BOB).await;
    let first = pass(&app, &key, "a").await;
    for (email, ann, bob) in [(ANN, true, false), (BOB, false, true), (ANN, true, false)] {
        let answer = verify(&app, &key, &with_email(minor("a"), email))
            .expect(200)
            .await;
        assert_eq!(answer.json["method"], "cache");
        assert_eq!(answer.json["verificationId"], first.json["verificationId"]);
        assert_eq!(all_verified(&app, &key, ANN).await, ann, "after {email}");
        assert_eq!(all_verified(&app, &key, BOB).await, bob, "after {email}");
        let records = app.records_of(answer.request_id()).await;
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].record.detail.as_deref(), Some("cache"));
    }
    // Asked again without an address, or with the same, nothing moves.
    pass(&app, &key, "a").await;
    verify(&app, &key, &with_email(adult("a"), ANN))
        .expect(200)
        .await;
    assert_eq!(all_verified(&app, &key, ANN).await, true);
    let evidence = "SELECT COUNT(*) FROM evidence WHERE proof = 'age'";
    assert_eq!(
        app.database().sql(evidence).await,
        [["3"]],
        "one for each link"
    );
}

async fn a_refused_attempt_links_nobody(app: TestApp) {
    let app = believing(&app).await;
    let key = app.key("default", &scopes()).await;
    verify(&app, &key, &with_email(minor("a"), ANN))
        .expect(400)
        .await;
    use_up(&app, &key, "b").await;
    verify(&app, &key, &with_email(adult("b"), ANN))
        .expect(429)
        .await;
    assert_eq!(standing(&app, &key, ANN).await["customer_found"], false);
}

async fn an_address_linked_before_its_customer_is_known_counts_later(app: TestApp) {
    let app = believing(&app).await;
    let key = app.key("default", &scopes()).await;
    for (id, email) in [("a", ANN), ("b", BOB)] {
        verify(&app, &key, &with_email(minor(id), email))
            .expect(400)
            .await;
        pass(&app, &key, id).await;
    }
    app.leaves_deliveries();
    // Told by an update, or by an order.
    for proof in ["membership", "email_optin"] {
        prove(&app, &key, ANN, proof, true).await;
    }
    assert_eq!(all_verified(&app, &key, ANN).await, true);
    let placed = placed(&app, &key, "1", BOB).await;
    let missing = serde_json::json!(["membership", "email_optin"]);
    assert_eq!(placed.json["missing"], missing);
}

async fn a_link_makes_the_customer_and_keeps_evidence(app: TestApp) {
    let app = believing(&app).await;
    let key = app.key("default", &scopes()).await;
    verify(&app, &key, &with_email(adult("a"), ANN))
        .expect(200)
        .await;
    let known = standing(&app, &key, ANN).await;
    assert_eq!(
        (&known["customer_found"], &known["all_verified"]),
        (&true.into(), &false.into())
    );
    for proof in ["membership", "email_optin"] {
        prove(&app, &key, ANN, proof, true).await;
    }
    assert_eq!(all_verified(&app, &key, ANN).await, true);
    let evidence = "SELECT assurance, occurred_at FROM evidence WHERE proof = 'age'";
    let evidence = app.database().sql(evidence).await;
    assert_eq!(evidence.len(), 1);
    assert_eq!(evidence[0][0], "self_declared");
}

async fn companies_link_their_own_customers(app: TestApp) {
    let app = believing(&app).await;
    app.company("acme").await;
    let (ours, theirs) = (
        app.key("default", &scopes()).await,
        app.key("acme", &scopes()).await,
    );
    almost(&app, &ours, ANN).await;
    verify(&app, &theirs, &with_email(adult("a"), ANN))
        .expect(200)
        .await;
    assert_eq!(all_verified(&app, &ours, ANN).await, false);
}

async fn any_linked_verification_that_holds_proves(app: TestApp) {
    let app = believing(&app).await;
    let key = app.key("default", &scopes()).await;
    almost(&app, &key, ANN).await;
    verify(&app, &key, &with_email(adult("a"), ANN))
        .expect(200)
        .await;
    verify(&app, &key, &with_email(adult("b"), ANN))
        .expect(200)
        .await;
    assert_eq!(all_verified(&app, &key, ANN).await, true);
    resubmit(&app, &key, &minor("b")).expect(400).await;
    let after = all_verified(&app, &key, ANN).await;
    verify(&app, &key, &with_email(adult("a"), ANN))
        .expect(200)
        .await;
    let asked_again = all_verified(&app, &key, ANN).await;
    assert_eq!(
        (after, asked_again),
        (true.into(), true.into()),
        "a still holds"
    );
}
