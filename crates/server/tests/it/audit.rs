//! The audit log: one record for every request, and no answer without it.

mod changes;
pub mod grown;
mod keys;
mod months;
mod oracle;
mod proofs;
mod publishing;
mod search;
mod tampering;

use std::time::Duration;

use app::audit::{Export, Range};
use domain::audit::Record;
use futures_util::future::join_all;
use serde_json::json;
use store::tables::audit::Located;

use crate::customers::{BOTH, BULK, CHECK, UPDATE, bulk, check, prove, update};
use crate::harness::{Engine, Settings, TestApp, flows, key_id};

flows!(
    every_request_leaves_exactly_one_record,
    a_change_and_its_record_are_one_commit,
    the_subject_is_the_customer_and_names_nobody,
    instances_write_logs_side_by_side,
    a_flood_of_refusals_is_counted,
    counts_that_cannot_be_recorded_are_kept,
    floods_of_different_addresses_do_not_mix,
    floods_of_callers_behind_one_address_do_not_mix,
    no_answer_leaves_without_its_record,
    an_instance_that_cannot_record_is_not_ready,
    a_change_without_its_record_does_not_happen,
    tampering_is_found,
    what_is_written_meanwhile_is_not_taken_for_an_insertion,
    behind_an_unreadable_batch_checking_and_export_go_on,
    records_that_no_record_could_be_do_not_hide_the_chain,
    removing_all_checkpoints_is_found,
    a_signing_key_comes_with_its_first_checkpoint,
);

async fn only(app: &TestApp, request_id: &str) -> Record {
    let mut records = app.records_of(request_id).await;
    assert_eq!(records.len(), 1, "{request_id}");
    records.remove(0).record
}

async fn every_request_leaves_exactly_one_record(app: TestApp) {
    let app = app.another(Settings::default().customers("7/1m")).await;
    let key = app.key("default", "customers:read").await;
    let writer = app.key("default", BOTH).await;
    let question = json!({"email": "ann@example.com"});
    let change = json!({"email": "ann@example.com", "verification_type": "veriff", "status": true});
    let many = json!(["ann@example.com"]);
    let known = format!("key:{}", key_id(&key));
    let writing = format!("key:{}", key_id(&writer));
    let cases = [
        (
            app.post(CHECK),
            "customer.check",
            401,
            "unauthenticated",
            "",
            "",
        ),
        (
            check(&app, "bf_bad", &question),
            "customer.check",
            401,
            "unauthenticated",
            "",
            "",
        ),
        (
            check(&app, &key, &question),
            "customer.check",
            200,
            "ok",
            "default",
            &known,
        ),
        (
            check(&app, &key, &json!({})),
            "customer.check",
            400,
            "invalid_request",
            "default",
            &known,
        ),
        (
            update(&app, &key, &change),
            "customer.update",
            403,
            "forbidden",
            "default",
            &known,
        ),
        (
            update(&app, &writer, &change),
            "customer.update",
            200,
            "ok",
            "default",
            &writing,
        ),
        (
            bulk(&app, &key, &many),
            "customer.bulk_check",
            200,
            "ok",
            "default",
            &known,
        ),
        (
            app.post(CHECK).key(&key).untyped("x"),
            "customer.check",
            415,
            "unsupported_media_type",
            "default",
            &known,
        ),
        (
            app.post(BULK)
                .key(&key)
                .body("application/json", "{".repeat(300_000)),
            "customer.bulk_check",
            413,
            "payload_too_large",
            "default",
            &known,
        ),
        (
            check(&app, &key, &question),
            "customer.check",
            200,
            "ok",
            "default",
            &known,
        ),
        (
            check(&app, &key, &question),
            "customer.check",
            200,
            "ok",
            "default",
            &known,
        ),
        (
            check(&app, &key, &question),
            "customer.check",
            429,
            "rate_limited",
            "default",
            &known,
        ),
        (
            app.get("/api/v1/nowhere"),
            "request.unknown",
            404,
            "not_found",
            "",
            "",
        ),
        (
            app.get(UPDATE),
            "request.unknown",
            405,
            "method_not_allowed",
            "",
            "",
        ),
    ];
    let before = app.records().await.len();
    let count = cases.len();
    for (call, action, status, code, company, credential) in cases {
        let at = app.now();
        let answer = call.expect(status).await;
        app.advance(Duration::from_millis(250));
        let record = only(&app, answer.request_id()).await;
        let outcome = (&*record.outcome.code, record.outcome.status);
        assert_eq!(outcome, (code, i64::from(status)));
        assert_eq!((&*record.action, &*record.company), (action, company));
        assert_eq!((&*record.credential, record.at), (credential, at));
        assert_eq!(record.occurrences, 1);
        assert!(record.client.is_some() && record.data_key.is_some());
    }
    assert_eq!(app.records().await.len(), before + count);
}

