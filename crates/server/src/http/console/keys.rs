//! The company's API keys: made, replaced, revoked. A key itself is shown once, in the answer that
//! made it, and never again.

use std::time::Duration;

use app::idempotency::Reply;
use app::keys::{self, CreatedKey, NewKey};
use app::{Code, Error, companies};
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use domain::access::{CompanyId, KeyId, Scope, Scopes};
use domain::span::Span;
use jiff::Timestamp;
use minijinja::context;

use super::door::{Act, Staff, Task};
use super::frame::Section;
use super::words;
use crate::http::Shared;
use crate::http::conventions::failure::Failure;
use crate::http::conventions::form::Parameters;
use crate::http::conventions::page::{Query, unknown_cursor};

/// How many keys a page shows.
const PAGE: u16 = 50;

/// The longest name of a key, in characters.
const LONGEST_NAME: usize = 200;

/// How long a key is good after it was replaced.
const GRACE: Duration = Duration::from_secs(24 * 60 * 60);

/// What a field is called that gives a scope.
const SCOPE: &str = "scope ";

/// The routes.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/console/keys", get(list).post(create))
        .route("/console/keys/{id}/rotate", post(rotate))
        .route("/console/keys/{id}/revoke", post(revoke))
}

struct List;
impl Task for List {
    const ACTION: &'static str = "console.key.list";
}

async fn list(
    State(server): State<Shared>,
    staff: Staff<List>,
    query: Query,
) -> Result<Response, Failure> {
    let (company, cursor) = query.read(|query, fields| {
        let company = query.text("company", fields).map(str::to_owned);
        Some((company, query.text("cursor", fields).map(str::to_owned)))
    })?;
    if let Some(cursor) = &cursor {
        KeyId::parse(cursor).map_err(|_| unknown_cursor())?;
    }
    let company = whose(&server, &staff, company.as_deref()).await?;
    let exchange = &staff.ctx.exchange;
    exchange.note_detail(format!("company={company}"));
    page(&server, &staff, &company, cursor.as_deref(), "").await
}

/// Whose keys are meant: those of the administrator's own company, unless another one is named.
async fn whose<T: Task>(
    server: &Shared,
    staff: &Staff<T>,
    named: Option<&str>,
) -> Result<CompanyId, Failure> {
    let Some(named) = named else {
        return Ok(staff.ctx.caller.company_id().clone());
    };
    let unknown = || Error::new(Code::NotFound, "There is no company of that id.");
    let company = CompanyId::parse(named).map_err(|_| unknown())?;
    companies::get(&server.app, company.as_str()).await?;
    Ok(company)
}

async fn page<T: Task>(
    server: &Shared,
    staff: &Staff<T>,
    company: &CompanyId,
    after: Option<&str>,
    problem: &str,
) -> Result<Response, Failure> {
    let mut found = keys::list_page(&server.app, Some(company.as_str()), after, PAGE + 1).await?;
    let has_more = found.len() > usize::from(PAGE);
    found.truncate(PAGE.into());
    let now = server.app.clock.now();
    let own = staff.ctx.caller.key().map(|key| key.to_string());
    let rows = found.iter().map(|key| {
        let is_over = key.expires_at.is_some_and(|end| end <= now);
        let (status, tone) = match (key.revoked_at, is_over, &key.replaced_by) {
            (Some(_), ..) => ("Revoked", "bad"),
            (None, true, _) => ("Expired", "quiet"),
            (None, false, Some(_)) => ("Replaced", "wait"),
            (None, false, None) => ("Good", "good"),
        };
        let is_alive = key.revoked_at.is_none() && !is_over;
        context! {
            id => key.id.as_str(),
            name => key.name.as_str(),
            scopes => key.scopes.split_whitespace().map(str::to_owned).collect::<Vec<_>>(),
            status,
            tone,
            is_alive,
            is_whole => is_alive && key.replaced_by.is_none(),
            is_own => own.as_deref() == Some(key.id.as_str()),
            created => words::moment(key.created_at, now),
            ends => key.expires_at.map(|end| words::moment(end, now)),
        }
    });
    let values = context! {
        keys => rows.collect::<Vec<_>>(),
        whose => company.as_str(),
        is_of_another => company != staff.ctx.caller.company_id(),
        is_first => after.is_none(),
        next => found.last().filter(|_| has_more).map(|key| key.id.as_str()),
        scopes => Scope::ALL.map(Scope::as_str),
        problem,
        longest => LONGEST_NAME,
    };
    staff.page(Section::Keys, "console/keys.html", values)
}

