//! `cargo xtask coverage`: which lines the tests run, counted by the compiler's own counters.
//!
//! Guarantees: lines of logic are never left out; only test code, xtask and test-support are. What
//! a spawned `bonafide` runs counts too, as long as it ends in order: a killed one writes nothing.
//! The task fails when fewer lines were run than the project promises.
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

/// What is promised of all lines together, in percent.
const PROMISED: f64 = 90.0;
/// The same of the rules.
const PROMISED_OF_DOMAIN: f64 = 98.0;
/// The crate of the rules.
const DOMAIN: &str = "domain";

/// What to demand.
#[derive(clap::Args)]
pub struct Options {
    /// Fails when fewer lines than this were run, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = PROMISED)]
    fail_under: f64,
    /// Fails when fewer lines of the domain crate than this were run, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = PROMISED_OF_DOMAIN)]
    fail_under_domain: f64,
}

impl Options {
    /// What falls short of what is demanded, one sentence each.
    fn shortfalls(&self, all: f64, domain: f64) -> Vec<String> {
        let demands = [
            ("all lines", all, self.fail_under),
            ("the domain crate's lines", domain, self.fail_under_domain),
        ];
        let short = demands.into_iter().filter(|(_, run, wanted)| run < wanted);
        let in_words = short.map(|(what, run, wanted)| {
            format!("{run:.2} % of {what} were run, and {wanted} % are demanded")
        });
        in_words.collect()
    }
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
    let report = tools
        .zip(objects)
        .and_then(|(tools, objects)| steps.run("report", || place.report(&tools, &objects)));
    drop(servers);
    if let Some(report) = &report {
        print!("\n{}", report.all);
    }
    steps.finish()?;
    let report = report.context("there is no report")?;
    let (all, domain) = (report.all.total_percent(), report.domain.total_percent());
    let shortfalls = options.shortfalls(all, domain);
    ensure!(shortfalls.is_empty(), "{}", shortfalls.join("; "));
    Ok(())
}

/// What was counted.
struct Report {
    /// Of all crates
    all: lcov::Table,
    /// Of the rules alone
    domain: lcov::Table,
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

    fn report(&self, tools: &Tools, objects: &[PathBuf]) -> Result<Report> {
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
        let domain = of_crate(&kept, root, DOMAIN);
        // Of no lines all are run.
        ensure!(
            !domain.is_empty(),
            "no line of the domain crate was counted"
        );
        Ok(Report {
            all: lcov::Table::of(&kept, root),
            domain: lcov::Table::of(&domain, root),
        })
    }
}

/// Of an lcov text the records about the files of one crate.
fn of_crate(lcov: &str, root: &str, name: &str) -> String {
    let beginning = format!("SF:{root}/crates/{name}/");
    let records = lcov.split_inclusive("end_of_record\n");
    records
        .filter(|record| record.starts_with(&beginning))
        .collect()
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    /// What falls short under these arguments.
    fn shortfalls(arguments: &[&str], all: f64, domain: f64) -> Vec<String> {
        let words = ["coverage"].into_iter().chain(arguments.iter().copied());
        Line::parse_from(words).options.shortfalls(all, domain)
    }

    #[test]
    fn what_is_promised_is_demanded() {
        assert!(shortfalls(&[], 90.0, 98.0).is_empty());
        let short = shortfalls(&[], 89.994, 98.0);
        assert_eq!(
            short,
            ["89.99 % of all lines were run, and 90 % are demanded"]
        );
        assert!(shortfalls(&[], 97.0, 97.9)[0].contains("domain"));
        assert_eq!(shortfalls(&[], 0.0, 0.0).len(), 2);
    }

    #[test]
    fn less_is_demanded_when_somebody_asks_for_it() {
        let less = ["--fail-under", "50", "--fail-under-domain", "60.5"];
        assert!(shortfalls(&less, 50.0, 60.5).is_empty());
        assert_eq!(shortfalls(&less, 49.0, 60.0).len(), 2);
        assert_eq!(shortfalls(&less[..2], 50.0, 60.5).len(), 1);
    }

    #[test]
    fn a_crate_is_counted_by_itself() {
        let lcov = "SF:/w/crates/app/src/a.rs\nDA:1,1\nend_of_record\n\
                    SF:/w/crates/domain/src/b.rs\nDA:1,1\nDA:2,0\nend_of_record\n";
        let domain = lcov::Table::of(&of_crate(lcov, "/w", "domain"), "/w");
        assert!((domain.total_percent() - 50.0).abs() < 0.01);
        assert_eq!(of_crate(lcov, "/w", "store"), "");
    }
}
