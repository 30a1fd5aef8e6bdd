//! `kill -9`, again and again, under load.
//!
//! Guarantees: every kill falls at another moment of the load.
//! Must not: wait for an orderly end of anything.

use anyhow::Result;

use crate::drill::proof::Losses;
use crate::drill::rest;
use crate::drill::site::{Engine, Pace, Site};
use crate::drill::table::Row;

pub fn kill_sqlite(pace: &Pace, name: &str) -> Result<Row> {
    kill(pace, name, Engine::Sqlite)
}

pub fn kill_postgres(pace: &Pace, name: &str) -> Result<Row> {
    kill(pace, name, Engine::Postgres)
}

fn kill(pace: &Pace, name: &str, engine: Engine) -> Result<Row> {
    let mut site = Site::start(pace, engine)?;
    let load = site.load()?;
    let kills = pace.count(5, 30);
    for kill in 0..kills {
        let server = site.server_mut(0)?;
        server.kill9()?;
        server.start_again()?;
        load.goes_on()?;
        rest(pace.time(50 + 37 * kill, 200 + 37 * kill));
    }
    let remark = format!("{kills} kills");
    site.look_back(name, load, Losses::default(), remark)
}
