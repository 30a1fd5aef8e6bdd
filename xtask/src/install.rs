//! The programs that tests need beside Rust: found, or installed, or asked for.
//!
//! Guarantees: installs only as root on a system with apt, and only what is missing; otherwise the
//! error says exactly what to install. Starts no service of the distribution. What judges our
//! webhooks and pages, from PyPI, goes into an environment of its own below cargo's target folder.
//! Must not: install anything that cargo or rustup can bring.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use test_support::oracle;
use test_support::programs::{browser, find_in_path, postgres_directory, promtool, redis_server};

use crate::workspace::{succeed, target};

const PROXY_HINT: &str = "HAProxy is not installed: on Debian or Ubuntu run `apt-get install \
    haproxy`, on Fedora `dnf install haproxy`";
const PYTHON_HINT: &str = "Python 3 with its module venv is not installed: on Debian or Ubuntu run \
    `apt-get install python3 python3-venv`, on Fedora `dnf install python3`";

/// Makes sure that PostgreSQL, Redis, Chromium and Prometheus' tool are on this machine.
pub fn test_servers() -> Result<()> {
    provide(missing())
}

/// Makes sure that Chromium is.
pub fn chromium() -> Result<()> {
    let found = browser().err().map(|error| error.to_string());
    provide(found.into_iter().map(|hint| ("chromium", hint)).collect())
}

fn provide(missing: Vec<(&'static str, String)>) -> Result<()> {
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

/// Makes sure that HAProxy is on this machine.
pub fn proxy() -> Result<()> {
    if find_in_path("haproxy").is_some() {
        return Ok(());
    }
    ensure!(can_install(), PROXY_HINT);
    install(&["haproxy"])
}

/// Makes sure that what judges our webhooks and pages is there, in its pinned versions.
pub fn judges() -> Result<()> {
    let environment = oracle::environment(&target()?);
    let python = oracle::python_in(&environment);
    if oracle::has_packages(&python) {
        return Ok(());
    }
    let mut pip = pip(&make_environment(&environment)?);
    pip.args(["--no-deps", "--require-hashes", "--requirement"]);
    succeed(pip.arg(oracle::REQUIREMENTS)).context(
        "the packages that judge webhooks and pages come from PyPI, which must be in reach",
    )
}

/// A command that has packages installed for a Python.
pub fn pip(python: &Path) -> Command {
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--quiet"]);
    pip.arg("--disable-pip-version-check");
    pip
}

/// Makes an empty environment for Python packages in this folder; returns its Python.
pub fn make_environment(folder: &Path) -> Result<PathBuf> {
    if !can_make_environments() {
        ensure!(can_install(), PYTHON_HINT);
        install(&["python3", "python3-venv"])?;
    }
    let mut make = Command::new("python3");
    succeed(make.args(["-m", "venv", "--clear"]).arg(folder))?;
    Ok(oracle::python_in(folder))
}

/// Debian keeps what `venv` needs in a package of its own, so that Python may be here without it.
fn can_make_environments() -> bool {
    let mut command = Command::new("python3");
    command.args(["-c", "import ensurepip, venv"]);
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Debian's package for each program that is not here, with the words for a person.
fn missing() -> Vec<(&'static str, String)> {
    [
        ("postgresql", postgres_directory().err()),
        ("redis-server", redis_server().err()),
        ("chromium", browser().err()),
        ("prometheus", promtool().err()),
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
