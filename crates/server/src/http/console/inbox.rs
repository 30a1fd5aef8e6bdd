//! The inbox: what others told us by hooks, what became of it, and processing again what was parked.
//! What an event says is not shown, unless somebody asks to see it.

use app::inbox::{self, Listed, Status};
use app::{Code, Error};
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use domain::hook::Source;
use jiff::Timestamp;
use minijinja::{Value, context};
use uuid::Uuid;

use super::door::{Act, Staff, Task};
use super::frame::Section;
use super::words;
use crate::http::Shared;
use crate::http::conventions::failure::Failure;
use crate::http::conventions::page::{Query, unknown_cursor};

/// How many events a page shows.
const PAGE: u16 = 25;

/// The routes.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/console/inbox", get(list))
        .route("/console/inbox/again", post(all_again))
        .route("/console/inbox/{id}", get(show))
        .route("/console/inbox/{id}/open", post(open))
        .route("/console/inbox/{id}/again", post(again))
}

struct List;
impl Task for List {
    const ACTION: &'static str = "console.inbox.list";
}

/// The lists there are.
const LISTS: [(&str, &str, Option<Status>); 3] = [
    ("parked", "Parked", Some(Status::Parked)),
    ("waiting", "Waiting", Some(Status::Waiting)),
    ("all", "All", None),
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
    let chosen = LISTS.into_iter().find(|(name, ..)| *name == list);
    let (name, _, status) =
        chosen.ok_or_else(|| Error::new(Code::NotFound, "There is no such list."))?;
    let before = cursor.as_deref().map(Uuid::try_parse).transpose();
    let before = before.map_err(|_| unknown_cursor())?;
    let mut found = inbox::list_seen(&server.app, &staff.ctx, status, before, PAGE + 1).await?;
    let has_more = found.len() > usize::from(PAGE);
    found.truncate(PAGE.into());
    let now = server.app.clock.now();
    let lists = LISTS
        .into_iter()
        .map(|(entry, title, _)| context! { name => entry, title, is_here => entry == name });
    let values = context! {
        lists => lists.collect::<Vec<_>>(),
        list => name,
        is_first => before.is_none(),
        next => found.last().filter(|_| has_more).map(|event| event.id.to_string()),
        events => found.iter().map(|event| shown(&server, event, now)).collect::<Vec<_>>(),
    };
    staff.page(Section::Inbox, "console/inbox.html", values)
}

/// What a sender is called.
pub const fn sender(source: Source) -> &'static str {
    match source {
        Source::Lightspeed => "Lightspeed",
        Source::Square => "Square",
        Source::Veriff => "Veriff",
    }
}

/// What a status is called, and how it is coloured.
const fn words_of(status: Status) -> (&'static str, &'static str) {
    match status {
        Status::Waiting => ("Waiting", "wait"),
        Status::Done => ("Processed", "good"),
        Status::Ignored => ("Not wanted", "quiet"),
        Status::Parked => ("Parked", "bad"),
    }
}

fn shown(server: &Shared, event: &Listed, now: Timestamp) -> Value {
    let (status, tone) = words_of(event.status);
    let id = event.id.to_string();
    let waits = event.status == Status::Waiting;
    context! {
        path => Value::from_safe_string(format!("console/inbox/{id}")),
        id,
        topic => event.topic.as_str(),
        sender => sender(event.source),
        is_off => !server.hooks.takes(event.source),
        status,
        tone,
        attempts => event.attempts,
        outcome => event.outcome.as_deref().map(|word| word.replace('_', " ")),
        received => words::moment(event.received_at, now),
        finished => event.finished_at.map(|at| words::moment(at, now)),
        due => waits.then(|| words::moment(event.due_at, now)),
        is_kept => event.is_kept,
        can_go_again => event.is_kept && !waits,
    }
}

struct Show;
impl Task for Show {
    const ACTION: &'static str = "console.inbox.show";
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
    const ACTION: &'static str = "console.inbox.open";
}

async fn open(
    State(server): State<Shared>,
    Path(id): Path<String>,
    act: Act<Open>,
) -> Result<Response, Failure> {
    let id = named(&id)?;
    let content = inbox::open(&server.app, &act.staff.ctx, id).await?;
    let content = words::payload(&content);
    page(&server, &act.staff, id, Some(content)).await
}

struct Again;
impl Task for Again {
    const ACTION: &'static str = "console.inbox.again";
}

async fn again(
    State(server): State<Shared>,
    Path(id): Path<String>,
    act: Act<Again>,
) -> Result<Response, Failure> {
    let id = named(&id)?;
    inbox::process_again(&server.app, &act.staff.ctx, id).await?;
    Ok(act.staff.lead_to(&format!("console/inbox/{id}")))
}

struct AllAgain;
impl Task for AllAgain {
    const ACTION: &'static str = "console.inbox.again";
}

async fn all_again(State(server): State<Shared>, act: Act<AllAgain>) -> Result<Response, Failure> {
    inbox::process_parked_again(&server.app, &act.staff.ctx).await?;
    Ok(act.staff.lead_to("console/inbox?status=waiting"))
}

fn named(text: &str) -> Result<Uuid, Failure> {
    let unknown = || Error::new(Code::NotFound, "There is no event of that id.");
    Uuid::try_parse(text).map_err(|_| unknown().into())
}

async fn page<T: Task>(
    server: &Shared,
    staff: &Staff<T>,
    id: Uuid,
    content: Option<String>,
) -> Result<Response, Failure> {
    let event = inbox::see(&server.app, &staff.ctx, id).await?;
    let values = context! {
        event => shown(server, &event, server.app.clock.now()),
        content,
    };
    staff.page(Section::Inbox, "console/event.html", values)
}
