//! A stock library that verifies Standard Webhooks, in Python: the judge of our signatures.
//!
//! Guarantees: the library is the pinned version from PyPI, in an environment of its own below
//! cargo's target folder; a missing one is an error that says how to get it.
//! Must not: install anything; `cargo xtask test` does that.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// The version that judges. Its sum stands in [`REQUIREMENTS`].
const VERSION: &str = "1.0.1";

/// What pip is to install, with the sum of the only acceptable file.
pub const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/oracle/standard-webhooks.txt");

/// The environment, below cargo's target folder.
const ENVIRONMENT: &str = "oracle/standard-webhooks";

const HINT: &str = "the Python library `standardwebhooks`, which judges our webhooks, is not \
    installed: run `cargo xtask test` once";

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

/// The Python that has the library.
///
/// # Errors
/// When it is not installed, with a hint.
pub fn python() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let python = own
        .ancestors()
        .map(|folder| python_in(&environment(folder)))
        .find(|candidate| candidate.is_file())
        .context(HINT)?;
    ensure!(has_library(&python), HINT);
    Ok(python)
}

/// Whether this Python has the library in the version that judges.
#[must_use]
pub fn has_library(python: &Path) -> bool {
    let question = format!(
        "import sys, standardwebhooks; sys.exit(standardwebhooks.__version__ != '{VERSION}')"
    );
    let mut command = Command::new(python);
    command.args(["-c", &question]).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
