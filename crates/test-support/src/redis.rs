//! A private Redis: loopback, its own port, nothing kept on disk.
//!
//! Guarantees: answers `PING` when [`Redis::start`] returns; stays on its port over restarts; is
//! stopped on drop.
//! Must not: be used to keep anything; every stop forgets all keys, as a lost Redis does.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::ports::free_port;
use crate::process::{Process, Signal};
use crate::programs::redis_server;
use crate::waiting::wait_for;

const START_LIMIT: Duration = Duration::from_secs(10);
const STOP_LIMIT: Duration = Duration::from_secs(10);
const PROBE_LIMIT: Duration = Duration::from_secs(1);

/// The variable in which the test command hands over one Redis to all tests.
pub const SHARED_URL: &str = "TEST_REDIS_URL";

/// One private Redis server.
#[derive(Debug)]
pub struct Redis {
    process: Option<Process>,
    directory: TempDir,
    port: u16,
    is_cluster_node: bool,
}

/// A Redis to test with: the shared one of the test run, or a private one for this handle.
#[derive(Debug)]
pub struct TestRedis {
    url: String,
    _server: Option<Redis>,
}

impl TestRedis {
    /// Where to connect, `redis://…`.
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// Databases of a server: more than tests of one run.
const DATABASES: u32 = 16_384;

/// The Redis named by `TEST_REDIS_URL`, or without it a private one that ends with the handle.
///
/// The server may be shared; the database in it is the test's own.
pub fn for_test() -> Result<TestRedis> {
    if let Ok(url) = std::env::var(SHARED_URL) {
        let url = url.trim_end_matches('/');
        let address = url
            .strip_prefix("redis://")
            .context("an address of Redis")?;
        let number = next_number(address)? % DATABASES;
        let url = format!("{url}/{number}");
        return Ok(TestRedis { url, _server: None });
    }
    let server = Redis::start()?;
    Ok(TestRedis {
        url: server.url(),
        _server: Some(server),
    })
}

/// A number that nobody was given before, counted by the server itself.
fn next_number(address: &str) -> Result<u32> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"INCR test-databases\r\n")?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    let number = answer
        .trim()
        .strip_prefix(':')
        .context("Redis does not count")?;
    Ok(number.parse()?)
}

impl Redis {
    /// Starts a server on a free port and waits until it answers.
    pub fn start() -> Result<Self> {
        Self::start_as(false)
    }

    /// Starts a server in cluster mode, which as yet serves no slots.
    pub fn start_cluster_node() -> Result<Self> {
        Self::start_as(true)
    }

    fn start_as(is_cluster_node: bool) -> Result<Self> {
        let mut redis = Self {
            process: None,
            directory: tempfile::Builder::new().prefix("redis-").tempdir()?,
            port: free_port()?,
            is_cluster_node,
        };
        redis.start_again()?;
        Ok(redis)
    }

    /// Starts the stopped server again, empty, on the same port; does nothing while it runs.
    pub fn start_again(&mut self) -> Result<()> {
        if self.process.is_none() {
            self.process = Some(self.spawn()?);
            self.wait_until_ready()?;
        }
        Ok(())
    }

    /// Stops the server; clients see their connections closed, then refused.
    pub fn stop(&mut self) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            process.stop(STOP_LIMIT)?;
        }
        Ok(())
    }

    /// Ends the server at once, without a farewell to its clients.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            process.kill()?;
        }
        Ok(())
    }

    /// Freezes the server: connections stay open and nothing answers.
    pub fn pause(&mut self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets a frozen server go on.
    pub fn resume(&mut self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Where to connect, `redis://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The server's process id while it runs.
    pub fn process_id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    fn signal(&mut self, signal: Signal) -> Result<()> {
        let process = self.process.as_mut().context("redis-server is stopped")?;
        process.signal(signal)
    }

    fn spawn(&self) -> Result<Process> {
        let log = File::create(self.directory.path().join("redis.log"))?;
        let mut command = Command::new(redis_server()?);
        command
            .args(["--bind", "127.0.0.1", "--port", &self.port.to_string()])
            .args(["--save", "", "--appendonly", "no", "--daemonize", "no"])
            .args(["--databases", &DATABASES.to_string()])
            .arg("--dir")
            .arg(self.directory.path())
            .stdin(std::process::Stdio::null())
            .stderr(log.try_clone()?)
            .stdout(log);
        if self.is_cluster_node {
            // By default the bus is 10,000 ports higher, where there may be none.
            let bus = free_port()?.to_string();
            command.args(["--cluster-enabled", "yes", "--cluster-port", &bus]);
        }
        Process::spawn("redis-server", &mut command, Signal::TERM)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let port = self.port;
        let log = self.directory.path().join("redis.log");
        let process = self.process.as_mut().context("redis-server is stopped")?;
        wait_for("the start of redis-server", START_LIMIT, || {
            if let Some(status) = process.exit_status()? {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                anyhow::bail!("redis-server ended with {status}: {said}");
            }
            Ok(answers_ping(port).ok().filter(|pong| *pong).map(|_| ()))
        })
    }
}

/// Whether a server on this port answers `PING`, in Redis's inline form.
fn answers_ping(port: u16) -> std::io::Result<bool> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, PROBE_LIMIT)?;
    stream.set_read_timeout(Some(PROBE_LIMIT))?;
    stream.write_all(b"PING\r\n")?;
    let mut answer = [0; 7];
    stream.read_exact(&mut answer)?;
    Ok(&answer == b"+PONG\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_stops_and_returns_to_its_port() {
        let mut redis = Redis::start().unwrap();
        let url = redis.url();
        assert!(answers_ping(redis.port).unwrap());
        redis.stop().unwrap();
        assert!(answers_ping(redis.port).is_err());
        redis.start_again().unwrap();
        assert_eq!(redis.url(), url);
        assert!(answers_ping(redis.port).unwrap());
    }

    #[test]
    fn a_paused_server_does_not_answer_until_resumed() {
        let mut redis = Redis::start().unwrap();
        redis.pause().unwrap();
        assert!(answers_ping(redis.port).is_err());
        redis.resume().unwrap();
        assert!(answers_ping(redis.port).unwrap());
    }
}
