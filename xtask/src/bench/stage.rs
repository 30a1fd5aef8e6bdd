//! Everything that a bench needs running: PostgreSQL, Redis, the bare handler, the servers.
//!
//! Guarantees: only what the chosen scenarios need is started, and of several servers only the one
//! that is measured runs; all of it ends with the stage.
//! Must not: measure.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, sink};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use test_support::ports::free_port;
use test_support::postgres::Settings;
use test_support::process::Signal;
use test_support::waiting::wait_for;
use test_support::{Postgres, Redis, Server, ServerBuilder};

use crate::http::Session;
use crate::program::{create_key, name_webhook};
use crate::workspace::{capture, succeed};

use super::bare::Bare;
use super::console::Admin;
use super::scenarios::{Engine, FEW_CUSTOMERS, Records, Scenario, Subject, is_empty};
use super::{decisions, past, pgbench, seed, sessions};

/// A limit that is switched on, counted and never reached.
const LIMIT: &str = "100000000/1m";
/// How long the mails of a shop's orders may take.
const MAILED_WITHIN: Duration = Duration::from_secs(900);
/// Up to this many customers get all three proofs; more would only take longer.
const ALL_PROOFS: u64 = 100_000;

/// Where PostgreSQL keeps the database that is asked.
const FOLDER: &str = "SELECT current_setting('data_directory') || '/base/' || oid \
                      FROM pg_database WHERE datname = current_database()";

/// What the bench's key may do: everything that is measured.
const SCOPES: [&str; 9] = [
    "numbers:read",
    "numbers:write",
    "customers:read",
    "customers:write",
    "ages:read",
    "ages:write",
    "statistics:read",
    "audit:read",
    "admin",
];

/// One server with its records.
pub struct Seeded {
    server: Server,
    /// A key that may do everything that is measured
    pub key: String,
    /// Where its company's webhooks go
    pub receiver: u16,
    /// Sessions that stay open
    pub sessions: Arc<[Session]>,
    database: String,
    admin: RefCell<Option<Admin>>,
}

/// All that runs during a bench.
pub struct Stage {
    // Servers end before what they depend on.
    servers: BTreeMap<(Engine, Records), Seeded>,
    /// The bare handler
    pub bare: Bare,
    /// The cluster of the servers and of pgbench
    pub postgres: Postgres,
    /// The database of pgbench
    pub pgbench: String,
    redis: Redis,
    binary: PathBuf,
    kinds: Cell<u32>,
}

impl Stage {
    /// Starts what these scenarios need, and fills it with customers.
    pub fn set(scenarios: &[Scenario], binary: &Path) -> Result<Self> {
        crate::install::test_servers()?;
        let postgres = Postgres::start(Settings::Bench)?;
        let mut stage = Self {
            servers: BTreeMap::new(),
            bare: Bare::start()?,
            pgbench: pgbench::prepare(&postgres)?,
            postgres,
            redis: Redis::start()?,
            binary: binary.to_path_buf(),
            kinds: Cell::new(0),
        };
        for scenario in scenarios {
            if let Subject::Server(engine, records) = scenario.subject() {
                stage.add(engine, records)?;
            }
        }
        Ok(stage)
    }

