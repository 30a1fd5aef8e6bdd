//! The listener at `METRICS_BIND`, of a real process.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use test_support::ServerBuilder;
use test_support::ports::free_port;
use test_support::process::{Process, Signal};
use test_support::waiting::wait_for;

use super::exposition::Exposition;

const PATIENCE: Duration = Duration::from_secs(20);

/// Status and body of a plain request.
fn ask(port: u16, request: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let head = "HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    write!(stream, "{request} {head}")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").expect("a whole answer");
    let status = head.split(' ').nth(1).expect("a status").parse();
    Ok((status.expect("a number"), body.to_owned()))
}

#[test]
fn it_serves_the_metrics_without_a_credential_and_nothing_else() {
    let port = free_port().unwrap();
    let mut server = ServerBuilder::new()
        .binary(env!("CARGO_BIN_EXE_bonafide"))
        .variable("METRICS_BIND", format!("127.0.0.1:{port}"))
        .start()
        .unwrap();
    let (status, text) = ask(port, "GET /metrics").unwrap();
    assert_eq!(status, 200);
    let shown = Exposition::parse(&text);
    let live = [
        ("action", "health.live"),
        ("method", "GET"),
        ("status", "200"),
    ];
    assert!(shown.value("bonafide_requests_total", &live) >= 1.0);
    assert!(shown.value("process_start_time_seconds", &[]) > 1_735_689_600.0);
    for work in ["reading", "writing"] {
        let connections = shown.value("bonafide_database_connections", &[("work", work)]);
        assert!(connections >= 1.0, "{work}: {connections}");
        let waiting = shown.value("bonafide_database_waiting", &[("work", work)]);
        assert!(waiting >= 0.0);
    }
    for (request, expected) in [
        ("GET /", 404),
        ("GET /health/live", 404),
        ("GET /openapi.json", 404),
        ("GET /api/v1/admin/keys", 404),
        ("GET /metrics/", 404),
        ("POST /metrics", 405),
    ] {
        assert_eq!(ask(port, request).unwrap().0, expected, "{request}");
    }
    assert_eq!(ask(server.port(), "GET /metrics").unwrap().0, 401);
    assert!(server.terminate().unwrap().success());
    assert!(
        ask(port, "GET /metrics").is_err(),
        "it ends with the server"
    );
}

#[test]
fn without_it_nothing_listens_beside_the_api() {
    let mut server = ServerBuilder::new()
        .binary(env!("CARGO_BIN_EXE_bonafide"))
        .start()
        .unwrap();
    assert!(!server.stderr().contains("serving metrics"));
    assert!(server.terminate().unwrap().success());
}

#[test]
fn a_port_in_use_stops_the_start() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let server = ServerBuilder::new()
        .binary(env!("CARGO_BIN_EXE_bonafide"))
        .variable("METRICS_BIND", &address)
        .prepare()
        .unwrap();
    let ended = server.command(["serve"]).unwrap();
    let words = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{words}");
    assert!(
        words.contains(&address) && words.contains("METRICS_BIND"),
        "{words}"
    );
}

#[test]
fn a_worker_is_watched_there_too() {
    let (port, home) = (free_port().unwrap(), TempDir::new().unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_bonafide"));
    command
        .args(["serve", "--role", "worker"])
        .env_clear()
        .env("METRICS_BIND", format!("127.0.0.1:{port}"))
        .current_dir(home.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut worker = Process::spawn("bonafide", &mut command, Signal::TERM).unwrap();
    let answer = wait_for("a worker's metrics", PATIENCE, || {
        Ok(ask(port, "GET /metrics").ok())
    });
    let (status, text) = answer.unwrap();
    assert_eq!(status, 200);
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    assert!(Exposition::parse(&text).value("bonafide_build_info", &version) > 0.5);
    assert!(worker.stop(PATIENCE).unwrap().success());
}
