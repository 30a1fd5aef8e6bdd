//! This program in the role of cargo's compiler wrapper: adds coverage counters.
//!
//! Cargo calls the wrapper for the crates of the workspace only, so that dependencies are neither
//! counted nor slowed down.
//! Must not: change anything else about how the workspace is compiled.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context, Result};

/// Set by the coverage task on the cargo that it starts.
const MARK: &str = "XTASK_INSTRUMENT";

/// Makes a cargo command compile the workspace with coverage counters.
pub fn ask_for(cargo: &mut Command) -> Result<()> {
    cargo.env("RUSTC_WORKSPACE_WRAPPER", std::env::current_exe()?);
    cargo.env(MARK, "1");
    Ok(())
}

/// Whether cargo called us as its wrapper.
pub fn is_asked_for() -> bool {
    std::env::var_os(MARK).is_some()
}

/// Becomes the compiler named by the first argument, with counters switched on.
pub fn run_compiler() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let compiler = arguments.next().context("cargo names the compiler")?;
    let mut command = Command::new(compiler);
    command.args(arguments).args(["-C", "instrument-coverage"]);
    // Only a failed start comes back from here.
    Err(command.exec()).context("cannot start the compiler")
}
