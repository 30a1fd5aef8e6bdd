//! status, and what resubmit does to it.

use std::time::Duration;

use domain::age::AttemptPolicy;
use domain::span::Span;

use super::{SECOND, adult, minor, pass, refuse, resubmit, status, use_up, wire};
use crate::harness::{Settings, TestApp, flows};

flows!(
    a_verification_is_found,
    an_expired_one_is_told_as_such,
    whoever_never_passed_is_not_found,
    a_passed_resubmission_replaces_it,
    a_refused_resubmission_sets_it_aside,
    used_up_attempts_set_nothing_aside,
    companies_do_not_share_customers,
);

const ALL: &str = "ages:read ages:write";

async fn a_verification_is_found(app: TestApp) {
    let key = app.key("default", ALL).await;
    pass(&app, &key, "customer-81").await;
    app.advance(SECOND);
    let answer = status(&app, &key, "customer-81").expect(200).await;
    insta::assert_snapshot!("verified", wire(&answer));
}

async fn an_expired_one_is_told_as_such(app: TestApp) {
    let key = app.key("default", ALL).await;
    pass(&app, &key, "customer-81").await;
    app.advance(Duration::from_secs(365 * 86_400));
    let answer = status(&app, &key, "customer-81").expect(200).await;
    insta::assert_snapshot!("expired", wire(&answer));
}

async fn whoever_never_passed_is_not_found(app: TestApp) {
    let key = app.key("default", ALL).await;
    refuse(&app, &key, "customer-82").await;
    let answer = status(&app, &key, "customer-82").expect(404).await;
    assert_eq!(answer.json["customerId"], "customer-82");
    let answer = status(&app, &key, "customer-81").expect(404).await;
    insta::assert_snapshot!("never", wire(&answer));
}

async fn a_passed_resubmission_replaces_it(app: TestApp) {
    let key = app.key("default", ALL).await;
    let first = resubmit(&app, &key, &adult("customer-81"))
        .expect(200)
        .await
        .json;
    assert_eq!(
        first["method"], "full_verification",
        "nothing has to be there before"
    );
    app.advance(SECOND);
    let second = resubmit(&app, &key, &adult("customer-81"))
        .expect(200)
        .await
        .json;
    assert_eq!(second["method"], "full_verification");
    assert_ne!(second["verificationId"], first["verificationId"]);
    assert_eq!(second["verifiedAt"], "2025-01-01T00:00:01.000Z");
    let known = status(&app, &key, "customer-81").expect(200).await.json;
    assert_eq!(known["verificationId"], second["verificationId"]);
    let cached = pass(&app, &key, "customer-81").await.json;
    assert_eq!(cached["verificationId"], second["verificationId"]);
}

async fn a_refused_resubmission_sets_it_aside(app: TestApp) {
    let key = app.key("default", ALL).await;
    pass(&app, &key, "customer-81").await;
    resubmit(&app, &key, &minor("customer-81"))
        .expect(400)
        .await;
    status(&app, &key, "customer-81").expect(404).await;
    let again = pass(&app, &key, "customer-81").await.json;
    assert_eq!(again["method"], "full_verification");
}

async fn used_up_attempts_set_nothing_aside(app: TestApp) {
    let key = app.key("default", ALL).await;
    for _ in 0..2 {
        refuse(&app, &key, "customer-81").await;
    }
    let passed = pass(&app, &key, "customer-81").await.json;
    // The operator allows fewer: what held still holds, but may not be tried again.
    let mut settings = Settings::default();
    settings.ages.attempts = AttemptPolicy::new(2, Span::seconds(86_400)).unwrap();
    let strict = app.another(settings).await;
    for claim in [adult("customer-81"), minor("customer-81")] {
        resubmit(&strict, &key, &claim).expect(429).await;
    }
    let known = status(&app, &key, "customer-81").expect(200).await.json;
    assert_eq!(known["verificationId"], passed["verificationId"]);
    // The third refusal is still heard, and sets aside.
    resubmit(&app, &key, &minor("customer-81"))
        .expect(400)
        .await;
    status(&app, &key, "customer-81").expect(404).await;
    resubmit(&app, &key, &adult("customer-81"))
        .expect(429)
        .await;
}

async fn companies_do_not_share_customers(app: TestApp) {
    app.company("acme").await;
    let (ours, theirs) = (app.key("default", ALL).await, app.key("acme", ALL).await);
    pass(&app, &ours, "customer-81").await;
    use_up(&app, &ours, "customer-82").await;
    status(&app, &theirs, "customer-81").expect(404).await;
    resubmit(&app, &theirs, &minor("customer-81"))
        .expect(400)
        .await;
    status(&app, &ours, "customer-81").expect(200).await;
    pass(&app, &theirs, "customer-82").await;
    status(&app, &ours, "customer-82").expect(404).await;
}
