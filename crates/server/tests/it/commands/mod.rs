//! The commands of the program, run as an operator runs them, on both databases.

mod ages;
mod archive;
mod audit;
mod credentials;
mod customers;
mod deliveries;
mod doctor;
mod first_steps;
mod health;
mod inbox;
mod seal;
mod square;
mod veriff;

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use test_support::postgres::{TestDatabase, database_for_test};
use test_support::programs::postgres_directory;
use test_support::{Server, ServerBuilder};

/// How soon a credential made or ended anywhere has to hold everywhere.
const SOON: Duration = Duration::from_secs(1);

/// An installation that nothing was done with yet.
struct Installation {
    server: Server,
    postgres: Option<TestDatabase>,
}

impl Installation {
    fn on_sqlite(builder: ServerBuilder) -> Self {
        let builder = builder.binary(env!("CARGO_BIN_EXE_bonafide"));
        Self {
            server: builder.prepare().unwrap(),
            postgres: None,
        }
    }

    fn on_postgres(builder: ServerBuilder, name: &str) -> Self {
        let database = database_for_test(name).unwrap();
        let builder = builder
            .binary(env!("CARGO_BIN_EXE_bonafide"))
            .variable("DATABASE_URL", database.url());
        Self {
            server: builder.prepare().unwrap(),
            postgres: Some(database),
        }
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        Ran(self.server.command(arguments).unwrap())
    }

    fn new_key(&self, arguments: &[&str]) -> Value {
        let fixed = ["keys", "create", "--json", "--name", "test"];
        self.run(&[&fixed, arguments].concat()).json()
    }

    /// Changes one stored word of one audit record behind the program's back.
    fn tamper(&self) {
        let sql = "UPDATE audit_records SET outcome = 'no' WHERE action = 'company.create'";
        assert_eq!(self.execute(sql), 1);
    }

    /// Runs a statement behind the program's back; returns how many rows it changed.
    fn execute(&self, sql: &str) -> usize {
        match &self.postgres {
            None => {
                let file = self.server.directory().join("data/bonafide.db");
                let database = rusqlite::Connection::open(file).unwrap();
                database.execute(sql, []).unwrap()
            }
            Some(database) => {
                let psql = Command::new(postgres_directory().unwrap().join("psql"))
                    .args(["--no-psqlrc", "--set=ON_ERROR_STOP=1"])
                    .args(["--command", sql, "--dbname", database.url()])
                    .output()
                    .unwrap();
                // `UPDATE 1`, `DELETE 7`.
                let said = String::from_utf8_lossy(&psql.stdout);
                said.split_whitespace().last().unwrap().parse().unwrap()
            }
        }
    }

    /// What a check answers to this key.
    async fn status(&self, key: &str) -> u16 {
        let url = format!(
            "{}/api/v1/customer/check-verification",
            self.server.base_url()
        );
        let request = reqwest::Client::new()
            .post(url)
            .header("X-API-Key", key)
            .json(&serde_json::json!({"email": "ann@example.com"}));
        request.send().await.unwrap().status().as_u16()
    }

