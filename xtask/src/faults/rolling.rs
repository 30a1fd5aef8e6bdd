//! Two instances on one PostgreSQL and one Redis, restarted or killed in turn.
//!
//! Guarantees: while one is away the other one serves; clients whose connection ends go to the next
//! door, as a proxy sends them.
//! Must not: stop both.

use anyhow::{Result, ensure};
use test_support::Server;

use crate::drill::proof::Losses;
use crate::drill::rest;
use crate::drill::site::{Engine, Pace, Site};
use crate::drill::table::Row;

/// By SIGTERM: nobody should notice.
pub fn restart(pace: &Pace, name: &str) -> Result<Row> {
    in_turn(pace, name, |server| {
        let status = server.terminate()?;
        ensure!(status.success(), "it ended with {status} after SIGTERM");
        Ok(())
    })
    .map(Row::told_once)
}

/// By SIGKILL: what was under way at that instance gets no answer.
pub fn kill(pace: &Pace, name: &str) -> Result<Row> {
    in_turn(pace, name, Server::kill9)
}

fn in_turn(pace: &Pace, name: &str, end: impl Fn(&mut Server) -> Result<()>) -> Result<Row> {
    let mut site = Site::start_with(pace, Engine::Postgres, 2, |builder| builder)?;
    let load = site.load()?;
    let rounds = pace.count(1, 5);
    for _ in 0..rounds {
        for number in 0..2 {
            let server = site.server_mut(number)?;
            end(server)?;
            server.start_again()?;
            load.goes_on()?;
            rest(pace.calm());
        }
    }
    let remark = format!("{} restarts", 2 * rounds);
    site.look_back(name, load, Losses::default(), remark)
}
