//! Judges that others wrote: a stock library that verifies Standard Webhooks, in Python, and axe-core,
//! which looks for what keeps people out of a page.
//!
//! Guarantees: both are pinned versions from PyPI, in an environment of their own below cargo's target
//! folder; a missing one is an error that says how to get it.
//! Must not: install anything; `cargo xtask test` does that.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// A package of the environment and its version. The sums stand in [`REQUIREMENTS`].
type Package = (&'static str, &'static str);

const WEBHOOKS: Package = ("standardwebhooks", "1.0.1");
const AXE: Package = ("axe-playwright-python", "0.1.8");

/// What pip is to install, with the sum of the only acceptable file of each.
pub const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/oracle/requirements.txt");

/// The environment, below cargo's target folder.
const ENVIRONMENT: &str = "oracle/python";

const HINT: &str = "the Python packages that judge our webhooks and pages are not installed: run \
    `cargo xtask test` once";

/// Where the environment is, or is to be, below this target folder.
#[must_use]
pub fn environment(target: &Path) -> PathBuf {
    target.join(ENVIRONMENT)
}

/// The environment's Python.
#[must_use]
pub fn python_in(environment: &Path) -> PathBuf {
    environment.join("bin/python")
}

/// Whether this Python has every package in the version that judges.
#[must_use]
pub fn has_packages(python: &Path) -> bool {
    [WEBHOOKS, AXE].iter().all(|package| has(python, package))
}

/// The Python that has the library of Standard Webhooks.
///
/// # Errors
/// When it is not installed, with a hint.
pub fn python() -> Result<PathBuf> {
    python_with(&WEBHOOKS)
}

/// The script of axe-core, which puts `axe` into a page.
///
/// # Errors
/// When it is not installed, with a hint.
pub fn axe() -> Result<String> {
    let question = "from importlib.resources import files; \
                    print(files('axe_playwright_python') / 'axe.min.js')";
    let mut command = Command::new(python_with(&AXE)?);
    let answer = command.args(["-c", question]).output()?;
    let path = String::from_utf8(answer.stdout)?;
    std::fs::read_to_string(path.trim()).context(HINT)
}

fn python_with(package: &Package) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let python = own
        .ancestors()
        .map(|folder| python_in(&environment(folder)))
        .find(|candidate| candidate.is_file())
        .context(HINT)?;
    ensure!(has(&python, package), HINT);
    Ok(python)
}

fn has(python: &Path, (name, version): &Package) -> bool {
    let question = format!(
        "import sys; from importlib.metadata import version; \
         sys.exit(version('{name}') != '{version}')"
    );
    let mut command = Command::new(python);
    command.args(["-c", &question]).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
