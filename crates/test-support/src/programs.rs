//! Finding the programs of real servers on this machine.
//!
//! Guarantees: a missing program is an error that names the packages to install.
//! Must not: install anything, or run what it finds.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// Where Debian and Ubuntu keep one folder for each major version of PostgreSQL.
const VERSIONED_POSTGRES: &str = "/usr/lib/postgresql";
/// What a private PostgreSQL needs; `initdb` is the one that distributions keep off the PATH.
const POSTGRES_PROGRAMS: [&str; 4] = ["initdb", "postgres", "psql", "pg_isready"];

const POSTGRES_HINT: &str = "PostgreSQL's programs (initdb, postgres, psql, pg_isready) are not \
    installed: on Debian or Ubuntu run `apt-get install postgresql`, on Fedora `dnf install \
    postgresql-server`, on macOS `brew install postgresql`; elsewhere put the folder that holds \
    initdb into PATH";
const REDIS_HINT: &str = "redis-server is not installed: on Debian or Ubuntu run `apt-get install \
    redis-server`, on Fedora `dnf install redis`, on macOS `brew install redis`; elsewhere put \
    redis-server into PATH";
/// Names under which distributions ship the browser.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
const BROWSER_HINT: &str = "Chromium is not installed: on Debian or Ubuntu run `apt-get install \
    chromium`, on Fedora `dnf install chromium`; elsewhere put `chromium` or `google-chrome` into PATH";
const PROMTOOL_HINT: &str = "promtool is not installed: on Debian or Ubuntu run `apt-get install \
    prometheus`, on Fedora `dnf install golang-github-prometheus`, on macOS `brew install prometheus`; \
    elsewhere put promtool into PATH";

/// The folder that holds PostgreSQL's programs, the newest version first.
pub fn postgres_directory() -> Result<PathBuf> {
    path_directories()
        .into_iter()
        .chain(versioned_directories(Path::new(VERSIONED_POSTGRES)))
        .chain(pg_config_directory())
        .find(|directory| holds_postgres(directory))
        .context(POSTGRES_HINT)
}

/// The program `redis-server`.
pub fn redis_server() -> Result<PathBuf> {
    find_in_path("redis-server").context(REDIS_HINT)
}

/// Chromium, under whatever name it is installed.
pub fn browser() -> Result<PathBuf> {
    let mut names = BROWSERS.into_iter();
    names.find_map(find_in_path).context(BROWSER_HINT)
}

/// The tool that comes with Prometheus and tries alert rules.
pub fn promtool() -> Result<PathBuf> {
    find_in_path("promtool").context(PROMTOOL_HINT)
}

/// A program of this name in one of the folders of `PATH`.
pub fn find_in_path(program: &str) -> Option<PathBuf> {
    let candidates = path_directories().into_iter();
    candidates
        .map(|directory| directory.join(program))
        .find(|candidate| candidate.is_file())
}

fn path_directories() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).collect()
}

/// `<root>/<version>/bin`, the highest version first.
fn versioned_directories(root: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    versions.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    versions
        .into_iter()
        .map(|(_, directory)| directory)
        .collect()
}

fn pg_config_directory() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let directory = String::from_utf8(output.stdout).ok()?;
    Some(PathBuf::from(directory.trim()))
}

fn holds_postgres(directory: &Path) -> bool {
    let mut programs = POSTGRES_PROGRAMS.iter();
    programs.all(|program| directory.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let root = tempfile::tempdir().unwrap();
        for version in ["9", "13", "16", "notes"] {
            std::fs::create_dir(root.path().join(version)).unwrap();
        }
        let expected = ["16", "13", "9"].map(|version| root.path().join(version).join("bin"));
        assert_eq!(versioned_directories(root.path()), expected);
    }

    #[test]
    fn finds_what_every_system_has() {
        assert!(find_in_path("sh").is_some());
        assert!(find_in_path("no-such-program-anywhere").is_none());
    }
}