    fn add(&mut self, engine: Engine, records: Records) -> Result<()> {
        if self.servers.contains_key(&(engine, records)) {
            return Ok(());
        }
        eprintln!("{engine} with {records}");
        let database = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(self.postgres.fresh_database("bench")?),
        };
        let server = self.start(database.as_deref(), records)?;
        let key = create_key(&server, "default", &SCOPES, None)?;
        let port = server.port();
        seed::accepted(port, &key)?;
        let (receiver, mut sessions) = (free_port()?, Vec::new());
        match records {
            Records::Customers(count) => {
                seed::customers(port, &key, count, count <= ALL_PROOFS)?;
            }
            Records::Ages(count) => seed::ages(port, &key, count)?,
            Records::Answers(count) => seed::answers(port, &key, count)?,
            Records::Past(_) => seed::customers(port, &key, FEW_CUSTOMERS, false)?,
            Records::Shop(count) => {
                seed::customers(port, &key, count, false)?;
                seed::orders(port, &key, count / 10)?;
                seed::ages(port, &key, count / 10)?;
                sessions::open(port, &key, "known", count / 10)?;
                wait_for("the mails", MAILED_WITHIN, || {
                    Ok(is_empty(&server)?.then_some(()))
                })?;
            }
            Records::Decisions(count) => {
                let postgres = database.as_deref().map(|url| (&self.postgres, url));
                decisions::fill(&server, postgres, count)?;
            }
            Records::Sessions(count) => {
                let url = format!("http://127.0.0.1:{receiver}/hook");
                name_webhook(&server, "default", &url)?;
                sessions = sessions::open(port, &key, "known", count)?;
            }
        }
        if let Some(url) = &database {
            self.settle(url)?;
        }
        let seeded = Seeded {
            database: database.unwrap_or_else(|| file_of(&server)),
            server,
            key,
            receiver,
            sessions: sessions.into(),
            admin: RefCell::default(),
        };
        self.servers.insert((engine, records), seeded);
        Ok(())
    }

    /// What autovacuum does within minutes, and `pgbench --initialize` at once: without statistics
    /// PostgreSQL plans for the empty tables that it began with.
    fn settle(&self, url: &str) -> Result<()> {
        let mut psql = self.postgres.program("psql");
        succeed(psql.args(["--quiet", "--command", "VACUUM (ANALYZE)", url]))
    }

    /// Reads a database through, so that the kernel holds it as it would in service, whatever was
    /// measured since it was filled.
    fn warm(&self, seeded: &Seeded) -> Result<()> {
        let folder = match seeded.database.strip_prefix("sqlite://") {
            Some(file) => Path::new(file).parent().map(Path::to_path_buf),
            None => Some(self.folder_of(&seeded.database)?),
        };
        let folder = folder.context("the database has no folder")?;
        for file in std::fs::read_dir(folder)? {
            let path = file?.path();
            match File::open(&path) {
                Ok(mut file) if path.is_file() => drop(std::io::copy(&mut file, &mut sink())?),
                Ok(_) => {}
                // The server has done away with it since.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Where PostgreSQL keeps a database.
    fn folder_of(&self, url: &str) -> Result<PathBuf> {
        let mut psql = self.postgres.program("psql");
        let folder = capture(psql.args(["--no-align", "--tuples-only", "--command", FOLDER, url]))?;
        Ok(PathBuf::from(String::from_utf8(folder)?.trim()))
    }

    /// A worker beside the server with these records, which alone makes deliveries.
    pub fn start_worker(&self, engine: Engine, records: Records) -> Result<Server> {
        let seeded = self.server(engine, records)?;
        let builder = self.builder(Some(&seeded.database), records);
        builder
            .variable("ALLOW_PRIVATE_RECEIVERS", "true")
            // It says when it is ready.
            .variable("LOG_LEVEL", "info")
            .worker()
            .start()
    }

    /// A server on this PostgreSQL database, or without one on SQLite.
    fn start(&self, postgres: Option<&str>, records: Records) -> Result<Server> {
        let builder = self.builder(postgres, records);
        match records {
            // What it enqueues waits for the worker that is measured.
            Records::Sessions(_) => builder.api().start(),
            // What is to be retired waits for it, too.
            Records::Past(count) => {
                let mut server = builder.api().prepare()?;
                past::fill(&server, postgres.map(|url| (&self.postgres, url)), count)?;
                server.start_again()?;
                Ok(server)
            }
            _ => builder.start(),
        }
    }

    fn builder(&self, database: Option<&str>, records: Records) -> ServerBuilder {
        let mut builder = ServerBuilder::new()
            .binary(&self.binary)
            .variable("LOG_LEVEL", "warn")
            .variable("LIMIT_CUSTOMERS", LIMIT);
        if let Records::Sessions(_) | Records::Shop(_) = records {
            for name in ["LIMIT_INITIATE", "LIMIT_STATUS", "LIMIT_SUBMIT"] {
                builder = builder.variable(name, LIMIT);
            }
            builder = builder.variable("SESSION_TTL", "24h");
        }
        if let Some(url) = database {
            builder = builder.variable("DATABASE_URL", url);
            if url.starts_with("postgres") {
                builder = builder.variable("REDIS_URL", self.redis.url());
            }
        }
        builder
    }

    /// Lets only this server run, over a database that the kernel holds: the others share nothing of
    /// the machine until they are resumed.
    pub fn resume_only(&mut self, subject: Subject) -> Result<()> {
        for ((engine, records), seeded) in &mut self.servers {
            let is_subject = subject == Subject::Server(*engine, *records);
            let signal = if is_subject {
                Signal::CONT
            } else {
                Signal::STOP
            };
            seeded.server.signal(signal)?;
        }
        match subject {
            Subject::Server(engine, records) => self.warm(self.server(engine, records)?),
            _ => Ok(()),
        }
    }

    /// A number that was not given before, for names that were not used before.
    pub fn next_kind(&self) -> u32 {
        self.kinds.replace(self.kinds.get() + 1)
    }

    /// The server with these records on this engine.
    pub fn server(&self, engine: Engine, records: Records) -> Result<&Seeded> {
        let server = self.servers.get(&(engine, records));
        server.context("the stage has no such server")
    }

    /// The processes that work for an answer: server, and PostgreSQL and Redis where it uses them.
    pub fn processes(&self, engine: Engine, records: Records) -> Result<Vec<u32>> {
        let server = self.server(engine, records)?.server.process_id();
        let others = match engine {
            Engine::Sqlite => [None, None],
            Engine::Postgres => [self.postgres.process_id(), self.redis.process_id()],
        };
        Ok(server
            .into_iter()
            .chain(others.into_iter().flatten())
            .collect())
    }

    /// Stops and starts each server in order; the time from start to first answer of each.
    pub fn restart_servers(&mut self) -> Result<Vec<(String, Duration)>> {
        let mut starts = Vec::new();
        for ((engine, records), seeded) in &mut self.servers {
            seeded.server.signal(Signal::CONT)?;
            let status = seeded.server.terminate()?;
            ensure!(
                status.success(),
                "the server ended with {status} after SIGTERM"
            );
            seeded.server.start_again()?;
            let name = format!("{engine}, {records}");
            starts.push((name, seeded.server.started_in()));
        }
        Ok(starts)
    }
}

impl Seeded {
    /// Runs a command of the program over its database.
    pub fn command<const WORDS: usize>(&self, arguments: [&str; WORDS]) -> Result<Output> {
        self.server.command(arguments)
    }

    /// Port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// Somebody who is signed in to its console.
    pub fn admin(&self) -> Result<Admin> {
        let mut admin = self.admin.borrow_mut();
        if let Some(admin) = admin.as_ref().filter(|admin| admin.is_fresh()) {
            return Ok(admin.clone());
        }
        Ok(admin.insert(Admin::enter(self.port(), &self.key)?).clone())
    }
}

/// The database that a server on SQLite keeps.
fn file_of(server: &Server) -> String {
    format!("sqlite://{}/data/bonafide.db", server.directory().display())
}
