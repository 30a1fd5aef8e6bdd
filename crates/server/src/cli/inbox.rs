//! `bonafide inbox …`: what came in by hooks, and what was parked.

use app::App;
use app::inbox::{self, Chosen, Listed, Replay, Status};
use clap::{Args, Subcommand, ValueEnum};
use domain::hook::Source;
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::failure::Failure;
use super::of_app;
use super::output::{Output, Table, counted};
use super::session::{exchange, with_app};
use crate::config::Config;
use crate::integrations;

/// The inbox.
#[derive(Subcommand, Clone, Debug)]
pub enum InboxCommand {
    /// List events, the newest first
    List(ListArguments),
    /// Show one event
    Show(ShowArguments),
    /// Process events again
    Replay(ReplayArguments),
}

/// Which events.
#[derive(Args, Clone, Debug)]
pub struct ListArguments {
    /// Only this company's
    #[arg(long)]
    pub company: Option<String>,
    /// Only from this sender
    #[arg(long, value_parser = read_source, value_name = "SENDER")]
    pub source: Option<Source>,
    /// Only those that wait, were processed, were of no interest, or were parked
    #[arg(long, value_enum)]
    pub status: Option<Standing>,
    /// How many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub limit: u16,
    /// Only those older than this one
    #[arg(long, value_name = "ID")]
    pub before: Option<Uuid>,
}

/// What becomes of an event.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is still to be processed
    Waiting,
    /// It was processed
    Done,
    /// Nobody wants it
    Ignored,
    /// It failed too often
    Parked,
}

impl Standing {
    const fn status(self) -> Status {
        match self {
            Self::Waiting => Status::Waiting,
            Self::Done => Status::Done,
            Self::Ignored => Status::Ignored,
            Self::Parked => Status::Parked,
        }
    }
}

/// Which event, and how much of it.
#[derive(Args, Clone, Copy, Debug)]
pub struct ShowArguments {
    /// The event
    pub id: Uuid,
    /// Also what it says, personal data included; that you looked is recorded
    #[arg(long)]
    pub content: bool,
}

/// Which events again.
#[derive(Args, Clone, Debug)]
#[group(required = true)]
pub struct ReplayArguments {
    /// The events
    #[arg(conflicts_with = "parked")]
    pub ids: Vec<Uuid>,
    /// Everything of this company that was parked
    #[arg(long, value_name = "COMPANY")]
    pub parked: Option<String>,
}

fn read_source(text: &str) -> Result<Source, String> {
    Source::parse(text).ok_or_else(|| {
        let known = Source::ALL.map(Source::as_str).join(", ");
        format!("expected one of: {known}")
    })
}

/// Does what is asked.
///
/// # Errors
/// Why it was not done.
pub async fn run(command: InboxCommand, output: Output, config: &Config) -> Result<(), Failure> {
    with_app(config, async |app| match command {
        InboxCommand::List(arguments) => list(app, arguments, output, config).await,
        InboxCommand::Show(arguments) => show(app, arguments, output, config).await,
        InboxCommand::Replay(arguments) => replay(app, arguments, output).await,
    })
    .await
}

/// An event, as programs read it.
#[derive(Serialize)]
struct Event {
    id: Uuid,
    company: String,
    source: &'static str,
    /// Whether its sender is configured: otherwise what waits, waits until it is.
    source_on: bool,
    #[serde(rename = "type")]
    topic: String,
    status: &'static str,
    attempts: i64,
    outcome: Option<String>,
    received_at: Timestamp,
    /// When it is tried next, while it waits.
    due_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    /// Whether what it says is still kept.
    kept: bool,
}

impl Event {
    fn of(listed: &Listed, config: &Config) -> Self {
        Self {
            id: listed.id,
            company: listed.company_id.clone(),
            source: listed.source.as_str(),
            source_on: integrations::sources(config).contains(&listed.source),
            topic: listed.topic.clone(),
            status: listed.status.as_str(),
            attempts: listed.attempts,
            outcome: listed.outcome.clone(),
            received_at: listed.received_at,
            due_at: (listed.status == Status::Waiting).then_some(listed.due_at),
            finished_at: listed.finished_at,
            kept: listed.is_kept,
        }
    }
}

async fn list(
    app: &App,
    arguments: ListArguments,
    output: Output,
    config: &Config,
) -> Result<(), Failure> {
    let chosen = Chosen {
        company: arguments.company,
        source: arguments.source,
        status: arguments.status.map(Standing::status),
        before: arguments.before,
    };
    let listed = inbox::list(app, chosen, arguments.limit)
        .await
        .map_err(of_app)?;
    let of = |listed| Event::of(listed, config);
    let listed: Vec<Event> = listed.iter().map(of).collect();
    output.print(&listed, || table(&listed))
}

impl Event {
    /// For people: with a word for a sender that is off.
    fn sender(&self) -> String {
        let off = if self.source_on { "" } else { " (off)" };
        format!("{}{off}", self.source)
    }
}

fn table(listed: &[Event]) -> String {
    let mut table = Table::new([
        "ID", "COMPANY", "SENDER", "TYPE", "STATUS", "ATTEMPTS", "LAST", "RECEIVED",
    ]);
    for event in listed {
        table.add([
            event.id.to_string(),
            event.company.clone(),
            event.sender(),
            event.topic.clone(),
            event.status.to_owned(),
            event.attempts.to_string(),
            event.outcome.clone().unwrap_or_default(),
            format!("{:.0}", event.received_at),
        ]);
    }
    table.render()
}

fn hinted(error: app::Error) -> Failure {
    of_app(error).with_hint("`bonafide inbox list` shows those there are")
}

async fn show(
    app: &App,
    arguments: ShowArguments,
    output: Output,
    config: &Config,
) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Shown {
        #[serde(flatten)]
        event: Event,
        /// What it says, as text.
        #[serde(skip_serializing_if = "Option::is_none")]
        content: Option<String>,
    }
    let listed = inbox::find(app, arguments.id).await.map_err(hinted)?;
    let mut shown = Shown {
        event: Event::of(&listed, config),
        content: None,
    };
    if arguments.content {
        let exchange = exchange(app, "inbox.reveal");
        let content = inbox::reveal(app, &exchange, arguments.id).await;
        let content = content.map_err(of_app)?;
        shown.content = Some(String::from_utf8_lossy(&content).into_owned());
    }
    output.print(&shown, || {
        let event = table(&[Event::of(&listed, config)]);
        match &shown.content {
            None => event,
            Some(content) => format!("{event}\n\n{content}"),
        }
    })
}

async fn replay(app: &App, arguments: ReplayArguments, output: Output) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Replayed {
        replayed: u64,
    }
    let which = match arguments.parked {
        Some(company) => Replay::ParkedOf(company),
        None => Replay::These(arguments.ids),
    };
    let exchange = exchange(app, "inbox.replay");
    let replayed = inbox::replay(app, &exchange, which).await.map_err(hinted)?;
    output.print(&Replayed { replayed }, || {
        format!("{} will be processed again.", counted(replayed, "event"))
    })
}
