//! Requests that are sent again with their idempotency key.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{ALL, INITIATE, NUMBER, OTHER, Opened, SUBMIT, open, rows, status, submission, submit};
use crate::harness::{Answer, Call, Settings, TestApp, flows};

flows!(
    a_session_is_opened_once,
    the_link_of_a_stored_answer_stays_good,
    of_concurrent_requests_one_opens_the_session,
    a_submission_is_answered_again,
    holders_of_links_have_keys_of_their_own,
    a_stored_answer_is_only_for_who_may_have_it,
    a_refused_request_keeps_no_key,
);

const SECOND: Duration = Duration::from_secs(1);

fn keyed(call: Call) -> Call {
    call.header("idempotency-key", "k-1")
}

async fn start(app: &TestApp, key: &str, number: &str, request: &str) -> Answer {
    let body = json!({"mobileNumber": number, "requestId": request});
    keyed(app.post(INITIATE).bearer(key))
        .json(&body)
        .send()
        .await
}

async fn name(app: &TestApp, body: &Value) -> Answer {
    keyed(app.post(SUBMIT)).json(body).send().await
}

async fn a_session_is_opened_once(app: TestApp) {
    let key = app.key("default", ALL).await;
    let first = start(&app, &key, NUMBER, "order-81").await;
    assert_eq!(first.status, 201);
    app.advance(SECOND);
    let again = start(&app, &key, NUMBER, "order-81").await;
    assert_eq!((again.status.as_u16(), &again.bytes), (201, &first.bytes));
    let record = &app.records_of(again.request_id()).await[0].record;
    assert_eq!(record.detail.as_deref(), Some("idempotency: stored answer"));
    for (number, request) in [(OTHER, "order-81"), (NUMBER, "order-82")] {
        let other = start(&app, &key, number, request).await;
        assert_eq!(
            (other.status.as_u16(), other.code()),
            (422, "idempotency_key_reused")
        );
    }
    assert_eq!(rows(&app, "status").await.len(), 1);
}

async fn the_link_of_a_stored_answer_stays_good(app: TestApp) {
    let key = app.key("default", ALL).await;
    let first = start(&app, &key, NUMBER, "order-81").await;
    start(&app, &key, NUMBER, "order-81").await;
    let session = Opened::of(&first);
    let verified = submit(&app, &session, NUMBER).expect(200).await;
    assert_eq!(verified.json["status"], "verified");
    // The answer was about a session that has ended since; it is still the answer.
    let again = start(&app, &key, NUMBER, "order-81").await;
    assert_eq!(again.bytes, first.bytes);
}

async fn of_concurrent_requests_one_opens_the_session(app: TestApp) {
    let other = &app.another(Settings::default()).await;
    let (app, key) = (&app, &app.key("default", ALL).await);
    let answers = join_all((0..20).map(|number| {
        let instance = if number % 2 == 0 { app } else { other };
        start(instance, key, NUMBER, "order-81")
    }))
    .await;
    let mut opened = Vec::new();
    for answer in &answers {
        match answer.status.as_u16() {
            201 => opened.push(&answer.bytes),
            409 => assert_eq!(answer.code(), "idempotency_in_progress"),
            status => panic!("{status}: {}", answer.text()),
        }
    }
    assert!(opened.iter().all(|bytes| *bytes == opened[0]));
    assert_eq!(rows(app, "status").await, ["pending"]);
    let session = Opened::of(answers.iter().find(|answer| answer.status == 201).unwrap());
    submit(app, &session, NUMBER).expect(200).await;
}

async fn a_submission_is_answered_again(app: TestApp) {
    let key = app.key("default", ALL).await;
    let session = open(&app, &key, "order-81").await;
    let verified = name(&app, &submission(&session, NUMBER)).await;
    assert_eq!(verified.json["status"], "verified");
    for _ in 0..2 {
        app.advance(SECOND);
        let again = name(&app, &submission(&session, NUMBER)).await;
        assert_eq!(
            (again.status.as_u16(), &again.bytes),
            (200, &verified.bytes)
        );
    }
    submit(&app, &session, NUMBER).expect(409).await;
    let other = open(&app, &key, "order-82").await;
    for _ in 0..4 {
        let wrong = name(&app, &submission(&other, OTHER)).await;
        assert_eq!(
            (wrong.status.as_u16(), &wrong.json["attemptsLeft"]),
            (200, &json!(2))
        );
    }
    let changed = name(&app, &submission(&other, NUMBER)).await;
    assert_eq!(changed.status, 422);
    submit(&app, &other, NUMBER).expect(200).await;
}

async fn holders_of_links_have_keys_of_their_own(app: TestApp) {
    let key = app.key("default", ALL).await;
    let (ann, bob) = (
        open(&app, &key, "order-81").await,
        open(&app, &key, "order-82").await,
    );
    for session in [&ann, &bob] {
        let answer = name(&app, &submission(session, OTHER)).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json["attemptsLeft"]),
            (200, &json!(2))
        );
    }
    let company = keyed(app.post(SUBMIT).bearer(&key)).json(&submission(&ann, OTHER));
    assert_eq!(company.expect(200).await.json["attemptsLeft"], 1);
}

async fn a_stored_answer_is_only_for_who_may_have_it(app: TestApp) {
    let key = app.key("default", ALL).await;
    let session = open(&app, &key, "order-81").await;
    let body = submission(&session, NUMBER);
    assert_eq!(name(&app, &body).await.status, 200);
    let mut stranger = body.clone();
    stranger["token"] = json!("nobody's");
    assert_eq!(name(&app, &stranger).await.status, 401);
    stranger["token"] = Value::Null;
    assert_eq!(name(&app, &stranger).await.status, 401);
    let found = status(&app, &key, &session.id).expect(200).await;
    assert_eq!(found.json["status"], "verified");
}

async fn a_refused_request_keeps_no_key(app: TestApp) {
    let key = app.key("default", ALL).await;
    assert_eq!(
        start(&app, &key, "+442079460018", "order-81").await.status,
        400
    );
    let session = Opened::of(&start(&app, &key, NUMBER, "order-81").await);
    submit(&app, &session, NUMBER).expect(200).await;
    for _ in 0..2 {
        let late = name(&app, &submission(&session, OTHER)).await;
        assert_eq!((late.status.as_u16(), late.code()), (409, "session_closed"));
    }
    let other = name(&app, &submission(&session, NUMBER)).await;
    assert_eq!(
        (other.status.as_u16(), other.code()),
        (409, "session_closed")
    );
}
