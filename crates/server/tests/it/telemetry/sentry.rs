//! Sentry, at the other end of a real connection.

use std::time::Instant;

use futures_util::future::join_all;
use rusqlite::Connection;
use serde_json::Value;
use test_support::ports::free_port;
use test_support::postgres::Settings;
use test_support::waiting::wait_for;
use test_support::{Postgres, Server, ServerBuilder};

use super::{SOON, until};
use crate::outbound::receiver::{Received, Receiver, status};

const HIDE: &str = "ALTER TABLE audit_records RENAME TO audit_records_hidden";
const SHOW: &str = "ALTER TABLE audit_records_hidden RENAME TO audit_records";

/// What a caller sends, none of which may be told.
const SENT: [&str; 4] = [
    "ann@example.com",
    "bf_aaaaaaaaaaaa_wrong",
    "agent-of-ann",
    "127.0.0.1",
];

fn server(dsn: String) -> Server {
    let builder = ServerBuilder::new().binary(env!("CARGO_BIN_EXE_bonafide"));
    builder.variable("SENTRY_DSN", dsn).start().unwrap()
}

fn database(server: &Server) -> Connection {
    Connection::open(server.directory().join("data/bonafide.db")).unwrap()
}

/// Asks for a customer; the status of the answer.
async fn ask(server: &Server) -> u16 {
    let [email, key, agent, _] = SENT;
    let url = format!("{}/api/v1/customer/check-verification", server.base_url());
    let request = reqwest::Client::new()
        .post(url)
        .header("X-API-Key", key)
        .header("User-Agent", agent)
        .json(&serde_json::json!({ "email": email }));
    request.send().await.unwrap().status().as_u16()
}

