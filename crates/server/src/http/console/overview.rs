//! The first page: what was asked and what came of it, what waits for somebody, and whether all parts
//! are well.

use app::ages::{self, Days, Statistics};
use app::console::{self, Figures, Queues, Reach};
use app::orders;
use app::quota::QuotaHealth;
use app::{Code, Error};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use domain::order::Status;
use jiff::Timestamp;
use minijinja::{Value, context};

use super::door::{Staff, Task};
use super::frame::Section;
use super::{charts, example, words};
use crate::http::Shared;
use crate::http::conventions::failure::Failure;
use crate::http::conventions::page::Query;
use crate::http::health::database_answers;

/// How many held orders are shown here.
const SHOWN: u16 = 5;

/// The route, with and without a slash at its end.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/console", get(overview))
        .route("/console/", get(overview))
}

struct Overview;
impl Task for Overview {
    const ACTION: &'static str = "console.overview";
}

async fn overview(
    State(server): State<Shared>,
    staff: Staff<Overview>,
    query: Query,
) -> Result<Response, Failure> {
    let (app, ctx) = (&server.app, &staff.ctx);
    let reach = query
        .read(|query, fields| Some(query.text("figures", fields).unwrap_or_default().to_owned()))?;
    let reach = reach_of(&reach)?;
    let now = app.clock.now();
    let figures = console::figures(app, ctx, reach).await?;
    let queues = console::queues(app, ctx).await?;
    let held = orders::list(app, ctx, Some(Status::Held), None, SHOWN).await?;
    let ages = ages::statistics(app, ctx, Days::default()).await?;
    let held: Vec<Value> = held
        .iter()
        .map(|held| super::orders::order(&held.order, now))
        .collect();
    let values = context! {
        now => words::moment(now, now),
        guide => example::guide(&server, ctx).await?,
        reaches => reaches(reach),
        tiles => tiles(&figures, &queues, &ages, now),
        is_quiet => figures.total().total() == 0,
        chart => charts::columns(&figures.hours, form_of(reach), &NAMES),
        latencies => charts::latencies(&figures.latencies),
        total => charts::total(&figures.total(), &NAMES),
        held,
        parts_of_server => parts(&server, &queues).await,
        base_url => app.orders.base_url.as_ref(),
    };
    staff.page(Section::Overview, "console/overview.html", values)
}

fn reach_of(text: &str) -> Result<Reach, Failure> {
    let known = || Reach::ALL.into_iter().find(|reach| reach.as_str() == text);
    match text {
        "" => Ok(Reach::default()),
        _ => known().ok_or_else(|| Error::new(Code::NotFound, "There are no such figures.").into()),
    }
}

fn reaches(chosen: Reach) -> Vec<Value> {
    let reach = |reach: Reach| {
        let title = match reach {
            Reach::Day => "24 hours",
            Reach::Week => "7 days",
            Reach::Month => "30 days",
        };
        context! { name => reach.as_str(), title, is_here => reach == chosen }
    };
    Reach::ALL.into_iter().map(reach).collect()
}

/// What answers are called.
const NAMES: [&str; 3] = ["Answered", "Refused", "Failed"];

/// How labels of the chart tell the time.
const fn form_of(reach: Reach) -> &'static str {
    match reach {
        Reach::Day => "%H:%M",
        Reach::Week => "%a %-d %b, %H:%M",
        Reach::Month => "%-d %b",
    }
}

/// What one looks at first.
fn tiles(figures: &Figures, queues: &Queues, ages: &Statistics, now: Timestamp) -> Vec<Value> {
    let total = figures.total();
    let tile = |title: &str, value: String, note: String, path: &str, tone: &str| {
        context! { title, value, note, path => Value::from_safe_string(path.to_owned()), tone }
    };
    let next = queues
        .next_deadline
        .map(|end| words::left(end.duration_since(now)));
    let attempts = ages.attempts();
    vec![
        tile(
            "Held orders",
            words::queue(queues.held),
            next.map_or("None is waiting".to_owned(), |left| {
                format!("The oldest has {left} left")
            }),
            "console/orders",
            "",
        ),
        tile(
            "Late orders",
            words::queue(queues.late),
            match queues.late {
                0 => "Nothing to decide".to_owned(),
                _ => "Waiting for your decision".to_owned(),
            },
            "console/orders?status=late",
            if queues.late > 0 { "accent" } else { "" },
        ),
        tile(
            "Answered well",
            words::percent(total.answered, total.total()).unwrap_or_else(|| "–".to_owned()),
            of("request", total.total()),
            "",
            if total.failed > 0 { "bad" } else { "" },
        ),
        tile(
            "Old enough",
            words::percent(ages.totals.passed, attempts).unwrap_or_else(|| "–".to_owned()),
            format!("{} in 30 days", of("age check", attempts)),
            "",
            "",
        ),
    ]
}

/// Of how many a share is.
fn of(what: &str, count: i64) -> String {
    match count {
        0 => format!("No {what}"),
        1 => format!("of 1 {what}"),
        _ => format!("of {} {what}s", words::number(count)),
    }
}

/// The parts of the server, and how each is.
async fn parts(server: &Shared, queues: &Queues) -> Vec<Value> {
    let part = |name: &str, tone: &str, word: &str, note: String| {
        let path = match name {
            "Deliveries" => "console/deliveries",
            "Inbox" => "console/inbox",
            _ => "",
        };
        context! { name, tone, word, note, path => Value::from_safe_string(path.to_owned()) }
    };
    let engine = match server.app.store.engine() {
        "postgres" => "PostgreSQL",
        _ => "SQLite",
    };
    let database = match database_answers(server).await {
        true => part("Database", "good", "Well", engine.to_owned()),
        false => part("Database", "bad", "Away", engine.to_owned()),
    };
    let limits = match server.limiter.quota().health() {
        QuotaHealth::Memory => part("Limits", "good", "Well", "Counted in memory".to_owned()),
        QuotaHealth::Shared => part("Limits", "good", "Well", "Shared through Redis".to_owned()),
        QuotaHealth::Degraded { .. } => {
            let note = "Redis is away: this instance counts alone";
            part("Limits", "wait", "Alone", note.to_owned())
        }
    };
    let waiting = format!("{} waiting", words::queue(queues.waiting));
    let deliveries = match queues.exhausted {
        0 => part("Deliveries", "good", "Well", waiting),
        given_up => {
            let note = format!("{waiting}, {} given up", words::queue(given_up));
            part("Deliveries", "wait", "Look", note)
        }
    };
    let inbox = match queues.parked {
        0 => part("Inbox", "good", "Well", "Nothing is parked".to_owned()),
        parked => {
            let note = format!("{} parked", words::queue(parked));
            part("Inbox", "wait", "Look", note)
        }
    };
    vec![database, limits, deliveries, inbox]
}
