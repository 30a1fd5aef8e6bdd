//! The real program `bonafide`, started as an operator starts it.
//!
//! Guarantees: a working directory, a data directory and a port of its own; no variable of the
//! surrounding environment reaches it but the few that any program needs; what it prints is kept;
//! it is stopped on drop.
//! Must not: link against the server; it is a black box here.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::ports::free_port;
use crate::process::{Process, Signal};
use crate::waiting::wait_for;

const START_LIMIT: Duration = Duration::from_secs(30);
const STOP_LIMIT: Duration = Duration::from_secs(40);
const PROBE_LIMIT: Duration = Duration::from_secs(2);
/// The longest status line that a probe reads, in bytes.
const STATUS_LINE: u64 = 1024;

/// The variable that names the program to test.
pub const BINARY: &str = "BONAFIDE_BIN";

/// What the server inherits; everything else it gets by name. The profile is for coverage.
const INHERITED: [&str; 6] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "LANG",
    "RUST_BACKTRACE",
    "LLVM_PROFILE_FILE",
];

/// Secrets of the right form that protect nothing.
const SECRETS: [(&str, &str); 3] = [
    (
        "ENCRYPTION_KEYS",
        "k1:QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=",
    ),
    (
        "INDEX_KEY",
        "an index key for tests that has more than 32 bytes",
    ),
    (
        "JWT_SECRET",
        "a token secret for tests that has more than 32 bytes",
    ),
];

/// How a server is to be started.
#[derive(Debug, Default)]
pub struct ServerBuilder {
    binary: Option<PathBuf>,
    variables: BTreeMap<String, String>,
    arguments: Vec<String>,
    ready: Ready,
}

/// How a server is known to be ready.
#[derive(Debug, Clone, Copy, Default)]
enum Ready {
    /// It answers that it lives.
    #[default]
    Answers,
    /// It accepts connections.
    Listens,
    /// It has said these words since its start.
    Says(&'static str),
}

/// One server with its own port and directory, running or stopped.
#[derive(Debug)]
pub struct Server {
    process: Option<Process>,
    binary: PathBuf,
    variables: BTreeMap<String, String>,
    directory: TempDir,
    port: u16,
    arguments: Vec<String>,
    ready: Ready,
    started_in: Duration,
}

impl ServerBuilder {
    /// A server on loopback with secrets for tests, and SQLite in its own directory.
    pub fn new() -> Self {
        let mut builder = Self::first_run();
        for (name, value) in SECRETS {
            builder = builder.variable(name, value);
        }
        builder
    }

    /// A server that has been told nothing but its port: it has to make its own secrets.
    pub fn first_run() -> Self {
        Self::default()
    }

    /// Sets one variable of the server's environment; the last value counts.
    pub fn variable(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.insert(name.to_owned(), value.into());
        self
    }

    /// Starts this program instead of the one found by [`binary`].
    pub fn binary(mut self, path: impl Into<PathBuf>) -> Self {
        self.binary = Some(path.into());
        self
    }

    /// Takes an accepted connection for readiness: for servers that do not answer plain HTTP.
    pub fn ready_when_listening(mut self) -> Self {
        self.ready = Ready::Listens;
        self
    }

    /// Starts `serve --role worker`, which listens nowhere: it says when it is ready.
    pub fn worker(mut self) -> Self {
        self.arguments = ["serve", "--role", "worker"].map(str::to_owned).to_vec();
        self.ready = Ready::Says("working");
        self
    }

    /// Starts `serve --role api`, which answers requests and delivers nothing.
    pub fn api(mut self) -> Self {
        self.arguments = ["serve", "--role", "api"].map(str::to_owned).to_vec();
        self
    }

    /// Chooses port and directory without starting: for commands before, or instead of, a start.
    pub fn prepare(mut self) -> Result<Server> {
        let port = free_port()?;
        self.variables.insert("PORT".to_owned(), port.to_string());
        self.variables
            .entry("BIND".to_owned())
            .or_insert_with(|| "127.0.0.1".to_owned());
        Ok(Server {
            process: None,
            binary: self.binary.map_or_else(binary, Ok)?,
            variables: self.variables,
            directory: tempfile::Builder::new().prefix("bonafide-").tempdir()?,
            port,
            arguments: self.arguments,
            ready: self.ready,
            started_in: Duration::ZERO,
        })
    }

    /// Starts the server and waits until it is live.
    pub fn start(self) -> Result<Server> {
        let mut server = self.prepare()?;
        server.start_again()?;
        Ok(server)
    }
}

impl Server {
    /// Forgets the variables of this prefix: commands, and the next start, know nothing of them.
    pub fn forget(&mut self, prefix: &str) {
        self.variables.retain(|name, _| !name.starts_with(prefix));
    }

    /// Changes a variable: for commands, and for the next start.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// Starts the stopped server on the same port and directory; does nothing while it runs.
    pub fn start_again(&mut self) -> Result<()> {
        if self.process.is_none() {
            let begin = Instant::now();
            let said = self.stderr().len();
            self.process = Some(self.spawn()?);
            self.wait_until_live(said)?;
            self.started_in = begin.elapsed();
        }
        Ok(())
    }

    /// Asks for an orderly end (SIGTERM), waits for it, and returns how the server ended.
    pub fn terminate(&mut self) -> Result<ExitStatus> {
        let mut process = self.process.take().context("the server is stopped")?;
        process.stop(STOP_LIMIT)
    }

    /// Waits for the end of a server that was already asked for it, and returns how it ended.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        let mut process = self.process.take().context("the server is stopped")?;
        process.wait(STOP_LIMIT)
    }

