//! PostgreSQL and Redis go away under load and come back.
//!
//! Guarantees: the server is not restarted; it has to find its neighbours again by itself.
//! Must not: tell the server of anything.

use anyhow::{Result, ensure};

use crate::drill::proof::Losses;
use crate::drill::rest;
use crate::drill::site::{Engine, Pace, Site};
use crate::drill::table::Row;

pub fn restart(pace: &Pace, name: &str) -> Result<Row> {
    survive(pace, name, |site| {
        site.postgres()?.stop()?;
        rest(pace.time(3_000, 8_000));
        site.postgres()?.start_again()
    })
}

pub fn crash(pace: &Pace, name: &str) -> Result<Row> {
    survive(pace, name, |site| {
        for _ in 0..pace.count(1, 5) {
            site.postgres()?.crash()?;
            site.postgres()?.start_again()?;
            rest(pace.calm());
        }
        Ok(())
    })
}

pub fn hang(pace: &Pace, name: &str) -> Result<Row> {
    survive(pace, name, |site| {
        site.postgres()?.pause()?;
        rest(pace.time(3_500, 12_000));
        site.postgres()?.resume()
    })
}

pub fn lose_redis(pace: &Pace, name: &str) -> Result<Row> {
    survive(pace, name, |site| {
        site.redis()?.kill()?;
        rest(pace.time(1_500, 6_000));
        site.redis()?.start_again()
    })
    .map(Row::told_once)
}

pub fn hang_redis(pace: &Pace, name: &str) -> Result<Row> {
    survive(pace, name, |site| {
        site.redis()?.pause()?;
        rest(pace.time(2_000, 6_000));
        site.redis()?.resume()
    })
    .map(Row::told_once)
}

/// Leads one outage; the same process must answer before and after.
fn survive(pace: &Pace, name: &str, fault: impl Fn(&mut Site) -> Result<()>) -> Result<Row> {
    let mut site = Site::start(pace, Engine::Postgres)?;
    let process = site.server(0)?.process_id();
    let load = site.load()?;
    fault(&mut site)?;
    let recovery = load.goes_on()?;
    ensure!(site.server(0)?.process_id() == process, "the server ended");
    let remark = format!("answers again after {:.1} s", recovery.as_secs_f64());
    site.look_back(name, load, Losses::default(), remark)
}
