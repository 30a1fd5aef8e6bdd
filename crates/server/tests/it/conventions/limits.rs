//! How often a caller may ask.

use std::time::Duration;

use app::quota::QuotaHealth;
use futures_util::future::join_all;
use serde_json::json;

use crate::customers::{BOTH, BULK, CHECK, UPDATE, check};
use crate::harness::{Answer, Engine, Settings, TestApp, flows};

flows!(
    the_hundredth_request_passes_and_the_next_does_not,
    every_answer_of_a_limited_route_tells_where_it_stands,
    what_is_refused_consumes_nothing,
    each_key_is_counted_on_its_own_over_all_routes,
    a_keys_own_limit_replaces_the_general_one,
    a_limit_can_be_off,
    the_window_slides,
    instances_share_limits_through_redis,
);

const QUESTION: &str = r#"{"email":"ann@example.com"}"#;

async fn ask(app: &TestApp, key: &str) -> Answer {
    app.post(CHECK)
        .key(key)
        .body("application/json", QUESTION)
        .send()
        .await
}

async fn limited(app: &TestApp, customers: &str) -> TestApp {
    app.another(Settings::default().customers(customers)).await
}

async fn the_hundredth_request_passes_and_the_next_does_not(app: TestApp) {
    let key = &app.key("default", BOTH).await;
    let answers = join_all((0..101).map(|_| ask(&app, key))).await;
    let refused: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status != 200)
        .collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].status, 429);
}

async fn every_answer_of_a_limited_route_tells_where_it_stands(app: TestApp) {
    let app = limited(&app, "3/1m").await;
    let key = app.key("default", "customers:read").await;
    let policy = "\"customers\";q=3;w=60";
    // A good answer, a malformed body, a missing scope: the last consumes nothing.
    let good = ask(&app, &key).await;
    let bad = app.post(CHECK).key(&key).json(&json!({})).expect(400).await;
    let forbidden = app
        .post(UPDATE)
        .key(&key)
        .json(&json!({}))
        .expect(403)
        .await;
    for (answer, left) in [(&good, 2), (&bad, 1), (&forbidden, 1)] {
        assert_eq!(answer.header("ratelimit-policy"), policy);
        assert!(
            answer
                .header("ratelimit")
                .starts_with(&format!("\"customers\";r={left};t="))
        );
    }
    ask(&app, &key).await;
    let refused = ask(&app, &key).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.code(), "rate_limited");
    assert_eq!(refused.header("ratelimit-policy"), policy);
    assert!(
        refused
            .header("ratelimit")
            .starts_with("\"customers\";r=0;t=")
    );
    let retry: u64 = refused.header("retry-after").parse().unwrap();
    assert!((55..=60).contains(&retry), "{retry}");
    // Nobody knows whose limit it would be.
    let stranger = app
        .post(CHECK)
        .body("application/json", QUESTION)
        .expect(401)
        .await;
    assert!(!stranger.headers.contains_key("ratelimit"));
}

async fn what_is_refused_consumes_nothing(app: TestApp) {
    if app.engine() == Engine::Postgres {
        return in_real_time(&app).await;
    }
    let app = limited(&app, "2/1m").await;
    let key = app.key("default", "customers:read").await;
    assert_eq!(ask(&app, &key).await.status, 200);
    app.advance(Duration::from_secs(30));
    for _ in 0..20 {
        app.post(UPDATE)
            .key(&key)
            .json(&json!({}))
            .expect(403)
            .await;
    }
    assert_eq!(ask(&app, &key).await.status, 200);
    for _ in 0..20 {
        assert_eq!(ask(&app, &key).await.status, 429);
    }
    app.advance(Duration::from_millis(30_100));
    assert_eq!(ask(&app, &key).await.status, 200);
    assert_eq!(ask(&app, &key).await.status, 429);
}

