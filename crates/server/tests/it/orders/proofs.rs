//! Proofs that arrive while an order waits, and after.

use serde_json::json;

use super::{ALL, ANN, pass, place, placed, prove_all, show, status, timeline};
use crate::ages;
use crate::customers::prove;
use crate::harness::{Settings, TestApp, flows};

flows!(
    the_last_proof_releases_every_held_order,
    a_withdrawn_proof_is_missing_again,
    a_late_proof_reopens_what_has_expired,
    a_proof_after_the_deadline_is_late_swept_or_not,
    what_is_late_is_touched_by_no_further_proof,
    a_proof_has_room_however_many_orders_there_are,
    an_age_releases_where_it_proves_identity,
    an_age_that_proves_nothing_releases_nothing,
    what_is_known_already_changes_nothing,
    companies_prove_for_themselves,
);

async fn the_last_proof_releases_every_held_order(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key("default", ALL).await;
    for id in ["1", "2", "3"] {
        placed(&app, &key, id, ANN).await;
    }
    placed(&app, &key, "4", "bob@example.com").await;
    prove(&app, &key, ANN, "email_optin", true).await;
    prove(&app, &key, ANN, "veriff", true).await;
    let waiting = show(&app, &key, "1").await;
    assert_eq!(waiting["status"], "held");
    assert_eq!(waiting["missing"], json!(["membership"]));
    let last = prove(&app, &key, ANN, "membership", true).await;
    for id in ["1", "2", "3"] {
        assert_eq!(status(&app, &key, id).await, "released");
        let story = [
            "placed", "held", "reminder", "proof", "proof", "proof", "released",
        ];
        assert_eq!(timeline(&app, &key, id).await, story);
    }
    assert_eq!(status(&app, &key, "4").await, "held");
    // One record of the change, and one of each order that it released.
    let records = app.records_of(last.request_id()).await;
    let actions: Vec<_> = records
        .iter()
        .map(|located| &*located.record.action)
        .collect();
    assert_eq!(
        actions
            .iter()
            .filter(|action| **action == "order.release")
            .count(),
        3
    );
    assert_eq!(actions.len(), 4);
    // Reminders die with the hold.
    pass(&app, 80).await;
    let reminders = "SELECT COUNT(*) FROM order_events e JOIN orders o ON o.id = e.order_row \
         WHERE o.status = 'released' AND e.event = 'reminder'";
    assert_eq!(app.database().sql(reminders).await, [["3"]]);
}

async fn a_withdrawn_proof_is_missing_again(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key("default", ALL).await;
    placed(&app, &key, "1", ANN).await;
    prove(&app, &key, ANN, "veriff", true).await;
    prove(&app, &key, ANN, "veriff", false).await;
    let missing = show(&app, &key, "1").await["missing"].clone();
    assert_eq!(missing, json!(["veriff", "membership", "email_optin"]));
    prove(&app, &key, ANN, "membership", true).await;
    prove(&app, &key, ANN, "email_optin", true).await;
    assert_eq!(status(&app, &key, "1").await, "held");
    prove(&app, &key, ANN, "veriff", true).await;
    assert_eq!(status(&app, &key, "1").await, "released");
}

async fn a_late_proof_reopens_what_has_expired(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key("default", ALL).await;
    placed(&app, &key, "1", ANN).await;
    prove(&app, &key, ANN, "veriff", true).await;
    pass(&app, 72).await;
    assert_eq!(status(&app, &key, "1").await, "expired");
    // What is taken away reopens nothing.
    prove(&app, &key, ANN, "veriff", false).await;
    assert_eq!(status(&app, &key, "1").await, "expired");
    prove(&app, &key, ANN, "membership", true).await;
    let late = show(&app, &key, "1").await;
    assert_eq!(late["status"], "late");
    assert_eq!(late["missing"], json!(["veriff", "email_optin"]));
    assert_eq!(late["deadline"], "2025-01-04T00:00:00Z");
    // A person decides, even when everything is proven.
    prove_all(&app, &key, ANN).await;
    let late = show(&app, &key, "1").await;
    assert_eq!(
        (&late["status"], &late["missing"]),
        (&json!("late"), &json!([]))
    );
}

async fn a_proof_after_the_deadline_is_late_swept_or_not(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key("default", ALL).await;
    prove(&app, &key, ANN, "veriff", true).await;
    prove(&app, &key, ANN, "membership", true).await;
    placed(&app, &key, "1", ANN).await;
    // Nobody sweeps.
    app.advance(72 * super::HOUR);
    prove(&app, &key, ANN, "email_optin", true).await;
    assert_eq!(status(&app, &key, "1").await, "late");
    let story = timeline(&app, &key, "1").await;
    assert_eq!(
        story,
        ["placed", "held", "reminder", "expired", "proof", "late"]
    );
}

async fn what_is_late_is_touched_by_no_further_proof(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key_with("default", ALL, "customers=off", None).await;
    for number in 0..30 {
        placed(&app, &key, &number.to_string(), ANN).await;
    }
    pass(&app, 72).await;
    app.advance(super::SECOND);
    prove(&app, &key, ANN, "veriff", true).await;
    let rows = async || {
        let late = "SELECT order_id, events, updated_at FROM orders WHERE status = 'late'";
        let mut rows = app.database().sql(late).await;
        rows.sort();
        rows
    };
    let before = rows().await;
    assert_eq!(before.len(), 30);
    app.advance(super::SECOND);
    prove(&app, &key, ANN, "membership", true).await;
    prove(&app, &key, ANN, "email_optin", true).await;
    assert_eq!(rows().await, before);
    // What is missing is told as of now all the same, and kept as of the decision.
    assert_eq!(show(&app, &key, "1").await["missing"], json!([]));
    prove(&app, &key, ANN, "veriff", false).await;
    super::decide(&app, &key, "1", "release").expect(200).await;
    prove(&app, &key, ANN, "veriff", true).await;
    assert_eq!(show(&app, &key, "1").await["missing"], json!(["veriff"]));
}

