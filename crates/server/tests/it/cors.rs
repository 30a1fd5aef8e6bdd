//! Which other sites' pages may use the API from a browser.

use serde_json::json;

use crate::customers::{BULK, CHECK};
use crate::harness::{Answer, Settings, TestApp, flows};

flows!(
    configured_origins_pass_their_preflight,
    other_origins_learn_nothing,
    answers_and_failures_carry_the_headers,
    only_preflights_are_answered_as_such,
    without_origins_there_is_no_cors,
    preflights_pass_through_the_edge,
);

const SHOP: &str = "https://shop.example";
const OTHER: &str = "https://other.example";

async fn with_origins(app: &TestApp) -> TestApp {
    let mut settings = Settings::default();
    let origins = [SHOP, "http://localhost:5173"];
    settings.edge.cors_origins = origins.map(|origin| origin.parse().unwrap()).into();
    app.another(settings).await
}

async fn preflight(app: &TestApp, path: &str, origin: &str) -> Answer {
    app.call("OPTIONS", path)
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type,x-api-key")
        .send()
        .await
}

fn list(answer: &Answer, name: &str) -> Vec<String> {
    let mut list: Vec<_> = answer
        .header(name)
        .split(',')
        .map(|item| item.trim().to_ascii_lowercase())
        .collect();
    list.sort();
    list
}

async fn configured_origins_pass_their_preflight(app: TestApp) {
    let shop = with_origins(&app).await;
    let before = app.records().await.len();
    for path in [
        CHECK,
        BULK,
        "/api/v1/admin/companies/acme",
        "/api/v1/auth/token",
        "/health",
        "/openapi.json",
    ] {
        let answer = preflight(&shop, path, SHOP).await;
        assert_eq!(answer.status.as_u16(), 200, "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), SHOP);
        assert_eq!(
            list(&answer, "access-control-allow-methods"),
            ["get", "patch", "post"]
        );
        assert_eq!(
            list(&answer, "access-control-allow-headers"),
            [
                "authorization",
                "content-type",
                "idempotency-key",
                "x-api-key",
                "x-request-id"
            ]
        );
        assert!(list(&answer, "vary").contains(&"origin".to_owned()));
        assert!(
            answer
                .headers
                .get("access-control-allow-credentials")
                .is_none()
        );
    }
    assert_eq!(app.records().await.len(), before, "no request, no record");
}

async fn preflights_pass_through_the_edge(app: TestApp) {
    let mut settings = Settings::default();
    settings.edge.cors_origins = vec![SHOP.parse().unwrap()];
    settings.edge.require_https = true;
    let plain = app.another(settings).await;
    let encrypted = plain.reached_from("203.0.113.7:1", true);
    let before = app.records().await.len();
    for (way, status) in [(&plain, 403), (&encrypted, 200)] {
        let answer = preflight(way, CHECK, SHOP).await;
        assert_eq!(answer.status.as_u16(), status);
        assert!(!answer.request_id().is_empty());
        let promised = answer.headers.contains_key("strict-transport-security");
        assert_eq!(promised, status == 200, "only by an encrypted answer");
        assert_eq!(answer.header("access-control-allow-origin"), SHOP);
    }
    let refused = preflight(&plain, CHECK, SHOP).await;
    assert_eq!(refused.code(), "https_required");
    assert_eq!(
        preflight(&plain, "/health", SHOP).await.status.as_u16(),
        200
    );
    assert_eq!(app.records().await.len(), before, "no request, no record");
}

async fn other_origins_learn_nothing(app: TestApp) {
    let shop = with_origins(&app).await;
    let key = shop.key("default", "customers:read").await;
    let asked = shop.post(CHECK).key(&key).header("origin", OTHER);
    let asked = asked
        .json(&json!({"email": "a@b.example"}))
        .expect(200)
        .await;
    let close = "https://shop.example.evil.example";
    for answer in [
        preflight(&shop, CHECK, OTHER).await,
        preflight(&shop, CHECK, close).await,
        preflight(&shop, CHECK, "null").await,
        asked,
    ] {
        assert!(answer.headers.get("access-control-allow-origin").is_none());
    }
}

async fn answers_and_failures_carry_the_headers(app: TestApp) {
    let shop = with_origins(&app).await;
    let key = shop.key("default", "customers:read").await;
    let ask = |path: &str| shop.post(path).header("origin", SHOP);
    for (call, status) in [
        (
            ask(CHECK).key(&key).json(&json!({"phone": "+12025550123"})),
            200,
        ),
        (ask(CHECK).key(&key).json(&json!({})), 400),
        (ask(CHECK).json(&json!({})), 401),
        (ask("/api/v1/nowhere"), 404),
        (shop.get(CHECK).header("origin", SHOP), 405),
        (ask(CHECK).key(&key).body("text/plain", "x"), 415),
        (shop.get("/health").header("origin", SHOP), 200),
    ] {
        let answer = call.expect(status).await;
        assert_eq!(answer.header("access-control-allow-origin"), SHOP);
        assert_eq!(
            list(&answer, "access-control-expose-headers"),
            [
                "ratelimit",
                "ratelimit-policy",
                "retry-after",
                "x-request-id"
            ]
        );
        assert!(!answer.request_id().is_empty());
    }
}

async fn only_preflights_are_answered_as_such(app: TestApp) {
    let shop = with_origins(&app).await;
    for call in [
        shop.call("OPTIONS", CHECK),
        shop.call("OPTIONS", CHECK).header("origin", SHOP),
        shop.call("OPTIONS", CHECK)
            .header("access-control-request-method", "POST"),
    ] {
        let answer = call.expect(405).await;
        assert_eq!(answer.code(), "method_not_allowed");
        assert_eq!(app.records_of(answer.request_id()).await.len(), 1);
    }
}

async fn without_origins_there_is_no_cors(app: TestApp) {
    let answer = preflight(&app, CHECK, SHOP).await;
    assert_eq!(answer.status.as_u16(), 405);
    let asked = app.post(CHECK).header("origin", SHOP).json(&json!({}));
    for answer in [answer, asked.expect(401).await] {
        let said = |name: &str| answer.headers.contains_key(name);
        assert!(!said("access-control-allow-origin") && !said("vary"));
    }
}
