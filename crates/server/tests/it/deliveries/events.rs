//! The ends of sessions, as their companies hear of them.

use domain::webhook::WebhookSecret;
use serde_json::json;

use super::{SECOND, URL, all, told, verify};
use crate::harness::{Receivers, TestApp, flows};
use crate::numbers::{self, NUMBER, OTHER, initiate, open, submit};

flows!(
    a_verified_session_is_told,
    a_failed_session_is_told,
    an_expired_session_is_told_once,
    nobody_is_told_who_did_not_ask_for_it,
    both_secrets_sign_while_one_replaces_the_other,
    two_secrets_sign_at_most,
    an_erased_person_is_not_told_of,
);

async fn a_verified_session_is_told(app: TestApp) {
    let secret = app.webhook("default", URL).await;
    let (receivers, key) = (Receivers::new(), app.key("default", numbers::ALL).await);
    let session = open(&app, &key, "order-81").await;
    app.advance(61 * SECOND);
    submit(&app, &session, NUMBER).expect(200).await;
    app.advance(SECOND);
    app.deliver(&receivers).await;
    let heard = receivers.take();
    assert_eq!(heard.len(), 1);
    let message = &heard[0];
    assert_eq!(message.url, URL);
    assert!(message.id.starts_with("msg_"));
    assert_eq!(message.at.to_string(), "2025-01-01T00:01:02Z");
    assert!(message.is_signed_with(&[secret]));
    assert_eq!(
        message.json(),
        json!({
            "type": "verification.verified",
            "timestamp": "2025-01-01T00:01:01.000Z",
            "data": {
                "verificationId": session.id,
                "requestId": "order-81",
                "mobileNumber": "+1******0123",
                "status": "verified",
                "appUserId": "user-7",
                "createdAt": "2025-01-01T00:00:00.000Z",
                "verifiedAt": "2025-01-01T00:01:01.000Z",
                "expiresAt": "2025-01-01T00:10:00.000Z",
            },
        })
    );
    app.deliver(&receivers).await;
    assert!(receivers.take().is_empty(), "told once");
}

async fn a_failed_session_is_told(app: TestApp) {
    let (receivers, key) = told(&app).await;
    let session = open(&app, &key, "order-81").await;
    for _ in 0..3 {
        app.deliver(&receivers).await;
        assert!(receivers.take().is_empty(), "it has not ended yet");
        submit(&app, &session, OTHER).expect(200).await;
    }
    submit(&app, &session, OTHER).expect(409).await;
    app.deliver(&receivers).await;
    let heard = receivers.take();
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0].json()["type"], "verification.failed");
    assert_eq!(heard[0].json()["data"]["status"], "failed");
    assert_eq!(heard[0].json()["data"]["appUserId"], json!(null));
}

async fn an_expired_session_is_told_once(app: TestApp) {
    let (receivers, key) = told(&app).await;
    let swept = open(&app, &key, "swept").await;
    let submitted = open(&app, &key, "submitted").await;
    open(&app, &key, "again").await;
    app.advance(600 * SECOND);
    // Whoever comes across the end first writes it down; nobody writes it a second time.
    submit(&app, &submitted, NUMBER).expect(410).await;
    initiate(&app, &key, NUMBER, "again").expect(201).await;
    assert_eq!(all(&app).await.len(), 2);
    app.chores().await;
    app.chores().await;
    submit(&app, &swept, NUMBER).expect(410).await;
    app.deliver(&receivers).await;
    let heard = receivers.take();
    assert_eq!(heard.len(), 3);
    for message in &heard {
        assert_eq!(message.json()["type"], "verification.expired");
        assert_eq!(message.json()["timestamp"], "2025-01-01T00:10:00.000Z");
        assert_eq!(message.json()["data"]["status"], "expired");
    }
}

async fn nobody_is_told_who_did_not_ask_for_it(app: TestApp) {
    let key = app.key("default", numbers::ALL).await;
    verify(&app, &key, "order-81").await;
    app.webhook("default", URL).await;
    app.company("acme").await;
    app.webhook("acme", "https://acme.example/hook").await;
    assert!(all(&app).await.is_empty());
}

async fn both_secrets_sign_while_one_replaces_the_other(app: TestApp) {
    let (receivers, key) = (Receivers::new(), app.key("default", numbers::ALL).await);
    let old = app.webhook("default", URL).await;
    app.advance(SECOND);
    let change = app::companies::CompanyChange {
        rotate_secret: Some(3600 * SECOND),
        ..Default::default()
    };
    let changed = app.change_company("default", change).await;
    let new = WebhookSecret::parse(&changed.webhook_secret.unwrap()).unwrap();
    app.advance(SECOND);
    verify(&app, &key, "during").await;
    app.deliver(&receivers).await;
    let heard = receivers.take();
    assert!(heard[0].is_signed_with(&[new.clone(), old]));
    app.advance(3600 * SECOND);
    verify(&app, &key, "after").await;
    app.deliver(&receivers).await;
    assert!(receivers.take()[0].is_signed_with(&[new]));
}

async fn two_secrets_sign_at_most(app: TestApp) {
    let (receivers, key) = (Receivers::new(), app.key("default", numbers::ALL).await);
    let mut secrets = vec![app.webhook("default", URL).await];
    for _ in 0..3 {
        app.advance(SECOND);
        let change = app::companies::CompanyChange {
            rotate_secret: Some(3600 * SECOND),
            ..Default::default()
        };
        let changed = app.change_company("default", change).await;
        secrets.insert(
            0,
            WebhookSecret::parse(&changed.webhook_secret.unwrap()).unwrap(),
        );
    }
    app.advance(SECOND);
    verify(&app, &key, "during").await;
    app.deliver(&receivers).await;
    assert!(receivers.take()[0].is_signed_with(&secrets[..2]));
}

async fn an_erased_person_is_not_told_of(app: TestApp) {
    let (receivers, key) = told(&app).await;
    verify(&app, &key, "order-81").await;
    let sql = "DELETE FROM data_keys WHERE id IN (SELECT data_key FROM deliveries)";
    app.database().sql(sql).await;
    app.deliver(&receivers).await;
    assert!(receivers.take().is_empty());
    let delivery = super::only(&app).await;
    assert_eq!(delivery.outcome.as_deref(), Some("erased"));
    assert_eq!(delivery.attempts, 0);
}