async fn a_change_and_its_record_are_one_commit(app: TestApp) {
    let key = &app.key("default", BOTH).await;
    let answers = join_all((0..40).map(|at| {
        let app = &app;
        async move {
            prove(
                app,
                key,
                &format!("a{}@example.com", at % 7),
                "veriff",
                true,
            )
            .await
        }
    }));
    for answer in answers.await {
        let record = only(&app, answer.request_id()).await;
        assert!(record.detail.unwrap().starts_with("veriff=true"));
        assert!(record.subject.is_some());
    }
}

async fn the_subject_is_the_customer_and_names_nobody(app: TestApp) {
    let key = app.key("default", BOTH).await;
    let written = prove(&app, &key, "ann@example.com", "veriff", true).await;
    let asked = check(&app, &key, &json!({"email": "Ann@example.com"}))
        .expect(200)
        .await;
    let other = check(&app, &key, &json!({"email": "bob@example.com"}))
        .expect(200)
        .await;
    let subject = async |id: &str| only(&app, id).await.subject.unwrap();
    let ann = subject(written.request_id()).await;
    assert_eq!(ann, subject(asked.request_id()).await);
    assert_ne!(ann, subject(other.request_id()).await);
}

async fn instances_write_logs_side_by_side(app: TestApp) {
    let other = &app.another(Settings::default().customers("off")).await;
    let app = &app.another(Settings::default().customers("off")).await;
    let key = &app.key("default", BOTH).await;
    other.chores().await;
    join_all((0..200).map(|at| async move {
        let instance = if at % 2 == 0 { app } else { other };
        let email = format!("a{}@example.com", at % 10);
        if at % 4 < 2 {
            prove(instance, key, &email, "veriff", true).await
        } else {
            let question = json!({ "email": email });
            check(instance, key, &question).expect(200).await
        }
    }))
    .await;
    app.chores().await;
    app.assert_audit_is_clean().await;
    assert_eq!(app.recorded().await["customer.update"], 100);
    assert_eq!(app.recorded().await["customer.check"], 100);
}

fn refusals(records: &[Located]) -> (usize, i64) {
    let refused: Vec<_> = records
        .iter()
        .filter(|located| located.record.outcome.status == 401)
        .collect();
    let occurrences = refused.iter().map(|located| located.record.occurrences);
    (refused.len(), occurrences.sum())
}

/// Five hundred refusals of one kind.
async fn flood(app: &TestApp) {
    let question = json!({"email": "ann@example.com"});
    for _ in 0..10 {
        join_all((0..50).map(|_| check(app, "bf_bad", &question).expect(401))).await;
    }
}

async fn a_flood_of_refusals_is_counted(app: TestApp) {
    let question = json!({"email": "ann@example.com"});
    flood(&app).await;
    app.advance(Duration::from_secs(10));
    app.chores().await;
    let (rows, occurrences) = refusals(&app.records().await);
    assert_eq!(occurrences, 500);
    assert!(rows <= 110, "{rows} rows for a flood");
    // When it is over, refusals are recorded one by one again.
    let answer = check(&app, "bf_bad", &question).expect(401).await;
    only(&app, answer.request_id()).await;
}

async fn counts_that_cannot_be_recorded_are_kept(app: TestApp) {
    for address in ["198.51.100.1:1", "198.51.100.2:1"] {
        flood(&app.reached_from(address, false)).await;
    }
    app.advance(Duration::from_secs(10));
    app.database().sql(HIDE).await;
    for closing in [false, true] {
        assert!(app.app.recorder.record_floods(closing).await.is_err());
    }
    app.database().sql(SHOW).await;
    for _ in 0..2 {
        app.chores().await;
        assert_eq!(refusals(&app.records().await).1, 1000);
    }
}

async fn floods_of_different_addresses_do_not_mix(app: TestApp) {
    for last in 0..60 {
        let app = app.reached_from(&format!("198.51.100.{last}:1"), false);
        for _ in 0..3 {
            let answer = app.post(CHECK).expect(401).await;
            only(&app, answer.request_id()).await;
        }
    }
}

