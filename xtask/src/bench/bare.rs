//! The bare handler: what this machine can do with axum, one small JSON body and nothing else.
//!
//! Guarantees: the same runtime shape and allocator as the server, a process of its own.
//! Must not: do anything that the comparison does not need; it is the ceiling.

use std::net::Ipv4Addr;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::{Deserialize, Serialize};
use test_support::ports::free_port;
use test_support::process::{Process, Signal};
use test_support::waiting::wait_for;

const WORKERS: usize = 2;
const START_LIMIT: Duration = Duration::from_secs(10);

/// The path that echoes.
pub const PATH: &str = "/echo";

/// The body of a check, as the server reads it.
#[derive(Deserialize, Serialize)]
struct Check {
    email: Option<String>,
    phone: Option<String>,
}

/// The bare handler in a process of its own.
pub struct Bare {
    process: Process,
    /// Port on 127.0.0.1
    pub port: u16,
}

impl Bare {
    /// Starts this program once more, as the bare handler.
    pub fn start() -> Result<Self> {
        let port = free_port()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["bench-bare", "--port", &port.to_string()]);
        let process = Process::spawn("the bare handler", &mut command, Signal::TERM)?;
        let address = (Ipv4Addr::LOCALHOST, port);
        wait_for("the start of the bare handler", START_LIMIT, || {
            Ok(std::net::TcpStream::connect(address).ok())
        })?;
        Ok(Self { process, port })
    }

    /// The id of its process.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }
}

/// Serves until it is ended.
pub fn serve(port: u16) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        axum::serve(listener, Router::new().route(PATH, post(echo))).await?;
        Ok(())
    })
}

async fn echo(body: Bytes) -> Response {
    let Ok(check) = serde_json::from_slice::<Check>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    match serde_json::to_vec(&check) {
        Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
