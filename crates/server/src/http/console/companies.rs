//! Companies: the list, and of each its name, where its webhooks go and what signs them, its app's
//! link, and whether its credentials are accepted. A webhook secret is shown once, in the answer that
//! made it, and never again.

use std::time::Duration;

use app::companies::{self, CompanyChange, NewCompany, WithSecret};
use app::idempotency::Reply;
use app::{Code, Error};
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use domain::access::CompanyId;
use domain::link::{AppLink, WebhookUrl};
use minijinja::{Value, context};
use store::tables::companies::Company;

use super::door::{Act, Staff, Task};
use super::frame::Section;
use super::words;
use crate::http::Shared;
use crate::http::conventions::failure::Failure;
use crate::http::conventions::form::Parameters;
use crate::http::conventions::page::{Query, unknown_cursor};

/// How many companies a page shows.
const PAGE: u16 = 50;

/// The longest name, in characters.
const LONGEST_NAME: usize = 200;

/// For how long a replaced secret may sign beside the new one, in hours, and what that is called.
const GRACES: [(u64, &str); 4] = [
    (24, "24 hours"),
    (168, "7 days"),
    (1, "1 hour"),
    (0, "not at all"),
];

/// The routes.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/console/companies", get(list).post(create))
        .route("/console/companies/{company}", get(show))
        .route("/console/companies/{company}/change", post(change))
        .route("/console/companies/{company}/secret", post(rotate))
        .route("/console/companies/{company}/on", post(switch_on))
        .route("/console/companies/{company}/off", post(switch_off))
}

