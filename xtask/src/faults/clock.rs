//! The clock of the server jumps under load: an hour back, an hour on, and on again.
//!
//! Guarantees: only the server's own process sees another time (libfaketime); the machine's clock is
//! not touched. Sessions whose time is over after a jump may be answered 410, which is right.
//! Must not: leave the clock behind: what was due in the meantime would wait for an hour.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use test_support::waiting::wait_for;

use crate::drill::load::Plan;
use crate::drill::proof::Losses;
use crate::drill::rest;
use crate::drill::site::{Engine, Pace, Site, get};
use crate::drill::table::Row;
use crate::install::{can_install, install};

/// Where distributions keep the library, for programs of many threads.
const LIBRARIES: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];
/// The library looks at its file every other second.
const NOTICED_WITHIN: Duration = Duration::from_secs(5);
/// How far the clock is off, one after the other, in seconds.
const JUMPS: [&str; 3] = ["-3600", "+0", "+3600"];

pub fn jump_sqlite(pace: &Pace, name: &str) -> Result<Row> {
    jump(pace, name, Engine::Sqlite)
}

pub fn jump_postgres(pace: &Pace, name: &str) -> Result<Row> {
    jump(pace, name, Engine::Postgres)
}

fn jump(pace: &Pace, name: &str, engine: Engine) -> Result<Row> {
    let Some(library) = library() else {
        let reason = "libfaketime is not installed: on Debian or Ubuntu run \
                      `apt-get install libfaketime`";
        return Ok(Row::skipped(name, reason));
    };
    let folder = tempfile::tempdir()?;
    let clock = Clock(folder.path().join("offset"));
    clock.set("+0")?;
    let site = Site::start_with(pace, engine, 1, |builder| {
        builder
            .variable("LD_PRELOAD", library.display().to_string())
            .variable("FAKETIME_TIMESTAMP_FILE", clock.0.display().to_string())
            .variable("FAKETIME_CACHE_DURATION", "1")
            // Pauses and deadlines go by the monotonic clock, which does not jump.
            .variable("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .variable("DONT_FAKE_MONOTONIC", "1")
    })?;
    let load = site.load_as(Plan {
        // Opened before a jump and submitted after it.
        tolerated: &[410],
        ..site.plan()
    })?;
    let port = site.server(0)?.port();
    for offset in JUMPS {
        let before = hour(port)?;
        clock.set(offset)?;
        wait_for("the jump of the server's clock", NOTICED_WITHIN, || {
            Ok((hour(port)? != before).then_some(()))
        })?;
        rest(pace.time(1_000, 4_000));
        load.goes_on()?;
    }
    site.look_back(name, load, Losses::default(), "−1 h, +1 h, +1 h".to_owned())
}

/// The hour that the server's clock shows. The header `Date` is of no use here: it is kept from one
/// answer to the next, and after a jump back until the clock has come as far again.
fn hour(port: u16) -> Result<String> {
    let answer = get(port, "/health/age-verification")?;
    let time = answer.split_once(r#""timestamp":""#).map(|(_, time)| time);
    // As in `2025-01-01T08:49:37.000Z`.
    let hour = time.and_then(|time| time.get(11..13));
    Ok(hour.context("an answer tells no time")?.to_owned())
}

/// The library, installed now if it is missing and may be.
fn library() -> Option<PathBuf> {
    if find().is_none() && can_install() {
        // If it cannot be had, the fault is skipped with a word about it.
        install(&["libfaketime"]).ok();
    }
    find()
}

fn find() -> Option<PathBuf> {
    let mut candidates = LIBRARIES.into_iter().map(Path::new);
    candidates
        .find(|path| path.is_file())
        .map(Path::to_path_buf)
}

/// The file that says how far the server's clock is off.
struct Clock(PathBuf);

impl Clock {
    fn set(&self, offset: &str) -> Result<()> {
        Ok(std::fs::write(&self.0, format!("{offset}\n"))?)
    }
}
