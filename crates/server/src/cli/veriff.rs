//! `bonafide veriff …`: decisions that no hook brought, fetched.

use std::sync::Arc;

use app::App;
use app::inbox;
use app::veriff::{self, VeriffProblem};
use clap::Subcommand;
use serde::Serialize;

use super::failure::Failure;
use super::of_app;
use super::output::{Output, counted};
use super::session::{exchange, with_shared_app};
use crate::config::Config;
use crate::integrations::{Integrations, gate};

/// Veriff.
#[derive(Subcommand, Clone, Copy, Debug)]
pub enum VeriffCommand {
    /// Ask for the decision on every session that has none
    Sync,
}

/// Does what is asked.
///
/// # Errors
/// Why it was not done.
pub async fn run(command: VeriffCommand, output: Output, config: &Config) -> Result<(), Failure> {
    let VeriffCommand::Sync = command;
    with_shared_app(config, async |app| sync(&app, output, config).await).await
}

/// What came of it, as programs read it.
#[derive(Serialize)]
struct Done {
    /// Sessions that were asked about.
    asked: u64,
    /// Those on which there is a decision.
    decided: u64,
    /// Decisions of which nothing had told.
    filed: u64,
    /// Events that still wait to be processed.
    waiting: i64,
    /// Events that a person has to look at.
    parked: i64,
}

async fn sync(app: &Arc<App>, output: Output, config: &Config) -> Result<(), Failure> {
    let integrations = Integrations::open(config, &app.clock)?;
    let veriff = integrations.veriff(config).ok_or_else(|| {
        Failure::usage("Veriff is not configured")
            .with_hint("docs/integrations/veriff.md says what to set")
    })?;
    let exchange = exchange(app, "veriff.sync");
    let polled = veriff::sync(app, &exchange, &veriff)
        .await
        .map_err(of_app)?;
    // What was filed is processed here and now, beside a server or without one.
    let mut worker = integrations.worker(config, app, &gate(app));
    worker.run_due().await.map_err(of_app)?;
    if let Some(problem) = polled.problem {
        return Err(Failure::failed(problem.to_string()).with_hint(hint(problem)));
    }
    let depth = inbox::depth(app).await.map_err(of_app)?;
    let done = Done {
        asked: polled.asked,
        decided: polled.decided,
        filed: polled.filed,
        waiting: depth.waiting,
        parked: depth.parked,
    };
    output.print(&done, || in_words(&done))
}

fn hint(problem: VeriffProblem) -> &'static str {
    match problem {
        VeriffProblem::Refused | VeriffProblem::Unsigned => {
            "check VERIFF_API_KEY and VERIFF_SHARED_SECRET"
        }
        _ => "try again; what was fetched is kept",
    }
}

fn in_words(done: &Done) -> String {
    let asked = format!(
        "{} asked about, {} decided, {} new.",
        counted(done.asked, "session"),
        done.decided,
        done.filed
    );
    match (done.waiting, done.parked) {
        (0, 0) => format!("{asked} All are processed."),
        (waiting, parked) => format!(
            "{asked} {waiting} still to be processed, {parked} parked: `bonafide inbox list`."
        ),
    }
}
