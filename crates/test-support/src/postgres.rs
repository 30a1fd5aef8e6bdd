//! A private PostgreSQL cluster: loopback, its own port, its own data directory.
//!
//! Guarantees: accepts connections when [`Postgres::start`] returns; keeps port and data over
//! restarts; is stopped, and its files removed, on drop. As PostgreSQL refuses to run as root, its
//! programs run as the user `postgres` when we are root.
//! Must not: touch any other cluster of the machine.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::ports::free_port;
use crate::process::{Process, Signal};
use crate::programs::postgres_directory;
use crate::waiting::wait_for;

const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(60);
/// The user as whom PostgreSQL runs when we are root; its packages create it.
const SYSTEM_USER: &str = "postgres";

/// The variable in which the test command hands over one cluster to all tests.
pub const SHARED_URL: &str = "TEST_POSTGRES_URL";

/// How much a private cluster cares for its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settings {
    /// For functional tests: does not wait for the disk, so only a crash of the machine loses data.
    Fast,
    /// For fault tests: PostgreSQL's own durable defaults.
    Durable,
    /// For benches: durable defaults, 256 MB of shared buffers, 100 connections.
    Bench,
}

impl Settings {
    fn lines(self) -> &'static [&'static str] {
        match self {
            Self::Fast => &["fsync=off", "full_page_writes=off", "max_connections=300"],
            Self::Durable => &["fsync=on", "synchronous_commit=on", "max_connections=200"],
            Self::Bench => &[
                "fsync=on",
                "synchronous_commit=on",
                "shared_buffers=256MB",
                "max_connections=100",
            ],
        }
    }
}

/// One private cluster.
#[derive(Debug)]
pub struct Postgres {
    process: Option<Process>,
    programs: PathBuf,
    directory: TempDir,
    port: u16,
    settings: Settings,
}

/// An empty database for one test, in the shared cluster of the run or in a private one.
#[derive(Debug)]
pub struct TestDatabase {
    url: String,
    _server: Option<Postgres>,
}

impl TestDatabase {
    /// Where to connect, `postgres://…`.
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// An empty database of its own for one test: in the cluster named by `TEST_POSTGRES_URL`, or
/// without it in a private cluster that ends with the handle.
pub fn database_for_test(name: &str) -> Result<TestDatabase> {
    if let Ok(shared) = std::env::var(SHARED_URL) {
        let url = create_database(&postgres_directory()?, &shared, name)?;
        return Ok(TestDatabase { url, _server: None });
    }
    let server = Postgres::start(Settings::Fast)?;
    let url = server.fresh_database(name)?;
    Ok(TestDatabase {
        url,
        _server: Some(server),
    })
}

impl Postgres {
    /// Makes a cluster and starts it on a free port; returns when it accepts connections.
    pub fn start(settings: Settings) -> Result<Self> {
        Self::start_in(&std::env::temp_dir(), settings)
    }

    /// The same, with its files in a new folder below this one, which everybody may enter.
    pub fn start_in(folder: &Path, settings: Settings) -> Result<Self> {
        let mut postgres = Self::prepare(folder, settings)?;
        postgres.initialise()?;
        postgres.start_again()?;
        Ok(postgres)
    }

    /// Makes a standby of a running cluster, which streams from it, and starts it.
    pub fn start_standby(primary: &Self) -> Result<Self> {
        let mut standby = Self::prepare(&std::env::temp_dir(), primary.settings)?;
        let mut copy = standby.server_program("pg_basebackup")?;
        copy.args(["--host=127.0.0.1", "--username=postgres", "--no-sync"])
            .arg(format!("--port={}", primary.port))
            .args(["--write-recovery-conf", "--checkpoint=fast", "--pgdata"])
            .arg(standby.data());
        succeed(&mut copy).context("pg_basebackup could not copy the cluster")?;
        standby.start_again()?;
        Ok(standby)
    }

    fn prepare(folder: &Path, settings: Settings) -> Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("postgres-")
            .tempdir_in(folder)?;
        Ok(Self {
            process: None,
            programs: postgres_directory()?,
            directory,
            port: free_port()?,
            settings,
        })
    }

    /// Makes a standby a primary; returns when it takes writes.
    pub fn promote(&self) -> Result<()> {
        self.run_sql("SELECT pg_promote()")
    }

