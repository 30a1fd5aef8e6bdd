//! Requests that are sent again.

use std::time::Duration;

use app::Ctx;
use app::customers::{Metadata, Update};
use app::idempotency::{self, Begun, IdempotencyKey, Reply};
use domain::access::ApiKey;
use domain::contact::Email;
use domain::standing::Proof;
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::sync::Arc;

use crate::customers::{BOTH, CHECK, UPDATE, standing};
use crate::harness::{Answer, Settings, TestApp, flows};

flows!(
    the_same_request_gets_the_same_answer,
    two_keys_are_none,
    another_body_is_refused,
    quoted_and_bare_keys_are_the_same,
    malformed_keys_are_refused,
    keys_belong_to_a_company,
    an_answer_is_kept_for_a_day,
    of_concurrent_requests_one_does_the_work,
    a_refused_request_keeps_no_key,
    a_crashed_request_frees_its_key_after_a_minute,
    giving_up_a_key_does_not_forget_an_answer,
    a_key_that_was_given_up_takes_no_answer,
    a_question_needs_no_key,
);

fn change(email: &str) -> Value {
    json!({"email": email, "verification_type": "veriff", "status": true})
}

async fn send(app: &TestApp, key: &str, idempotency_key: &str, body: &Value) -> Answer {
    let call = app
        .post(UPDATE)
        .key(key)
        .header("idempotency-key", idempotency_key);
    call.json(body).send().await
}

async fn the_same_request_gets_the_same_answer(app: TestApp) {
    let key = app.key("default", BOTH).await;
    let first = send(&app, &key, "k-1", &change("ann@example.com")).await;
    assert_eq!(first.status, 200);
    app.advance(Duration::from_secs(3600));
    let again = send(&app, &key, "k-1", &change("ann@example.com")).await;
    assert_eq!((again.status, &again.bytes), (first.status, &first.bytes));
    assert_eq!(again.header("content-type"), "application/json");
    assert_ne!(again.request_id(), first.request_id());
    let evidence = app.database().sql("SELECT COUNT(*) FROM evidence").await;
    assert_eq!(evidence, [["1"]]);
    let record = &app.records_of(again.request_id()).await[0].record;
    assert_eq!(record.detail.as_deref(), Some("idempotency: stored answer"));
    let before = &app.records_of(first.request_id()).await[0].record;
    assert!(record.subject.is_some() && record.subject == before.subject);
}

async fn two_keys_are_none(app: TestApp) {
    let key = app.key("default", BOTH).await;
    let with = |second: &str| {
        let call = app.post(UPDATE).key(&key);
        let call = call.header("idempotency-key", "k-1");
        call.header("idempotency-key", second)
    };
    let refused = with("k-2").json(&change("ann@example.com")).expect(400);
    assert_eq!(refused.await.code(), "invalid_request");
    with("k-1")
        .json(&change("ann@example.com"))
        .expect(200)
        .await;
}

async fn another_body_is_refused(app: TestApp) {
    let key = app.key("default", BOTH).await;
    send(&app, &key, "k-1", &change("ann@example.com")).await;
    let other = send(&app, &key, "k-1", &change("bob@example.com")).await;
    assert_eq!(other.status, 422);
    assert_eq!(other.code(), "idempotency_key_reused");
    assert_eq!(
        standing(&app, &key, "bob@example.com").await["customer_found"],
        false
    );
}

async fn quoted_and_bare_keys_are_the_same(app: TestApp) {
    let key = app.key("default", BOTH).await;
    let bare = send(&app, &key, "8e03978e-40d5", &change("ann@example.com")).await;
    app.advance(Duration::from_secs(1));
    let quoted = send(&app, &key, "\"8e03978e-40d5\"", &change("ann@example.com")).await;
    assert_eq!(bare.bytes, quoted.bytes);
}

async fn malformed_keys_are_refused(app: TestApp) {
    let key = app.key("default", BOTH).await;
    for bad in ["", "\"\"", " ", &"k".repeat(256), "schlüssel"] {
        let answer = send(&app, &key, bad, &change("ann@example.com")).await;
        assert_eq!(answer.status, 400, "{bad}");
        assert_eq!(answer.fields(), ["Idempotency-Key"]);
    }
    let longest = send(&app, &key, &"k".repeat(255), &change("ann@example.com")).await;
    assert_eq!(longest.status, 200);
}

async fn keys_belong_to_a_company(app: TestApp) {
    app.company("acme").await;
    let (ours, theirs) = (app.key("default", BOTH).await, app.key("acme", BOTH).await);
    send(&app, &ours, "k-1", &change("ann@example.com")).await;
    let answer = send(&app, &theirs, "k-1", &change("bob@example.com")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json["customer_email"], "bob@example.com");
    // Another key of the same company is the same caller, as after a rotation.
    let rotated = app.key("default", BOTH).await;
    let answer = send(&app, &rotated, "k-1", &change("eve@example.com")).await;
    assert_eq!(answer.status, 422);
}

async fn an_answer_is_kept_for_a_day(app: TestApp) {
    let key = app.key("default", BOTH).await;
    let first = send(&app, &key, "k-1", &change("ann@example.com")).await;
    app.advance(Duration::from_secs(86_399));
    app.chores().await;
    let kept = send(&app, &key, "k-1", &change("ann@example.com")).await;
    assert_eq!(kept.bytes, first.bytes);
    app.advance(Duration::from_secs(1));
    let done_again = send(&app, &key, "k-1", &change("ann@example.com")).await;
    assert_ne!(done_again.bytes, first.bytes, "the time is another");
    app.advance(Duration::from_secs(86_401));
    app.chores().await;
    let rows = app
        .database()
        .sql("SELECT COUNT(*) FROM idempotency_keys")
        .await;
    assert_eq!(rows, [["0"]]);
}

