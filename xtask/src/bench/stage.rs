//! Everything that a bench needs running: PostgreSQL, Redis, the bare handler, the servers.
//!
//! Guarantees: only what the chosen scenarios need is started; all of it ends with the stage.
//! Must not: measure.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use test_support::postgres::Settings;
use test_support::{Postgres, Redis, Server, ServerBuilder};

use super::bare::Bare;
use super::scenarios::{Engine, Scenario, Subject};
use super::{pgbench, seed};

/// A limit that is switched on, counted and never reached.
const LIMIT: &str = "100000000/1m";
/// Up to this many customers get all three proofs; more would only take longer.
const ALL_PROOFS: u64 = 100_000;

/// One server with the customers of one size.
pub struct Seeded {
    server: Server,
    /// A key that may read and write customers
    pub key: String,
    /// Customers, numbered from zero
    pub customers: u64,
}

/// All that runs during a bench.
pub struct Stage {
    // Servers end before what they depend on.
    servers: BTreeMap<(Engine, u64), Seeded>,
    /// The bare handler
    pub bare: Bare,
    /// The cluster of the servers and of pgbench
    pub postgres: Postgres,
    /// The database of pgbench
    pub pgbench: String,
    redis: Redis,
    binary: PathBuf,
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
        };
        for scenario in scenarios {
            if let Subject::Server(engine, customers) = scenario.subject() {
                stage.add(engine, customers)?;
            }
        }
        Ok(stage)
    }

    fn add(&mut self, engine: Engine, customers: u64) -> Result<()> {
        if self.servers.contains_key(&(engine, customers)) {
            return Ok(());
        }
        eprintln!("{engine} with {customers} customers");
        let server = self.start(engine)?;
        let key = create_key(&server)?;
        seed::accepted(server.port(), &key)?;
        seed::customers(server.port(), &key, customers, customers <= ALL_PROOFS)?;
        let seeded = Seeded {
            server,
            key,
            customers,
        };
        self.servers.insert((engine, customers), seeded);
        Ok(())
    }

    fn start(&self, engine: Engine) -> Result<Server> {
        let builder = ServerBuilder::new()
            .binary(&self.binary)
            .variable("LOG_LEVEL", "warn")
            .variable("LIMIT_CUSTOMERS", LIMIT);
        match engine {
            Engine::Sqlite => builder.start(),
            Engine::Postgres => builder
                .variable("DATABASE_URL", self.postgres.fresh_database("bench")?)
                .variable("REDIS_URL", self.redis.url())
                .start(),
        }
    }

    /// The server with this many customers on this engine.
    pub fn server(&self, engine: Engine, customers: u64) -> Result<&Seeded> {
        let server = self.servers.get(&(engine, customers));
        server.context("the stage has no such server")
    }

    /// The processes that work for an answer: server, and PostgreSQL and Redis where it uses them.
    pub fn processes(&self, engine: Engine, customers: u64) -> Result<Vec<u32>> {
        let server = self.server(engine, customers)?.server.process_id();
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
        for ((engine, customers), seeded) in &mut self.servers {
            let status = seeded.server.terminate()?;
            ensure!(
                status.success(),
                "the server ended with {status} after SIGTERM"
            );
            seeded.server.start_again()?;
            let name = format!("{engine}, {customers} customers");
            starts.push((name, seeded.server.started_in()));
        }
        Ok(starts)
    }
}

impl Seeded {
    /// Port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.server.port()
    }
}

fn create_key(server: &Server) -> Result<String> {
    let output = server.command([
        "keys",
        "create",
        "--company",
        "default",
        "--name",
        "bench",
        "--scope",
        "customers:read",
        "--scope",
        "customers:write",
    ])?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cannot create a key: {said}");
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
