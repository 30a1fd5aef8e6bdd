//! `cargo xtask coverage`: which lines the tests run, counted by the compiler's own counters.
//!
//! Guarantees: lines of logic are never left out; only test code, xtask and test-support are. What
//! a spawned `bonafide` runs counts too, as long as it ends in order: a killed one writes nothing.
//! Must not: mix its build with the ordinary one; it has a target folder of its own.

mod lcov;
mod tools;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::tests::{Servers, test_command};
use crate::workspace::{capture, cargo, root, succeed, target};
use crate::{instrument, steps::Steps};
use tools::Tools;

/// What to demand.
#[derive(clap::Args)]
pub struct Options {
    /// Fails when fewer lines than this were run, in percent
    #[arg(long, value_name = "PERCENT")]
    fail_under: Option<f64>,
}

/// Builds with counters, runs all tests, prints the share of lines per crate.
pub fn run(options: &Options) -> Result<()> {
    let place = Place::prepare()?;
    let mut steps = Steps::default();
    let tools = steps.run("llvm tools", Tools::find_or_install);
    let objects = steps.run("build with counters", || place.build());
    steps.run("judges of webhooks and pages", crate::install::judges);
    let servers = steps.run("PostgreSQL and Redis", Servers::start);
    if let Some(servers) = &servers {
        steps.run("tests", || place.test(servers));
    }
    let table = tools
        .zip(objects)
        .and_then(|(tools, objects)| steps.run("report", || place.report(&tools, &objects)));
    drop(servers);
    if let Some(table) = &table {
        print!("\n{table}");
    }
    steps.finish()?;
    let total = table.map_or(0.0, |table| table.total_percent());
    let wanted = options.fail_under.unwrap_or(0.0);
    ensure!(
        total >= wanted,
        "{total:.2} % of lines are fewer than the {wanted} % asked for"
    );
    Ok(())
}

/// The folder of everything that is built and measured here.
struct Place {
    folder: PathBuf,
}

impl Place {
    /// An empty folder for profiles; the build of an earlier run stays.
    fn prepare() -> Result<Self> {
        let place = Self {
            folder: target()?.join("coverage"),
        };
        if place.profiles().exists() {
            std::fs::remove_dir_all(place.profiles())?;
        }
        std::fs::create_dir_all(place.profiles())?;
        Ok(place)
    }

    fn profiles(&self) -> PathBuf {
        self.folder.join("profiles")
    }

    /// Builds programs and tests; returns those files, which hold the map from counters to lines.
    fn build(&self) -> Result<Vec<PathBuf>> {
        let mut command = cargo()?;
        self.instrumented(&mut command)?;
        command.args(["build", "--workspace", "--bins", "--tests"]);
        command.arg("--message-format=json-render-diagnostics");
        let messages = String::from_utf8(capture(&mut command)?)?;
        Ok(messages.lines().filter_map(executable).collect())
    }

    fn test(&self, servers: &Servers) -> Result<()> {
        let mut command = test_command()?;
        self.instrumented(&mut command)?;
        let binary = self.folder.join("debug/bonafide");
        succeed(command.envs(servers.variables(&binary)))
    }

    fn instrumented(&self, command: &mut Command) -> Result<()> {
        instrument::ask_for(command)?;
        command.env("CARGO_TARGET_DIR", &self.folder);
        // %m merges the runs of one program into a pool of files, here of four.
        command.env("LLVM_PROFILE_FILE", self.profiles().join("%4m.profraw"));
        Ok(())
    }

    fn report(&self, tools: &Tools, objects: &[PathBuf]) -> Result<lcov::Table> {
        let profile = self.folder.join("all.profdata");
        let inputs = profiles(&self.profiles())?;
        ensure!(!inputs.is_empty(), "the tests left no profiles");
        let mut merge = Command::new(&tools.profdata);
        // A process that was killed while it wrote leaves a broken file: it counts for nothing.
        merge.args(["merge", "--sparse", "--failure-mode=all", "--output"]);
        succeed(merge.arg(&profile).args(inputs))?;

        let exported = capture(&mut export(tools, &profile, objects)?)?;
        let exported = String::from_utf8(exported)?;
        let root = root()?
            .to_str()
            .context("the workspace's path is not UTF-8")?;
        let kept = lcov::without_test_code(&exported, root)?;
        std::fs::write(self.folder.join("lcov.info"), &kept)?;
        Ok(lcov::Table::of(&kept, root))
    }
}

fn export(tools: &Tools, profile: &Path, objects: &[PathBuf]) -> Result<Command> {
    let mut command = Command::new(&tools.cov);
    command.args(["export", "--format=lcov", "--instr-profile"]);
    command.arg(profile);
    for object in objects {
        command.arg("--object").arg(object);
    }
    command.arg("--sources").arg(root()?.join("crates"));
    Ok(command)
}

fn profiles(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)?;
    let paths: Result<Vec<_>, _> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect();
    Ok(paths?)
}

/// The program that one of cargo's messages tells of, if it tells of one.
fn executable(message: &str) -> Option<PathBuf> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    Some(PathBuf::from(message.get("executable")?.as_str()?))
}
