//! The programs that tests need beside Rust: found, or installed, or asked for.
//!
//! Guarantees: installs only as root on a system with apt, and only what is missing; otherwise the
//! error says exactly what to install. Starts no service of the distribution.
//! Must not: install anything that cargo or rustup can bring.

use std::process::Command;

use anyhow::{Result, bail};
use test_support::programs::{browser, find_in_path, postgres_directory, redis_server};

use crate::workspace::succeed;

/// Makes sure that PostgreSQL, Redis and Chromium are on this machine.
pub fn test_servers() -> Result<()> {
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<_> = missing.iter().map(|(package, _)| *package).collect();
    if can_install() {
        return install(&packages);
    }
    let hints: Vec<_> = missing.into_iter().map(|(_, hint)| hint).collect();
    bail!("{}", hints.join("\n"))
}

/// Debian's package for each program that is not here, with the words for a person.
fn missing() -> Vec<(&'static str, String)> {
    [
        ("postgresql", postgres_directory().err()),
        ("redis-server", redis_server().err()),
        ("chromium", browser().err()),
    ]
    .into_iter()
    .filter_map(|(package, error)| Some((package, error?.to_string())))
    .collect()
}

/// Whether we may install Debian packages here.
pub fn can_install() -> bool {
    rustix::process::geteuid().is_root() && find_in_path("apt-get").is_some()
}

/// Installs Debian packages.
pub fn install(packages: &[&str]) -> Result<()> {
    eprintln!("installing {}", packages.join(", "));
    succeed(apt().arg("update"))?;
    succeed(
        apt()
            .args(["install", "--yes", "--no-install-recommends"])
            .args(packages),
    )
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    // In run level 1 a package's installation starts no service; ours are private ones.
    command
        .arg("--quiet")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("RUNLEVEL", "1");
    command
}
