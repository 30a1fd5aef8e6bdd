//! The archive as an operator sees it, against a BigQuery on loopback.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use test_support::ServerBuilder;
use tokio::sync::Notify;

use super::Installation;
use crate::bigquery::google::{DATASET, Google, Mood, PROJECT};

/// The longest wait for something to arrive.
const PATIENCE: Duration = Duration::from_secs(90);

const AUDIT: &str = "audit_records";

fn archiving(google: &Google, builder: ServerBuilder) -> ServerBuilder {
    builder
        .variable("BIGQUERY_ENABLED", "true")
        .variable("BIGQUERY_API_URL", google.url())
        .variable("BIGQUERY_PROJECT", PROJECT)
        .variable("BIGQUERY_DATASET", DATASET)
        .variable("BIGQUERY_CREDENTIALS_FILE", "google.json")
}

fn give_key(installation: &Installation, google: &Google) {
    let path = installation.server.directory().join("google.json");
    std::fs::write(path, google.key_file().to_string()).unwrap();
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_loses_nothing_of_the_archive_on_sqlite() {
    let google = Google::open(None).await;
    let builder = archiving(&google, ServerBuilder::first_run());
    a_killed_server_loses_nothing(Installation::on_sqlite(builder), google).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_loses_nothing_of_the_archive_on_postgres() {
    let google = Google::open(None).await;
    let builder = archiving(&google, ServerBuilder::new());
    let installation = Installation::on_postgres(builder, "archive");
    a_killed_server_loses_nothing(installation, google).await;
}

async fn a_killed_server_loses_nothing(mut installation: Installation, google: Google) {
    give_key(&installation, &google);
    installation.run(&["migrate"]).text();
    let early = installation.run(&["archive", "status"]).text();
    assert_eq!(early, "There is no archive yet.\n");
    installation.new_key(&["--company", "default", "--scope", "customers:read"]);
    installation.server.start_again().unwrap();
    let begun = || {
        let status = installation.run(&["archive", "status", "--json"]).json();
        status["began_at"].is_string()
    };
    until("the archive is begun", begun).await;
    // What is sent is taken, and the answer never comes: then the server dies.
    google.be_at_insert(Mood::TakesAndWaits(Arc::new(Notify::new())));
    installation.new_key(&["--company", "default", "--scope", "customers:read"]);
    until("rows are sent", || google.names(AUDIT).1 > 0).await;
    let first = google.insert_ids();
    installation.server.kill9().unwrap();
    // The lease of the dead ends within a minute.
    installation.new_key(&["--company", "default", "--scope", "customers:read"]);
    installation.server.start_again().unwrap();
    let again = RefCell::new(Vec::new());
    let is_whole = || {
        let mut again = again.borrow_mut();
        again.extend(google.insert_ids());
        first.iter().all(|name| again.contains(name)) && google.names(AUDIT).1 >= 2
    };
    until("what was sent comes again, and the rest", is_whole).await;
    let filled = installation.run(&["archive", "backfill", "--json"]).json();
    assert!(filled["copied"].as_u64().unwrap() >= 1);
    assert_eq!(filled["parked"], 0);
    // The record of the backfill is streamed.
    let filled = "archive.backfill";
    let is_there = || {
        google
            .rows(AUDIT)
            .iter()
            .any(|row| row.json["action"] == filled)
    };
    until("the last record arrives", is_there).await;
    let exported = installation.run(&["audit", "export"]).text();
    let records: std::collections::BTreeSet<String> = exported
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|record| record["id"].as_str().unwrap().to_owned())
        .collect();
    let (names, rows) = google.names(AUDIT);
    assert_eq!((&names, rows), (&records, records.len()));
    let words = installation.run(&["archive", "status"]).text();
    assert!(words.contains("Everything since then is copied"), "{words}");
    assert!(installation.server.terminate().unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_backfill_goes_on_where_it_was_on_sqlite() {
    let google = Google::open(None).await;
    let builder = archiving(&google, ServerBuilder::first_run());
    a_killed_backfill_goes_on(Installation::on_sqlite(builder), google).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_backfill_goes_on_where_it_was_on_postgres() {
    let google = Google::open(None).await;
    let builder = archiving(&google, ServerBuilder::new());
    let installation = Installation::on_postgres(builder, "backfill");
    a_killed_backfill_goes_on(installation, google).await;
}

async fn a_killed_backfill_goes_on(installation: Installation, google: Google) {
    give_key(&installation, &google);
    installation.run(&["migrate"]).text();
    for _ in 0..3 {
        installation.new_key(&["--company", "default", "--scope", "customers:read"]);
    }
    google.be_at_insert(Mood::TakesAndWaits(Arc::new(Notify::new())));
    let mut backfill = installation.server.begin(["archive", "backfill"]).unwrap();
    until("rows are sent", || google.names(AUDIT).1 > 0).await;
    backfill.kill().unwrap();
    assert!(!backfill.wait().unwrap().success());
    // It waits until the other one is known to be gone.
    let filled = installation.run(&["archive", "backfill", "--json"]).json();
    assert_eq!(filled, json!({"copied": 3, "done": 3, "parked": 0}));
    assert_eq!(google.names(AUDIT).1, 3);
    let again = installation.run(&["archive", "backfill"]).text();
    assert_eq!(again, "0 rows copied, 3 in all.\n");
    // What it refuses is shown, and sent again.
    let parked = installation.run(&["archive", "parked"]).text();
    assert_eq!(parked, "Everything that was sent was taken.\n");
    let park = "INSERT INTO archive_parked (kind, name, reason, parked_at) \
                VALUES ('audit_records', '1.1.0', 'invalid', 0)";
    assert_eq!(installation.execute(park), 1);
    let parked = installation.run(&["archive", "parked"]).text();
    assert!(parked.contains("1.1.0  invalid"), "{parked}");
    let status = installation.run(&["archive", "status"]).text();
    assert!(status.contains("1 not taken"), "{status}");
    let retried = installation.run(&["archive", "retry"]).text();
    assert_eq!(retried, "1 taken, 0 refused again, 0 gone.\n");
    let parked = installation.run(&["archive", "parked", "--json"]).json();
    assert_eq!(parked, json!([]));
    google.refuses_assertions(true);
    let refused = installation.run(&["archive", "backfill"]).text();
    assert_eq!(
        refused, "0 rows copied, 3 in all.\n",
        "there is nothing to ask for"
    );
    assert_eq!(
        installation.execute("UPDATE archive_positions SET filled_to = 0"),
        1
    );
    let refused = installation.run(&["archive", "backfill"]).failure(1);
    assert!(refused.contains("does not accept the account"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_archive_nothing_is_copied() {
    let installation = Installation::on_sqlite(ServerBuilder::first_run());
    for command in ["backfill", "retry"] {
        let told = installation.run(&["archive", command]).failure(2);
        assert!(told.contains("BIGQUERY_ENABLED"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_says_what_bigquery_lacks() {
    let google = Google::open(None).await;
    let builder = archiving(&google, ServerBuilder::first_run());
    let installation = Installation::on_sqlite(builder);
    installation.run(&["migrate"]).text();
    let told = |expected: &str| {
        let ran = installation.run(&["doctor"]);
        assert!(ran.stdout().contains(expected), "{}", ran.stdout());
    };
    told("BIGQUERY_CREDENTIALS_FILE: the file cannot be read");
    give_key(&installation, &google);
    told("dataset bonafide is there, and will be given the tables");
    assert!(google.table(AUDIT).is_none(), "the doctor makes nothing");
    google.has_no_dataset(true);
    told("BIGQUERY_DATASET");
    google.has_no_dataset(false);
    google.be(Mood::Forbids("accessDenied"));
    told("BIGQUERY_CREDENTIALS_FILE");
    google.set_table(AUDIT, json!({"schema": {"fields": []}}));
    told("audit_records lacks columns");
}