/// How many orders of each action stand in one batch of the audit log, which is one transaction, at most.
async fn most_at_once(app: &TestApp, action: &str) -> usize {
    let mut batches = std::collections::BTreeMap::<_, usize>::new();
    for located in app.records().await {
        if located.record.action == action {
            *batches.entry((located.log, located.batch)).or_default() += 1;
        }
    }
    batches.into_values().max().unwrap()
}

async fn a_proof_has_room_however_many_orders_there_are(app: TestApp) {
    app.leaves_deliveries();
    app.webhook("default", "https://hooks.example.com/orders")
        .await;
    let key = app.key_with("default", ALL, "customers=off", None).await;
    for number in 0..130 {
        placed(&app, &key, &format!("old-{number}"), ANN).await;
    }
    pass(&app, 72).await;
    for number in 0..130 {
        placed(&app, &key, &format!("new-{number}"), ANN).await;
    }
    app.advance(super::SECOND);
    let told = async |topic: &str| {
        let told = super::enqueued(&app, "webhook").await;
        told.iter().filter(|told| *told == topic).count()
    };
    prove(&app, &key, ANN, "veriff", true).await;
    app::orders::sweep(&app.app).await.unwrap();
    assert!(most_at_once(&app, "order.reopen").await <= 50);
    assert_eq!(told("order.late").await, 130);
    for id in ["old-0", "old-129"] {
        let story = timeline(&app, &key, id).await;
        assert_eq!(story[story.len() - 3..], ["expired", "proof", "late"]);
    }
    assert_eq!(app::orders::held(&app.app).await.unwrap(), 130);
    for id in ["new-0", "new-129"] {
        assert_eq!(
            show(&app, &key, id).await["missing"],
            json!(["membership", "email_optin"])
        );
        assert_eq!(
            timeline(&app, &key, id).await,
            ["placed", "held", "reminder", "proof"]
        );
    }
    prove(&app, &key, ANN, "membership", true).await;
    prove(&app, &key, ANN, "email_optin", true).await;
    app::orders::sweep(&app.app).await.unwrap();
    assert!(most_at_once(&app, "order.release").await <= 50);
    assert_eq!(told("order.released").await, 130);
    let left = "SELECT status FROM orders WHERE next_at IS NOT NULL \
                OR status NOT IN ('released', 'late')";
    assert!(app.database().sql(left).await.is_empty());
}

async fn an_age_releases_where_it_proves_identity(app: TestApp) {
    app.leaves_deliveries();
    let mut settings = Settings::default();
    settings.ages.proves_identity = true;
    let app = app.another(settings).await;
    let key = app.key("default", &format!("{ALL} ages:write")).await;
    placed(&app, &key, "1", ANN).await;
    for proof in ["membership", "email_optin"] {
        prove(&app, &key, ANN, proof, true).await;
    }
    let mut claim = ages::adult("shopper-1");
    claim["email"] = ANN.into();
    let answer = ages::verify(&app, &key, &claim).expect(200).await;
    let order = show(&app, &key, "1").await;
    assert_eq!(order["status"], "released");
    assert_eq!(order["customer"]["veriff_approved"], false);
    assert_eq!(order["customer"]["all_verified"], true);
    let records = app.records_of(answer.request_id()).await;
    assert_eq!(records.len(), 2, "the decision, and the order it released");
    // An order of a customer whose age is proven is released at once.
    assert_eq!(
        placed(&app, &key, "2", ANN).await.json["status"],
        "released"
    );
}

async fn an_age_that_proves_nothing_releases_nothing(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key("default", &format!("{ALL} ages:write")).await;
    placed(&app, &key, "1", ANN).await;
    for proof in ["membership", "email_optin"] {
        prove(&app, &key, ANN, proof, true).await;
    }
    let mut claim = ages::adult("shopper-1");
    claim["email"] = ANN.into();
    ages::verify(&app, &key, &claim).expect(200).await;
    let order = show(&app, &key, "1").await;
    assert_eq!(order["status"], "held");
    assert_eq!(order["missing"], json!(["veriff"]));
}

async fn what_is_known_already_changes_nothing(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key("default", ALL).await;
    let order = json!({"order_id": "1", "email": ANN, "placed_at": "2024-12-31T20:00:00Z"});
    place(&app, &key, &order).expect(201).await;
    prove(&app, &key, ANN, "veriff", true).await;
    let before = timeline(&app, &key, "1").await;
    prove(&app, &key, ANN, "veriff", true).await;
    let stale = json!({"email": ANN, "verification_type": "veriff", "status": false,
        "metadata": {"occurred_at": "2024-01-01T00:00:00Z"}});
    crate::customers::update(&app, &key, &stale)
        .expect(200)
        .await;
    assert_eq!(timeline(&app, &key, "1").await, before);
}

async fn companies_prove_for_themselves(app: TestApp) {
    app.leaves_deliveries();
    app.company("acme").await;
    let (key, acme) = (app.key("default", ALL).await, app.key("acme", ALL).await);
    placed(&app, &key, "1", ANN).await;
    placed(&app, &acme, "1", ANN).await;
    prove_all(&app, &acme, ANN).await;
    assert_eq!(status(&app, &acme, "1").await, "released");
    assert_eq!(status(&app, &key, "1").await, "held");
}
