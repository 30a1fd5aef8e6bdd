//! `bonafide archive …`: the copy of the records outside of the database.

use std::time::Duration;

use app::App;
use app::archive::{self, Archive, ArchiveProblem, Backfill, Interrupted, Parked, Progress, State};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::failure::Failure;
use super::of_app;
use super::output::{Output, Table, counted};
use super::session::{exchange, with_app};
use crate::config::Config;
use crate::integrations::Integrations;

/// The longest pause that the archive can ask for and a person has to wait out.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long to wait where the archive does not say.
const PAUSE: Duration = Duration::from_secs(5);

/// How often in a row it is waited.
const ATTEMPTS: u32 = 24;

/// The archive.
#[derive(Subcommand, Clone, Copy, Debug)]
pub enum ArchiveCommand {
    /// Copy what was there before the archive was enabled; cut off, it goes on where it was
    Backfill,
    /// Show how far the archive is
    Status,
    /// List what the archive did not take
    Parked(ParkedArguments),
    /// Send again what the archive did not take
    Retry,
}

/// How much to list.
#[derive(Args, Clone, Copy, Debug)]
pub struct ParkedArguments {
    /// At most so many
    #[arg(long, default_value_t = 50, value_name = "COUNT", value_parser = clap::value_parser!(i64).range(1..=10_000))]
    pub limit: i64,
}

/// Does what is asked.
///
/// # Errors
/// Why it was not done.
pub async fn run(command: ArchiveCommand, output: Output, config: &Config) -> Result<(), Failure> {
    with_app(config, async |app| match command {
        ArchiveCommand::Backfill => backfill(app, output, config).await,
        ArchiveCommand::Status => status(app, output).await,
        ArchiveCommand::Parked(arguments) => parked(app, arguments, output).await,
        ArchiveCommand::Retry => retry(app, output, config).await,
    })
    .await
}

fn archive(app: &App, config: &Config) -> Result<std::sync::Arc<dyn Archive>, Failure> {
    let archive = Integrations::open(config, &app.clock)?.archive();
    archive.ok_or_else(|| {
        Failure::usage("there is no archive: BIGQUERY_ENABLED is not set")
            .with_hint("docs/integrations/bigquery.md says what to set")
    })
}

/// What came of a backfill, as programs read it.
#[derive(Serialize)]
struct Done {
    /// Records and decisions copied now.
    copied: u64,
    /// Those that are copied now, with those of earlier runs.
    done: u64,
    /// What the archive did not take, of this and of all that was sent before.
    parked: i64,
}

async fn backfill(app: &App, output: Output, config: &Config) -> Result<(), Failure> {
    let archive = archive(app, config)?;
    let bar = progress_bar();
    let mut backfill = Backfill::new(app, &*archive);
    let mut attempts = 0;
    let progress = loop {
        let exchange = exchange(app, "archive.backfill");
        let result = backfill.run(&exchange, |progress: Progress| {
            bar.set_length(progress.total.max(progress.done));
            bar.set_position(progress.done);
            attempts = 0;
        });
        match result.await {
            Ok(progress) => break progress,
            Err(interrupted) => match wait(&interrupted).filter(|_| attempts < ATTEMPTS) {
                Some(pause) => {
                    attempts += 1;
                    tokio::time::sleep(pause).await;
                }
                None => {
                    bar.finish_and_clear();
                    // Without it the next one waits for a minute.
                    let _ = backfill.release().await;
                    return Err(cut_off(interrupted));
                }
            },
        }
    };
    bar.finish_and_clear();
    let state = archive::state(app).await.map_err(of_app)?;
    let done = Done {
        copied: progress.copied,
        done: progress.done,
        parked: state.parked,
    };
    output.print(&done, || {
        let copied = format!(
            "{} copied, {} in all.",
            counted(done.copied, "row"),
            done.done
        );
        match done.parked {
            0 => copied,
            parked => format!("{copied} {parked} not taken: `bonafide archive parked`."),
        }
    })
}

/// How long to wait before it is taken up again, if that may help.
fn wait(interrupted: &Interrupted) -> Option<Duration> {
    match interrupted {
        // The lease of one that was killed ends within a minute.
        Interrupted::Taken => Some(PAUSE),
        Interrupted::Archive(
            problem @ (ArchiveProblem::Busy(_)
            | ArchiveProblem::Away(_)
            | ArchiveProblem::NotYet
            | ArchiveProblem::Partial),
        ) => Some(problem.wish().unwrap_or(PAUSE)).filter(|pause| *pause <= PATIENCE),
        Interrupted::Archive(_) | Interrupted::Ours(_) => None,
    }
}

