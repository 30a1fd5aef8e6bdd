//! What is not its sender's leaves nothing behind but its audit record.

use domain::hook::{square, veriff};
use serde_json::json;

use super::{ADDRESS, SQUARE_KEY, VERIFF_KEY, VERIFF_SECRET, all, event, key, taking};
use crate::harness::{Answer, TestApp, flows};

flows!(
    forged_hooks_of_square_are_refused,
    forged_hooks_of_veriff_are_refused,
    a_hook_may_not_be_larger_than_any_body,
    a_flood_of_forged_hooks_is_counted,
);

const SIGNATURE: &str = "x-square-hmacsha256-signature";

/// Refused like any other, with one record and nothing stored.
async fn assert_refused(app: &TestApp, answer: &Answer, reason: &str) {
    assert_eq!(answer.status.as_u16(), 401, "{}", answer.text());
    assert_eq!(answer.code(), "unauthenticated");
    assert!(answer.headers.contains_key("www-authenticate"));
    let records = app.records_of(answer.request_id()).await;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].record.detail.as_deref(), Some(reason));
    assert!(all(app).await.is_empty());
    let keys = app
        .database()
        .sql("SELECT id FROM data_keys WHERE purpose = 'event'");
    assert!(keys.await.is_empty());
}

async fn forged_hooks_of_square_are_refused(app: TestApp) {
    let app = taking(&app).await;
    let body = event("e-1", "c-1").to_string();
    let signed = |address: &str| square::sign(&key(SQUARE_KEY), address, body.as_bytes());
    let good = signed(ADDRESS);
    let other = square::sign(&key("another key"), ADDRESS, body.as_bytes());
    let elsewhere = signed("https://verify.example.com/hooks/square/");
    for signature in [
        "",
        "x",
        &good[..43],
        &good[1..],
        &good.to_lowercase(),
        &other,
        &elsewhere,
    ] {
        let call = app.post("/hooks/square").header(SIGNATURE, signature);
        let answer = call.body("application/json", body.clone()).send().await;
        assert_refused(&app, &answer, "signature").await;
    }
    for changed in [
        body.replace("c-1", "c-2"),
        body[..body.len() - 1].to_owned(),
        format!("{body} "),
        String::new(),
    ] {
        let call = app.post("/hooks/square").header(SIGNATURE, &good);
        let answer = call.body("application/json", changed).send().await;
        assert_refused(&app, &answer, "signature").await;
    }
    let unsigned = app
        .post("/hooks/square")
        .body("application/json", body.clone());
    assert_refused(&app, &unsigned.send().await, "signature").await;
    let legacy = app
        .post("/hooks/square")
        .header("x-square-signature", &good);
    let legacy = legacy.body("application/json", body.clone()).send().await;
    assert_refused(&app, &legacy, "signature").await;
    let twice = app.post("/hooks/square").header(SIGNATURE, &good);
    let twice = twice
        .header(SIGNATURE, &good)
        .body("application/json", body);
    assert_refused(&app, &twice.send().await, "signature").await;
}

async fn forged_hooks_of_veriff_are_refused(app: TestApp) {
    let app = taking(&app).await;
    let body = json!({"verification": {"id": "s-1", "status": "approved"}}).to_string();
    let good = veriff::sign(&key(VERIFF_SECRET), body.as_bytes());
    let session = veriff::sign(&key(VERIFF_SECRET), b"s-1");
    let call = |signature: &str, client: Option<&str>| {
        let call = app
            .post("/hooks/veriff")
            .header("x-hmac-signature", signature);
        match client {
            None => call.body("application/json", body.clone()),
            Some(client) => call
                .header("x-auth-client", client)
                .body("application/json", body.clone()),
        }
    };
    for signature in ["", &good[..62], &format!("{good}00"), &session] {
        let answer = call(signature, Some(VERIFF_KEY)).send().await;
        assert_refused(&app, &answer, "signature").await;
    }
    for client in [None, Some(""), Some("somebody-else")] {
        let answer = call(&good, client).send().await;
        assert_refused(&app, &answer, "another client").await;
    }
    // Newer messages name both otherwise.
    let newer = |signature: &str| {
        app.post("/hooks/veriff")
            .header("vrf-hmac-signature", signature)
            .header("vrf-auth-client", VERIFF_KEY)
            .body("application/json", body.clone())
    };
    assert_refused(&app, &newer(&session).send().await, "signature").await;
    call(&good.to_uppercase(), Some(VERIFF_KEY))
        .expect(200)
        .await;
    newer(&good).expect(200).await;
    assert_eq!(all(&app).await.len(), 1);
}

async fn a_hook_may_not_be_larger_than_any_body(app: TestApp) {
    let app = taking(&app).await;
    let mut large = event("e-1", "c-1");
    large["padding"] = json!("x".repeat(64 * 1024));
    super::hook(&app, &large).expect(413).await;
    assert!(all(&app).await.is_empty());
}

async fn a_flood_of_forged_hooks_is_counted(app: TestApp) {
    let app = taking(&app).await;
    for _ in 0..80 {
        app.post("/hooks/square").json(&json!({})).expect(401).await;
    }
    app.advance(std::time::Duration::from_secs(11));
    app.chores().await;
    assert_eq!(app.recorded().await["hook.square"], 80);
    let records = app.records().await;
    let of_hooks = records
        .iter()
        .filter(|located| located.record.action == "hook.square");
    assert!(of_hooks.count() < 60);
}
