//! The answers, to the letter.

use serde_json::json;

use super::{ALL, NUMBER, OTHER, Opened, initiate, open, status, submit};
use crate::harness::{TestApp, flows};

flows!(
    a_session_is_opened_verified_and_looked_up,
    three_other_numbers_and_it_has_failed,
    the_same_request_again_is_the_same_session_with_a_fresh_link,
);

async fn a_session_is_opened_verified_and_looked_up(app: TestApp) {
    let key = app.key("default", ALL).await;
    let answer = initiate(&app, &key, "+1 (415) 555-0123", "order-81")
        .expect(201)
        .await;
    let session = Opened::of(&answer);
    assert_eq!(
        answer.json,
        json!({
            "verificationId": session.id,
            "requestId": "order-81",
            "status": "pending",
            "deepLink": format!("https://verify.example.com/v/{}#{}", session.id, session.token),
            "expiresAt": "2025-01-01T00:10:00.000Z",
        })
    );
    let pending = status(&app, &key, &session.id).expect(200).await;
    assert_eq!(
        pending.json,
        json!({
            "verificationId": session.id,
            "requestId": "order-81",
            "mobileNumber": "+1******0123",
            "status": "pending",
            "appUserId": null,
            "createdAt": "2025-01-01T00:00:00.000Z",
            "verifiedAt": null,
            "expiresAt": "2025-01-01T00:10:00.000Z",
        })
    );
    app.advance(std::time::Duration::from_millis(61_500));
    let verified = submit(&app, &session, NUMBER).expect(200).await;
    assert_eq!(
        verified.json,
        json!({
            "verificationId": session.id,
            "status": "verified",
            "verifiedAt": "2025-01-01T00:01:01.500Z",
        })
    );
    let looked_up = status(&app, &key, &session.id).expect(200).await;
    assert_eq!(looked_up.json["status"], "verified");
    assert_eq!(looked_up.json["appUserId"], "user-7");
    assert_eq!(looked_up.json["verifiedAt"], "2025-01-01T00:01:01.500Z");
}

async fn three_other_numbers_and_it_has_failed(app: TestApp) {
    let key = app.key("default", ALL).await;
    let session = open(&app, &key, "order-81").await;
    for (left, standing) in [(2, "pending"), (1, "pending"), (0, "failed")] {
        let answer = submit(&app, &session, OTHER).expect(200).await;
        assert_eq!(
            answer.json,
            json!({
                "verificationId": session.id,
                "status": standing,
                "attemptsLeft": left,
            })
        );
    }
    let closed = submit(&app, &session, NUMBER).expect(409).await;
    assert_eq!(closed.json["error"]["code"], "session_closed");
    let failed = status(&app, &key, &session.id).expect(200).await;
    assert_eq!(failed.json["status"], "failed");
    assert_eq!(failed.json["appUserId"], json!(null));
}

async fn the_same_request_again_is_the_same_session_with_a_fresh_link(app: TestApp) {
    let key = app.key("default", ALL).await;
    let first = open(&app, &key, "order-81").await;
    app.advance(std::time::Duration::from_secs(5));
    let answer = initiate(&app, &key, NUMBER, "order-81").expect(200).await;
    let again = Opened::of(&answer);
    assert_eq!(again.id, first.id);
    assert_ne!(again.token, first.token);
    assert_eq!(answer.json["expiresAt"], "2025-01-01T00:10:00.000Z");
    let dead = submit(&app, &first, NUMBER).expect(401).await;
    assert_eq!(dead.json["error"]["code"], "unauthenticated");
    submit(&app, &again, NUMBER).expect(200).await;
}
