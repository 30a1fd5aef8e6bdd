//! The disk of the database is full under load, and is emptied again.
//!
//! Guarantees: only a small file system of this fault's own is filled, which is gone afterwards.
//! Must not: fill a disk of the machine. Mounting takes root; without it the fault is skipped.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;
use test_support::postgres::Settings;
use test_support::{Postgres, Redis};

use crate::drill::rest;
use crate::drill::site::{Engine, Pace, Site};
use crate::drill::table::Row;
use crate::workspace::succeed;

/// The size of the disk of SQLite and of that of PostgreSQL.
const SMALL: &str = "48m";
const LARGE: &str = "192m";

pub fn full_sqlite(pace: &Pace, name: &str) -> Result<Row> {
    let disk = match Disk::mount(SMALL) {
        Ok(disk) => disk,
        Err(reason) => return Ok(Row::skipped(name, reason)),
    };
    let url = format!("sqlite://{}/bonafide.db", disk.path().display());
    let mut site = Site::start_with(pace, Engine::Sqlite, 1, |builder| {
        builder.variable("DATABASE_URL", &url)
    })?;
    let row = fill_and_empty(pace, name, &disk, &mut site);
    // The server ends before its disk does.
    drop(site);
    row
}

pub fn full_postgres(pace: &Pace, name: &str) -> Result<Row> {
    let disk = match Disk::mount(LARGE) {
        Ok(disk) => disk,
        Err(reason) => return Ok(Row::skipped(name, reason)),
    };
    let postgres = Postgres::start_in(disk.path(), Settings::Durable)?;
    let redis = Redis::start()?;
    let mut site = Site::on(pace, Some(postgres), Some(redis), 1, |builder| builder)?;
    let row = fill_and_empty(pace, name, &disk, &mut site);
    drop(site);
    row
}

fn fill_and_empty(pace: &Pace, name: &str, disk: &Disk, site: &mut Site) -> Result<Row> {
    let load = site.load()?;
    let filler = disk.fill()?;
    rest(pace.time(3_500, 10_000));
    std::fs::remove_file(filler)?;
    if let Some(postgres) = &mut site.postgres {
        // Without room for its log it ends, and somebody has to start it again.
        postgres.revive()?;
    }
    let recovery = load.goes_on()?;
    let remark = format!("answers again after {:.1} s", recovery.as_secs_f64());
    site.look_back(name, load, Default::default(), remark)
}

/// A small file system in memory.
struct Disk(TempDir);

impl Disk {
    /// Mounts one of this size; otherwise the reason why that cannot be done.
    fn mount(size: &str) -> std::result::Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("mounting a small disk takes root".to_owned());
        }
        let folder = tempfile::Builder::new().prefix("disk-").tempdir();
        let folder = folder.map_err(|error| error.to_string())?;
        let mut mount = Command::new("mount");
        mount.args([
            "-t",
            "tmpfs",
            "-o",
            &format!("size={size},mode=0755"),
            "tmpfs",
        ]);
        mount.arg(folder.path());
        match succeed(&mut mount) {
            Ok(()) => Ok(Self(folder)),
            Err(_) => Err("mounting a small disk is not allowed here".to_owned()),
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file that takes all the room there is.
    fn fill(&self) -> Result<PathBuf> {
        let path = self.path().join("filler");
        let mut file = File::create(&path).context("cannot fill the disk")?;
        let mut block = vec![0; 1 << 20];
        while !block.is_empty() {
            while file.write_all(&block).is_ok() {}
            // The last bytes go in smaller and smaller pieces.
            block.truncate(block.len() / 2);
        }
        Ok(path)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let mut unmount = Command::new("umount");
        if let Err(error) = succeed(unmount.arg(self.path())) {
            eprintln!("{error:#}");
        }
    }
}
