//! Deliveries: the list by what became of them, one with its attempts and what is in it, and making it
//! again.

use app::deliveries::{self, Attempt, Seen, Status};
use app::{Code, Error};
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use jiff::Timestamp;
use minijinja::{Value, context};
use uuid::Uuid;

use super::door::{Act, Staff, Task};
use super::frame::Section;
use super::words;
use crate::http::Shared;
use crate::http::conventions::failure::Failure;
use crate::http::conventions::page::{Query, unknown_cursor};

/// How many deliveries a page shows.
const PAGE: u16 = 25;

/// The routes.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/console/deliveries", get(list))
        .route("/console/deliveries/{id}", get(show))
        .route("/console/deliveries/{id}/open", post(open))
        .route("/console/deliveries/{id}/again", post(again))
}

struct List;
impl Task for List {
    const ACTION: &'static str = "console.delivery.list";
}

/// The lists there are: of one status, or of all.
const LISTS: [(&str, Option<Status>); 4] = [
    ("exhausted", Some(Status::Exhausted)),
    ("waiting", Some(Status::Waiting)),
    ("delivered", Some(Status::Delivered)),
    ("all", None),
];

async fn list(
    State(server): State<Shared>,
    staff: Staff<List>,
    query: Query,
) -> Result<Response, Failure> {
    let (list, cursor) = query.read(|query, fields| {
        let list = query.text("status", fields).unwrap_or("all").to_owned();
        Some((list, query.text("cursor", fields).map(str::to_owned)))
    })?;
    let chosen = LISTS.into_iter().find(|(name, _)| *name == list);
    let (name, status) =
        chosen.ok_or_else(|| Error::new(Code::NotFound, "There is no such list."))?;
    let before = cursor.as_deref().map(Uuid::try_parse).transpose();
    let before = before.map_err(|_| unknown_cursor())?;
    let (app, ctx) = (&server.app, &staff.ctx);
    let mut found = deliveries::list_seen(app, ctx, status, before, PAGE + 1).await?;
    let has_more = found.len() > usize::from(PAGE);
    found.truncate(PAGE.into());
    let next = found.last().filter(|_| has_more);
    let now = server.app.clock.now();
    let lists = LISTS.into_iter().map(|(entry, status)| {
        context! {
            name => entry,
            title => status.map_or("All", |status| words_of(status).0),
            is_here => entry == name,
        }
    });
    let values = context! {
        lists => lists.collect::<Vec<_>>(),
        list => name,
        is_first => before.is_none(),
        next => next.map(|seen| seen.delivery.id.to_string()),
        deliveries => found.iter().map(|seen| shown(seen, now)).collect::<Vec<_>>(),
    };
    staff.page(Section::Deliveries, "console/deliveries.html", values)
}

/// What a status is called, and how it is coloured.
const fn words_of(status: Status) -> (&'static str, &'static str) {
    match status {
        Status::Waiting => ("Waiting", "wait"),
        Status::Delivered => ("Delivered", "good"),
        Status::Exhausted => ("Given up", "bad"),
    }
}

fn shown(seen: &Seen, now: Timestamp) -> Value {
    let delivery = &seen.delivery;
    let (status, tone) = words_of(delivery.status);
    let id = delivery.id.to_string();
    let channel = seen.receiver.split(':').next().unwrap_or_default();
    context! {
        path => Value::from_safe_string(format!("console/deliveries/{id}")),
        id,
        topic => delivery.topic.as_str(),
        channel,
        status,
        tone,
        attempts => delivery.attempts,
        outcome => delivery.outcome.as_deref().map(|word| word.replace('_', " ")),
        created => words::moment(delivery.created_at, now),
        finished => delivery.finished_at.map(|at| words::moment(at, now)),
        due => (delivery.status == Status::Waiting).then(|| words::moment(delivery.due_at, now)),
    }
}

struct Show;
impl Task for Show {
    const ACTION: &'static str = "console.delivery.show";
}

async fn show(
    State(server): State<Shared>,
    staff: Staff<Show>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    page(&server, &staff, named(&id)?, None).await
}

struct Open;
impl Task for Open {
    const ACTION: &'static str = "console.delivery.open";
}

async fn open(
    State(server): State<Shared>,
    Path(id): Path<String>,
    act: Act<Open>,
) -> Result<Response, Failure> {
    let id = named(&id)?;
    let payload = deliveries::open(&server.app, &act.staff.ctx, id).await?;
    let payload = words::payload(&payload);
    page(&server, &act.staff, id, Some(payload)).await
}

struct Again;
impl Task for Again {
    const ACTION: &'static str = "console.delivery.again";
}

async fn again(
    State(server): State<Shared>,
    Path(id): Path<String>,
    act: Act<Again>,
) -> Result<Response, Failure> {
    let id = named(&id)?;
    deliveries::make_again(&server.app, &act.staff.ctx, id).await?;
    Ok(act.staff.lead_to(&format!("console/deliveries/{id}")))
}

fn named(text: &str) -> Result<Uuid, Failure> {
    let unknown = || Error::new(Code::NotFound, "There is no delivery of that id.");
    Uuid::try_parse(text).map_err(|_| unknown().into())
}

async fn page<T: Task>(
    server: &Shared,
    staff: &Staff<T>,
    id: Uuid,
    payload: Option<String>,
) -> Result<Response, Failure> {
    let (seen, attempts) = deliveries::see(&server.app, &staff.ctx, id).await?;
    let now = server.app.clock.now();
    let attempts = attempts.iter().rev().map(|attempt| tried(attempt, now));
    let values = context! {
        delivery => shown(&seen, now),
        attempts => attempts.collect::<Vec<_>>(),
        payload,
        can_go_again => seen.delivery.status != Status::Waiting,
    };
    staff.page(Section::Deliveries, "console/delivery.html", values)
}

fn tried(attempt: &Attempt, now: Timestamp) -> Value {
    let is_well = matches!(attempt.outcome.as_str(), "delivered" | "printed");
    context! {
        number => attempt.number,
        at => words::moment(attempt.started_at, now),
        took => words::took(attempt.took),
        outcome => attempt.outcome.replace('_', " "),
        tone => if is_well { "good" } else { "bad" },
        status => attempt.status,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_list() {
        for status in Status::ALL {
            let list = LISTS.iter().find(|(_, of)| *of == Some(status));
            assert_eq!(list.unwrap().0, status.as_str());
        }
    }
}
