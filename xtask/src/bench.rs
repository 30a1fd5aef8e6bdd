//! `cargo xtask bench`: the server beside its baselines, in one run on one machine.
//!
//! Guarantees: load generator, servers and baselines share this machine and run by turns, so that a
//! noisy moment hits all of them; every figure is a median, every ratio one of neighbours. All
//! traffic stays on loopback.
//! Must not: run unoptimised; a debug build starts itself again, built like the server: both are
//! optimised as what is shipped.

mod against;
pub mod bare;
mod bars;
mod console;
mod cpu;
mod decisions;
mod histogram;
mod load;
mod measurement;
mod past;
mod pgbench;
mod receiver;
mod report;
mod scenarios;
mod seed;
mod sessions;
mod stage;

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::program::{self, AS_SHIPPED, allow_many_connections};
use crate::workspace::cargo;
use measurement::Results;
use stage::Stage;

/// What to measure, and for how long.
#[derive(clap::Args)]
pub struct Options {
    /// One short round, and a tenth of the records in the largest databases
    #[arg(long)]
    quick: bool,
    /// Only the scenarios whose name contains this (repeatable); baselines are always measured
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Only the baselines, without the server
    #[arg(long, conflicts_with = "only")]
    baselines: bool,
    /// So many customers in the largest databases, instead of a million (a tenth when quick)
    #[arg(long, value_name = "COUNT")]
    customers: Option<u64>,
    /// So many records in the audit log that is searched, instead of ten million (a tenth when quick)
    #[arg(long, value_name = "COUNT")]
    records: Option<u64>,
    /// Measures this program instead of building one
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Loads this other program at the same time, and prints only what an answer of each costs
    #[arg(long, value_name = "FILE", conflicts_with_all = ["baselines", "json"], requires = "only")]
    against: Option<PathBuf>,
    /// Writes all figures to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// How long each part takes.
#[derive(Clone, Copy)]
pub struct Pace {
    /// Load that is not counted, before each measurement
    pub warm_up: Duration,
    /// Load that is counted
    pub measured: Duration,
    /// How often everything is measured
    pub rounds: usize,
    /// Customers in the largest database
    pub most_customers: u64,
    /// Decisions behind the statistics about ages
    pub most_decisions: u64,
    /// Records of the audit log that is verified
    pub most_answers: u64,
    /// Records of the audit log that is searched
    pub most_records: u64,
    /// Sessions that are submitted to, and webhooks that are delivered, at each measurement
    pub sessions: u64,
}

impl Options {
    fn pace(&self) -> Pace {
        let (warm_up, measured, rounds, most, sessions) = if self.quick {
            (500, 2_000, 1, 100_000, 20_000)
        } else {
            (1_000, 4_000, 3, 1_000_000, 50_000)
        };
        Pace {
            warm_up: Duration::from_millis(warm_up),
            measured: Duration::from_millis(measured),
            rounds,
            most_customers: self.customers.unwrap_or(most),
            most_decisions: 10 * most,
            // Fewer would measure the start of the program.
            most_answers: 1_000_000,
            most_records: self.records.unwrap_or(10 * most),
            sessions,
        }
    }

    /// The program to measure, built if none was named and one is needed.
    fn binary(&self) -> Result<PathBuf> {
        match self.baselines {
            true => program::built(),
            false => program::binary(self.binary.as_deref()),
        }
    }

    fn is_wanted(&self, name: &str) -> bool {
        let mut parts = self.only.iter();
        !self.baselines && (self.only.is_empty() || parts.any(|part| name.contains(part)))
    }
}

/// Measures everything and prints the table, the bars and the verdict on each.
pub fn run(options: &Options) -> Result<()> {
    if cfg!(debug_assertions) {
        return run_optimised();
    }
    allow_many_connections()?;
    let binary = options.binary()?;
    let pace = options.pace();
    let mut scenarios: Vec<_> = scenarios::all(pace)
        .into_iter()
        .filter(|scenario| scenario.is_baseline() || options.is_wanted(scenario.name()))
        .collect();
    scenarios.dedup_by(|next, one| next.name() == one.name());
    if let Some(old) = &options.against {
        scenarios.retain(|scenario| !scenario.is_baseline());
        return against::run(&scenarios, pace, &binary, &std::path::absolute(old)?);
    }
    let mut stage = Stage::set(&scenarios, &binary)?;

    let mut results = Results::default();
    for round in 1..=pace.rounds {
        for scenario in scenarios.iter().filter(|one| round == 1 || !one.is_once()) {
            eprintln!("round {round} of {}: {}", pace.rounds, scenario.name());
            stage.resume_only(scenario.subject())?;
            results.add(scenario, scenario.measure(&stage, pace)?);
        }
    }
    results.starts = stage.restart_servers()?;
    if !options.baselines {
        let file = std::fs::metadata(&binary).context("cannot see the program")?;
        results.program_size = Some(file.len());
    }
    let bars = bars::all(&results, pace);
    print!("{}", report::markdown(&results, &bars));
    if let Some(path) = &options.json {
        std::fs::write(path, report::json(&results, &bars)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Becomes the release build of this program, with the same arguments.
fn run_optimised() -> Result<()> {
    let mut command = cargo()?;
    command
        .args(["run", "--quiet"])
        .args(AS_SHIPPED)
        .args(["--package", "xtask", "--"])
        .args(std::env::args_os().skip(1));
    // Only a failed start comes back from here.
    Err(command.exec()).context("cannot start cargo")
}
