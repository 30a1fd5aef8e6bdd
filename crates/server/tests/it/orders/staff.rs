//! What staff decide.

use serde_json::json;

use super::{ALL, ANN, ORDERS, decide, enqueued, pass, placed, prove_all, show, status, timeline};
use crate::customers::prove;
use crate::harness::{TestApp, flows};

flows!(
    held_expired_and_late_orders_are_released_or_cancelled,
    a_cancelled_order_stays_cancelled,
    deciding_the_same_again_changes_nothing,
    a_reason_is_shown_and_kept_sealed,
    a_decision_is_recorded,
    a_decision_sent_again_is_answered_again,
);

async fn held_expired_and_late_orders_are_released_or_cancelled(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key("default", ALL).await;
    for decision in ["release", "cancel"] {
        let word = format!("{decision}d").replace("canceld", "cancelled");
        for stage in ["held", "expired", "late"] {
            let (id, email) = (
                format!("{decision}-{stage}"),
                format!("{stage}-{decision}@example.com"),
            );
            placed(&app, &key, &id, &email).await;
            if stage != "held" {
                pass(&app, 72).await;
            }
            if stage == "late" {
                prove(&app, &key, &email, "veriff", true).await;
            }
            assert_eq!(status(&app, &key, &id).await, stage);
            let answer = decide(&app, &key, &id, decision).expect(200).await;
            assert_eq!(answer.json["status"], word.as_str());
            assert_eq!(answer.json["deadline"], json!(null));
            assert_eq!(status(&app, &key, &id).await, word);
        }
    }
}

async fn a_cancelled_order_stays_cancelled(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key("default", ALL).await;
    placed(&app, &key, "1", ANN).await;
    decide(&app, &key, "1", "cancel").expect(200).await;
    let refused = decide(&app, &key, "1", "release").expect(409).await;
    assert_eq!(refused.code(), "conflict");
    prove_all(&app, &key, ANN).await;
    pass(&app, 80).await;
    assert_eq!(status(&app, &key, "1").await, "cancelled");
    assert_eq!(
        enqueued(&app, "mail").await,
        ["order.reminder"],
        "that of the placing"
    );
    let again = json!({"order_id": "1", "email": ANN});
    let known = super::place(&app, &key, &again).expect(200).await;
    assert_eq!(known.json["status"], "cancelled");
    // Also one that was released.
    placed(&app, &key, "2", ANN).await;
    let cancelled = decide(&app, &key, "2", "cancel").expect(200).await;
    assert_eq!(cancelled.json["status"], "cancelled");
}

async fn deciding_the_same_again_changes_nothing(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key("default", ALL).await;
    placed(&app, &key, "1", ANN).await;
    for decision in ["release", "cancel"] {
        let first = decide(&app, &key, "1", decision).expect(200).await;
        let story = timeline(&app, &key, "1").await;
        let second = decide(&app, &key, "1", decision).expect(200).await;
        assert_eq!(first.json, second.json);
        assert_eq!(timeline(&app, &key, "1").await, story);
    }
}

async fn a_reason_is_shown_and_kept_sealed(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key("default", ALL).await;
    placed(&app, &key, "1", ANN).await;
    let nonce = app.nonce();
    let reason = json!({"reason": format!("Mrs. {nonce} came by")});
    let call = app
        .post(&format!("{ORDERS}/1/cancel"))
        .key(&key)
        .json(&reason);
    call.expect(200).await;
    let order = show(&app, &key, "1").await;
    let last = order["timeline"].as_array().unwrap().last().unwrap();
    assert_eq!(last["event"], "cancelled");
    assert_eq!(last["detail"], reason["reason"]);
    let dump = app.database().dump().await;
    let found = dump
        .windows(nonce.len())
        .any(|window| window == nonce.as_bytes());
    assert!(!found, "the database shows what staff wrote");
    assert!(!crate::harness::logged().contains(&nonce));
}

async fn a_decision_is_recorded(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key("default", ALL).await;
    let placed = placed(&app, &key, "1", ANN).await;
    let subject = app.records_of(placed.request_id()).await[0].record.subject;
    assert!(subject.is_some());
    for (decision, action, detail) in [
        ("release", "order.release", "released"),
        ("release", "order.release", "unchanged"),
        ("cancel", "order.cancel", "cancelled"),
    ] {
        let answer = decide(&app, &key, "1", decision).expect(200).await;
        let records = app.records_of(answer.request_id()).await;
        assert_eq!(records.len(), 1);
        let record = &records[0].record;
        assert_eq!(record.action, action);
        assert_eq!(record.detail.as_deref(), Some(detail));
        assert_eq!(record.subject, subject);
    }
    let shown = app.get(&format!("{ORDERS}/1")).key(&key).expect(200).await;
    let records = app.records_of(shown.request_id()).await;
    assert_eq!(records[0].record.action, "order.show");
    assert_eq!(records[0].record.subject, subject);
}

async fn a_decision_sent_again_is_answered_again(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key("default", ALL).await;
    placed(&app, &key, "1", ANN).await;
    let again = || decide(&app, &key, "1", "release").header("idempotency-key", "once");
    let first = again().expect(200).await;
    decide(&app, &key, "1", "cancel").expect(200).await;
    assert_eq!(again().expect(200).await.json, first.json);
    placed(&app, &key, "2", ANN).await;
    let other = decide(&app, &key, "2", "release").header("idempotency-key", "once");
    assert_eq!(other.expect(422).await.code(), "idempotency_key_reused");
    let order = json!({"order_id": "3", "email": ANN});
    for _ in 0..2 {
        let call = super::place(&app, &key, &order).header("idempotency-key", "placing");
        call.expect(201).await;
    }
}