fn cut_off(interrupted: Interrupted) -> Failure {
    match interrupted {
        Interrupted::Ours(error) => of_app(error),
        Interrupted::Archive(problem) => Failure::failed(problem.to_string())
            .with_hint("`bonafide doctor` looks for the cause; run again, it goes on where it was"),
        Interrupted::Taken => {
            Failure::failed("another backfill is under way").with_hint("wait until it is done")
        }
    }
}

/// How the archive stands, as programs read it.
#[derive(Serialize)]
struct Status {
    /// Since when there is one.
    began_at: Option<String>,
    /// How many seconds the oldest record has waited.
    lag_seconds: i64,
    /// What keeps it from going on.
    trouble: Option<String>,
    /// Since when.
    trouble_since: Option<String>,
    /// What it did not take.
    parked: i64,
    /// Records that were gone before they were copied.
    missed: i64,
    /// Batches of the audit log that are left to the backfill.
    batches_to_backfill: i64,
}

async fn status(app: &App, output: Output) -> Result<(), Failure> {
    let state = archive::state(app).await.map_err(of_app)?;
    let status = describe(state, app.clock.now());
    output.print(&status, || in_words(&status))
}

fn describe(state: State, now: jiff::Timestamp) -> Status {
    let lag_seconds = state.lag(now).as_secs();
    let (trouble, since) = state.trouble.unzip();
    Status {
        began_at: state.began_at.map(|at| at.to_string()),
        lag_seconds,
        trouble,
        trouble_since: since.map(|since| since.to_string()),
        parked: state.parked,
        missed: state.missed,
        batches_to_backfill: state.to_backfill,
    }
}

fn in_words(status: &Status) -> String {
    let Some(began_at) = &status.began_at else {
        return "There is no archive yet.".to_owned();
    };
    let mut lines = vec![format!("Begun at {began_at}.")];
    lines.push(match status.lag_seconds {
        0 => "Everything since then is copied, or about to be.".to_owned(),
        lag => format!("The oldest record that waits has waited for {lag} s."),
    });
    if let Some((trouble, since)) = status.trouble.as_ref().zip(status.trouble_since.as_ref()) {
        lines.push(format!("Nothing is taken since {since}: {trouble}."));
    }
    if status.batches_to_backfill > 0 {
        let left = counted(status.batches_to_backfill.unsigned_abs(), "batch");
        lines.push(format!(
            "Of before, {left} to copy: `bonafide archive backfill`."
        ));
    }
    if status.parked > 0 {
        lines.push(format!(
            "{} not taken: `bonafide archive parked`.",
            status.parked
        ));
    }
    if status.missed > 0 {
        lines.push(format!("{} gone before they were copied.", status.missed));
    }
    lines.join("\n")
}

/// Something that was not taken, as programs read it.
#[derive(Serialize)]
struct NotTaken {
    kind: String,
    name: String,
    reason: String,
    parked_at: String,
}

impl From<Parked> for NotTaken {
    fn from(parked: Parked) -> Self {
        Self {
            kind: parked.kind,
            name: parked.name,
            reason: parked.reason,
            parked_at: parked.parked_at.to_string(),
        }
    }
}

async fn parked(app: &App, arguments: ParkedArguments, output: Output) -> Result<(), Failure> {
    let parked = archive::parked(app, arguments.limit)
        .await
        .map_err(of_app)?;
    let parked: Vec<NotTaken> = parked.into_iter().map(NotTaken::from).collect();
    output.print(&parked, || {
        if parked.is_empty() {
            return "Everything that was sent was taken.".to_owned();
        }
        let mut table = Table::new(["KIND", "NAME", "REASON", "SINCE"]);
        for row in &parked {
            let columns = [&row.kind, &row.name, &row.reason, &row.parked_at];
            table.add(columns.map(Clone::clone));
        }
        table.render()
    })
}

/// What came of sending again, as programs read it.
#[derive(Serialize)]
struct SentAgain {
    taken: u64,
    refused: u64,
    gone: u64,
}

async fn retry(app: &App, output: Output, config: &Config) -> Result<(), Failure> {
    let archive = archive(app, config)?;
    let exchange = exchange(app, "archive.retry");
    let retried = archive::retry(app, &exchange, &*archive)
        .await
        .map_err(cut_off)?;
    let sent = SentAgain {
        taken: retried.taken,
        refused: retried.refused,
        gone: retried.gone,
    };
    output.print(&sent, || {
        format!(
            "{} taken, {} refused again, {} gone.",
            sent.taken, sent.refused, sent.gone
        )
    })
}

/// Seen when a person watches; `indicatif` shows nothing on what is no terminal.
fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    match ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} rows, {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
