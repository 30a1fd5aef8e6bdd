//! PostgreSQL's own benchmark as a baseline, on the cluster that the server uses.
//!
//! Guarantees: prepared statements, 64 clients on two threads, a database that fits memory.
//! Must not: share a database with the server.

use std::time::Duration;

use anyhow::{Context, Result};
use test_support::Postgres;

use crate::workspace::{capture, succeed};

const CLIENTS: &str = "--client=64";
const THREADS: &str = "--jobs=2";
/// A million accounts, about 150 MB.
const SCALE: &str = "--scale=10";

/// Which of its built-in scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// One select by primary key (`-S`)
    Select,
    /// An update, a select and an insert in one transaction (`-N`)
    Update,
}

/// Makes and fills the database; returns its URL.
pub fn prepare(postgres: &Postgres) -> Result<String> {
    let url = postgres.fresh_database("pgbench")?;
    let mut command = postgres.program("pgbench");
    succeed(command.args(["--initialize", "--quiet", SCALE, &url]))?;
    Ok(url)
}

/// Transactions per second over this time.
pub fn run(postgres: &Postgres, url: &str, script: Script, time: Duration) -> Result<f64> {
    let script = match script {
        Script::Select => "--select-only",
        Script::Update => "--skip-some-updates",
    };
    let mut command = postgres.program("pgbench");
    command
        .args([
            script,
            "--protocol=prepared",
            CLIENTS,
            THREADS,
            "--no-vacuum",
        ])
        .arg(format!("--time={}", time.as_secs().max(1)))
        .arg(url);
    let said = String::from_utf8(capture(&mut command)?)?;
    transactions_per_second(&said).context("pgbench printed no figure")
}

fn transactions_per_second(said: &str) -> Option<f64> {
    let figure = said.lines().find_map(|line| line.strip_prefix("tps = "))?;
    figure.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_figure() {
        let said = "latency average = 1.5 ms\n\
                    tps = 42.500000 (without initial connection time)\n";
        assert_eq!(transactions_per_second(said), Some(42.5));
        assert_eq!(transactions_per_second("none"), None);
    }
}
