//! `bonafide ages …`: the counts of decisions about ages.

use app::App;
use app::ages::{self, Recount};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::failure::Failure;
use super::of_app;
use super::output::{Output, counted};
use super::session::with_app;
use crate::config::Config;

/// Age verifications.
#[derive(Subcommand, Clone, Debug)]
pub enum AgesCommand {
    /// Compare the statistics with the decisions they count, and put right what differs
    Recount(RecountArguments),
}

/// What is to become of differences.
#[derive(Args, Clone, Copy, Debug)]
pub struct RecountArguments {
    /// Only compare; exit code 1 if anything differs
    #[arg(long)]
    pub check: bool,
}

/// Does what is asked.
///
/// # Errors
/// Why it was not done; with `--check` also that something differs.
pub async fn run(command: AgesCommand, output: Output, config: &Config) -> Result<(), Failure> {
    with_app(config, async |app| match command {
        AgesCommand::Recount(arguments) => recount(app, arguments, output).await,
    })
    .await
}

/// What was compared, as programs read it.
#[derive(Serialize)]
struct Compared {
    days: u64,
    differences: Vec<Different>,
}

#[derive(Serialize)]
struct Different {
    company: String,
    /// Counted from 1970-01-01 (UTC).
    day: i64,
    what: String,
    counted: i64,
    found: i64,
}

async fn recount(app: &App, arguments: RecountArguments, output: Output) -> Result<(), Failure> {
    let bar = progress_bar();
    let recount = ages::recount(app, !arguments.check, |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    })
    .await;
    bar.finish_and_clear();
    let recount = recount.map_err(of_app)?;
    output.print(&compared(&recount), || in_words(&recount, arguments.check))?;
    if arguments.check && !recount.differences.is_empty() {
        let found = "the statistics are not what the decisions say";
        return Err(Failure::failed(found).with_hint("`bonafide ages recount` puts them right"));
    }
    Ok(())
}

/// Seen when a person watches; `indicatif` shows nothing on what is no terminal.
fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    match ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} days, {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn compared(recount: &Recount) -> Compared {
    let differences = recount.differences.iter().map(|difference| Different {
        company: difference.company_id.clone(),
        day: difference.day,
        what: difference.what.clone(),
        counted: difference.counted,
        found: difference.found,
    });
    Compared {
        days: recount.days,
        differences: differences.collect(),
    }
}

/// Every difference on a line of its own, then what became of them.
fn in_words(recount: &Recount, only_checked: bool) -> String {
    let differences = recount.differences.iter().map(|difference| {
        let day = jiff::civil::date(1970, 1, 1)
            .checked_add(jiff::SignedDuration::from_hours(24 * difference.day))
            .map_or_else(|_| difference.day.to_string(), |day| day.to_string());
        format!(
            "{day} {} {}: counted {}, found {}",
            difference.company_id, difference.what, difference.counted, difference.found
        )
    });
    let days = counted(recount.days, "day");
    let verdict = match (recount.differences.len(), only_checked) {
        (0, _) => format!("The statistics are right: {days} compared."),
        (differences, true) => {
            let differences = counted(differences as u64, "difference");
            format!("The statistics are NOT right: {differences} in {days}.")
        }
        (differences, false) => {
            let differences = counted(differences as u64, "difference");
            format!("Put right: {differences} in {days}.")
        }
    };
    differences.chain([verdict]).collect::<Vec<_>>().join("\n")
}
