//! The lines of the log have the fields that docs/logs.md says.

use std::collections::BTreeSet;

use serde_json::Value;
use test_support::ServerBuilder;

use super::text;

/// The fields that a section of the page lists.
fn documented(heading: &str) -> BTreeSet<String> {
    let page = text("docs/logs.md");
    let section = page
        .split("\n## ")
        .find(|section| section.starts_with(heading));
    let section = section.unwrap_or_else(|| panic!("no section {heading}"));
    let fields = section
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    fields.map(|(field, _)| field.to_owned()).collect()
}

/// The fields of every line, and those of the section.
fn expected(heading: &str) -> BTreeSet<String> {
    &documented("Every line") | &documented(heading)
}

/// The lines that say this.
fn saying<'l>(lines: &'l [Value], message: &str) -> Vec<&'l Value> {
    let lines = lines.iter();
    lines.filter(|line| line["message"] == message).collect()
}

fn fields(line: &Value) -> BTreeSet<String> {
    line.as_object().unwrap().keys().cloned().collect()
}

#[tokio::test]
async fn lines_have_the_documented_fields_and_no_other() {
    let mut server = ServerBuilder::new()
        .binary(env!("CARGO_BIN_EXE_bonafide"))
        .variable("LOG_FORMAT", "json")
        .start()
        .unwrap();
    let check = format!("{}/api/v1/customer/check-verification", server.base_url());
    let refused = || {
        let request = reqwest::Client::new().post(&check);
        request.header("X-API-Key", "bf_aaaaaaaaaaaa_wrong").send()
    };
    assert_eq!(refused().await.unwrap().status(), 401);
    let database = server.directory().join("data/bonafide.db");
    let database = rusqlite::Connection::open(database).unwrap();
    let hide = "ALTER TABLE audit_records RENAME TO audit_records_hidden";
    database.execute(hide, []).unwrap();
    assert_eq!(refused().await.unwrap().status(), 503);
    let show = "ALTER TABLE audit_records_hidden RENAME TO audit_records";
    database.execute(show, []).unwrap();
    server.terminate().unwrap();

    let log = server.stderr();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let common = documented("Every line");
    for line in &lines {
        assert!(common.is_subset(&fields(line)), "{line}");
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'), "{line}");
    }
    for (message, heading) in [
        ("answered", "A request\n"),
        ("request failed", "A request that failed\n"),
    ] {
        let said = saying(&lines, message);
        assert!(!said.is_empty(), "{message} in {log}");
        for line in said {
            assert_eq!(fields(line), expected(heading), "{line}");
        }
    }
    let failed = saying(&lines, "request failed")[0];
    let answered = saying(&lines, "answered");
    let answered = answered
        .iter()
        .find(|line| line["request_id"] == failed["request_id"]);
    assert_eq!(answered.unwrap()["status"], 503);
    assert_eq!(answered.unwrap()["code"], "unavailable");
}
