//! Age checks: by day, by reason, by state.

use app::ages::{self, Days, Figures};
use app::console::Hour;
use app::{Code, Error};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use jiff::{SignedDuration, Timestamp};
use minijinja::{Value, context};

use super::door::{Staff, Task};
use super::frame::Section;
use super::{charts, words};
use crate::http::Shared;
use crate::http::conventions::failure::Failure;
use crate::http::conventions::page::Query;

/// The periods there are, in days.
const PERIODS: [(&str, i64); 3] = [("30", 30), ("90", 90), ("365", 365)];

/// The route.
pub fn routes() -> Router<Shared> {
    Router::new().route("/console/ages", get(show))
}

struct Show;
impl Task for Show {
    const ACTION: &'static str = "console.age.show";
}

async fn show(
    State(server): State<Shared>,
    staff: Staff<Show>,
    query: Query,
) -> Result<Response, Failure> {
    let period =
        query.read(|query, fields| Some(query.text("days", fields).unwrap_or("30").to_owned()))?;
    let chosen = PERIODS.into_iter().find(|(name, _)| *name == period);
    let days = chosen.and_then(|(_, days)| Days::new(days));
    let days = days.ok_or_else(|| Error::new(Code::NotFound, "There are no such figures."))?;
    let figures = ages::figures(&server.app, &staff.ctx, days).await?;
    let columns = columns(&figures);
    let total = Hour::sum(&columns);
    let periods = PERIODS.map(|(name, days)| {
        context! { name, title => format!("{days} days"), is_here => name == period }
    });
    let values = context! {
        periods,
        is_quiet => total.total() == 0,
        rate => words::percent(total.answered, total.total()),
        chart => charts::columns(&columns, "%-d %b", &NAMES),
        total => charts::total(&total, &NAMES),
        reasons => figures.reasons.iter().map(|(reason, count)| line(sentence(reason), *count, total.total())).collect::<Vec<_>>(),
        states => figures.states.iter().map(|(state, totals)| {
            let decided = totals.passed + totals.refused;
            context! {
                name => if state == "unknown" { "Not a state" } else { state },
                count => words::number(decided),
                share => words::percent(totals.passed, decided),
            }
        }).collect::<Vec<_>>(),
    };
    staff.page(Section::Ages, "console/ages.html", values)
}

/// What decisions are called.
const NAMES: [&str; 2] = ["Passed", "Refused"];

/// Days as columns; of many days several in one.
fn columns(figures: &Figures) -> Vec<Hour> {
    const MOST: usize = 53;
    let width = figures.days.len().div_ceil(MOST).max(1);
    let columns = figures.days.chunks(width).map(|days| Hour {
        begins_at: days
            .first()
            .map_or(Timestamp::MIN, |first| begin_of(first.day)),
        answered: days.iter().map(|day| day.totals.passed).sum(),
        refused: days.iter().map(|day| day.totals.refused).sum(),
        failed: 0,
    });
    columns.collect()
}

fn begin_of(day: i64) -> Timestamp {
    let since = SignedDuration::from_hours(day.saturating_mul(24));
    Timestamp::UNIX_EPOCH
        .checked_add(since)
        .unwrap_or(Timestamp::MAX)
}

/// Why, of the word that it is counted under.
fn sentence(code: &str) -> &str {
    match code {
        "passed" => "All checks passed",
        "under_minimum_age" => "Not old enough",
        "name_incomplete" => "No first and last name",
        "state_unknown" => "Not a state",
        "birth_date_invalid" => "Not a date of birth",
        "age_implausible" => "Older than anybody",
        "id_digits_malformed" => "Not the last four digits of an ID",
        other => other,
    }
}

fn line(name: &str, count: i64, all: i64) -> Value {
    context! {
        name,
        count => words::number(count),
        share => words::percent(count, all),
        length => count * 1_000 / all.max(1),
    }
}
