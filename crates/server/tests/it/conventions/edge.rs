//! What happens to every request, whatever it is.

use std::future::pending;
use std::time::Duration;

use axum::Router;
use axum::routing::{any, get};
use bonafide::http::Shared;
use serde_json::json;

use crate::customers::{BOTH, CHECK, check};
use crate::harness::{Settings, TestApp, flows, logged};

flows!(
    a_well_formed_request_id_is_kept,
    otherwise_one_is_made,
    every_answer_carries_its_request_id,
    unknown_paths_and_methods_have_the_envelope,
    a_panic_is_answered_and_recorded,
    an_endless_answer_is_cut_off,
    a_caller_that_goes_away_leaves_a_record,
    health_is_public_and_not_audited,
);

async fn a_well_formed_request_id_is_kept(app: TestApp) {
    let key = app.key("default", BOTH).await;
    for id in ["a", "A-z_0.9", &"x".repeat(128)] {
        let call = check(&app, &key, &json!({"email": "ann@example.com"}));
        let answer = call.header("x-request-id", id).expect(200).await;
        assert_eq!(answer.request_id(), id);
        assert_eq!(app.records_of(id).await.len(), 1);
        assert!(logged().contains(id));
    }
}

async fn otherwise_one_is_made(app: TestApp) {
    let key = app.key("default", BOTH).await;
    let mut made = std::collections::BTreeSet::new();
    for id in ["", "a b", "ä", "a\"b", "a/b", "<script>", &"x".repeat(129)] {
        let call = check(&app, &key, &json!({"email": "ann@example.com"}));
        let answer = call.header("x-request-id", id).expect(200).await;
        let id = uuid::Uuid::parse_str(answer.request_id()).unwrap();
        assert_eq!(id.get_version_num(), 7);
        made.insert(id);
    }
    assert_eq!(made.len(), 7);
}

async fn every_answer_carries_its_request_id(app: TestApp) {
    let key = app.key("default", BOTH).await;
    for (number, call) in [
        app.get("/nowhere"),
        app.get("/api/v1/nowhere"),
        app.get(CHECK).key(&key),
        app.post(CHECK),
        app.post(CHECK).key(&key),
        app.get("/health"),
        app.call("OPTIONS", CHECK),
        app.call("HEAD", "/health/live"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("id-{number}");
        let answer = call.header("x-request-id", &id).send().await;
        assert_eq!(answer.request_id(), id);
        let said = &answer.json["error"]["request_id"];
        assert!(said.is_null() || said == &id, "{}", answer.text());
    }
}

async fn unknown_paths_and_methods_have_the_envelope(app: TestApp) {
    let key = app.key("default", BOTH).await;
    let unknown = app.get("/api/v1/nowhere").key(&key).expect(404).await;
    insta::assert_snapshot!("unknown_path", unknown.wire());
    let method = app.get(CHECK).key(&key).expect(405).await;
    insta::assert_snapshot!("wrong_method", method.wire());
    for path in [
        "/",
        "/nowhere",
        "/api",
        "/api/v1/customer/",
        "//",
        &format!("{CHECK}/"),
    ] {
        let answer = app.post(path).key(&key).json(&json!({})).expect(404).await;
        assert_eq!(answer.code(), "not_found", "{path}");
    }
    for method in [
        "GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW",
    ] {
        let answer = app.call(method, CHECK).key(&key).expect(405).await;
        assert_eq!(answer.header("allow"), "POST", "{method}");
    }
}

fn routes() -> Router<Shared> {
    Router::new()
        .route("/api/v1/panic", any(panics))
        .route("/api/v1/endless", get(pending::<()>))
        .route("/api/v1/quick", get(async || "done"))
}

async fn panics() {
    panic!("marker-of-a-person");
}

async fn a_panic_is_answered_and_recorded(app: TestApp) {
    let edge = app.behind_the_edge(routes());
    let answer = edge.get("/api/v1/panic").expect(500).await;
    insta::assert_snapshot!("panic", answer.wire());
    let records = app.records_of(answer.request_id()).await;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].record.outcome.code, "internal");
    assert_eq!(records[0].record.outcome.status, 500);
    assert!(!logged().contains("marker-of-a-person"));
    edge.get("/api/v1/quick").expect(200).await;
}

async fn an_endless_answer_is_cut_off(app: TestApp) {
    let mut settings = Settings::default();
    settings.edge.timeout = Duration::from_millis(50);
    let edge = app.another(settings).await.behind_the_edge(routes());
    let answer = edge.get("/api/v1/endless").expect(503).await;
    insta::assert_snapshot!("timeout", answer.wire());
    let records = app.records_of(answer.request_id()).await;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].record.outcome.code, "timeout");
    edge.get("/api/v1/quick").expect(200).await;
}

async fn a_caller_that_goes_away_leaves_a_record(app: TestApp) {
    let edge = app.behind_the_edge(routes());
    let call = edge.get("/api/v1/endless").header("x-request-id", "gone");
    let gone = tokio::time::timeout(Duration::from_millis(20), call.send()).await;
    assert!(gone.is_err());
    let record = async {
        loop {
            if let Some(record) = app.records_of("gone").await.pop() {
                return record.record;
            }
            tokio::task::yield_now().await;
        }
    };
    let record = tokio::time::timeout(Duration::from_secs(5), record)
        .await
        .unwrap();
    assert_eq!(record.outcome.code, "abandoned");
    assert_eq!(app.records_of("gone").await.len(), 1);
}

async fn health_is_public_and_not_audited(app: TestApp) {
    let before = app.records().await.len();
    for path in ["/health", "/health/live", "/health/ready"] {
        let answer = app.get(path).expect(200).await;
        assert_eq!(answer.header("content-type"), "application/json");
    }
    let answer = app.get("/health").expect(200).await;
    let database = &answer.json["components"]["database"];
    assert_eq!(database["kind"], app.app.store.engine());
    assert_eq!(app.records().await.len(), before);
}
