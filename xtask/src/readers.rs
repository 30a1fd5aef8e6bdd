//! `cargo xtask readers`: tools of others read the API's description, and try the server by it.
//!
//! Guarantees: pinned versions, from npm and PyPI, in folders of their own below cargo's target folder;
//! the server is one of its own, on an empty database, with limits off.
//! Must not: be pointed at anybody's server: it makes keys and erases customers.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use test_support::programs::find_in_path;
use test_support::{Server, ServerBuilder};

use crate::install::{make_environment, pip};
use crate::program::create_key;
use crate::workspace::{cargo, root, succeed, target};

/// Reads the description by strict rules: `redocly.yaml`.
const LINTER: &str = "@redocly/cli@2.77.0";

/// Sends what the description allows, and what it does not: `schemathesis.toml`.
const TRIER: (&str, &str) = ("schemathesis", "4.32.5");

/// Where it is, below cargo's target folder.
const FOLDER: &str = "readers";

/// Who may do everything.
const SCOPE: &str = "admin";

/// Which program is tried, and how thoroughly.
#[derive(clap::Args)]
pub struct Options {
    /// The program to try instead of one that is built now
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Requests tried for each operation at most; otherwise as many as the tool thinks right
    #[arg(long)]
    examples: Option<u32>,
}

/// Has both read and try.
pub fn run(options: &Options) -> Result<()> {
    lint()?;
    let server = start(options)?;
    let key = create_key(&server, "default", &[SCOPE], None)?;
    let mut attempt = Command::new(trier()?);
    // What it leaves behind stays there.
    attempt.current_dir(target()?.join(FOLDER));
    attempt
        .arg("--config-file")
        .arg(root()?.join("schemathesis.toml"));
    attempt
        .arg("run")
        .arg(format!("{}/openapi.json", server.base_url()));
    attempt.args(["--checks", "all", "--header"]);
    attempt.arg(format!("X-API-Key: {key}"));
    if let Some(examples) = options.examples {
        attempt.args(["--max-examples", &examples.to_string()]);
    }
    succeed(&mut attempt)
}

fn lint() -> Result<()> {
    ensure!(
        find_in_path("npx").is_some(),
        "npx is not installed: on Debian or Ubuntu run `apt-get install npm`"
    );
    let mut lint = Command::new("npx");
    lint.current_dir(root()?)
        .args(["--yes", LINTER, "lint", "docs/openapi.json"]);
    succeed(&mut lint)
}

fn start(options: &Options) -> Result<Server> {
    let limits = ["CUSTOMERS", "INITIATE", "STATUS", "SUBMIT"];
    let builder = ServerBuilder::new().binary(program(options)?);
    let off = |builder: ServerBuilder, name| builder.variable(&format!("LIMIT_{name}"), "off");
    limits.into_iter().fold(builder, off).start()
}

/// The program that was named, or else one that is built quickly.
fn program(options: &Options) -> Result<PathBuf> {
    if let Some(binary) = &options.binary {
        return Ok(std::path::absolute(binary)?);
    }
    succeed(cargo()?.args(["build", "--package", "bonafide"]))?;
    Ok(target()?.join("debug/bonafide"))
}

/// Schemathesis, installed if it is not there in this version.
fn trier() -> Result<PathBuf> {
    let (name, version) = TRIER;
    let environment = target()?.join(FOLDER).join(format!("{name}-{version}"));
    let program = environment.join("bin").join(name);
    if !program.is_file() {
        let mut pip = pip(&make_environment(&environment)?);
        succeed(pip.arg(format!("{name}=={version}")))
            .context("it comes from PyPI, which must be in reach")?;
    }
    Ok(program)
}