/// What a form asks for that is not acceptable: which field, and how it should be.
type Wrong = (&'static str, String);

struct List;
impl Task for List {
    const ACTION: &'static str = "console.company.list";
}

async fn list(
    State(server): State<Shared>,
    staff: Staff<List>,
    query: Query,
) -> Result<Response, Failure> {
    let cursor =
        query.read(|query, fields| Some(query.text("cursor", fields).map(str::to_owned)))?;
    if let Some(cursor) = &cursor {
        CompanyId::parse(cursor).map_err(|_| unknown_cursor())?;
    }
    listed(&server, &staff, cursor.as_deref(), "", None).await
}

async fn listed<T: Task>(
    server: &Shared,
    staff: &Staff<T>,
    after: Option<&str>,
    problem: &str,
    typed: Option<&Parameters>,
) -> Result<Response, Failure> {
    let mut found = companies::list_page(&server.app, after, PAGE + 1).await?;
    let has_more = found.len() > usize::from(PAGE);
    found.truncate(PAGE.into());
    let values = context! {
        companies => found.iter().map(|company| shown(server, staff, company)).collect::<Vec<_>>(),
        is_first => after.is_none(),
        next => found.last().filter(|_| has_more).map(|company| company.company_id.as_str()),
        problem,
        longest => LONGEST_NAME,
        typed => typed.map(retyped),
    };
    staff.page(Section::Companies, "console/companies.html", values)
}

/// What somebody typed, to be typed no second time.
fn retyped(form: &Parameters) -> Value {
    let text = |field| form.get(field).unwrap_or_default().to_owned();
    context! {
        id => text("id"),
        name => text("name"),
        webhook_url => text("webhook_url"),
        app_link => text("app_link"),
    }
}

fn shown<T: Task>(server: &Shared, staff: &Staff<T>, company: &Company) -> Value {
    let now = server.app.clock.now();
    let (state, tone) = match company.is_active {
        true => ("On", "good"),
        false => ("Off", "bad"),
    };
    context! {
        path => path_of(&company.company_id),
        id => company.company_id.as_str(),
        name => company.name.as_str(),
        webhook_url => company.webhook_url.as_deref().unwrap_or_default(),
        app_link => company.app_link.as_deref().unwrap_or_default(),
        is_active => company.is_active,
        is_own => company.company_id == staff.ctx.caller.company(),
        state,
        tone,
        created => words::moment(company.created_at, now),
        updated => words::moment(company.updated_at, now),
    }
}

/// Where a company's page is; an id needs no escaping.
fn path_of(company_id: &str) -> Value {
    Value::from_safe_string(format!("console/companies/{company_id}"))
}

struct Create;
impl Task for Create {
    const ACTION: &'static str = "console.company.create";
}

async fn create(State(server): State<Shared>, act: Act<Create>) -> Result<Response, Failure> {
    let (app, staff) = (&server.app, &act.staff);
    let again = async |error: Error, problem: &str| {
        let shown = listed(&server, staff, None, problem, Some(&act.form)).await?;
        Ok(Failure::from(error).shown_as(shown))
    };
    let new = match new_company(&act.form) {
        Ok(new) => new,
        Err((field, problem)) => {
            return again(Error::invalid_field(field, problem.clone()), &problem).await;
        }
    };
    match companies::create(app, &staff.ctx.exchange, new, Reply::unkept()).await {
        Ok(created) => secret(staff, &created, ""),
        Err(error) if error.problem().code == Code::Conflict => {
            let problem = error.problem().message.clone();
            again(error, &problem).await
        }
        Err(error) => Err(error.into()),
    }
}

fn new_company(form: &Parameters) -> Result<NewCompany, Wrong> {
    let id = CompanyId::parse(form.get("id").unwrap_or_default().trim());
    Ok(NewCompany {
        company_id: id.map_err(|error| ("id", sentence(&error)))?,
        name: name(form)?,
        webhook_url: webhook_url(form)?,
        app_link: app_link(form)?,
    })
}

fn name(form: &Parameters) -> Result<String, Wrong> {
    let name = form.get("name").unwrap_or_default().trim();
    let is_long = name.chars().count() > LONGEST_NAME;
    match name.is_empty() || is_long || name.chars().any(char::is_control) {
        false => Ok(name.to_owned()),
        true => Err(("name", "Give a name of at most 200 characters.".to_owned())),
    }
}

fn webhook_url(form: &Parameters) -> Result<Option<String>, Wrong> {
    let url = form.get("webhook_url").map(WebhookUrl::parse).transpose();
    let url = url.map_err(|error| ("webhook_url", format!("The webhook's address {error}.")))?;
    Ok(url.map(|url| url.as_str().to_owned()))
}

fn app_link(form: &Parameters) -> Result<Option<String>, Wrong> {
    let link = form.get("app_link").map(AppLink::parse).transpose();
    let link = link.map_err(|error| ("app_link", format!("The app's link {error}.")))?;
    Ok(link.map(|link| link.as_str().to_owned()))
}

/// What an error says, as a sentence.
fn sentence(error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    let mut signs = text.chars();
    let first = signs.next().map(|sign| sign.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), signs.as_str())
}

/// The page that shows a secret, this once.
fn secret<T: Task>(staff: &Staff<T>, made: &WithSecret, note: &str) -> Result<Response, Failure> {
    let company = &made.company;
    let Some(secret) = &made.webhook_secret else {
        return Ok(staff.lead_to(&format!("console/companies/{}", company.company_id)));
    };
    let values = context! {
        path => path_of(&company.company_id),
        id => company.company_id.as_str(),
        name_of_company => company.name.as_str(),
        secret => secret.as_str(),
        note,
    };
    staff.page(Section::Companies, "console/secret.html", values)
}

struct Show;
impl Task for Show {
    const ACTION: &'static str = "console.company.show";
}

async fn show(
    State(server): State<Shared>,
    staff: Staff<Show>,
    Path(company): Path<String>,
) -> Result<Response, Failure> {
    let id = named(&company)?;
    let exchange = &staff.ctx.exchange;
    exchange.note_detail(format!("company={id}"));
    page(&server, &staff, &id, "", None).await
}