    /// Asks until the answer is `expected`, for as long as that may take.
    async fn soon(&self, key: &str, expected: u16) {
        let since = Instant::now();
        loop {
            let status = self.status(key).await;
            if status == expected {
                return;
            }
            assert!(since.elapsed() < SOON, "still {status}, not {expected}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// What a command printed, and how it ended.
struct Ran(Output);

impl Ran {
    fn code(&self) -> i32 {
        self.0.status.code().unwrap()
    }

    fn stdout(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).unwrap()
    }

    fn stderr(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).unwrap()
    }

    /// The printed text of a success.
    fn text(&self) -> String {
        assert_eq!(self.code(), 0, "{}", self.stderr());
        self.stdout()
    }

    /// The printed JSON of a success, which says nothing else.
    fn json(&self) -> Value {
        let text = self.text();
        assert_eq!(self.stderr(), "");
        assert_eq!(text.lines().count(), 1);
        serde_json::from_str(&text).unwrap()
    }

    /// The words of a failure: one line, and one with a hint.
    fn failure(&self, code: i32) -> String {
        let words = self.stderr();
        assert_eq!(self.code(), code, "{words}");
        assert!(words.starts_with("error: "), "{words}");
        assert!(words.contains("\nhint: "), "{words}");
        words
    }
}

fn names(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

fn the_audit_log_is_checked(installation: &Installation) {
    let verify = ["audit", "verify", "--json"];
    let fine = installation.run(&verify).json();
    assert_eq!(
        names(&fine),
        [
            "batches",
            "checkpoints",
            "faults",
            "kept",
            "logs",
            "records"
        ]
    );
    assert_eq!(fine["faults"], serde_json::json!([]));
    let records = fine["records"].as_u64().unwrap();
    assert!(records > 0);
    let words = installation.run(&["audit", "verify"]).text();
    assert!(words.starts_with("The audit log is intact"), "{words}");

    let exported = installation.run(&["audit", "export"]).text();
    assert_eq!(exported.lines().count() as u64, records);
    let lines: Vec<Value> = exported
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(
        lines
            .iter()
            .all(|line| line["id"].is_string() && line["request_id"].is_string())
    );
    let of_create = lines
        .iter()
        .find(|line| line["action"] == "company.create")
        .unwrap();
    assert_eq!(of_create["credential"], "command");
    assert_eq!(
        installation
            .run(&["audit", "export", "--to", "2020-01-01T00:00:00Z"])
            .text(),
        ""
    );
    installation
        .run(&["audit", "export", "--from", "yesterday"])
        .failure(2);

    installation.tamper();
    let place = format!("record {} was changed", of_create["id"].as_str().unwrap());
    let found = installation.run(&verify);
    assert!(found.failure(1).contains("1 fault"));
    let report: Value = serde_json::from_str(&found.stdout()).unwrap();
    assert_eq!(report["faults"], serde_json::json!([place]));
    let words = installation.run(&["audit", "verify"]);
    assert_eq!(words.code(), 1);
    assert_eq!(words.stdout().lines().next(), Some(place.as_str()));
}

async fn everything_beside_a_running_server(mut installation: Installation) {
    credentials::keys_hold_at_once(&mut installation).await;
    credentials::companies_have_a_life(&installation);
    the_audit_log_is_checked(&installation);
    assert!(installation.server.terminate().unwrap().success());
}

#[tokio::test]
async fn commands_work_beside_a_server_on_sqlite() {
    everything_beside_a_running_server(Installation::on_sqlite(ServerBuilder::first_run())).await;
}

#[tokio::test]
async fn commands_work_beside_a_server_on_postgres() {
    let installation = Installation::on_postgres(ServerBuilder::new(), "commands");
    everything_beside_a_running_server(installation).await;
}

fn migrations_are_counted(installation: &Installation) {
    let early = installation.run(&["companies", "list"]);
    assert!(early.failure(1).contains("bonafide migrate"));
    let first = installation.run(&["migrate", "--json"]).json();
    assert!(first["applied"].as_u64().unwrap() > 0);
    let second = installation.run(&["migrate"]).text();
    assert_eq!(second, "The database is already up to date.\n");
    assert!(
        installation
            .run(&["companies", "list"])
            .text()
            .contains("default")
    );
}

#[test]
fn without_auto_migrate_a_command_asks_for_migrate() {
    let builder = || ServerBuilder::new().variable("AUTO_MIGRATE", "false");
    migrations_are_counted(&Installation::on_sqlite(builder()));
    migrations_are_counted(&Installation::on_postgres(builder(), "migrate"));
}

#[test]
fn all_mistakes_of_the_configuration_are_told_at_once() {
    let builder = ServerBuilder::new()
        .variable("LOG_FORMAT", "xml")
        .variable("AUTO_MIGRATE", "perhaps");
    let told = Installation::on_sqlite(builder)
        .run(&["keys", "list"])
        .failure(2);
    assert!(
        told.contains("LOG_FORMAT") && told.contains("AUTO_MIGRATE"),
        "{told}"
    );
}

#[test]
fn a_database_that_is_away_is_told_with_a_hint() {
    let port = test_support::ports::free_port().unwrap();
    let builder = ServerBuilder::new().variable(
        "DATABASE_URL",
        format!("postgres://u:hunter2@127.0.0.1:{port}/x"),
    );
    let told = Installation::on_sqlite(builder)
        .run(&["keys", "list"])
        .failure(1);
    assert!(
        told.contains("bonafide doctor") && !told.contains("hunter2"),
        "{told}"
    );
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let installation = Installation::on_sqlite(ServerBuilder::first_run());
    installation.new_key(&["--company", "default", "--scope", "admin"]);
    let mut export = Command::new(env!("CARGO_BIN_EXE_bonafide"))
        .args(["audit", "export"])
        .current_dir(installation.server.directory())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(export.stdout.take());
    let ended = Ran(export.wait_with_output().unwrap());
    assert_eq!((ended.code(), ended.stderr()), (0, String::new()));
}

#[test]
fn an_export_that_is_not_complete_fails_and_says_so() {
    let installation = Installation::on_sqlite(ServerBuilder::first_run());
    let made = ["--company", "default", "--scope", "admin"];
    for _ in 0..3 {
        installation.new_key(&made);
    }
    let lines = |ran: &Ran| String::from_utf8_lossy(&ran.0.stdout).lines().count();
    let whole = lines(&installation.run(&["audit", "export"]));
    let file = installation.server.directory().join("data/bonafide.db");
    let database = rusqlite::Connection::open(file).unwrap();
    let spoil = "UPDATE audit_batches SET root = x'00' WHERE batch = 2";
    assert_eq!(database.execute(spoil, []).unwrap(), 1);
    let sql = "SELECT size FROM audit_batches WHERE batch = 2";
    let lost: u32 = database.query_row(sql, [], |row| row.get(0)).unwrap();
    let export = installation.run(&["audit", "export"]);
    assert_eq!((export.code(), lines(&export)), (1, whole - lost as usize));
    let told = export.stderr();
    assert!(told.contains("1 batch could not be read"), "{told}");
}
