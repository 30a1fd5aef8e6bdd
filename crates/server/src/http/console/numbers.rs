//! Sessions of number verification: the newest first, numbers masked.

use app::numbers::{self, Listed};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use domain::number::{SessionId, Status};
use jiff::Timestamp;
use minijinja::{Value, context};

use super::door::{Staff, Task};
use super::frame::Section;
use super::words;
use crate::http::Shared;
use crate::http::conventions::failure::Failure;
use crate::http::conventions::page::{Query, unknown_cursor};

/// How many sessions a page shows.
const PAGE: u16 = 25;

/// The route.
pub fn routes() -> Router<Shared> {
    Router::new().route("/console/numbers", get(list))
}

struct List;
impl Task for List {
    const ACTION: &'static str = "console.number.list";
}

async fn list(
    State(server): State<Shared>,
    staff: Staff<List>,
    query: Query,
) -> Result<Response, Failure> {
    let cursor =
        query.read(|query, fields| Some(query.text("cursor", fields).map(str::to_owned)))?;
    let before = cursor.map(|text| SessionId::parse(&text).ok_or_else(unknown_cursor));
    let before = before.transpose()?;
    let is_first = before.is_none();
    let mut found = numbers::list(&server.app, &staff.ctx, before, PAGE + 1).await?;
    let has_more = found.len() > usize::from(PAGE);
    found.truncate(PAGE.into());
    let now = server.app.clock.now();
    let values = context! {
        is_first,
        next => found.last().filter(|_| has_more).map(|last| last.id.as_str()),
        sessions => found.iter().map(|listed| shown(listed, now)).collect::<Vec<_>>(),
    };
    staff.page(Section::Numbers, "console/numbers.html", values)
}

fn shown(listed: &Listed, now: Timestamp) -> Value {
    let Some(session) = &listed.shown else {
        return context! { number => "Erased", status => "Erased", tone => "quiet" };
    };
    let (status, tone) = match session.status {
        Status::Pending => ("Pending", "wait"),
        Status::Verified => ("Verified", "good"),
        Status::Failed => ("Failed", "bad"),
        Status::Expired => ("Expired", "quiet"),
    };
    context! {
        number => session.masked_number.as_str(),
        request => session.request_id.as_str(),
        status,
        tone,
        began => words::moment(session.created_at, now),
        ended => match session.status {
            Status::Verified => session.verified_at.map(|at| words::moment(at, now)),
            Status::Expired => Some(words::moment(session.expires_at, now)),
            Status::Pending | Status::Failed => None,
        },
        left => (session.status == Status::Pending).then(|| context! {
            ends => words::moment(session.expires_at, now),
            left => words::left(session.expires_at.duration_since(now)),
            elapsed => words::elapsed(session.created_at, session.expires_at, now),
        }),
    }
}