    /// Whether commits wait from now on until a standby has them on its disk. Returns, when they are
    /// to wait, once a standby is there to be waited for.
    pub fn wait_for_standby(&self, waits: bool) -> Result<()> {
        let names = if waits { "*" } else { "" };
        self.run_sql(&format!(
            "ALTER SYSTEM SET synchronous_standby_names = '{names}'"
        ))?;
        self.run_sql("SELECT pg_reload_conf()")?;
        if !waits {
            return Ok(());
        }
        wait_for("a synchronous standby", START_LIMIT, || {
            let state = self.sql("SELECT sync_state FROM pg_stat_replication")?;
            Ok((state.trim() == "sync").then_some(()))
        })
    }

    /// Starts the cluster again if it has ended by itself.
    pub fn revive(&mut self) -> Result<()> {
        let ended = match &mut self.process {
            Some(process) => process.exit_status()?.is_some(),
            None => true,
        };
        if ended {
            self.process = None;
        }
        self.start_again()
    }

    /// Runs a statement as the operator, outside a transaction; what it printed, without headings.
    fn sql(&self, statement: &str) -> Result<String> {
        let mut psql = self.program("psql");
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .arg("--set=ON_ERROR_STOP=1")
            .arg(format!("--dbname={}", self.admin_url()))
            .arg(format!("--command={statement}"));
        let output = psql.stdin(Stdio::null()).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{statement}: {said}");
        Ok(String::from_utf8(output.stdout)?)
    }

    fn run_sql(&self, statement: &str) -> Result<()> {
        self.sql(statement).map(drop)
    }

    /// Starts the stopped cluster again on the same port; does nothing while it runs.
    pub fn start_again(&mut self) -> Result<()> {
        if self.process.is_none() {
            self.process = Some(self.spawn()?);
            self.wait_until_ready()?;
        }
        Ok(())
    }

    /// Stops the cluster in order, ending every session (a "fast" shutdown).
    pub fn stop(&mut self) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            process.stop(STOP_LIMIT)?;
        }
        Ok(())
    }

    /// Ends the cluster at once, as a crash does; its next start recovers from the log.
    pub fn crash(&mut self) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            process.signal(Signal::QUIT)?;
            process.wait(STOP_LIMIT)?;
        }
        Ok(())
    }

    /// Freezes the cluster with all its sessions: connections stay open and nothing answers.
    pub fn pause(&mut self) -> Result<()> {
        self.signal_all(Signal::STOP)
    }

    /// Lets a frozen cluster go on.
    pub fn resume(&mut self) -> Result<()> {
        self.signal_all(Signal::CONT)
    }

    /// The URL of a database of this cluster.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// The URL of the maintenance database, from which others are created.
    pub fn admin_url(&self) -> String {
        self.url("postgres")
    }

    /// Creates an empty database whose name begins with `name`, and returns its URL.
    pub fn fresh_database(&self, name: &str) -> Result<String> {
        create_database(&self.programs, &self.admin_url(), name)
    }

    /// A command for one of PostgreSQL's own programs (`pg_dump`, `pgbench`, `psql`, …).
    pub fn program(&self, name: &str) -> Command {
        Command::new(self.programs.join(name))
    }

    /// The process id of the postmaster, the parent of all sessions, while it runs.
    pub fn process_id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// The TCP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn signal_all(&mut self, signal: Signal) -> Result<()> {
        let process = self.process.as_mut().context("PostgreSQL is stopped")?;
        process.signal_tree(signal)
    }

    fn initialise(&self) -> Result<()> {
        let mut command = self.server_program("initdb")?;
        command
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8"])
            .args(["--locale=C", "--no-sync", "--pgdata"])
            .arg(self.data());
        succeed(&mut command).context("initdb could not make a cluster")
    }

    fn spawn(&self) -> Result<Process> {
        let log = File::create(self.log_path())?;
        let mut command = self.server_program("postgres")?;
        command.arg("-D").arg(self.data());
        for setting in self.settings.lines() {
            command.args(["-c", setting]);
        }
        command
            .args(["-c", "listen_addresses=127.0.0.1"])
            .args(["-c", &format!("port={}", self.port)])
            .arg("-k")
            .arg(self.directory.path())
            .stdin(Stdio::null())
            .stderr(log.try_clone()?)
            .stdout(log);
        Process::spawn("postgres", &mut command, Signal::INT)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let mut probe = self.program("pg_isready");
        probe
            .args(["--quiet", "--dbname=postgres", "--host=127.0.0.1"])
            .arg(format!("--port={}", self.port));
        let log = self.log_path();
        let process = self.process.as_mut().context("PostgreSQL is stopped")?;
        wait_for("the start of PostgreSQL", START_LIMIT, || {
            if let Some(status) = process.exit_status()? {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                bail!("postgres ended with {status}: {said}");
            }
            Ok(probe.status()?.success().then_some(()))
        })
    }

    fn log_path(&self) -> PathBuf {
        self.directory.path().join("postgres.log")
    }

    /// A program that must not run as root, set up to run as the user `postgres` if we are.
    fn server_program(&self, name: &str) -> Result<Command> {
        let mut command = self.program(name);
        command.current_dir(self.directory.path());
        if rustix::process::geteuid().is_root() {
            let (user, group) = system_user()?;
            std::os::unix::fs::chown(self.directory.path(), Some(user), Some(group))?;
            command.uid(user).gid(group);
        }
        Ok(command)
    }
}

