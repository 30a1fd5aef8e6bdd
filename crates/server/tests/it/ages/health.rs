//! The surface's own health.

use super::wire;
use crate::harness::{Engine, TestApp, flows};

flows!(health_is_public_and_names_the_storage, an_outage_is_told);

const PATH: &str = "/health/age-verification";

async fn health_is_public_and_names_the_storage(app: TestApp) {
    let answer = app.get(PATH).expect(200).await;
    let storage = match app.engine() {
        Engine::Sqlite => "sqlite",
        Engine::Postgres => "postgres",
    };
    assert_eq!(answer.json["storage"], storage);
    let fields = answer.json.as_object().unwrap();
    assert_eq!(fields.len(), 4);
    assert_eq!(answer.json["timestamp"], "2025-01-01T00:00:00.000Z");
    assert_eq!(answer.json["service"], "age-verification");
    assert_eq!(answer.json["status"], "healthy");
    assert!(app.records().await.is_empty(), "it is not audited");
    let wrong = app.post(PATH).expect(405).await;
    assert!(wire(&wrong).contains("method_not_allowed"));
}

async fn an_outage_is_told(app: TestApp) {
    let key = app.key("default", "ages:write").await;
    let rename = |from: &str, to: &str| format!("ALTER TABLE {from} RENAME TO {to}");
    app.database().sql(&rename("audit_records", "hidden")).await;
    let answer = app.post(super::VERIFY).key(&key).json(&super::adult("c"));
    let answer = answer.expect(503).await;
    assert_eq!(answer.code(), "unavailable");
    assert_eq!(answer.header("retry-after"), "1");
    let health = app.get(PATH).expect(503).await;
    assert_eq!(health.json["status"], "unhealthy");
    app.database().sql(&rename("hidden", "audit_records")).await;
    let decided = "SELECT COUNT(*) FROM age_decisions";
    assert_eq!(
        app.database().sql(decided).await,
        [["0"]],
        "undone with its record"
    );
    super::pass(&app, &key, "c").await;
    app.get(PATH).expect(200).await;
}
