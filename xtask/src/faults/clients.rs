//! Ill-behaved clients beside the load: slow ones, half-open ones, verbose ones, and many.
//!
//! Guarantees: the load has to be served as if they were not there.
//! Must not: excuse a refusal: nobody of the load may be refused for what others do.

use anyhow::Result;

use crate::drill::proof::Losses;
use crate::drill::rest;
use crate::drill::site::{Engine, Pace, Site};
use crate::drill::table::Row;

use super::crowd::{Crowd, Mischief};

const SLOW: &[(Mischief, u32)] = &[
    (Mischief::Slowloris, 150),
    (Mischief::SlowBody, 100),
    (Mischief::HalfOpen, 150),
    (Mischief::Deaf, 20),
];
const HUGE: &[(Mischief, u32)] = &[(Mischief::HugeHeaders, 16), (Mischief::ManyHeaders, 16)];
const MANY: &[(Mischief, u32)] = &[(Mischief::Flood, 2_000)];

pub fn slow(pace: &Pace, name: &str) -> Result<Row> {
    // Half a minute is what the server gives to whoever says nothing.
    beside(pace, name, SLOW, (2_500, 40_000))
}

pub fn huge(pace: &Pace, name: &str) -> Result<Row> {
    beside(pace, name, HUGE, (1_500, 8_000))
}

pub fn flood(pace: &Pace, name: &str) -> Result<Row> {
    beside(pace, name, MANY, (2_500, 15_000))
}

fn beside(
    pace: &Pace,
    name: &str,
    kinds: &'static [(Mischief, u32)],
    (quick, thorough): (u64, u64),
) -> Result<Row> {
    let site = Site::start(pace, Engine::Sqlite)?;
    let load = site.load()?;
    let crowd = Crowd::gather(site.server(0)?.port(), kinds);
    rest(pace.time(quick, thorough));
    let tally = crowd.disperse()?;
    let remark = format!(
        "{} connections beside it, {} of them cut off",
        tally.connected, tally.cut_off
    );
    let row = site.look_back(name, load, Losses::default(), remark)?;
    Ok(row.told_once())
}
