//! `bonafide square …`: customers of whom no hook told, tied.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use app::App;
use app::inbox;
use app::square::{self, Interrupted, Progress, Request, SquareProblem};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::failure::Failure;
use super::of_app;
use super::output::{Output, counted};
use super::session::{exchange, with_shared_app};
use crate::config::Config;
use crate::integrations::{Integrations, gate};
use crate::outbound::SquareClient;

/// The longest pause that Square can ask for and a person has to wait out.
const PATIENCE: Duration = Duration::from_secs(120);

/// Square.
#[derive(Subcommand, Clone, Copy, Debug)]
pub enum SquareCommand {
    /// Tie every customer that is new or was changed since the last time; the first time, everybody
    Sync(SyncArguments),
}

/// Whom to look at.
#[derive(Args, Clone, Copy, Debug)]
pub struct SyncArguments {
    /// Look at everybody again
    #[arg(long)]
    pub full: bool,
}

/// Does what is asked.
///
/// # Errors
/// Why it was not done.
pub async fn run(command: SquareCommand, output: Output, config: &Config) -> Result<(), Failure> {
    let SquareCommand::Sync(arguments) = command;
    with_shared_app(config, async |app| {
        sync(&app, arguments, output, config).await
    })
    .await
}

/// What came of it, as programs read it.
#[derive(Serialize)]
struct Done {
    /// Customers of Square that were looked at, in this run and in those that it went on from.
    seen: u64,
    /// Those of whom something new was learnt.
    learnt: u64,
    /// Events that still wait to be processed.
    waiting: i64,
    /// Events that a person has to look at.
    parked: i64,
}

async fn sync(
    app: &Arc<App>,
    arguments: SyncArguments,
    output: Output,
    config: &Config,
) -> Result<(), Failure> {
    let integrations = Integrations::open(config, &app.clock)?;
    let client = integrations.square().ok_or_else(|| {
        Failure::usage("Square is not configured")
            .with_hint("docs/integrations/square.md says what to set")
    })?;
    let request = Request {
        company: config.integration_company.clone(),
        full: arguments.full,
    };
    let progress = fetch(app, request, client).await?;
    // Hooks that came in while nobody worked say what lists do not: who was merged into whom.
    let mut worker = integrations.worker(config, app, &gate(app));
    worker.run_due().await.map_err(of_app)?;
    let depth = inbox::depth(app).await.map_err(of_app)?;
    let done = Done {
        seen: progress.seen,
        learnt: progress.learnt,
        waiting: depth.waiting,
        parked: depth.parked,
    };
    output.print(&done, || in_words(&done))
}

/// Goes through the customers, and waits where Square wants that.
async fn fetch(
    app: &App,
    mut request: Request,
    client: &SquareClient,
) -> Result<Progress, Failure> {
    let bar = progress_bar();
    let mut learnt = 0;
    loop {
        let exchange = exchange(app, "square.sync");
        let (learnt_now, has_begun) = (Cell::new(0), Cell::new(false));
        let result = square::sync(app, &exchange, client, &request, |progress| {
            if let Some(total) = progress.total {
                bar.set_length(total.max(progress.seen));
            }
            bar.set_position(progress.seen);
            learnt_now.set(progress.learnt);
            has_begun.set(true);
        })
        .await;
        learnt += learnt_now.get();
        // Cut off from here on, it goes on where it was.
        request.full &= !has_begun.get();
        match result {
            Ok(progress) => {
                bar.finish_and_clear();
                return Ok(Progress { learnt, ..progress });
            }
            Err(Interrupted::Ours(error)) => return Err(of_app(error)),
            Err(Interrupted::Square(SquareProblem::Busy(pause))) if pause <= PATIENCE => {
                tokio::time::sleep(pause).await;
            }
            Err(Interrupted::Square(problem)) => {
                bar.finish_and_clear();
                return Err(Failure::failed(problem.to_string()).with_hint(hint(problem)));
            }
        }
    }
}

fn hint(problem: SquareProblem) -> &'static str {
    match problem {
        SquareProblem::Refused => {
            "check SQUARE_ACCESS_TOKEN, and that SQUARE_API_URL is of the same environment"
        }
        SquareProblem::Forbidden => "give the access token the permission CUSTOMERS_READ",
        _ => "try again; it goes on where it was",
    }
}

/// Seen when a person watches; `indicatif` shows nothing on what is no terminal.
fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    match ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} customers, {eta} left")
    {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn in_words(done: &Done) -> String {
    let looked = format!(
        "{} looked at, {} new or changed.",
        counted(done.seen, "customer"),
        done.learnt
    );
    match (done.waiting, done.parked) {
        (0, 0) => looked,
        (waiting, parked) => format!(
            "{looked} {waiting} events still to be processed, {parked} parked: \
             `bonafide inbox list`."
        ),
    }
}
