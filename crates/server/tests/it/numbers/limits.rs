//! How often companies and the holders of links may ask.

use std::time::Duration;

use app::limits::Limits;
use domain::rate::Limit;
use futures_util::future::join_all;
use serde_json::json;

use super::{
    ALL, INITIATE, NUMBER, OTHER, Opened, SUBMIT, initiate, open, status, submission, submit,
    submit_as,
};
use crate::harness::{Answer, Engine, Settings, TestApp, flows};

flows!(
    a_company_opens_a_hundred_sessions_an_hour,
    instances_share_a_companys_limit,
    a_key_with_a_limit_of_its_own_counts_alone,
    a_company_looks_up_a_thousand_times_an_hour,
    a_session_takes_ten_submissions_a_minute,
    mistakes_count_too_and_strangers_do_not,
    what_is_refused_consumes_nothing,
    limits_can_be_off,
);

/// An instance with other limits.
async fn with(app: &TestApp, change: impl FnOnce(&mut Limits)) -> TestApp {
    let mut settings = Settings::default();
    change(&mut settings.limits);
    app.another(settings).await
}

fn limit(text: &str) -> Limit {
    Limit::parse(text).unwrap()
}

/// Fails unless the answer says of a limit what it is and what is left of it.
fn assert_left(answer: &Answer, name: &str, policy: &str, left: u64) {
    let expected = format!("\"{name}\";{policy}");
    assert_eq!(answer.header("ratelimit-policy"), expected);
    let state = answer.header("ratelimit");
    let expected = format!("\"{name}\";r={left};t=");
    assert!(state.starts_with(&expected), "{state} is not {expected}");
}

fn assert_used_up(answer: &Answer, name: &str, policy: &str, window: u64) {
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        (429, "rate_limited")
    );
    assert_left(answer, name, policy, 0);
    let retry: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=window).contains(&retry), "{retry}");
}

const INITIATES: &str = "q=100;w=3600";
const SUBMITS: &str = "q=10;w=60";

async fn a_company_opens_a_hundred_sessions_an_hour(app: TestApp) {
    app.company("acme").await;
    let (one, two) = (app.key("default", ALL).await, app.key("default", ALL).await);
    for number in 0..100 {
        let key = if number % 2 == 0 { &one } else { &two };
        let request = format!("order-{number}");
        let answer = initiate(&app, key, NUMBER, &request).expect(201).await;
        assert_left(&answer, "initiate", INITIATES, 99 - number);
    }
    for key in [&one, &two] {
        let answer = initiate(&app, key, NUMBER, "order-x").expect(429).await;
        assert_used_up(&answer, "initiate", INITIATES, 3600);
    }
    // Another company has a limit of its own, and so has another question.
    open(&app, &app.key("acme", ALL).await, "order-x").await;
    status(&app, &one, "nv_unknown").expect(404).await;
    let sessions = "SELECT COUNT(*) FROM verification_sessions WHERE company_id = 'default'";
    assert_eq!(app.database().sql(sessions).await, [["100"]]);
}

async fn instances_share_a_companys_limit(app: TestApp) {
    if app.engine() == Engine::Sqlite {
        return; // Without Redis each instance counts for itself.
    }
    let strict = |limits: &mut Limits| limits.initiate = limit("7/1h");
    let (one, two) = (&with(&app, strict).await, &with(&app, strict).await);
    let (ann, bob) = (
        &app.key("default", ALL).await,
        &app.key("default", ALL).await,
    );
    let answers = join_all((0..20).map(|number| async move {
        let instance = if number % 2 == 0 { one } else { two };
        let key = if number % 3 == 0 { ann } else { bob };
        let request = format!("order-{number}");
        initiate(instance, key, NUMBER, &request).send().await
    }))
    .await;
    let opened = answers.iter().filter(|answer| answer.status == 201);
    assert_eq!(opened.count(), 7);
}

async fn a_key_with_a_limit_of_its_own_counts_alone(app: TestApp) {
    let app = with(&app, |limits| {
        limits.initiate = limit("2/1h");
        limits.status = limit("2/1h");
        limits.submit = limit("2/1m");
    })
    .await;
    let own = "initiate=5/1h status=5/1h submit=5/1m";
    let own = app.key_with("default", ALL, own, None).await;
    let (ann, bob) = (app.key("default", ALL).await, app.key("default", ALL).await);
    let session = open(&app, &own, "order-81").await;
    for left in [3, 2, 1, 0] {
        let again = initiate(&app, &own, NUMBER, "order-81").expect(200).await;
        assert_left(&again, "initiate", "q=5;w=3600", left);
    }
    initiate(&app, &own, NUMBER, "order-81").expect(429).await;
    for key in [&ann, &bob] {
        initiate(&app, key, NUMBER, "order-81").expect(200).await;
        status(&app, key, &session.id).expect(200).await;
    }
    initiate(&app, &ann, NUMBER, "order-81").expect(429).await;
    status(&app, &bob, &session.id).expect(429).await;
    let found = status(&app, &own, &session.id).expect(200).await;
    assert_left(&found, "status", "q=5;w=3600", 4);
    let answer = submit_as(&app, &own, &session, OTHER).expect(200).await;
    assert_left(&answer, "submit", "q=5;w=60", 4);
}

