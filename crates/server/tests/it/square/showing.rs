//! What Square shows of whom.

use std::time::Duration;

use serde_json::json;

use super::seller::Mood;
use super::{ANN, BOB, Stage, customer, event, merge};
use crate::customers::prove;
use crate::harness::{TestApp, flows};

flows!(
    who_shows_an_id_is_shown_everywhere,
    what_is_true_at_the_moment_is_shown,
    our_own_change_changes_nothing,
    a_merge_is_shown,
    who_is_gone_is_shown_nothing,
    a_square_that_is_busy_is_left_alone,
    a_definition_that_is_deleted_is_made_again,
    nobody_is_shown_what_others_have_proven,
);

const AT: &str = "2024-12-31T00:00:00Z";

async fn tied(stage: &Stage, id: &str, email: &str) {
    stage.seller.has(customer(id, email, 0));
    let created = event(id, "customer.created", AT, &customer(id, email, 0));
    stage.hear(&created).await;
}

async fn id_check(stage: &Stage, email: &str, status: bool) {
    stage.app.advance(Duration::from_secs(1));
    prove(&stage.app, &stage.key, email, "veriff", status).await;
}

async fn who_shows_an_id_is_shown_everywhere(app: TestApp) {
    let stage = Stage::set(&app).await;
    for id in ["A", "B"] {
        tied(&stage, id, ANN).await;
    }
    tied(&stage, "C", BOB).await;
    id_check(&stage, ANN, true).await;
    stage.deliver().await;
    for id in ["A", "B"] {
        assert_eq!(stage.seller.shows(id).as_deref(), Some("verified_21"));
    }
    assert_eq!(stage.seller.shows("C"), None);
    let asked = stage.seller.asked();
    let defined = asked
        .iter()
        .filter(|asked| asked.path == "/v2/customers/custom-attribute-definitions");
    assert_eq!(defined.count(), 1);
    id_check(&stage, ANN, false).await;
    stage.deliver().await;
    assert_eq!(stage.seller.shows("A").as_deref(), Some("not_verified"));
    // Other proofs are shown nowhere.
    prove(&stage.app, &stage.key, ANN, "membership", true).await;
    stage.seller.asked();
    stage.deliver().await;
    assert!(stage.seller.asked().is_empty());
}

async fn what_is_true_at_the_moment_is_shown(app: TestApp) {
    let stage = Stage::set(&app).await;
    tied(&stage, "A", ANN).await;
    for status in [true, false, true] {
        id_check(&stage, ANN, status).await;
    }
    stage.deliver().await;
    let verified = ("A".to_owned(), "verified_21".to_owned());
    assert_eq!(
        stage.seller.written(),
        [verified],
        "only what is true in the end"
    );
    for status in [false, true] {
        id_check(&stage, ANN, status).await;
    }
    stage.deliver().await;
    assert!(stage.seller.written().is_empty(), "it is shown already");
}

async fn our_own_change_changes_nothing(app: TestApp) {
    let stage = Stage::set(&app).await;
    tied(&stage, "A", ANN).await;
    id_check(&stage, ANN, true).await;
    stage.deliver().await;
    stage.seller.asked();
    for version in 1..4 {
        let name = format!("echo-{version}");
        let echo = event(&name, "customer.updated", AT, &customer("A", ANN, version));
        stage.hear(&echo).await;
        stage.deliver().await;
        assert!(stage.seller.asked().is_empty());
    }
}

async fn a_merge_is_shown(app: TestApp) {
    let stage = Stage::set(&app).await;
    tied(&stage, "A", ANN).await;
    tied(&stage, "B", BOB).await;
    id_check(&stage, ANN, true).await;
    for event in merge("m", AT, &[customer("A", ANN, 1)], &customer("B", BOB, 1)) {
        stage.hear(&event).await;
    }
    stage.deliver().await;
    assert_eq!(stage.seller.shows("B").as_deref(), Some("verified_21"));
    assert_eq!(stage.seller.shows("A"), None, "it is gone");
    // A new address that is proven already is shown at once.
    stage
        .hear(&event(
            "e",
            "customer.updated",
            AT,
            &customer("B", "new@example.com", 2),
        ))
        .await;
    stage.deliver().await;
    assert_eq!(stage.seller.shows("B").as_deref(), Some("verified_21"));
}

async fn who_is_gone_is_shown_nothing(app: TestApp) {
    let stage = Stage::set(&app).await;
    tied(&stage, "A", ANN).await;
    id_check(&stage, ANN, true).await;
    stage
        .hear(&event("d", "customer.deleted", AT, &customer("A", ANN, 0)))
        .await;
    stage.deliver().await;
    assert!(stage.seller.asked().is_empty());
    // Gone at Square, and no hook has told.
    tied(&stage, "B", ANN).await;
    stage.seller.deletes("B");
    stage.deliver().await;
    let attempts = stage.seller.written().len();
    assert_eq!(attempts, 1);
    stage.app.advance(Duration::from_secs(86_400));
    stage.deliver().await;
    assert!(stage.seller.asked().is_empty(), "it is given up");
}

async fn a_square_that_is_busy_is_left_alone(app: TestApp) {
    let stage = Stage::set(&app).await;
    tied(&stage, "A", ANN).await;
    id_check(&stage, ANN, true).await;
    stage.seller.be(Mood::RetryAfter(300));
    stage.deliver().await;
    stage.app.advance(Duration::from_secs(290));
    stage.seller.asked();
    stage.deliver().await;
    assert!(stage.seller.asked().is_empty());
    stage.app.advance(Duration::from_secs(60));
    stage.deliver().await;
    assert_eq!(stage.seller.shows("A").as_deref(), Some("verified_21"));
    // An answer that is lost is asked for again, and nothing is written twice.
    id_check(&stage, ANN, false).await;
    stage.seller.be(Mood::Status(502));
    stage.deliver().await;
    stage.app.advance(Duration::from_secs(7));
    stage.deliver().await;
    assert_eq!(stage.seller.shows("A").as_deref(), Some("not_verified"));
}

async fn a_definition_that_is_deleted_is_made_again(app: TestApp) {
    let stage = Stage::set(&app).await;
    tied(&stage, "A", ANN).await;
    id_check(&stage, ANN, true).await;
    stage.deliver().await;
    stage.seller.undefines();
    id_check(&stage, ANN, false).await;
    stage.deliver().await;
    stage.app.advance(Duration::from_secs(7));
    stage.deliver().await;
    assert_eq!(stage.seller.shows("A").as_deref(), Some("not_verified"));
}

async fn nobody_is_shown_what_others_have_proven(app: TestApp) {
    let stage = Stage::set(&app).await;
    let number = "+12126668929";
    let mut at_the_counter = customer("A", ANN, 0);
    at_the_counter["email_address"] = json!(null);
    at_the_counter["phone_number"] = json!(number);
    stage.seller.has(at_the_counter.clone());
    stage
        .hear(&event("e-1", "customer.created", AT, &at_the_counter))
        .await;
    // Whoever typed that number has not shown that it is theirs.
    let proven =
        json!({"email": ANN, "phone": number, "verification_type": "veriff", "status": true});
    crate::customers::update(&stage.app, &stage.key, &proven)
        .expect(200)
        .await;
    stage.deliver().await;
    assert_eq!(stage.seller.shows("A"), None);
    // With an address it is known whose it is.
    let known = customer("A", ANN, 1);
    stage
        .hear(&event("e-2", "customer.updated", AT, &known))
        .await;
    stage.deliver().await;
    assert_eq!(stage.seller.shows("A").as_deref(), Some("verified_21"));
}