    /// Ends the server at once, as a power failure would (SIGKILL).
    pub fn kill9(&mut self) -> Result<()> {
        let mut process = self.process.take().context("the server is stopped")?;
        process.kill()
    }

    /// Sends any signal to the running server.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        let process = self.process.as_mut().context("the server is stopped")?;
        process.signal(signal)
    }

    /// Runs one of the program's commands to its end, with the server's environment and directory.
    pub fn command<I, S>(&self, arguments: I) -> Result<Output>
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let mut command = self.program();
        command.args(arguments).stdin(Stdio::null());
        command.output().context("cannot run bonafide")
    }

    /// Begins one of the program's commands, with the server's environment and directory. What it
    /// prints can be read.
    pub fn begin<I, S>(&self, arguments: I) -> Result<Child>
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let mut command = self.program();
        command.args(arguments).stdin(Stdio::null());
        command.stdout(Stdio::piped());
        command.spawn().context("cannot run bonafide")
    }

    /// The beginning of every URL of this server, without a slash at the end.
    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The TCP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's working directory, in which its default data directory lies.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The time from the last start of the process to its first answer.
    pub fn started_in(&self) -> Duration {
        self.started_in
    }

    /// The server's process id while it runs.
    pub fn process_id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// Everything the server printed to standard output, over all its starts.
    pub fn stdout(&self) -> String {
        self.printed("stdout.log")
    }

    /// Everything the server printed to standard error, over all its starts.
    pub fn stderr(&self) -> String {
        self.printed("stderr.log")
    }

    fn printed(&self, file: &str) -> String {
        let bytes = std::fs::read(self.directory().join(file)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn spawn(&self) -> Result<Process> {
        let mut command = self.program();
        command
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(self.append("stdout.log")?)
            .stderr(self.append("stderr.log")?);
        Process::spawn("bonafide", &mut command, Signal::TERM)
    }

    fn append(&self, file: &str) -> Result<File> {
        let path = self.directory().join(file);
        Ok(File::options().create(true).append(true).open(path)?)
    }

    /// The program with exactly the environment that it is meant to see.
    fn program(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command.env_clear().current_dir(self.directory());
        for name in INHERITED {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.envs(&self.variables);
        command
    }

    /// Waits until it is ready; before this start it had printed `said` bytes.
    fn wait_until_live(&mut self, said: usize) -> Result<()> {
        let (port, ready) = (self.port, self.ready);
        let log = self.directory().join("stderr.log");
        let process = self.process.as_mut().context("the server is stopped")?;
        let live = wait_for("the start of bonafide", START_LIMIT, || {
            if let Some(status) = process.exit_status()? {
                bail!("bonafide ended with {status}");
            }
            let is_ready = match ready {
                Ready::Answers => {
                    get_status(port, "/health/live").is_ok_and(|status| status == 200)
                }
                Ready::Listens => connect(port).is_ok(),
                Ready::Says(words) => has_said(&log, said, words),
            };
            Ok(is_ready.then_some(()))
        });
        live.with_context(|| format!("bonafide printed:\n{}{}", self.stdout(), self.stderr()))
    }
}

/// Whether a file holds these words behind so many bytes.
fn has_said(file: &Path, after: usize, words: &str) -> bool {
    let said = std::fs::read(file).unwrap_or_default();
    let since = said.get(after..).unwrap_or_default();
    String::from_utf8_lossy(since).contains(words)
}

/// The program to test: `BONAFIDE_BIN`, or `bonafide` in a folder above the running program.
pub fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(BINARY) {
        return Ok(PathBuf::from(path));
    }
    let own = std::env::current_exe()?;
    own.ancestors()
        .skip(1)
        .map(|folder| folder.join("bonafide"))
        .find(|candidate| candidate.is_file())
        .with_context(|| format!("no program `bonafide`: build it, or name it in {BINARY}"))
}

fn connect(port: u16) -> std::io::Result<TcpStream> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = TcpStream::connect_timeout(&address, PROBE_LIMIT)?;
    stream.set_read_timeout(Some(PROBE_LIMIT))?;
    Ok(stream)
}

/// The status of a plain `GET`: enough for a health probe, and no more than that.
fn get_status(port: u16, path: &str) -> Result<u16> {
    let mut stream = connect(port)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    )?;
    let mut status_line = String::new();
    BufReader::new(stream.take(STATUS_LINE)).read_line(&mut status_line)?;
    let status = status_line.split(' ').nth(1).context("no status line")?;
    Ok(status.parse()?)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn reads_the_status_of_an_answer() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let answering = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            // Read to its end: what is left unread when a connection is closed resets it.
            let mut request = BufReader::new(&stream);
            let mut line = String::new();
            while line != "\r\n" {
                line.clear();
                request.read_line(&mut line).unwrap();
            }
            (&stream).write_all(b"HTTP/1.1 503 Busy\r\n\r\n").unwrap();
        });
        assert_eq!(get_status(port, "/").unwrap(), 503);
        answering.join().unwrap();
    }

    #[test]
    fn commands_see_only_the_environment_they_were_given() {
        let server = ServerBuilder::new()
            .binary("/usr/bin/env")
            .prepare()
            .unwrap();
        let output = server.command::<_, &str>([]).unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(printed.contains("BIND=127.0.0.1\n"));
        assert!(printed.contains(&format!("PORT={}\n", server.port())));
        assert!(!printed.contains("CARGO_"));
    }

    #[test]
    fn a_failed_start_tells_what_was_printed() {
        let started = ServerBuilder::new().binary("/bin/false").start();
        assert!(format!("{:#}", started.unwrap_err()).contains("bonafide printed"));
    }
}