/// Head, item and event of an envelope.
fn envelope(received: &Received) -> [Value; 3] {
    let text = std::str::from_utf8(&received.body).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let parts = lines.iter().map(|line| serde_json::from_str(line).unwrap());
    let parts: [Value; 3] = parts.collect::<Vec<_>>().try_into().unwrap();
    assert_eq!(parts[1]["length"], lines[2].len());
    parts
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_one_event() {
    let mut postgres = Postgres::start(Settings::Fast).unwrap();
    let sentry = Receiver::start(|_| status(200)).await;
    let mut server = ServerBuilder::new()
        .binary(env!("CARGO_BIN_EXE_bonafide"))
        .variable("DATABASE_URL", postgres.fresh_database("sentry").unwrap())
        .variable(
            "SENTRY_DSN",
            format!("http://k3y@127.0.0.1:{}/1", sentry.port()),
        )
        .start()
        .unwrap();
    assert_eq!(ask(&server).await, 401);
    postgres.stop().unwrap();
    let asked = join_all((0..20).map(|_| ask(&server))).await;
    assert_eq!(asked, [503; 20]);
    // What goes on beside the requests fails as well, and belongs to the same outage.
    until(&sentry, |received| !received.is_empty());
    // The log is written beside the requests: lines may follow their answers.
    let logged = || {
        let failed = server.stderr().matches("request failed").count();
        Ok((failed >= 20).then_some(()))
    };
    wait_for("a line for each request", SOON, logged).unwrap();
    server.kill9().unwrap();
    let received = sentry.received();
    assert_eq!(received.len(), 1, "{}", server.stderr());
    let [.., event] = envelope(&received[0]);
    assert_eq!(event["level"], "warning");
    assert!(
        event["extra"]["cause"]
            .as_str()
            .is_some_and(|cause| !cause.is_empty())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_defect_is_one_event_and_names_nobody() {
    let sentry = Receiver::start(|_| status(200)).await;
    let mut server = server(format!("http://k3y@127.0.0.1:{}/in/42", sentry.port()));
    assert_eq!(ask(&server).await, 401);
    let database = database(&server);
    database.execute(HIDE, []).unwrap();
    for _ in 0..20 {
        assert_eq!(ask(&server).await, 503);
    }
    database.execute(SHOW, []).unwrap();
    assert!(server.terminate().unwrap().success());

    // What goes on beside the requests may meet the same defect, and says so in its own words.
    let all = sentry.received();
    let of_requests = all.iter().filter(|received| {
        let [.., event] = envelope(received);
        event["message"]["formatted"] == "request failed"
    });
    let [received] = of_requests.collect::<Vec<_>>()[..] else {
        panic!("{} events: {}", all.len(), server.stderr());
    };
    assert_eq!(received.target, "/in/api/42/envelope/");
    let auth = received.header("x-sentry-auth");
    assert!(
        auth.contains("sentry_version=7") && auth.contains("sentry_key=k3y"),
        "{auth}"
    );
    let [head, item, event] = envelope(received);
    assert_eq!(head["event_id"], event["event_id"]);
    assert_eq!(event["event_id"].as_str().unwrap().len(), 32);
    assert_eq!(item["type"], "event");
    assert_eq!(event["level"], "error");
    let release = concat!("bonafide@", env!("CARGO_PKG_VERSION"));
    assert_eq!(event["release"], release);
    assert_eq!(event["tags"]["action"], "customer.check");
    let id = event["tags"]["request_id"].as_str().unwrap();
    assert!(server.stderr().contains(id));
    for received in &all {
        let told = String::from_utf8_lossy(&received.body).to_lowercase();
        for sent in SENT {
            assert!(!told.contains(sent), "{sent} is told: {told}");
        }
    }
    assert!(!server.stderr().contains("k3y"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sentry_that_is_away_or_hangs_costs_nothing() {
    let away = format!("http://k3y@127.0.0.1:{}/1", free_port().unwrap());
    // It accepts, and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let hangs = format!("http://k3y@{}/1", silent.local_addr().unwrap());
    for dsn in [away, hangs] {
        let mut server = server(dsn);
        let database = database(&server);
        database.execute(HIDE, []).unwrap();
        assert_eq!(ask(&server).await, 503);
        database.execute(SHOW, []).unwrap();
        let asked = Instant::now();
        assert_eq!(ask(&server).await, 401);
        assert!(asked.elapsed() < SOON / 4);
        let stopped = Instant::now();
        assert!(server.terminate().unwrap().success());
        assert!(stopped.elapsed() < SOON / 2, "{:?}", stopped.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sentry_that_is_busy_is_left_alone_for_as_long_as_it_wants() {
    let sentry = Receiver::start(|_| {
        let mut busy = status(429);
        busy.headers_mut()
            .insert("retry-after", "3600".parse().unwrap());
        busy
    })
    .await;
    let metrics = free_port().unwrap();
    let builder = ServerBuilder::new().binary(env!("CARGO_BIN_EXE_bonafide"));
    let server = builder
        .variable(
            "SENTRY_DSN",
            format!("http://k3y@127.0.0.1:{}/1", sentry.port()),
        )
        .variable("METRICS_BIND", format!("127.0.0.1:{metrics}"))
        .start()
        .unwrap();
    let database = database(&server);
    database.execute(HIDE, []).unwrap();
    assert_eq!(ask(&server).await, 503);
    database.execute(SHOW, []).unwrap();
    until(&sentry, |received| received.len() == 1);
    let counted = async || {
        let page = reqwest::get(format!("http://127.0.0.1:{metrics}/metrics")).await;
        let page = page.unwrap().text().await.unwrap();
        page.contains("bonafide_telemetry_lost_total{kind=\"report\"} 1\n")
    };
    let since = Instant::now();
    while !counted().await {
        assert!(since.elapsed() < SOON, "the report was not given up");
        tokio::time::sleep(SOON / 100).await;
    }
    assert_eq!(sentry.received().len(), 1);
}

#[test]
fn a_dsn_that_is_none_stops_the_start() {
    let builder = ServerBuilder::new().binary(env!("CARGO_BIN_EXE_bonafide"));
    let server = builder.variable("SENTRY_DSN", "https://sentry.example.com/s3cret");
    let ended = server.prepare().unwrap().command(["serve"]).unwrap();
    let words = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(2), "{words}");
    assert!(
        words.contains("SENTRY_DSN") && !words.contains("s3cret"),
        "{words}"
    );
}
