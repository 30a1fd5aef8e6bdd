//! The log by months: retired when their time is over, and never before.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio_postgres::NoTls;

use super::search::AUDIT;
use crate::customers::{BOTH, check};
use crate::harness::{Engine, TestApp, flows};

flows!(
    a_month_is_retired_when_its_time_is_over,
    records_that_are_gone_before_their_time_are_missed,
    months_have_tables_of_their_own,
    a_month_in_two_halves_is_retired_whole,
    who_reads_for_long_keeps_a_month_and_nobody_waits,
);

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn retire(app: &TestApp) -> u64 {
    let kept_from = app.app.retention.records_kept_from(app.now());
    app::audit::retire(&app.app, kept_from).await.unwrap()
}

async fn ask(app: &TestApp, key: &str, times: usize) {
    for _ in 0..times {
        check(app, key, &json!({"email": "ann@example.com"}))
            .expect(200)
            .await;
    }
}

async fn number(app: &TestApp, sql: &str) -> i64 {
    app.database().sql(sql).await[0][0].parse().unwrap()
}

async fn count(app: &TestApp) -> i64 {
    number(app, "SELECT COUNT(*) FROM audit_records").await
}

async fn a_month_is_retired_when_its_time_is_over(app: TestApp) {
    let key = app.key("default", "customers:read audit:read").await;
    app::audit::make_months(&app.app).await.unwrap();
    ask(&app, &key, 3).await;
    app.chores().await;
    let old = count(&app).await;
    app.advance(40 * DAY);
    app::audit::make_months(&app.app).await.unwrap();
    ask(&app, &key, 2).await;
    let newer = count(&app).await - old;
    // January 2025 ended 9 days before; 2557 days after its end it goes.
    app.advance(2547 * DAY);
    assert_eq!(retire(&app).await, 0, "not a day before its time");
    assert_eq!(count(&app).await, old + newer);
    app.advance(2 * DAY);
    assert_eq!(retire(&app).await, 1);
    assert_eq!(retire(&app).await, 0, "once is enough");
    app.assert_audit_is_clean().await;
    // The newer ones, and that a month was retired.
    assert_eq!(count(&app).await, newer + 1);
    let page = app
        .get(&format!("{AUDIT}?limit=500"))
        .key(&key)
        .expect(200)
        .await;
    let records = page.json["records"].as_array().unwrap();
    assert!(
        records
            .iter()
            .all(|record| record["at"].as_str() > Some("2025-02"))
    );
    let retired = app
        .database()
        .sql("SELECT month, records FROM audit_retired")
        .await;
    assert_eq!(retired, [["202501".to_owned(), old.to_string()]]);
    assert_eq!(app.recorded().await["audit.retire"], 1);
    // Checkpoints of that time still vouch for the batches.
    app.chores().await;
    app.assert_audit_is_clean().await;
}

async fn records_that_are_gone_before_their_time_are_missed(app: TestApp) {
    let key = app.key("default", BOTH).await;
    ask(&app, &key, 2).await;
    app.chores().await;
    let empty = match app.engine() {
        Engine::Sqlite => "x''",
        Engine::Postgres => "''",
    };
    app.database()
        .sql("DELETE FROM audit_records WHERE batch = 2")
        .await;
    app.database()
        .sql(&format!(
            "UPDATE audit_batches SET leaves = {empty} WHERE batch = 2"
        ))
        .await;
    let faults = app.audit_faults().await;
    assert!(!faults.is_empty());
    assert!(
        faults
            .iter()
            .all(|fault| fault.contains("before their time")),
        "{faults:?}"
    );
    // Once their time is over nobody misses them.
    app.advance(3000 * DAY);
    app.assert_audit_is_clean().await;
}

async fn months_have_tables_of_their_own(app: TestApp) {
    if app.engine() == Engine::Sqlite {
        return ask(&app, &app.key("default", BOTH).await, 1).await;
    }
    app.advance(31 * DAY);
    app::audit::make_months(&app.app).await.unwrap();
    app::audit::make_months(&app.app).await.unwrap();
    let key = app.key("default", BOTH).await;
    ask(&app, &key, 3).await;
    let in_table = "SELECT COUNT(*) FROM audit_records_202502";
    assert_eq!(number(&app, in_table).await, 4);
    let due: Timestamp = "2025-03-01T00:00:00Z".parse().unwrap();
    assert_eq!(app::audit::retire(&app.app, due).await.unwrap(), 1);
    let tables = "SELECT COUNT(*) FROM pg_class WHERE relname LIKE 'audit_%_202502'";
    assert_eq!(number(&app, tables).await, 0);
    // The month is not over by the default rules: to retire it like that is found out.
    assert!(!app.audit_faults().await.is_empty());
    app.advance(3000 * DAY);
    app.assert_audit_is_clean().await;
}

async fn a_month_in_two_halves_is_retired_whole(app: TestApp) {
    let key = app.key("default", BOTH).await;
    // Before anybody made a table for the month, then after.
    ask(&app, &key, 2).await;
    app::audit::make_months(&app.app).await.unwrap();
    ask(&app, &key, 2).await;
    app.advance(2600 * DAY);
    assert_eq!(retire(&app).await, 1);
    assert_eq!(count(&app).await, 1);
    app.assert_audit_is_clean().await;
}

async fn who_reads_for_long_keeps_a_month_and_nobody_waits(app: TestApp) {
    if app.engine() == Engine::Sqlite {
        return ask(&app, &app.key("default", BOTH).await, 1).await;
    }
    app::audit::make_months(&app.app).await.unwrap();
    let key = app.key_with("default", BOTH, "customers=100000/1m", None);
    let key = key.await;
    ask(&app, &key, 2).await;
    app.advance(2600 * DAY);
    ask(&app, &key, 1).await;
    // A backup reads everything in one transaction.
    let connected = tokio_postgres::connect(&app.database().url(), NoTls).await;
    let (mut backup, connection) = connected.unwrap();
    tokio::spawn(connection);
    let reading = backup.transaction().await.unwrap();
    reading
        .query("SELECT 1 FROM audit_records LIMIT 1", &[])
        .await
        .unwrap();
    let own = app.app.clone();
    let kept_from = own.retention.records_kept_from(app.now());
    let retiring = tokio::spawn(async move { app::audit::retire(&own, kept_from).await });
    let mut longest = Duration::ZERO;
    while !retiring.is_finished() {
        let began = std::time::Instant::now();
        ask(&app, &key, 1).await;
        longest = longest.max(began.elapsed());
    }
    let retired = retiring.await.unwrap();
    assert!(retired.is_err(), "{retired:?}");
    assert!(longest < Duration::from_millis(500), "{longest:?}");
    reading.commit().await.unwrap();
    assert_eq!(retire(&app).await, 1);
    app.assert_audit_is_clean().await;
}