async fn floods_of_callers_behind_one_address_do_not_mix(app: TestApp) {
    let reader = app.key("default", "customers:read").await;
    app.company("other").await;
    let other = app.key("other", "customers:read").await;
    let change = json!({"email": "ann@example.com", "verification_type": "veriff", "status": true});
    for _ in 0..100 {
        update(&app, &reader, &change).expect(403).await;
    }
    let answer = update(&app, &other, &change).expect(403).await;
    let record = only(&app, answer.request_id()).await;
    assert_eq!(&*record.company, "other");
    // What was only counted still tells whose it was.
    app.advance(Duration::from_secs(10));
    app.chores().await;
    let records = app.records().await;
    let counted = records
        .iter()
        .find(|located| located.record.occurrences > 1);
    let counted = &counted.unwrap().record;
    assert_eq!(&*counted.company, "default");
    assert!(!counted.credential.is_empty());
    // Sealed under the company's key of the day, as each of its refusals is.
    let refused = records.iter().find(|located| {
        located.record.action == "customer.update" && located.record.company == counted.company
    });
    assert!(counted.client.is_some());
    assert_eq!(refused.unwrap().record.data_key, counted.data_key);
}

const HIDE: &str = "ALTER TABLE audit_records RENAME TO audit_records_hidden";
const SHOW: &str = "ALTER TABLE audit_records_hidden RENAME TO audit_records";

async fn no_answer_leaves_without_its_record(app: TestApp) {
    let key = app.key("default", BOTH).await;
    let question = json!({"email": "ann@example.com"});
    check(&app, &key, &question).expect(200).await;
    app.database().sql(HIDE).await;
    for call in [
        check(&app, &key, &question),
        check(&app, &key, &json!({})),
        check(&app, "bf_bad", &question),
        app.get("/api/v1/nowhere"),
    ] {
        let answer = call.expect(503).await;
        assert_eq!(answer.code(), "unavailable");
        assert_eq!(answer.header("retry-after"), "1");
        assert!(!answer.text().contains("audit"), "{}", answer.text());
        assert!(!answer.headers.contains_key("www-authenticate"));
    }
    app.database().sql(SHOW).await;
    check(&app, &key, &question).expect(200).await;
}

async fn an_instance_that_cannot_record_is_not_ready(app: TestApp) {
    let key = app.key("default", BOTH).await;
    let question = json!({"email": "ann@example.com"});
    app.database().sql(HIDE).await;
    check(&app, &key, &question).expect(503).await;
    let health = app.get("/health").expect(503).await;
    assert_eq!(health.json["components"]["database"]["status"], "unhealthy");
    app.get("/health/ready").expect(503).await;
    app.get("/health/live").expect(200).await;
    app.database().sql(SHOW).await;
    check(&app, &key, &question).expect(200).await;
    app.get("/health").expect(200).await;
    app.get("/health/ready").expect(200).await;
}

async fn a_change_without_its_record_does_not_happen(app: TestApp) {
    let key = app.key("default", BOTH).await;
    let change = json!({"email": "ann@example.com", "verification_type": "veriff", "status": true});
    app.database().sql(HIDE).await;
    update(&app, &key, &change)
        .header("idempotency-key", "k-1")
        .expect(503)
        .await;
    app.database().sql(SHOW).await;
    let question = json!({"email": "ann@example.com"});
    let answer = check(&app, &key, &question).expect(200).await;
    assert_eq!(answer.json["customer_found"], false);
    let again = update(&app, &key, &change).header("idempotency-key", "k-1");
    again.expect(200).await;
}

async fn tampering_is_found(app: TestApp) {
    let key = app.key("default", BOTH).await;
    let answer = prove(&app, &key, "ann@example.com", "veriff", true).await;
    let id = answer.request_id();
    let change = |action: &str| {
        format!("UPDATE audit_records SET action = '{action}' WHERE request_id = '{id}'")
    };
    app.database().sql(&change("customer.check")).await;
    let faults = app.audit_faults().await;
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].ends_with("was changed"), "{faults:?}");
    app.database().sql(&change("customer.update")).await;
}

async fn what_is_written_meanwhile_is_not_taken_for_an_insertion(app: TestApp) {
    let app = &app.another(Settings::default().customers("off")).await;
    let key = &app.key("default", BOTH).await;
    let question = &json!({"email": "ann@example.com"});
    let write = async {
        for _ in 0..60 {
            join_all((0..8).map(|_| check(app, key, question).expect(200))).await;
        }
    };
    let verify = async {
        loop {
            app.assert_audit_is_clean().await;
        }
    };
    tokio::select! {
        () = write => {}
        () = verify => {}
    }
}

/// Five answered requests one after another, so that each has a batch of its own.
async fn five_batches(app: &TestApp) -> Vec<Located> {
    let key = app.key("default", BOTH).await;
    let mut records = Vec::new();
    for _ in 0..5 {
        let answer = prove(app, &key, "ann@example.com", "veriff", true).await;
        records.extend(app.records_of(answer.request_id()).await);
    }
    records
}

