//! What a newcomer sees first: the greeting of the first start, and the tour.

use std::process::Command;

use serde_json::Value;
use test_support::ServerBuilder;

use super::{Installation, Ran};

#[test]
fn the_tour_goes_as_told_and_leaves_nothing() {
    let installation = Installation::on_sqlite(ServerBuilder::first_run());
    let folder = installation.server.directory();
    let told = Command::new(env!("CARGO_BIN_EXE_bonafide"))
        .args(["demo", "--once"])
        .current_dir(folder)
        .env("TMPDIR", folder)
        .output()
        .unwrap();
    let told = Ran(told).text();
    for expected in [
        "\"customer_found\":false",
        "\"all_verified\":true",
        "the same answer as before",
        "\"fully_verified_count\":1",
        "retry-after: ",
        "\"unauthenticated\"",
        "The audit log is intact",
    ] {
        assert!(told.contains(expected), "{expected} in {told}");
    }
    assert!(!told.contains('\u{1b}'), "colours are for terminals");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
}

#[test]
fn the_first_start_prints_calls_that_can_be_pasted() {
    let mut server = Installation::on_sqlite(ServerBuilder::first_run()).server;
    server.start_again().unwrap();
    let greeting = server.stdout();
    let calls: Vec<&str> = greeting
        .lines()
        .filter(|line| line.starts_with("curl "))
        .collect();
    assert_eq!(calls.len(), 3, "{greeting}");
    let answers: Vec<Value> = calls
        .iter()
        .map(|call| {
            let pasted = Command::new("sh").args(["-c", call]).output().unwrap();
            let answer = String::from_utf8(pasted.stdout).unwrap();
            assert!(answer.ends_with("}\n"), "{call}: {answer}");
            serde_json::from_str(&answer).unwrap()
        })
        .collect();
    assert_eq!(answers[0]["customer_found"], false);
    assert_eq!(answers[1]["success"], true);
    assert_eq!(answers[2]["veriff_approved"], true);

    let key = greeting
        .lines()
        .find(|line| line.trim().starts_with("bf_"))
        .unwrap();
    assert!(!server.stderr().contains(key.trim()));
    server.terminate().unwrap();
    server.start_again().unwrap();
    assert_eq!(server.stdout(), greeting, "the second start greets nobody");
}