async fn of_concurrent_requests_one_does_the_work(app: TestApp) {
    let key = &app.key("default", BOTH).await;
    let other = &app.another(Settings::default()).await;
    let body = &change("ann@example.com");
    let answers = join_all((0..20).map(|at| {
        let instance = if at % 2 == 0 { &app } else { other };
        send(instance, key, "k-1", body)
    }))
    .await;
    let mut done = Vec::new();
    for answer in &answers {
        match answer.status.as_u16() {
            200 => done.push(&answer.bytes),
            409 => assert_eq!(answer.code(), "idempotency_in_progress"),
            status => panic!("{status}: {}", answer.text()),
        }
    }
    assert!(!done.is_empty());
    assert!(done.iter().all(|bytes| *bytes == done[0]));
    let evidence = app.database().sql("SELECT COUNT(*) FROM evidence").await;
    assert_eq!(evidence, [["1"]]);
}

async fn a_refused_request_keeps_no_key(app: TestApp) {
    let key = app.key("default", BOTH).await;
    let refused = send(&app, &key, "k-1", &json!({"email": "ann"})).await;
    assert_eq!(refused.status, 400);
    let corrected = send(&app, &key, "k-1", &change("ann@example.com")).await;
    assert_eq!(corrected.status, 200);
}

fn kept(key: &str) -> IdempotencyKey {
    IdempotencyKey {
        key: key.to_owned(),
        route: "customer.update",
        fingerprint: [7; 32],
    }
}

async fn caller(app: &TestApp) -> Ctx {
    let key = app.key("default", BOTH).await;
    assert!(ApiKey::parse(&key).is_some());
    let caller = app.app.directory.authenticate_key(&key, app.now());
    let caller = caller.await.unwrap().unwrap();
    Ctx {
        caller,
        exchange: Arc::new(app.command("customer.update")),
    }
}

async fn begin(app: &TestApp, ctx: &Ctx) -> Begun {
    idempotency::begin(&app.app, ctx, &kept("k-1"))
        .await
        .unwrap()
}

fn work() -> Update {
    Update {
        email: Email::parse("ann@example.com").unwrap(),
        phone: None,
        proof: Proof::Veriff,
        status: true,
        metadata: Metadata::default(),
        occurred_at: None,
    }
}

async fn a_crashed_request_frees_its_key_after_a_minute(app: TestApp) {
    let ctx = caller(&app).await;
    let Begun::First(_) = begin(&app, &ctx).await else {
        panic!("nobody was first");
    };
    app.advance(Duration::from_millis(59_999));
    let in_progress = idempotency::begin(&app.app, &ctx, &kept("k-1")).await;
    assert_eq!(
        in_progress.err().unwrap().problem().code,
        app::Code::IdempotencyInProgress
    );
    app.advance(Duration::from_millis(1));
    assert!(matches!(begin(&app, &ctx).await, Begun::First(_)));
}

/// The answer was stored, but the news of it was lost on the way: so the caller is refused and the
/// key given up. What was done must not be done again.
async fn giving_up_a_key_does_not_forget_an_answer(app: TestApp) {
    let ctx = caller(&app).await;
    let Begun::First(ticket) = begin(&app, &ctx).await else {
        panic!("nobody was first");
    };
    let reply = Reply::new(Some(ticket.clone()), |_| (200, b"done".to_vec()));
    app::customers::update(&app.app, &ctx, work(), reply)
        .await
        .unwrap();
    idempotency::release(&app.app, ticket).await.unwrap();
    let Begun::Replay { status, body } = begin(&app, &ctx).await else {
        panic!("the answer is forgotten");
    };
    assert_eq!((status, body.as_slice()), (200, b"done".as_slice()));
}

/// The other way round: the key is given up while the work still waits for the database. By the
/// time it runs, another request may hold the key, so it must not run at all.
async fn a_key_that_was_given_up_takes_no_answer(app: TestApp) {
    let ctx = caller(&app).await;
    let Begun::First(ticket) = begin(&app, &ctx).await else {
        panic!("nobody was first");
    };
    idempotency::release(&app.app, ticket.clone())
        .await
        .unwrap();
    app.advance(Duration::from_millis(1));
    assert!(matches!(begin(&app, &ctx).await, Begun::First(_)));
    let reply = Reply::new(Some(ticket.clone()), |_| (200, b"late".to_vec()));
    let late = app::customers::update(&app.app, &ctx, work(), reply).await;
    assert!(late.is_err());
    idempotency::release(&app.app, ticket).await.unwrap();
    let again = idempotency::begin(&app.app, &ctx, &kept("k-1")).await;
    assert!(
        again.is_err(),
        "the second holder's key was given up by the first"
    );
    let evidence = app.database().sql("SELECT COUNT(*) FROM evidence").await;
    assert_eq!(evidence, [["0"]]);
}

async fn a_question_needs_no_key(app: TestApp) {
    let key = app.key("default", BOTH).await;
    for email in ["ann@example.com", "bob@example.com"] {
        let call = app.post(CHECK).key(&key).header("idempotency-key", "k-1");
        call.json(&json!({ "email": email })).expect(200).await;
    }
}