async fn exported(app: &TestApp) -> (app::audit::Exported, Vec<String>) {
    let mut ids = Vec::new();
    let mut export = Export::begin(&app.app, Range::default()).await.unwrap();
    while let Some(page) = export.next().await.unwrap() {
        ids.extend(page.into_iter().map(|record| record.request_id));
    }
    (export.exported(), ids)
}

async fn behind_an_unreadable_batch_checking_and_export_go_on(app: TestApp) {
    let records = five_batches(&app).await;
    app.chores().await;
    let (second, fourth) = (&records[1], &records[3]);
    let place = format!("log = {} AND batch = {}", second.log, second.batch);
    let kept = app
        .database()
        .sql(&format!("SELECT head FROM audit_batches WHERE {place}"))
        .await;
    let head = kept[0][0].trim_start_matches("\\x").to_owned();
    let literal = |app: &TestApp, hex: &str| match app.engine() {
        Engine::Sqlite => format!("x'{hex}'"),
        Engine::Postgres => format!("'\\x{hex}'"),
    };
    let set_head = |hex: &str| {
        let value = literal(&app, hex);
        format!("UPDATE audit_batches SET head = {value} WHERE {place}")
    };
    let id = &fourth.record.request_id;
    let set_code = |code: &str| {
        format!("UPDATE audit_records SET outcome = '{code}' WHERE request_id = '{id}'")
    };
    app.database().sql(&set_head("00")).await;
    let unreadable = format!("batch {}.{} cannot be read", second.log, second.batch);
    let faults = app.audit_faults().await;
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].starts_with(&unreadable), "{faults:?}");
    app.database().sql(&set_code("no")).await;
    let faults = app.audit_faults().await;
    assert_eq!(faults.len(), 2, "{faults:?}");
    let changed = format!("record {}.{}.", fourth.log, fourth.batch);
    assert!(faults[1].starts_with(&changed), "{faults:?}");

    let (count, ids) = exported(&app).await;
    assert_eq!(count.unreadable, 1);
    assert!(!ids.contains(&second.record.request_id.to_string()));
    for record in [&records[0], &records[2], fourth, &records[4]] {
        assert!(ids.contains(&record.record.request_id.to_string()));
    }
    app.database().sql(&set_code("ok")).await;
    app.database().sql(&set_head(&head)).await;
}

async fn records_that_no_record_could_be_do_not_hide_the_chain(app: TestApp) {
    let records = five_batches(&app).await;
    app.chores().await;
    let third = &records[2];
    let id = &third.record.request_id;
    let subject = match app.engine() {
        Engine::Sqlite => "x'00'",
        Engine::Postgres => "'\\x00'",
    };
    app.database()
        .sql("CREATE TABLE kept AS SELECT request_id, subject FROM audit_records")
        .await;
    let update = "UPDATE audit_records SET subject =";
    app.database()
        .sql(&format!("{update} {subject} WHERE request_id = '{id}'"))
        .await;
    let faults = app.audit_faults().await;
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].ends_with("was changed"), "{faults:?}");
    let grow = |by: i32| {
        let place = format!("log = {} AND batch = {}", third.log, third.batch);
        format!("UPDATE audit_batches SET size = size + {by} WHERE {place}")
    };
    app.database().sql(&grow(1)).await;
    let faults = app.audit_faults().await;
    assert_eq!(faults.len(), 3, "{faults:?}");
    assert!(faults[0].contains("its size is not"), "{faults:?}");
    app.database().sql(&grow(-1)).await;
    let restore = format!(
        "{update} (SELECT subject FROM kept WHERE request_id = '{id}') WHERE request_id = '{id}'"
    );
    app.database().sql(&restore).await;
}

async fn removing_all_checkpoints_is_found(app: TestApp) {
    app.key("default", BOTH).await;
    app.chores().await;
    app.database()
        .sql("CREATE TABLE kept AS SELECT * FROM audit_checkpoints")
        .await;
    app.database().sql("DELETE FROM audit_checkpoints").await;
    assert_eq!(app.audit_faults().await, ["checkpoint 1: was removed"]);
    app.database()
        .sql("INSERT INTO audit_checkpoints SELECT * FROM kept")
        .await;
}

async fn a_signing_key_comes_with_its_first_checkpoint(app: TestApp) {
    app.key("default", BOTH).await;
    let hide = "ALTER TABLE audit_checkpoints RENAME TO hidden";
    let show = "ALTER TABLE hidden RENAME TO audit_checkpoints";
    app.database().sql(hide).await;
    assert!(app.app.checkpoints.make().await.is_err());
    app.database().sql(show).await;
    let keys = app.database().sql("SELECT id FROM signing_keys").await;
    assert!(keys.is_empty(), "{keys:?}");
    app.chores().await;
}
