//! `bonafide tokens issue`, as an operator runs it.

use std::path::Path;
use std::process::{Command, Output};

use bonafide::tokens::{Expected, Tokens};
use domain::access::Scopes;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tempfile::TempDir;

const SECRET: &str = "a secret for the tokens of a command, long enough";

/// The program in a directory of its own, with `JWT_SECRET` and nothing else of ours in its
/// environment.
fn bonafide(directory: &Path, variables: &[(&str, &str)], arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bonafide"))
        .args(arguments.split_whitespace())
        .current_dir(directory)
        .env_clear()
        .env("JWT_SECRET", SECRET)
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

fn printed(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn failed(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code));
    assert!(output.stdout.is_empty());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn now() -> Timestamp {
    use domain::clock::Clock as _;
    bonafide::ambient::SystemClock.now()
}

#[tokio::test]
async fn the_token_alone_is_printed() {
    let directory = TempDir::new().unwrap();
    let arguments = "tokens issue --subject ann --scope customers:read --scope orders:read";
    let token = printed(&bonafide(directory.path(), &[], arguments));
    let tokens = Tokens::new(SECRET.as_bytes(), None, Expected::default());
    let claims = tokens
        .verify(token.trim_end(), now())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(claims.subject, "ann");
    assert_eq!(claims.company.as_deref(), Some("default"));
    assert_eq!(claims.scope.as_deref(), Some("customers:read orders:read"));
    assert_eq!((claims.role, claims.key), (None, None));
}

#[tokio::test]
async fn programs_are_told_more_and_the_log_has_a_record() {
    let directory = TempDir::new().unwrap();
    let variables = [
        ("JWT_ISSUER", "https://id.example.com"),
        ("JWT_AUDIENCE", "bonafide"),
    ];
    let arguments = "tokens issue --subject ann@example.com --role admin --ttl 2h --json";
    let issued = printed(&bonafide(directory.path(), &variables, arguments));
    let issued: Value = serde_json::from_str(&issued).unwrap();
    assert_eq!(issued["subject"], "ann@example.com");
    assert_eq!(issued["scopes"], serde_json::json!(["admin"]));
    let end: Timestamp = issued["expires_at"].as_str().unwrap().parse().unwrap();
    let left = end.duration_since(now());
    assert!(left > SignedDuration::from_mins(118) && left <= SignedDuration::from_mins(120));
    let expected = Expected {
        issuer: Some("https://id.example.com".to_owned()),
        audience: Some("bonafide".to_owned()),
    };
    let token = issued["token"].as_str().unwrap();
    let tokens = Tokens::new(SECRET.as_bytes(), None, expected);
    let claims = tokens.verify(token, now()).await.unwrap().unwrap();
    assert_eq!(
        Scopes::of_token(None, claims.role.as_deref()).to_string(),
        "admin"
    );

    let log = printed(&bonafide(directory.path(), &[], "audit export"));
    let record = log
        .lines()
        .find(|line| line.contains("token.issue"))
        .unwrap();
    assert!(record.contains("command") && record.contains("company=default credential=token:"));
    assert!(!log.contains("ann") && !log.contains(token));
}

#[test]
fn tokens_that_would_be_refused_are_not_made() {
    let directory = TempDir::new().unwrap();
    let run = |arguments: &str| bonafide(directory.path(), &[], arguments);
    let why = failed(&run("tokens issue --subject ann --company nobody"), 1);
    assert!(
        why.contains("inactive company") && why.contains("hint:"),
        "{why}"
    );
    for wrong in [
        "tokens issue",
        "tokens issue --subject=",
        "tokens issue --subject ann --ttl 0s",
        "tokens issue --subject ann --scope everything",
        "tokens issue --subject ann --role king",
    ] {
        failed(&run(wrong), 2);
    }
}

#[tokio::test]
async fn without_a_database_there_is_a_token_and_a_warning() {
    let directory = TempDir::new().unwrap();
    let key = "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let variables = [
        ("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none"),
        ("ENCRYPTION_KEYS", key),
        ("INDEX_KEY", SECRET),
    ];
    let output = bonafide(directory.path(), &variables, "tokens issue --subject ann");
    let warning = String::from_utf8_lossy(&output.stderr);
    assert!(
        warning.contains("warning: the audit log has no record of this token"),
        "{warning}"
    );
    let tokens = Tokens::new(SECRET.as_bytes(), None, Expected::default());
    let token = printed(&output);
    let verified = tokens.verify(token.trim_end(), now()).await;
    assert!(verified.unwrap().is_ok());
}
