//! The page of the installation's health.

use super::{Admin, record};
use crate::deliveries::{told, verify};
use crate::harness::{Engine, TestApp, flows};

flows!(the_page_tells_how_the_installation_is);

async fn the_page_tells_how_the_installation_is(app: TestApp) {
    let admin = Admin::new(&app).await;
    let text = admin.get("/console/health").expect(200).await.text();
    assert!(text.contains("No checkpoint was signed yet"), "{text}");
    let (_, key) = told(&app).await;
    verify(&app, &key, "order-81").await;
    app.app.checkpoints.make().await.unwrap();
    app.advance(std::time::Duration::from_secs(120));
    let answer = admin.get("/console/health").expect(200).await;
    assert_eq!(record(&app, &answer).await.0, "console.health");
    let text = answer.text();
    let database = match app.engine() {
        Engine::Sqlite => "SQLite",
        Engine::Postgres => "PostgreSQL",
    };
    let version = format!("Bonafide {}", env!("CARGO_PKG_VERSION"));
    for expected in [
        database,
        &version,
        "migrations, up to date",
        "checkpoint is number 1",
        "the oldest was due 2 minutes ago",
        "nothing is overdue, 0 parked",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    app.leaves_deliveries();
}
