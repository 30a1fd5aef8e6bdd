//! Where somebody is signed in, and signing out: here, there, everywhere.

use app::console;
use app::{Code, Error};
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::header;
use minijinja::{Value, context};
use uuid::Uuid;

use super::door::{Act, Staff, Task};
use super::frame::Section;
use super::words;
use crate::http::Shared;
use crate::http::conventions::failure::Failure;

/// The routes.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/console/sessions", get(list))
        .route("/console/sessions/{id}/end", post(end))
        .route("/console/sign-out", post(sign_out))
        .route("/console/sign-out-everywhere", post(sign_out_everywhere))
}

struct List;
impl Task for List {
    const ACTION: &'static str = "console.session.list";
}

async fn list(State(server): State<Shared>, staff: Staff<List>) -> Result<Response, Failure> {
    let sessions = console::list(&server.app, &staff.ctx).await?;
    let now = server.app.clock.now();
    let sessions: Vec<Value> = sessions
        .iter()
        .map(|session| {
            context! {
                id => session.id.to_string(),
                address => session.address.as_str(),
                browser => words::browser(&session.agent),
                began => words::moment(session.began_at, now),
                seen => words::moment(session.seen_at, now),
                is_this => session.id == staff.session.id,
            }
        })
        .collect();
    let values = context! {
        sessions,
        credential => staff.ctx.caller.credential(),
    };
    staff.page(Section::Sessions, "console/sessions.html", values)
}

struct End;
impl Task for End {
    const ACTION: &'static str = "console.session.end";
}

async fn end(
    State(server): State<Shared>,
    Path(id): Path<String>,
    act: Act<End>,
) -> Result<Response, Failure> {
    let staff = &act.staff;
    let unknown = || Error::new(Code::NotFound, "There is no such session.");
    let id = Uuid::try_parse(&id).map_err(|_| unknown())?;
    console::end(&server.app, &staff.ctx, id).await?;
    Ok(match id == staff.session.id {
        true => farewell(staff),
        false => staff.lead_to("console/sessions"),
    })
}

struct SignOut;
impl Task for SignOut {
    const ACTION: &'static str = "console.sign_out";
}

async fn sign_out(State(server): State<Shared>, act: Act<SignOut>) -> Result<Response, Failure> {
    let staff = &act.staff;
    console::end(&server.app, &staff.ctx, staff.session.id).await?;
    Ok(farewell(staff))
}

struct SignOutEverywhere;
impl Task for SignOutEverywhere {
    const ACTION: &'static str = "console.sign_out_everywhere";
}

async fn sign_out_everywhere(
    State(server): State<Shared>,
    act: Act<SignOutEverywhere>,
) -> Result<Response, Failure> {
    console::end_all(&server.app, &act.staff.ctx).await?;
    Ok(farewell(&act.staff))
}

/// The browser forgets the session that is over.
fn farewell<T: Task>(staff: &Staff<T>) -> Response {
    let mut answer = staff.lead_to("console");
    if let Some(cookie) = staff.transport.forget() {
        answer.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    answer
}
