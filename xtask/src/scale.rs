//! `cargo xtask scale`: three instances behind HAProxy, PostgreSQL with a synchronous standby, Redis
//! Cluster; what happens to the engines under load, and what each event cost.
//!
//! Guarantees: real engines, real failovers, all on this machine's loopback. The task fails when an
//! answered write, a record or a message is lost, when a message comes twice that nothing made come
//! again, or when instances do not share what they must.
//! Must not: be read as a measure of speed: everything shares one machine.

mod estate;
mod redis_cluster;
mod sharing;

use std::path::PathBuf;

use anyhow::{Result, ensure};

use crate::drill::rest;
use crate::drill::site::Pace;
use crate::drill::table::Row;
use crate::faults::conclude;
use crate::program;

use estate::{Estate, INSTANCES};

/// What to lead, and how long.
#[derive(clap::Args)]
pub struct Options {
    /// Everything short
    #[arg(long)]
    quick: bool,
    /// Leads this program instead of building one
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Requests a second
    #[arg(long, value_name = "COUNT", default_value = "500")]
    rate: u32,
}

/// Has something happen under load; what there is to remark.
type Happen = fn(&mut Estate, &Pace) -> Result<()>;

/// How often one message may be accepted during an event.
#[derive(Clone, Copy)]
enum Told {
    /// Once: who sends it is not cut off and has its database.
    Once,
    /// Again, when it could not be written down that it was accepted.
    PerhapsAgain,
}

/// Every event, in order: each begins where the one before ended.
const EVENTS: [(&str, Happen, Told); 7] = [
    ("nothing", |_, _| Ok(()), Told::Once),
    ("instances restarted one by one", restart, Told::Once),
    ("an instance killed", kill, Told::PerhapsAgain),
    ("a Redis master lost", lose_redis_master, Told::Once),
    ("the lost Redis node returns", return_redis_node, Told::Once),
    (
        "the primary lost, the standby promoted",
        promote,
        Told::PerhapsAgain,
    ),
    ("a new standby joins", join, Told::Once),
];

/// Leads all events and prints the table.
pub fn run(options: &Options) -> Result<()> {
    crate::install::test_servers()?;
    crate::install::proxy()?;
    program::allow_many_connections()?;
    let pace = Pace {
        binary: program::binary(options.binary.as_deref())?,
        quick: options.quick,
        clients: 48,
        per_second: options.rate.max(48),
    };
    let mut estate = Estate::open(&pace)?;
    let mut rows = Vec::new();
    for (number, (name, happen, told)) in EVENTS.into_iter().enumerate() {
        eprintln!("── {name}");
        let row = lead(&mut estate, &pace, number, name, happen);
        let row = row.unwrap_or_else(|error| Row::failed(name, &error));
        let row = match told {
            Told::Once => row.told_once(),
            Told::PerhapsAgain => row,
        };
        let goes_on = row.held();
        rows.push(row);
        if !goes_on {
            // What follows would only show the same again.
            break;
        }
    }
    conclude("event", &rows)
}

fn lead(
    estate: &mut Estate,
    pace: &Pace,
    number: usize,
    name: &str,
    happen: Happen,
) -> Result<Row> {
    let load = estate.load(&format!("event{number}"))?;
    rest(pace.calm());
    happen(estate, pace)?;
    load.goes_on()?;
    // While the load goes on: what is shared must be, whatever happened.
    let shared = sharing::check(estate)?;
    rest(pace.calm());
    let seen = load.stop()?;
    let losses = estate.look_back(&seen)?;
    Ok(Row::tried(name, &seen, losses, shared.in_words()))
}

fn restart(estate: &mut Estate, pace: &Pace) -> Result<()> {
    for number in 0..INSTANCES {
        let server = estate.server_mut(number)?;
        let status = server.terminate()?;
        ensure!(status.success(), "it ended with {status} after SIGTERM");
        server.start_again()?;
        rest(pace.calm());
    }
    Ok(())
}

fn kill(estate: &mut Estate, pace: &Pace) -> Result<()> {
    let server = estate.server_mut(1)?;
    server.kill9()?;
    rest(pace.calm());
    server.start_again()
}

fn lose_redis_master(estate: &mut Estate, _: &Pace) -> Result<()> {
    estate.redis.lose_master()
}

fn return_redis_node(estate: &mut Estate, _: &Pace) -> Result<()> {
    estate.redis.return_lost()
}

fn promote(estate: &mut Estate, pace: &Pace) -> Result<()> {
    estate.lose_primary()?;
    // As long as somebody, or a program, takes to notice.
    rest(pace.time(500, 3_000));
    estate.promote_standby()
}

fn join(estate: &mut Estate, _: &Pace) -> Result<()> {
    estate.add_standby()
}
