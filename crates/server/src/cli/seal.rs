//! `bonafide seal …`: the master keys.

use app::App;
use app::rewrap::{self, Outcome};
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::failure::Failure;
use super::of_app;
use super::output::{Output, counted};
use super::session::{exchange, with_app};
use crate::config::Config;

/// The keys that personal data is sealed under.
#[derive(Subcommand, Clone, Debug)]
pub enum SealCommand {
    /// Put every key under the newest of `ENCRYPTION_KEYS`, so that the others can be removed
    Rotate,
}

/// Does what is asked.
///
/// # Errors
/// Why it was not done; also that some keys are under a master key that is not at hand.
pub async fn run(command: SealCommand, output: Output, config: &Config) -> Result<(), Failure> {
    with_app(config, async |app| match command {
        SealCommand::Rotate => rotate(app, config, output).await,
    })
    .await
}

/// What was done, as programs read it.
#[derive(Serialize)]
struct Rotated {
    rewrapped: u64,
    unopened: u64,
    master_keys: Vec<MasterKey>,
}

#[derive(Serialize)]
struct MasterKey {
    id: String,
    /// Whether `ENCRYPTION_KEYS` has it.
    at_hand: bool,
    /// Whether something is still under it.
    in_use: bool,
    /// Whether it may be taken out of `ENCRYPTION_KEYS`.
    removable: bool,
}

async fn rotate(app: &App, config: &Config, output: Output) -> Result<(), Failure> {
    let bar = progress_bar();
    let exchange = exchange(app, "seal.rotate");
    let outcome = rewrap::run(app, &exchange, |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    })
    .await;
    bar.finish_and_clear();
    let outcome = outcome.map_err(of_app)?;
    let rotated = Rotated {
        rewrapped: outcome.rewrapped,
        unopened: outcome.unopened,
        master_keys: master_keys(config, &outcome),
    };
    output.print(&rotated, || in_words(&rotated, &outcome.newest))?;
    match outcome.unopened {
        0 => Ok(()),
        unopened => Err(Failure::failed(format!(
            "{} could not be opened and {} left as they were",
            counted(unopened, "key"),
            if unopened == 1 { "was" } else { "were" },
        ))
        .with_hint("put the missing master keys back into ENCRYPTION_KEYS, behind the newest")),
    }
}

/// Those at hand, the newest first, then those that are missing.
fn master_keys(config: &Config, outcome: &Outcome) -> Vec<MasterKey> {
    let at_hand = config
        .secrets
        .encryption_keys
        .iter()
        .map(|key| key.id.as_str());
    let at_hand: Vec<&str> = at_hand.collect();
    let missing = outcome.in_use.iter().map(String::as_str);
    let missing = missing.filter(|id| !at_hand.contains(id));
    let key = |(id, at_hand): (&str, bool)| {
        let in_use = outcome.in_use.iter().any(|used| used == id);
        MasterKey {
            id: id.to_owned(),
            at_hand,
            in_use,
            removable: at_hand && !in_use && id != outcome.newest,
        }
    };
    let known = at_hand.iter().map(|id| (*id, true));
    known
        .chain(missing.map(|id| (id, false)))
        .map(key)
        .collect()
}

fn in_words(rotated: &Rotated, newest: &str) -> String {
    let done = format!("{} put under {newest}.", counted(rotated.rewrapped, "key"));
    let lines = rotated.master_keys.iter().map(|key| {
        let word = match key {
            key if key.removable => "nothing is under it any more: it can be removed",
            key if key.id == newest => "the newest: everything new is put under it",
            key if key.at_hand => "in use",
            _ => "in use, and NOT at hand: what is under it cannot be read",
        };
        format!("{}: {word}", key.id)
    });
    std::iter::once(done)
        .chain(lines)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Seen when a person watches; `indicatif` shows nothing on what is no terminal.
fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    match ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} keys, {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
