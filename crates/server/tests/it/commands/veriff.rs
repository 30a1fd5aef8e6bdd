//! Veriff as an operator sees it, against a Veriff on loopback.

use serde_json::{Value, json};
use test_support::ServerBuilder;

use super::Installation;
use crate::veriff::office::Office;
use crate::veriff::{API_KEY, SECRET, decision};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missed_decisions_are_fetched_on_sqlite() {
    let office = Office::open().await;
    let builder = working_with(&office, ServerBuilder::first_run());
    missed_decisions_are_fetched(Installation::on_sqlite(builder), office).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missed_decisions_are_fetched_on_postgres() {
    let office = Office::open().await;
    let builder = working_with(&office, ServerBuilder::new());
    missed_decisions_are_fetched(Installation::on_postgres(builder, "veriff"), office).await;
}

fn working_with(office: &Office, builder: ServerBuilder) -> ServerBuilder {
    builder
        .variable("VERIFF_API_URL", office.url())
        .variable("VERIFF_API_KEY", API_KEY)
        .variable("VERIFF_SHARED_SECRET", SECRET)
}

async fn missed_decisions_are_fetched(mut installation: Installation, office: Office) {
    let scopes = ["--scope", "customers:read", "--scope", "customers:write"];
    let key = installation.new_key(&[&["--company", "default"][..], &scopes].concat());
    let key = key["key"].as_str().unwrap();
    installation.server.start_again().unwrap();
    let url = installation.server.base_url() + "/api/v1/customer/start-veriff";
    let request = reqwest::Client::new().post(url).header("X-API-Key", key);
    let request = request.json(&json!({"email": "ann@example.com"}));
    let started: Value = request.send().await.unwrap().json().await.unwrap();
    // A server would take its part of the work, and what is left to the command is not certain.
    assert!(installation.server.terminate().unwrap().success());
    let session = office.sessions().remove(0);
    let reference = started["session_id"].as_str().unwrap();
    let approved = decision(&session, reference, "approved", "2024-12-31T23:00:00.000Z");
    office.decide(&session, approved);
    let synced = installation.run(&["veriff", "sync", "--json"]).json();
    let expected = json!({"asked": 1, "decided": 1, "filed": 1, "waiting": 0, "parked": 0});
    assert_eq!(synced, expected);
    let listed = installation.run(&["inbox", "list", "--json"]).json();
    assert_eq!(listed[0]["outcome"], "approved");
    let again = installation.run(&["veriff", "sync"]).text();
    let words = "0 sessions asked about, 0 decided, 0 new. All are processed.\n";
    assert_eq!(again, words);
}
