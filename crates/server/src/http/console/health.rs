//! How the installation is: its parts, its database, its audit log, what waits.

use app::console::{self, Condition};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use jiff::Timestamp;
use minijinja::{Value, context};

use super::door::{Staff, Task};
use super::frame::Section;
use super::words;
use crate::http::Shared;
use crate::http::conventions::failure::Failure;
use crate::http::health::{self, Component, Health};

/// The route.
pub fn routes() -> Router<Shared> {
    Router::new().route("/console/health", get(show))
}

struct Show;
impl Task for Show {
    const ACTION: &'static str = "console.health";
}

async fn show(State(server): State<Shared>, staff: Staff<Show>) -> Result<Response, Failure> {
    let app = &server.app;
    let health = health::look(&server).await;
    let condition = console::condition(app).await?;
    let now = app.clock.now();
    let (word, tone) = state(health.status);
    let values = context! {
        word,
        tone,
        version => health.version,
        components => components(&health),
        database => database(&condition),
        queues => queues(&condition, now),
        logs => condition.logs.iter().map(|end| context! {
            number => end.log,
            batch => words::number(end.head.batch),
        }).collect::<Vec<_>>(),
        checkpoint => condition.checkpoint.map(|(number, at)| context! {
            number => words::number(number),
            at => words::moment(at, now),
        }),
        kept => context! {
            records => words::moment(app.retention.records_kept_from(now), now),
            sessions => words::moment(app.retention.sessions_kept_from(now), now),
        },
    };
    staff.page(Section::Health, "console/health.html", values)
}

/// How a part is, as people say it.
fn state(status: &str) -> (&'static str, &'static str) {
    match status {
        "healthy" => ("Well", "good"),
        health::UNHEALTHY => ("Away", "bad"),
        _ => ("Less than well", "wait"),
    }
}

fn components(health: &Health) -> Vec<Value> {
    let parts = &health.components;
    let named = [
        ("Database", Some(&parts.database)),
        ("Limits", Some(&parts.limits)),
        ("Archive", parts.archive.as_ref()),
    ];
    let shown = |(name, part): (&str, &Component)| {
        let (word, tone) = state(part.status);
        context! { name, word, tone, note => kind(part.kind) }
    };
    named
        .into_iter()
        .filter_map(|(name, part)| Some(shown((name, part?))))
        .collect()
}

/// What does a part's work.
fn kind(kind: &str) -> &str {
    match kind {
        "postgres" => "PostgreSQL",
        "sqlite" => "SQLite",
        "redis" => "shared through Redis",
        "memory" => "counted in memory, by each instance for itself",
        "bigquery" => "BigQuery",
        other => other,
    }
}

fn database(condition: &Condition) -> Value {
    context! {
        version => condition.database.name.as_str(),
        applied => condition.migrations.applied,
        pending => condition.migrations.pending,
    }
}

/// What waits, of all companies.
fn queues(condition: &Condition, now: Timestamp) -> Vec<Value> {
    let overdue = |due: Option<Timestamp>| {
        let due = due.filter(|due| *due < now);
        due.map(|due| words::moment(due, now))
    };
    let (deliveries, inbox) = (condition.deliveries, condition.inbox);
    vec![
        context! {
            name => "Deliveries",
            path => Value::from_safe_string("console/deliveries?status=waiting".to_owned()),
            waiting => words::number(deliveries.waiting),
            overdue => overdue(deliveries.oldest_due),
        },
        context! {
            name => "Inbox",
            path => Value::from_safe_string("console/inbox?status=waiting".to_owned()),
            waiting => words::number(inbox.waiting),
            overdue => overdue(inbox.oldest_due),
            parked => words::number(inbox.parked),
        },
    ]
}
