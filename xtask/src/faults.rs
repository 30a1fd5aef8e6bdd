//! `cargo xtask faults`: servers mistreated under load, and a table of what each fault cost.
//!
//! Guarantees: each fault has a site of its own, with durable settings; afterwards everything that
//! was answered is looked for. The task fails when anything is lost. All traffic stays on loopback.
//! Must not: touch anything that it did not start.

mod clients;
mod clock;
mod crashes;
mod crowd;
mod disk;
mod outages;
mod receivers;
mod rolling;

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::drill::site::Pace;
use crate::drill::table::{Row, markdown};
use crate::program;

/// Which faults, and for how long.
#[derive(clap::Args)]
pub struct Options {
    /// Everything short: less than three minutes altogether
    #[arg(long)]
    quick: bool,
    /// Only the faults whose name contains this (repeatable)
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Mistreats this program instead of building one
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Requests a second
    #[arg(long, value_name = "COUNT", default_value = "1000")]
    rate: u32,
}

/// Leads one fault from a fresh site to its line in the table, under this name.
type Lead = fn(&Pace, &str) -> Result<Row>;

/// Every fault, in the order of the table.
const FAULTS: [(&str, Lead); 17] = [
    ("kill -9, SQLite", crashes::kill_sqlite),
    ("kill -9, PostgreSQL", crashes::kill_postgres),
    ("PostgreSQL restarts", outages::restart),
    ("PostgreSQL crashes", outages::crash),
    ("PostgreSQL hangs", outages::hang),
    ("Redis is lost and returns", outages::lose_redis),
    ("Redis hangs", outages::hang_redis),
    ("full disk, SQLite", disk::full_sqlite),
    ("full disk, PostgreSQL", disk::full_postgres),
    ("the clock jumps, SQLite", clock::jump_sqlite),
    ("the clock jumps, PostgreSQL", clock::jump_postgres),
    ("slow and half-open clients", clients::slow),
    ("huge headers", clients::huge),
    ("a flood of connections", clients::flood),
    ("nasty webhook receivers", receivers::nasty),
    ("two instances restarted in turn", rolling::restart),
    ("two instances killed in turn", rolling::kill),
];

/// Tries the faults and prints the table.
pub fn run(options: &Options) -> Result<()> {
    crate::install::test_servers()?;
    program::allow_many_connections()?;
    let pace = Pace {
        binary: program::binary(options.binary.as_deref())?,
        quick: options.quick,
        clients: 64,
        per_second: options.rate.max(64),
    };
    let wanted = |name: &str| {
        let mut parts = options.only.iter();
        options.only.is_empty() || parts.any(|part| name.contains(part))
    };
    let chosen = FAULTS.into_iter().filter(|(name, _)| wanted(name));
    let mut rows = Vec::new();
    for (name, lead) in chosen {
        eprintln!("── {name}");
        rows.push(lead(&pace, name).unwrap_or_else(|error| Row::failed(name, &error)));
    }
    conclude("fault", &rows)
}

/// Prints the table; an error when anything in it was lost.
pub fn conclude(what: &str, rows: &[Row]) -> Result<()> {
    if rows.is_empty() {
        bail!("nothing of that name");
    }
    print!("{}", markdown(what, rows));
    let lost = rows.iter().filter(|row| !row.held());
    let lost: Vec<_> = lost.map(Row::name).collect();
    if !lost.is_empty() {
        bail!("something was lost: {}", lost.join(", "));
    }
    Ok(())
}
