//! Encryption, proxies, and the headers that go with them.

use serde_json::json;

use crate::customers::{BOTH, CHECK};
use crate::harness::{Settings, TestApp, flows};

flows!(
    plain_requests_are_refused_where_https_is_required,
    probes_may_come_in_plain,
    a_trusted_proxy_tells_scheme_and_address,
    strangers_forward_nothing,
    without_the_requirement_nothing_is_promised,
);

const HSTS: &str = "strict-transport-security";

async fn strict(app: &TestApp) -> TestApp {
    let mut settings = Settings::default();
    settings.edge.require_https = true;
    settings.edge.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
    app.another(settings).await
}

async fn plain_requests_are_refused_where_https_is_required(app: TestApp) {
    let app = strict(&app).await;
    let key = app.key("default", BOTH).await;
    let question = json!({"email": "ann@example.com"});
    let refused = app.post(CHECK).key(&key).json(&question).expect(403).await;
    insta::assert_snapshot!("https_required", refused.wire());
    assert!(!refused.headers.contains_key("location"));
    // RFC 6797 §7.2: not by an answer that anybody on the way could have written.
    assert!(!refused.headers.contains_key(HSTS));
    let records = app.records_of(refused.request_id()).await;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].record.outcome.code, "https_required");
    let encrypted = app.reached_from("203.0.113.7:1", true);
    let answer = encrypted
        .post(CHECK)
        .key(&key)
        .json(&question)
        .expect(200)
        .await;
    assert!(answer.header(HSTS).starts_with("max-age="));
}

async fn probes_may_come_in_plain(app: TestApp) {
    let app = strict(&app).await;
    for path in ["/health", "/health/live", "/health/ready"] {
        app.get(path).expect(200).await;
    }
    app.get("/healthy").expect(403).await;
}

async fn a_trusted_proxy_tells_scheme_and_address(app: TestApp) {
    let proxied = strict(&app).await.reached_from("10.0.0.1:1", false);
    let key = proxied.key("default", BOTH).await;
    let ask = |scheme: &str| {
        let call = proxied
            .post(CHECK)
            .key(&key)
            .json(&json!({"email": "ann@example.com"}));
        let call = call.header("x-forwarded-proto", scheme);
        call.header("x-forwarded-for", "198.51.100.9, 10.0.0.7")
    };
    ask("https").expect(200).await;
    ask("http").expect(403).await;
}

async fn strangers_forward_nothing(app: TestApp) {
    let stranger = strict(&app).await;
    let key = stranger.key("default", BOTH).await;
    let call = stranger
        .post(CHECK)
        .key(&key)
        .json(&json!({"email": "ann@example.com"}));
    call.header("x-forwarded-proto", "https").expect(403).await;
}

async fn without_the_requirement_nothing_is_promised(app: TestApp) {
    let key = app.key("default", BOTH).await;
    let call = app
        .post(CHECK)
        .key(&key)
        .json(&json!({"email": "ann@example.com"}));
    assert!(!call.expect(200).await.headers.contains_key(HSTS));
}
