//! `bonafide lightspeed …`: what no hook told, fetched.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use app::App;
use app::inbox;
use app::lightspeed::{self, Gate, Interrupted, Progress, Request, ShopProblem, WriteBack};
use clap::{Args, Subcommand};
use domain::span::Span;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::failure::Failure;
use super::of_app;
use super::output::{Output, counted};
use super::session::{exchange, with_shared_app};
use crate::config::Config;
use crate::integrations::{Integrations, gate};

/// The longest pause that the shop can ask for and a person has to wait out.
const PATIENCE: Duration = Duration::from_secs(120);

/// Lightspeed eCom.
#[derive(Subcommand, Clone, Debug)]
pub enum LightspeedCommand {
    /// Take in the orders that no hook told of
    Sync(SyncArguments),
}

/// From when on.
#[derive(Args, Clone, Debug)]
pub struct SyncArguments {
    /// Look at what changed since then: a time such as 2026-01-31T12:00:00Z, or how long ago (7d).
    /// Otherwise it goes on where it was, and the first time goes back as far as orders are held
    #[arg(long, value_parser = read_since, value_name = "WHEN")]
    pub since: Option<Since>,
}

/// A time, or how long ago.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Since {
    /// Then.
    At(Timestamp),
    /// So long ago.
    Ago(SignedDuration),
}

impl Since {
    fn before(&self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => *at,
            Self::Ago(ago) => now.saturating_sub(*ago).unwrap_or(Timestamp::UNIX_EPOCH),
        }
    }
}

fn read_since(text: &str) -> Result<Since, String> {
    if let Ok(at) = text.parse() {
        return Ok(Since::At(at));
    }
    Span::parse(text)
        .ok()
        .and_then(of_span)
        .ok_or_else(|| "expected a time such as 2026-01-31T12:00:00Z, or 90m, 24h, 7d".to_owned())
}

fn of_span(span: Span) -> Option<Since> {
    let ago = SignedDuration::try_from(span.as_duration()?).ok()?;
    Some(Since::Ago(ago))
}

/// Does what is asked.
///
/// # Errors
/// Why it was not done.
pub async fn run(
    command: LightspeedCommand,
    output: Output,
    config: &Config,
) -> Result<(), Failure> {
    let LightspeedCommand::Sync(arguments) = command;
    with_shared_app(config, async |app| {
        sync(&app, &arguments, output, config).await
    })
    .await
}

/// What came of it, as programs read it.
#[derive(Serialize)]
struct Done {
    /// Orders that were changed.
    seen: u64,
    /// Those of which nothing had told.
    filed: u64,
    /// Those that the shop showed wrongly; a server that works writes them again.
    shown_again: u64,
    /// Events that still wait to be processed.
    waiting: i64,
    /// Events that a person has to look at.
    parked: i64,
    /// From when on the next time will look.
    since: Timestamp,
}

async fn sync(
    app: &Arc<App>,
    arguments: &SyncArguments,
    output: Output,
    config: &Config,
) -> Result<(), Failure> {
    let now = app.clock.now();
    // What was placed before that would have expired by now.
    let held = config.orders.schedule.deadline(now).duration_since(now);
    let first = Since::Ago(held).before(now);
    let request = Request {
        company: config.integration_company.clone(),
        since: arguments.since.as_ref().map(|since| since.before(now)),
        first,
    };
    let integrations = Integrations::open(config, &app.clock)?;
    let write_back = integrations.write_back(config).ok_or_else(|| {
        Failure::usage("Lightspeed is not configured")
            .with_hint("docs/integrations/lightspeed.md says what to set")
    })?;
    let gate = gate(app);
    let progress = fetch(app, request, &*gate, &write_back).await?;
    // What was filed is processed here and now, beside a server or without one.
    let mut worker = integrations.worker(config, app, &gate);
    worker.run_due().await.map_err(of_app)?;
    let depth = inbox::depth(app).await.map_err(of_app)?;
    let done = Done {
        seen: progress.seen,
        filed: progress.filed,
        shown_again: progress.shown_again,
        waiting: depth.waiting,
        parked: depth.parked,
        since: progress.since,
    };
    output.print(&done, || in_words(&done))
}

/// Looks through the shop, and waits where the shop wants that.
async fn fetch(
    app: &App,
    mut request: Request,
    gate: &dyn Gate,
    write_back: &WriteBack,
) -> Result<Progress, Failure> {
    let bar = progress_bar();
    let (mut filed, mut shown_again) = (0, 0);
    loop {
        let exchange = exchange(app, "lightspeed.sync");
        let now = Cell::new((0, 0));
        let watch = |progress: Progress| {
            bar.set_length(progress.total);
            bar.set_position(progress.seen);
            now.set((progress.filed, progress.shown_again));
        };
        let result = lightspeed::sync(app, &exchange, gate, write_back, &request, watch).await;
        filed += now.get().0;
        shown_again += now.get().1;
        match result {
            Ok(progress) => {
                bar.finish_and_clear();
                return Ok(Progress {
                    filed,
                    shown_again,
                    ..progress
                });
            }
            Err(Interrupted::Ours(error)) => return Err(of_app(error)),
            Err(Interrupted::Shop(ShopProblem::Busy(pause))) if pause <= PATIENCE => {
                tokio::time::sleep(pause).await;
                // It goes on where it was.
                request.since = None;
            }
            Err(Interrupted::Shop(problem)) => {
                bar.finish_and_clear();
                return Err(Failure::failed(problem.to_string()).with_hint(hint(problem)));
            }
        }
    }
}

fn hint(problem: ShopProblem) -> String {
    match problem {
        ShopProblem::Refused(_) => "check LIGHTSPEED_TOKEN and LIGHTSPEED_STORE_ID".to_owned(),
        ShopProblem::Busy(pause) => {
            let minutes = pause.as_secs().div_ceil(60);
            format!("try again in {minutes} min; it goes on where it was")
        }
        _ => "try again; it goes on where it was".to_owned(),
    }
}

/// Seen when a person watches; `indicatif` shows nothing on what is no terminal.
fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    match ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} orders, {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn in_words(done: &Done) -> String {
    let mut looked = format!(
        "{} looked at, {} new.",
        counted(done.seen, "changed order"),
        done.filed
    );
    if done.shown_again > 0 {
        let again = format!(" {} shown wrongly, and written again.", done.shown_again);
        looked.push_str(&again);
    }
    match (done.waiting, done.parked) {
        (0, 0) => format!("{looked} All are processed."),
        (waiting, parked) => format!(
            "{looked} {waiting} still to be processed, {parked} parked: `bonafide inbox list`."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_time_or_how_long_ago() {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let second = |text: &str| read_since(text).unwrap().before(now).as_second();
        assert_eq!(second("2023-11-14T22:13:00Z"), 1_699_999_980);
        assert_eq!(second("1h"), 1_700_000_000 - 3_600);
        assert_eq!(second("7d"), 1_700_000_000 - 7 * 86_400);
        assert!(read_since("yesterday").is_err());
    }
}