/// Redis goes by its own clock, so a short window has to pass in earnest.
async fn in_real_time(app: &TestApp) {
    let app = limited(app, "2/1s").await;
    let key = app.key("default", "customers:read").await;
    let mut granted = Vec::new();
    let begin = tokio::time::Instant::now();
    while begin.elapsed() < Duration::from_millis(2500) {
        let asked = begin.elapsed();
        if ask(&app, &key).await.status == 200 {
            granted.push((asked, begin.elapsed()));
        }
    }
    assert!(granted.len() >= 4, "refusals consumed: {granted:?}");
    for three in granted.windows(3) {
        // Counted at some moment between question and answer, to the granule of a millisecond.
        let stretch = three[2].1 - three[0].0;
        assert!(stretch >= Duration::from_millis(998), "{granted:?}");
    }
}

async fn each_key_is_counted_on_its_own_over_all_routes(app: TestApp) {
    let app = limited(&app, "3/1m").await;
    let (ann, bob) = (
        app.key("default", BOTH).await,
        app.key("default", BOTH).await,
    );
    for (path, left) in [(CHECK, 2), (UPDATE, 1), (BULK, 0)] {
        let answer = app.post(path).key(&ann).json(&json!({})).expect(400).await;
        assert!(answer.header("ratelimit").contains(&format!("r={left};")));
    }
    assert_eq!(ask(&app, &ann).await.status, 429);
    assert_eq!(ask(&app, &bob).await.status, 200);
}

async fn a_keys_own_limit_replaces_the_general_one(app: TestApp) {
    let app = limited(&app, "1/1m").await;
    let key = app
        .key_with("default", BOTH, "customers=6000/1m", None)
        .await;
    for left in [5999, 5998] {
        let answer = ask(&app, &key).await;
        assert_eq!(
            answer.header("ratelimit-policy"),
            "\"customers\";q=6000;w=60"
        );
        assert!(answer.header("ratelimit").contains(&format!("r={left};")));
    }
    let free = app.key_with("default", BOTH, "customers=off", None).await;
    for _ in 0..5 {
        let answer = ask(&app, &free).await;
        assert_eq!(answer.status, 200);
        assert!(!answer.headers.contains_key("ratelimit-policy"));
    }
}

async fn a_limit_can_be_off(app: TestApp) {
    let app = limited(&app, "off").await;
    let key = app.key("default", BOTH).await;
    for _ in 0..150 {
        let answer = ask(&app, &key).await;
        assert_eq!(answer.status, 200);
        assert!(!answer.headers.contains_key("ratelimit"));
    }
    let strict = app.key_with("default", BOTH, "customers=1/1m", None).await;
    assert_eq!(ask(&app, &strict).await.status, 200);
    assert_eq!(ask(&app, &strict).await.status, 429);
}

/// No stretch of a window's length holds more than the limit, wherever it begins.
async fn the_window_slides(app: TestApp) {
    if app.engine() == Engine::Postgres {
        return in_real_time(&app).await;
    }
    let app = limited(&app, "10/1m").await;
    let key = app.key("default", BOTH).await;
    let mut granted = Vec::new();
    for second in 0_u64..240 {
        for _ in 0..=second % 3 {
            if ask(&app, &key).await.status == 200 {
                granted.push(second);
            }
        }
        app.advance(Duration::from_secs(1));
    }
    assert!(
        granted.windows(11).all(|hits| hits[10] - hits[0] >= 60),
        "{granted:?}"
    );
    assert!(
        granted.len() >= 30,
        "the window gives back too little: {granted:?}"
    );
}

async fn instances_share_limits_through_redis(app: TestApp) {
    let (one, two) = (limited(&app, "4/1m").await, limited(&app, "4/1m").await);
    let key = one.key("default", BOTH).await;
    two.chores().await;
    let question = json!({"email": "ann@example.com"});
    let mut granted = 0;
    for _ in 0..4 {
        for instance in [&one, &two] {
            granted += u32::from(check(instance, &key, &question).send().await.status == 200);
        }
    }
    let (expected, health) = match app.engine() {
        Engine::Postgres => (4, QuotaHealth::Shared),
        Engine::Sqlite => (8, QuotaHealth::Memory),
    };
    assert_eq!(granted, expected);
    assert_eq!(one.quota_health(), health);
}