/// User and group id of the system user `postgres`.
fn system_user() -> Result<(u32, u32)> {
    let users = std::fs::read_to_string("/etc/passwd")?;
    find_user(&users, SYSTEM_USER).context(
        "PostgreSQL refuses to run as root, and there is no user `postgres` to run it as: \
         install the package `postgresql`, or create one with `useradd --system postgres`",
    )
}

fn find_user(users: &str, wanted: &str) -> Option<(u32, u32)> {
    let mut lines = users.lines().map(|line| line.split(':'));
    let mut fields = lines.find_map(|mut fields| (fields.next()? == wanted).then_some(fields))?;
    Some((fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?))
}

static DATABASES: AtomicU32 = AtomicU32::new(0);

/// Creates a database in the cluster of `admin_url`, and returns that URL with its name.
fn create_database(programs: &Path, admin_url: &str, name: &str) -> Result<String> {
    let database = database_name(name);
    let mut command = Command::new(programs.join("psql"));
    command
        .args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"])
        .arg(format!("--dbname={admin_url}"))
        .arg(format!("--command=CREATE DATABASE {database}"));
    succeed(&mut command).with_context(|| format!("cannot create the database {database}"))?;
    let (server, _) = admin_url
        .rsplit_once('/')
        .context("a PostgreSQL URL names a database after its last slash")?;
    Ok(format!("{server}/{database}"))
}

/// A name that no other process or call takes: letters, digits and underscores, at most 63 bytes.
fn database_name(name: &str) -> String {
    let number = DATABASES.fetch_add(1, Ordering::Relaxed);
    let words: String = name
        .chars()
        .take(40)
        .map(|letter| {
            if letter.is_ascii_alphanumeric() {
                letter.to_ascii_lowercase()
            } else {
                '_'
            }
        })
        .collect();
    format!("t_{words}_{}_{number}", std::process::id())
}

/// Runs a command to its end; its own words are the error if it fails.
fn succeed(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {said}", output.status);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn select_one(postgres: &Postgres, url: &str) -> bool {
        let mut psql = postgres.program("psql");
        succeed(psql.args(["--command=SELECT 1", "--dbname", url])).is_ok()
    }

    #[test]
    fn lives_through_stop_crash_and_pause() {
        let mut postgres = Postgres::start(Settings::Durable).unwrap();
        let url = postgres.fresh_database("Lives through").unwrap();
        assert!(select_one(&postgres, &url));
        postgres.stop().unwrap();
        assert!(!select_one(&postgres, &url));
        postgres.start_again().unwrap();
        assert!(select_one(&postgres, &url));
        postgres.crash().unwrap();
        postgres.start_again().unwrap();
        assert!(select_one(&postgres, &url));
        postgres.pause().unwrap();
        postgres.resume().unwrap();
        assert!(select_one(&postgres, &url));
    }

    #[test]
    fn a_promoted_standby_has_what_was_committed() {
        let mut primary = Postgres::start(Settings::Durable).unwrap();
        let standby = Postgres::start_standby(&primary).unwrap();
        primary.wait_for_standby(true).unwrap();
        primary
            .run_sql("CREATE TABLE kept AS SELECT 7 AS seven")
            .unwrap();
        primary.crash().unwrap();
        standby.promote().unwrap();
        assert_eq!(standby.sql("SELECT seven FROM kept").unwrap().trim(), "7");
        standby.run_sql("INSERT INTO kept VALUES (8)").unwrap();
    }

    #[test]
    fn database_names_are_plain_and_never_repeat() {
        let (first, second) = (database_name("A b-c;DROP"), database_name("A b-c;DROP"));
        assert!(first.starts_with("t_a_b_c_drop_"));
        assert_ne!(first, second);
        assert!(database_name(&"x".repeat(200)).len() <= 63);
    }

    #[test]
    fn finds_the_user_among_others() {
        let users = "root:x:0:0::/root:/bin/sh\npostgres:x:104:110::/var:/bin/sh\n";
        assert_eq!(find_user(users, "postgres"), Some((104, 110)));
        assert_eq!(find_user(users, "postgre"), None);
    }
}
