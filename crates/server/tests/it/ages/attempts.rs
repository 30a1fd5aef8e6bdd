//! Three refused attempts in 24 hours from the first of them.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    DAY, SECOND, VERIFY, adult, adult_with, closed, minor, pass, refuse, resubmit, use_up, verify,
};
use crate::harness::{Settings, TestApp, flows};

flows!(
    the_fourth_attempt_is_closed_whatever_it_says,
    a_closed_answer_tells_nothing_of_the_claim,
    every_kind_of_refusal_counts,
    successes_and_remembered_answers_do_not_count,
    the_window_begins_with_the_first_refusal,
    after_the_window_the_count_begins_at_zero,
    attempts_are_counted_by_company_and_customer,
    instances_share_the_count,
    the_count_survives_a_restart,
    limits_forgotten_by_redis_change_nothing,
);

async fn the_fourth_attempt_is_closed_whatever_it_says(app: TestApp) {
    let key = app.key("default", "ages:write").await;
    use_up(&app, &key, "customer-81").await;
    app.advance(Duration::from_millis(1500));
    let answer = closed(&app, &key, &adult("customer-81")).await;
    for (name, value) in [
        ("attempts", json!(3)),
        ("maxAttempts", json!(3)),
        ("resetAt", json!("2025-01-02T00:00:00.000Z")),
        ("success", json!(false)),
    ] {
        assert_eq!(answer.json[name], value, "{name}");
    }
    assert_eq!(answer.header("retry-after"), "86399", "rounded up");
    resubmit(&app, &key, &adult("customer-81"))
        .expect(429)
        .await;
    // Being turned away is no attempt.
    let answer = closed(&app, &key, &adult("customer-81")).await;
    assert_eq!(answer.json["attempts"], 3);
    let decided = app
        .database()
        .sql("SELECT COUNT(*) FROM age_decisions")
        .await;
    assert_eq!(decided, [["3"]]);
}

async fn a_closed_answer_tells_nothing_of_the_claim(app: TestApp) {
    let key = app.key("default", "ages:write").await;
    use_up(&app, &key, "customer-81").await;
    let mut linked = adult("customer-81");
    linked["email"] = "ada@example.com".into();
    let claims = [
        adult("customer-81"),
        minor("customer-81"),
        adult_with("customer-81", "fullName", "Ada"),
        adult_with("customer-81", "state", "?"),
        adult_with("customer-81", "dateOfBirth", "0000-00-00"),
        adult_with("customer-81", "idNumberLast4", "x"),
        linked,
    ];
    let mut told = Vec::new();
    for claim in &claims {
        for path in [VERIFY, super::RESUBMIT] {
            let call = app
                .post(path)
                .key(&key)
                .json(claim)
                .header("x-request-id", "same");
            told.push(call.expect(429).await);
        }
    }
    assert!(told.iter().all(|answer| answer.bytes == told[0].bytes));
    assert!(told.iter().all(|answer| answer.headers == told[0].headers));
}

async fn every_kind_of_refusal_counts(app: TestApp) {
    let key = app.key("default", "ages:write").await;
    for claim in [
        adult_with("customer-81", "state", "?"),
        minor("customer-81"),
        adult_with("customer-81", "idNumberLast4", "x"),
    ] {
        verify(&app, &key, &claim).expect(400).await;
    }
    closed(&app, &key, &adult("customer-81")).await;
    for _ in 0..3 {
        resubmit(&app, &key, &minor("customer-82"))
            .expect(400)
            .await;
    }
    closed(&app, &key, &adult("customer-82")).await;
}

async fn successes_and_remembered_answers_do_not_count(app: TestApp) {
    let key = app.key("default", "ages:write").await;
    refuse(&app, &key, "customer-81").await;
    for _ in 0..5 {
        resubmit(&app, &key, &adult("customer-81"))
            .expect(200)
            .await;
        verify(&app, &key, &minor("customer-81")).expect(200).await;
    }
    // They do not begin anew either.
    for _ in 0..2 {
        resubmit(&app, &key, &minor("customer-81"))
            .expect(400)
            .await;
    }
    closed(&app, &key, &adult("customer-81")).await;
}

async fn the_window_begins_with_the_first_refusal(app: TestApp) {
    let key = app.key("default", "ages:write").await;
    refuse(&app, &key, "customer-81").await;
    app.advance(DAY - SECOND);
    refuse(&app, &key, "customer-81").await;
    refuse(&app, &key, "customer-81").await;
    let answer = closed(&app, &key, &adult("customer-81")).await;
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(answer.json["resetAt"], "2025-01-02T00:00:00.000Z");
    app.advance(SECOND - Duration::from_micros(1));
    let answer = closed(&app, &key, &adult("customer-81")).await;
    assert_eq!(answer.header("retry-after"), "1");
    app.advance(Duration::from_micros(1));
    pass(&app, &key, "customer-81").await;
}

async fn after_the_window_the_count_begins_at_zero(app: TestApp) {
    let key = app.key("default", "ages:write").await;
    for _ in 0..2 {
        use_up(&app, &key, "customer-81").await;
        closed(&app, &key, &minor("customer-81")).await;
        app.advance(DAY);
    }
    refuse(&app, &key, "customer-82").await;
    app.advance(DAY);
    use_up(&app, &key, "customer-82").await;
    let answer = closed(&app, &key, &minor("customer-82")).await;
    assert_eq!(
        answer.json["resetAt"], "2025-01-05T00:00:00.000Z",
        "three days have passed"
    );
}

async fn attempts_are_counted_by_company_and_customer(app: TestApp) {
    app.company("acme").await;
    let key = app.key("default", "ages:write").await;
    let colleague = app.key("default", "ages:write").await;
    let stranger = app.key("acme", "ages:write").await;
    use_up(&app, &key, "customer-81").await;
    closed(&app, &colleague, &adult("customer-81")).await;
    pass(&app, &stranger, "customer-81").await;
    pass(&app, &key, "customer-82").await;
    pass(&app, &key, "Customer-81").await;
}

async fn instances_share_the_count(app: TestApp) {
    let other = app.another(Settings::default()).await;
    let key = app.key("default", "ages:write").await;
    refuse(&app, &key, "customer-81").await;
    refuse(&other, &key, "customer-81").await;
    refuse(&app, &key, "customer-81").await;
    for instance in [&other, &app] {
        closed(instance, &key, &adult("customer-81")).await;
    }
    pass(&app, &key, "customer-82").await;
    let known = pass(&other, &key, "customer-82").await;
    assert_eq!(known.json["method"], "cache");
}

async fn the_count_survives_a_restart(app: TestApp) {
    let key = app
        .key("default", "ages:write ages:read statistics:read")
        .await;
    let told = async |app: &TestApp| -> Value {
        let mut told = Vec::new();
        for answer in [
            super::status(app, &key, "customer-82").expect(200).await,
            super::statistics(app, &key, "").expect(200).await,
        ] {
            told.push(answer.json);
        }
        told.push(closed(app, &key, &adult("customer-81")).await.json["resetAt"].clone());
        told.into()
    };
    use_up(&app, &key, "customer-81").await;
    pass(&app, &key, "customer-82").await;
    let before = told(&app).await;
    let anew = app.another(Settings::default()).await;
    assert_eq!(told(&anew).await, before);
}

async fn limits_forgotten_by_redis_change_nothing(app: TestApp) {
    let key = app.key("default", "ages:write").await;
    use_up(&app, &key, "customer-81").await;
    app.forget_limits().await;
    closed(&app, &key, &adult("customer-81")).await;
}
