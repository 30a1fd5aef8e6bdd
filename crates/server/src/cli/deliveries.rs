//! `bonafide deliveries …`: what leaves the building, and what was given up.

use app::App;
use app::deliveries::{self, Attempt, Chosen, Listed, Replay, Status};
use clap::{Args, Subcommand, ValueEnum};
use domain::webhook::{delivery_of, message_id};
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::failure::Failure;
use super::of_app;
use super::output::{Output, Table};
use super::session::{exchange, with_app};
use crate::config::Config;

/// Deliveries.
#[derive(Subcommand, Clone, Debug)]
pub enum DeliveriesCommand {
    /// List deliveries, the newest first
    List(ListArguments),
    /// Show one delivery with every attempt at it
    Show {
        /// The message's id, as receivers see it
        #[arg(value_parser = read_id)]
        id: Uuid,
    },
    /// Make deliveries again that were made, or given up
    Replay(ReplayArguments),
}

/// Which deliveries.
#[derive(Args, Clone, Debug)]
pub struct ListArguments {
    /// Only this company's
    #[arg(long)]
    pub company: Option<String>,
    /// Only those that wait, were delivered, or were given up
    #[arg(long, value_enum)]
    pub status: Option<Standing>,
    /// How many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub limit: u16,
    /// Only those older than this one
    #[arg(long, value_name = "ID", value_parser = read_id)]
    pub before: Option<Uuid>,
}

/// What becomes of a delivery.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is still to be made
    Waiting,
    /// It was made
    Delivered,
    /// It was given up
    Exhausted,
}

/// Which deliveries again.
#[derive(Args, Clone, Debug)]
#[group(required = true)]
pub struct ReplayArguments {
    /// The messages' ids
    #[arg(value_parser = read_id, conflicts_with = "exhausted")]
    pub ids: Vec<Uuid>,
    /// Everything of this company that was given up
    #[arg(long, value_name = "COMPANY")]
    pub exhausted: Option<String>,
}

fn read_id(text: &str) -> Result<Uuid, String> {
    delivery_of(text).ok_or_else(|| "expected a message's id: msg_ and 32 digits".to_owned())
}

/// Does what is asked.
///
/// # Errors
/// Why it was not done.
pub async fn run(
    command: DeliveriesCommand,
    output: Output,
    config: &Config,
) -> Result<(), Failure> {
    with_app(config, async |app| match command {
        DeliveriesCommand::List(arguments) => list(app, arguments, output).await,
        DeliveriesCommand::Show { id } => show(app, id, output).await,
        DeliveriesCommand::Replay(arguments) => replay(app, arguments, output).await,
    })
    .await
}

/// A delivery, as programs read it.
#[derive(Serialize)]
struct Delivery {
    id: String,
    company: String,
    #[serde(rename = "type")]
    topic: String,
    status: &'static str,
    attempts: i64,
    outcome: Option<String>,
    created_at: Timestamp,
    /// When it is tried next, while it waits.
    due_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
}

impl From<&Listed> for Delivery {
    fn from(listed: &Listed) -> Self {
        Self {
            id: message_id(listed.id),
            company: listed.company_id.clone(),
            topic: listed.topic.clone(),
            status: listed.status.as_str(),
            attempts: listed.attempts,
            outcome: listed.outcome.clone(),
            created_at: listed.created_at,
            due_at: (listed.status == Status::Waiting).then_some(listed.due_at),
            finished_at: listed.finished_at,
        }
    }
}

/// An attempt, as programs read it.
#[derive(Serialize)]
struct Tried {
    number: i64,
    started_at: Timestamp,
    took_ms: i64,
    outcome: String,
    status: Option<i64>,
}

impl From<&Attempt> for Tried {
    fn from(attempt: &Attempt) -> Self {
        Self {
            number: attempt.number,
            started_at: attempt.started_at,
            took_ms: attempt.took / 1_000,
            outcome: attempt.outcome.clone(),
            status: attempt.status,
        }
    }
}

async fn list(app: &App, arguments: ListArguments, output: Output) -> Result<(), Failure> {
    let chosen = Chosen {
        company: arguments.company,
        status: arguments.status.map(|standing| match standing {
            Standing::Waiting => Status::Waiting,
            Standing::Delivered => Status::Delivered,
            Standing::Exhausted => Status::Exhausted,
        }),
        before: arguments.before,
    };
    let listed = deliveries::list(app, chosen, arguments.limit)
        .await
        .map_err(of_app)?;
    let listed: Vec<Delivery> = listed.iter().map(Delivery::from).collect();
    output.print(&listed, || table(&listed))
}

fn table(listed: &[Delivery]) -> String {
    let mut table = Table::new([
        "ID", "COMPANY", "TYPE", "STATUS", "ATTEMPTS", "LAST", "CREATED",
    ]);
    for delivery in listed {
        table.add([
            delivery.id.clone(),
            delivery.company.clone(),
            delivery.topic.clone(),
            delivery.status.to_owned(),
            delivery.attempts.to_string(),
            delivery.outcome.clone().unwrap_or_default(),
            to_the_second(delivery.created_at),
        ]);
    }
    table.render()
}

fn to_the_second(at: Timestamp) -> String {
    format!("{at:.0}")
}

fn hinted(error: app::Error) -> Failure {
    of_app(error).with_hint("`bonafide deliveries list` shows those there are")
}

async fn show(app: &App, id: Uuid, output: Output) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Shown {
        #[serde(flatten)]
        delivery: Delivery,
        tried: Vec<Tried>,
    }
    let (listed, attempts) = deliveries::with_attempts(app, id).await.map_err(hinted)?;
    let shown = Shown {
        delivery: Delivery::from(&listed),
        tried: attempts.iter().map(Tried::from).collect(),
    };
    output.print(&shown, || {
        let mut tried = Table::new(["ATTEMPT", "STARTED", "TOOK", "OUTCOME", "STATUS"]);
        for attempt in &shown.tried {
            tried.add([
                attempt.number.to_string(),
                to_the_second(attempt.started_at),
                format!("{} ms", attempt.took_ms),
                attempt.outcome.clone(),
                attempt
                    .status
                    .map(|status| status.to_string())
                    .unwrap_or_default(),
            ]);
        }
        let delivery = table(&[Delivery::from(&listed)]);
        format!("{delivery}\n\n{}", tried.render())
    })
}

async fn replay(app: &App, arguments: ReplayArguments, output: Output) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Replayed {
        replayed: u64,
    }
    let which = match arguments.exhausted {
        Some(company) => Replay::ExhaustedOf(company),
        None => Replay::These(arguments.ids),
    };
    let exchange = exchange(app, "delivery.replay");
    let replayed = deliveries::replay(app, &exchange, which)
        .await
        .map_err(hinted)?;
    output.print(&Replayed { replayed }, || {
        let count = if replayed == 1 {
            "1 delivery".to_owned()
        } else {
            format!("{replayed} deliveries")
        };
        format!("{count} will be made again.")
    })
}