async fn page<T: Task>(
    server: &Shared,
    staff: &Staff<T>,
    id: &CompanyId,
    problem: &str,
    typed: Option<&Parameters>,
) -> Result<Response, Failure> {
    let app = &server.app;
    let company = companies::get(app, id.as_str()).await?;
    let endpoint = companies::endpoint(app, id.as_str()).await?;
    let now = app.clock.now();
    let values = context! {
        one => shown(server, staff, &company),
        typed => typed.map_or_else(|| shown(server, staff, &company), retyped),
        failing => endpoint.failing_since.map(|since| words::moment(since, now)),
        off => endpoint.off.map(|(since, why)| {
            context! { since => words::moment(since, now), why => why.replace('_', " ") }
        }),
        graces => GRACES.map(|(hours, title)| context! { hours, title }),
        problem,
        longest => LONGEST_NAME,
    };
    staff.page(Section::Companies, "console/company.html", values)
}

/// A text that cannot name a company names none.
fn named(text: &str) -> Result<CompanyId, Failure> {
    CompanyId::parse(text)
        .map_err(|_| Error::new(Code::NotFound, "There is no company of that id.").into())
}

struct Change;
impl Task for Change {
    const ACTION: &'static str = "console.company.change";
}

async fn change(
    State(server): State<Shared>,
    Path(company): Path<String>,
    act: Act<Change>,
) -> Result<Response, Failure> {
    let id = named(&company)?;
    let change = match settings(&act.form) {
        Ok(change) => change,
        Err((field, problem)) => {
            let shown = page(&server, &act.staff, &id, &problem, Some(&act.form)).await?;
            return Ok(Failure::from(Error::invalid_field(field, problem)).shown_as(shown));
        }
    };
    applied(&server, &act.staff, &id, change, "").await
}

fn settings(form: &Parameters) -> Result<CompanyChange, Wrong> {
    Ok(CompanyChange {
        name: Some(name(form)?),
        webhook_url: Some(webhook_url(form)?),
        app_link: Some(app_link(form)?),
        ..CompanyChange::default()
    })
}

/// Changes a company, and shows it, or the secret that was made.
async fn applied<T: Task>(
    server: &Shared,
    staff: &Staff<T>,
    id: &CompanyId,
    change: CompanyChange,
    note: &str,
) -> Result<Response, Failure> {
    let exchange = &staff.ctx.exchange;
    let reply = Reply::unkept();
    let changed = companies::change(&server.app, exchange, id.as_str(), change, reply).await?;
    secret(staff, &changed, note)
}

struct Rotate;
impl Task for Rotate {
    const ACTION: &'static str = "console.company.secret";
}

async fn rotate(
    State(server): State<Shared>,
    Path(company): Path<String>,
    act: Act<Rotate>,
) -> Result<Response, Failure> {
    let id = named(&company)?;
    let hours = act.form.get("grace").and_then(|text| text.parse().ok());
    let grace = GRACES.into_iter().find(|(known, _)| Some(*known) == hours);
    let (hours, title) =
        grace.ok_or_else(|| Error::invalid_field("grace", "must be one of those offered"))?;
    let change = CompanyChange {
        rotate_secret: Some(Duration::from_secs(hours * 60 * 60)),
        ..CompanyChange::default()
    };
    let note = match hours {
        0 => "The secret before it signs no more.".to_owned(),
        _ => format!("The secret before it signs beside it for {title}."),
    };
    applied(&server, &act.staff, &id, change, &note).await
}

struct SwitchOn;
impl Task for SwitchOn {
    const ACTION: &'static str = "console.company.on";
}

async fn switch_on(
    State(server): State<Shared>,
    Path(company): Path<String>,
    act: Act<SwitchOn>,
) -> Result<Response, Failure> {
    applied(&server, &act.staff, &named(&company)?, active(true), "").await
}

struct SwitchOff;
impl Task for SwitchOff {
    const ACTION: &'static str = "console.company.off";
}

async fn switch_off(
    State(server): State<Shared>,
    Path(company): Path<String>,
    act: Act<SwitchOff>,
) -> Result<Response, Failure> {
    applied(&server, &act.staff, &named(&company)?, active(false), "").await
}

fn active(is_active: bool) -> CompanyChange {
    CompanyChange {
        is_active: Some(is_active),
        ..CompanyChange::default()
    }
}