async fn a_company_looks_up_a_thousand_times_an_hour(app: TestApp) {
    let (one, two) = (
        &app.key("default", ALL).await,
        &app.key("default", ALL).await,
    );
    let session = &open(&app, one, "order-81").await;
    let answer = status(&app, one, &session.id).expect(200).await;
    assert_left(&answer, "status", "q=1000;w=3600", 999);
    let app = &app;
    join_all((1..1000).map(|number| async move {
        let key = if number % 2 == 0 { one } else { two };
        status(app, key, &session.id).expect(200).await
    }))
    .await;
    for key in [one, two] {
        let answer = status(app, key, &session.id).expect(429).await;
        assert_used_up(&answer, "status", "q=1000;w=3600", 3600);
    }
}

async fn a_session_takes_ten_submissions_a_minute(app: TestApp) {
    let key = app.key("default", ALL).await;
    let session = open(&app, &key, "order-81").await;
    for number in 0..10 {
        // Whoever asks, and whatever comes of it.
        let call = match number % 2 {
            0 => submit(&app, &session, OTHER),
            _ => submit_as(&app, &key, &session, OTHER),
        };
        let answer = call.expect(if number < 3 { 200 } else { 409 }).await;
        assert_left(&answer, "submit", SUBMITS, 9 - number);
    }
    for call in [
        submit(&app, &session, NUMBER),
        submit_as(&app, &key, &session, NUMBER),
    ] {
        assert_used_up(&call.expect(429).await, "submit", SUBMITS, 60);
    }
    let other = open(&app, &key, "order-82").await;
    let answer = submit(&app, &other, NUMBER).expect(200).await;
    assert_left(&answer, "submit", SUBMITS, 9);
}

async fn mistakes_count_too_and_strangers_do_not(app: TestApp) {
    let key = app.key("default", ALL).await;
    let session = open(&app, &key, "order-81").await;
    let mut guess = session.clone();
    guess.token = "x".repeat(session.token.len());
    // Whoever has learnt an id must not use up what its holder may submit.
    for _ in 0..12 {
        let answer = submit(&app, &guess, NUMBER).expect(401).await;
        assert!(!answer.headers.contains_key("ratelimit"));
    }
    let unreadable = submission(&session, "no number");
    for number in 0..10 {
        let answer = app.post(SUBMIT).json(&unreadable).expect(400).await;
        assert_left(&answer, "submit", SUBMITS, 9 - number);
    }
    let answer = submit(&app, &session, NUMBER).expect(429).await;
    assert_used_up(&answer, "submit", SUBMITS, 60);
}

async fn what_is_refused_consumes_nothing(app: TestApp) {
    let app = with(&app, |limits| {
        limits.initiate = limit("2/1h");
        limits.submit = limit("2/1m");
    })
    .await;
    let key = app.key("default", ALL).await;
    let reader = app.key("default", "numbers:read").await;
    let session = open(&app, &key, "order-81").await;
    for _ in 0..5 {
        let answer = initiate(&app, &reader, NUMBER, "x").expect(403).await;
        assert_left(&answer, "initiate", "q=2;w=3600", 1);
    }
    app.post(INITIATE)
        .bearer(&key)
        .json(&json!({}))
        .expect(400)
        .await;
    submit(&app, &session, OTHER).expect(200).await;
    submit(&app, &session, OTHER).expect(200).await;
    for _ in 0..5 {
        initiate(&app, &key, NUMBER, "order-82").expect(429).await;
        submit(&app, &session, NUMBER).expect(429).await;
    }
    if app.engine() == Engine::Postgres {
        return; // Redis goes by its own clock.
    }
    app.advance(Duration::from_millis(60_100));
    // Refused submissions were no attempts either.
    let verified = submit(&app, &session, NUMBER).expect(200).await;
    assert_eq!(verified.json["status"], "verified");
    app.advance(Duration::from_millis(3_540_100));
    for request in ["order-82", "order-83"] {
        let answer = initiate(&app, &key, NUMBER, request).expect(201).await;
        assert_eq!(Opened::of(&answer).token.len(), 32);
    }
    initiate(&app, &key, NUMBER, "order-84").expect(429).await;
}

async fn limits_can_be_off(app: TestApp) {
    let free = with(&app, |limits| {
        limits.initiate = Limit::Off;
        limits.status = Limit::Off;
        limits.submit = Limit::Off;
    })
    .await;
    let key = app.key("default", ALL).await;
    let session = open(&free, &key, "order-81").await;
    for _ in 0..105 {
        for call in [
            initiate(&free, &key, NUMBER, "order-82"),
            status(&free, &key, &session.id),
            submit(&free, &session, OTHER),
        ] {
            let answer = call.send().await;
            assert_ne!(answer.status, 429);
            assert!(!answer.headers.contains_key("ratelimit"));
            assert!(!answer.headers.contains_key("ratelimit-policy"));
        }
    }
    let own = "initiate=off status=off submit=off";
    let own = app.key_with("default", ALL, own, None).await;
    let session = open(&app, &own, "order-83").await;
    for _ in 0..12 {
        let answer = initiate(&app, &own, NUMBER, "order-83").send().await;
        assert!([200, 201].contains(&answer.status.as_u16()));
        let answer = submit_as(&app, &own, &session, OTHER).send().await;
        assert_ne!(answer.status, 429);
    }
}