struct Create;
impl Task for Create {
    const ACTION: &'static str = "console.key.create";
}

async fn create(State(server): State<Shared>, act: Act<Create>) -> Result<Response, Failure> {
    let (app, staff) = (&server.app, &act.staff);
    let company = whose(&server, staff, act.form.get("company")).await?;
    let new = match wanted(&company, &act.form, app.clock.now()) {
        Ok(new) => new,
        Err((field, problem)) => {
            let shown = page(&server, staff, &company, None, problem).await?;
            return Ok(Failure::from(Error::invalid_field(field, problem)).shown_as(shown));
        }
    };
    let created = keys::create(app, &staff.ctx.exchange, new, Reply::unkept()).await?;
    once(staff, &created, "")
}

/// The key that a form asks for; otherwise which field is wrong, and how.
fn wanted(
    company: &CompanyId,
    form: &Parameters,
    now: Timestamp,
) -> Result<NewKey, (&'static str, &'static str)> {
    let name = form.get("name").unwrap_or_default().trim();
    if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control)
    {
        return Err(("name", "Give the key a name of at most 200 characters."));
    }
    let given = Scope::ALL.into_iter();
    let scopes: Scopes = given
        .filter(|scope| form.names(&format!("{SCOPE}{}", scope.as_str())))
        .collect();
    if scopes.is_empty() {
        return Err((
            "scopes",
            "Say what the key may do: choose at least one scope.",
        ));
    }
    let expires_at = match form.get("ends") {
        None => None,
        Some(text) => {
            let span = Span::parse(text.trim());
            let span = span.map_err(|_| ("ends", "Write a time such as 90d or 1y, or none."))?;
            Some(span.after(now))
        }
    };
    Ok(NewKey {
        company: company.clone(),
        name: name.to_owned(),
        scopes,
        limits: Default::default(),
        expires_at,
    })
}

/// The page that shows a key, this once.
fn once<T: Task>(staff: &Staff<T>, created: &CreatedKey, note: &str) -> Result<Response, Failure> {
    let values = context! {
        key => created.key.expose(),
        name_of_key => created.row.name.as_str(),
        whose => created.row.company_id.as_str(),
        scopes => created.row.scopes.as_str(),
        note,
    };
    staff.page(Section::Keys, "console/key.html", values)
}

struct Rotate;
impl Task for Rotate {
    const ACTION: &'static str = "console.key.rotate";
}

async fn rotate(
    State(server): State<Shared>,
    Path(id): Path<String>,
    act: Act<Rotate>,
) -> Result<Response, Failure> {
    let (app, staff) = (&server.app, &act.staff);
    of_company(&server, &act, &id).await?;
    let exchange = &staff.ctx.exchange;
    let created = keys::rotate(app, exchange, &id, GRACE, Reply::unkept()).await?;
    once(
        staff,
        &created,
        "The key before it is good for 24 hours more.",
    )
}

struct Revoke;
impl Task for Revoke {
    const ACTION: &'static str = "console.key.revoke";
}

async fn revoke(
    State(server): State<Shared>,
    Path(id): Path<String>,
    act: Act<Revoke>,
) -> Result<Response, Failure> {
    let staff = &act.staff;
    let company = of_company(&server, &act, &id).await?;
    keys::revoke(&server.app, &staff.ctx.exchange, &id, Reply::unkept()).await?;
    Ok(staff.lead_to(&format!("console/keys?company={company}")))
}

/// The company that a form about a key is about; the keys of any other are not there.
async fn of_company<T: Task>(
    server: &Shared,
    act: &Act<T>,
    id: &str,
) -> Result<CompanyId, Failure> {
    let company = whose(server, &act.staff, act.form.get("company")).await?;
    let key = keys::get(&server.app, id).await?;
    match key.company_id == company.as_str() {
        true => Ok(company),
        false => Err(Error::new(Code::NotFound, "There is no key of that id.").into()),
    }
}
