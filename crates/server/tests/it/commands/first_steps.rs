//! What a newcomer sees first: the greeting of the first start, and the tour.

use std::fs::File;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use test_support::ServerBuilder;
use test_support::ports::free_port;
use test_support::process::{Process, Signal};
use test_support::waiting::wait_for;

use super::{Installation, Ran, SOON};

/// What the tour asks and is answered in its three flows, one behind the other.
const FLOWS: [&str; 18] = [
    "POST /api/v1/customer/check-verification ",
    "\"customer_found\":false",
    "POST /api/v1/customer/update-verification ",
    "POST /api/v1/customer/check-verification ",
    "\"all_verified\":true",
    "POST /api/age-verification/verify ",
    "\"method\":\"full_verification\"",
    "POST /api/age-verification/verify ",
    "\"method\":\"cache\"",
    "POST /api/age-verification/verify ",
    "\"method\":\"age_check\"",
    "POST /api/v1/verification/initiate ",
    "\"status\":\"pending\"",
    "POST /api/v1/verification/submit ",
    "\"status\":\"verified\"",
    "GET /api/v1/verification/status/nv_",
    "\"mobileNumber\":\"+1******0123\"",
    "\"status\":\"verified\"",
];

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
    let mut rest = told.as_str();
    for expected in FLOWS {
        let found = rest.split_once(expected);
        rest = found.unwrap_or_else(|| panic!("{expected} in {rest}")).1;
    }
    assert!(!told.contains('\u{1b}'), "colours are for terminals");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
}

#[test]
fn the_tour_leaves_a_console_with_an_example_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("stdout.log");
    let mut command = Command::new(env!("CARGO_BIN_EXE_bonafide"));
    command.arg("demo").current_dir(folder.path());
    command.env("TMPDIR", folder.path());
    command.stdout(File::create(&told).unwrap());
    let mut process = Process::spawn("bonafide", &mut command, Signal::TERM).unwrap();
    let link = wait_for("the link", Duration::from_secs(30), || {
        let told = std::fs::read_to_string(&told)?;
        let mut lines = told.lines().map(str::trim);
        Ok(lines
            .find(|line| line.contains("/console/enter/"))
            .map(str::to_owned))
    })
    .unwrap();
    let enter = format!("curl -sS -L -c jar -b jar -d '' {link}");
    let mut browser = Command::new("sh");
    browser.args(["-c", &enter]).current_dir(folder.path());
    let page = String::from_utf8(browser.output().unwrap().stdout).unwrap();
    assert!(page.contains("What you could try"), "{page}");
    let ended = process.stop(Duration::from_secs(10)).unwrap();
    assert_eq!(ended.code(), Some(0));
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

#[test]
fn the_first_start_with_a_certificate_greets_with_https() {
    let builder = ServerBuilder::first_run()
        .variable("TLS_CERT_FILE", "cert.pem")
        .variable("TLS_KEY_FILE", "key.pem")
        .ready_when_listening();
    let mut server = Installation::on_sqlite(builder).server;
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = server.directory();
    std::fs::write(folder.join("cert.pem"), pair.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), pair.signing_key.serialize_pem()).unwrap();
    server.start_again().unwrap();
    // The port is open a little before the greeting is printed.
    wait_for("the greeting", SOON, || {
        Ok(server.stdout().contains("--help").then_some(()))
    })
    .unwrap();
    let greeting = server.stdout();
    assert!(greeting.contains("add `-k`"), "{greeting}");
    let call = greeting.lines().find(|line| line.starts_with("curl "));
    let unchecked = call.unwrap().replacen("curl ", "curl -k -i ", 1);
    let pasted = Command::new("sh").args(["-c", &unchecked]).output();
    let answer = String::from_utf8(pasted.unwrap().stdout).unwrap();
    assert!(answer.contains("\"customer_found\":false"), "{answer}");
    assert!(answer.contains("strict-transport-security: "), "{answer}");
}

#[test]
fn the_first_start_in_production_says_how_to_make_a_key() {
    let installation = Installation::on_postgres(ServerBuilder::new(), "first_key");
    let mut server = installation.server;
    server.start_again().unwrap();
    let hint = "bonafide keys create --company default --name admin --scope admin";
    wait_for("the hint", SOON, || {
        Ok(server.stderr().contains(hint).then_some(()))
    })
    .unwrap();
    assert_eq!(server.stdout(), "", "no key is shown");
    let words: Vec<_> = hint.split(' ').skip(1).collect();
    assert_eq!(server.command(&words).unwrap().status.code(), Some(0));
    server.terminate().unwrap();
    server.start_again().unwrap();
    server.terminate().unwrap();
    assert_eq!(server.stderr().matches(hint).count(), 1, "said only once");
}

#[test]
fn a_start_that_waits_for_the_database_can_be_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let errors = folder.path().join("stderr.log");
    let nobody = free_port().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_bonafide"));
    command
        .arg("serve")
        .current_dir(folder.path())
        .env(
            "DATABASE_URL",
            format!("postgres://bonafide@127.0.0.1:{nobody}/none"),
        )
        .env(
            "ENCRYPTION_KEYS",
            "k1:QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=",
        )
        .env(
            "INDEX_KEY",
            "an index key for tests that has more than 32 bytes",
        )
        .env(
            "JWT_SECRET",
            "a token secret for tests that has more than 32 bytes",
        )
        .env("PORT", free_port().unwrap().to_string())
        .stderr(File::create(&errors).unwrap());
    let mut process = Process::spawn("bonafide", &mut command, Signal::TERM).unwrap();
    wait_for("the wait", Duration::from_secs(20), || {
        let told = std::fs::read_to_string(&errors)?;
        Ok(told.contains("trying again").then_some(()))
    })
    .unwrap();
    let ended = process.stop(Duration::from_secs(10)).unwrap();
    assert_eq!(ended.code(), Some(0));
}
