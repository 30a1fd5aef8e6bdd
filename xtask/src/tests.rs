//! `cargo xtask test`: the one command that proves the project.
//!
//! Guarantees: formatting, lints and every test of the workspace, on a real PostgreSQL and a real
//! Redis; a missing program is a failure with a hint, never a skipped test.
//! Must not: use a server that was running before.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use test_support::postgres::{self, Settings};
use test_support::{Postgres, Redis, redis, server};

use crate::steps::Steps;
use crate::workspace::{cargo, has_cargo_command, succeed, target};

/// What to leave out.
#[derive(clap::Args)]
pub struct Options {
    /// Leaves out formatting and lints
    #[arg(long)]
    fast: bool,
}

/// Runs every check and prints how long each took.
pub fn run(options: &Options) -> Result<()> {
    let mut steps = Steps::default();
    if !options.fast {
        steps.run("formatting", check_formatting);
        steps.run("lints", check_lints);
    }
    steps.run("build", || build(&mut cargo()?));
    steps.run("documented examples", run_examples);
    steps.run("judges of webhooks and pages", crate::install::judges);
    let servers = steps.run("PostgreSQL and Redis", Servers::start);
    if let Some(servers) = servers {
        steps.run("tests", || run_tests(&servers));
    }
    steps.finish()
}

fn check_formatting() -> Result<()> {
    ensure!(
        has_cargo_command("fmt")?,
        "rustfmt is not installed: run `rustup component add rustfmt`"
    );
    succeed(cargo()?.args(["fmt", "--all", "--check"]))
}

fn check_lints() -> Result<()> {
    ensure!(
        has_cargo_command("clippy")?,
        "clippy is not installed: run `rustup component add clippy`"
    );
    let mut clippy = cargo()?;
    clippy.args(["clippy", "--workspace", "--all-targets", "--quiet"]);
    succeed(clippy.args(["--", "-D", "warnings"]))
}

/// Builds programs and tests together, so that dependencies are built once and `bonafide` is there.
pub fn build(cargo: &mut Command) -> Result<()> {
    succeed(cargo.args(["build", "--workspace", "--bins", "--tests"]))
}

fn run_examples() -> Result<()> {
    succeed(cargo()?.args(["test", "--workspace", "--doc", "--quiet"]))
}

fn run_tests(servers: &Servers) -> Result<()> {
    let binary = target()?.join("debug/bonafide");
    let mut command = test_command()?;
    succeed(command.envs(servers.variables(&binary)))
}

/// The test runner: nextest, or cargo's own where nextest is missing.
pub fn test_command() -> Result<Command> {
    let mut command = cargo()?;
    if has_cargo_command("nextest")? {
        command.args(["nextest", "run", "--workspace", "--no-fail-fast"]);
    } else {
        eprintln!("hint: `cargo install cargo-nextest --locked` makes the tests faster");
        command.args(["test", "--workspace", "--bins", "--tests", "--no-fail-fast"]);
    }
    Ok(command)
}

/// The private servers that all tests of one run share; each test takes a database of its own.
pub struct Servers {
    postgres: Postgres,
    redis: Redis,
}

impl Servers {
    /// Starts both, installing their programs first where that is possible.
    pub fn start() -> Result<Self> {
        crate::install::test_servers()?;
        Ok(Self {
            postgres: Postgres::start(Settings::Fast)?,
            redis: Redis::start()?,
        })
    }

    /// What tests read to find the servers and the program.
    pub fn variables(&self, binary: &Path) -> [(&'static str, OsString); 3] {
        [
            (postgres::SHARED_URL, self.postgres.admin_url().into()),
            (redis::SHARED_URL, self.redis.url().into()),
            (server::BINARY, binary.into()),
        ]
    }
}
