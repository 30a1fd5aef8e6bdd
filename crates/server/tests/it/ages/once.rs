//! Attempts that are sent again with their idempotency key.

use serde_json::Value;

use super::{DAY, RESUBMIT, SECOND, VERIFY, adult, closed, minor, pass, refuse, use_up};
use crate::harness::{Answer, TestApp, flows};

flows!(
    the_same_attempt_counts_once,
    what_passed_is_answered_again,
    used_up_attempts_keep_no_key,
    verify_and_resubmit_have_keys_of_their_own,
);

async fn send(app: &TestApp, key: &str, path: &str, claim: &Value) -> Answer {
    let call = app.post(path).key(key).header("idempotency-key", "k-1");
    call.json(claim).send().await
}

async fn the_same_attempt_counts_once(app: TestApp) {
    let key = app.key("default", "ages:write").await;
    let first = send(&app, &key, VERIFY, &minor("customer-81")).await;
    for _ in 0..4 {
        app.advance(SECOND);
        let again = send(&app, &key, VERIFY, &minor("customer-81")).await;
        assert_eq!((again.status.as_u16(), &again.bytes), (400, &first.bytes));
        let record = &app.records_of(again.request_id()).await[0].record;
        assert_eq!(
            (&*record.action, record.outcome.status),
            ("age.verify", 400)
        );
        assert_eq!(record.outcome.code, "refused");
        assert_eq!(record.detail.as_deref(), Some("idempotency: stored answer"));
    }
    let rows = app
        .database()
        .sql("SELECT attempts FROM age_customers")
        .await;
    assert_eq!(rows, [["1"]]);
    let other = send(&app, &key, VERIFY, &adult("customer-81")).await;
    assert_eq!(
        (other.status.as_u16(), other.code()),
        (422, "idempotency_key_reused")
    );
    // The stored answer leaves even when the attempts are used up since.
    refuse(&app, &key, "customer-81").await;
    refuse(&app, &key, "customer-81").await;
    closed(&app, &key, &minor("customer-81")).await;
    let again = send(&app, &key, VERIFY, &minor("customer-81")).await;
    assert_eq!((again.status.as_u16(), &again.bytes), (400, &first.bytes));
}

async fn what_passed_is_answered_again(app: TestApp) {
    let key = app.key("default", "ages:write").await;
    let first = send(&app, &key, RESUBMIT, &adult("customer-81")).await;
    app.advance(SECOND);
    let again = send(&app, &key, RESUBMIT, &adult("customer-81")).await;
    assert_eq!((again.status.as_u16(), &again.bytes), (200, &first.bytes));
    // An answer from memory is kept as well.
    let claim = adult("customer-82");
    let passed = pass(&app, &key, "customer-82").await;
    let kept = send(&app, &key, VERIFY, &claim).await;
    assert_eq!(kept.json["method"], "cache");
    assert_eq!(kept.json["verificationId"], passed.json["verificationId"]);
    app.advance(SECOND);
    assert_eq!(send(&app, &key, VERIFY, &claim).await.bytes, kept.bytes);
}

async fn used_up_attempts_keep_no_key(app: TestApp) {
    let key = app.key("default", "ages:write").await;
    use_up(&app, &key, "customer-81").await;
    for _ in 0..2 {
        let answer = send(&app, &key, VERIFY, &adult("customer-81")).await;
        assert_eq!(answer.status, 429, "{}", answer.text());
        assert_eq!(answer.json["requestId"], answer.request_id());
        assert_eq!(answer.header("retry-after"), "86400");
    }
    app.advance(DAY - SECOND);
    assert_eq!(
        send(&app, &key, VERIFY, &adult("customer-81")).await.status,
        429
    );
    app.advance(SECOND);
    assert_eq!(
        send(&app, &key, VERIFY, &adult("customer-81")).await.status,
        200
    );
}

async fn verify_and_resubmit_have_keys_of_their_own(app: TestApp) {
    let key = app.key("default", "ages:write").await;
    let verified = send(&app, &key, VERIFY, &adult("customer-81")).await;
    app.advance(SECOND);
    let anew = send(&app, &key, RESUBMIT, &adult("customer-81")).await;
    assert_eq!(anew.status, 200);
    assert_ne!(anew.json["verificationId"], verified.json["verificationId"]);
}
