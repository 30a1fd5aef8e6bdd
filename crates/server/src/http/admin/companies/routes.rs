//! The paths of companies.

use app::limits::LimitName;
use app::{Code, Error, companies};
use axum::extract::{Path, State};
use axum::response::Response;
use domain::access::{CompanyId, Scope};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::wire;
use crate::http::Shared;
use crate::http::conventions::body::Body;
use crate::http::conventions::failure::Failure;
use crate::http::conventions::once::{self, SentKeys, answer, once};
use crate::http::conventions::page::{PageParameters, Query, unknown_cursor};
use crate::http::conventions::permit::{Operation, Permit};
use crate::http::openapi::documented;

/// The routes.
pub fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(documented::<Create>(routes!(create), &[Code::Conflict]))
        .routes(documented::<List>(routes!(list), &[]))
        .routes(documented::<Show>(routes!(show), &[]))
        .routes(documented::<Change>(routes!(change), &[Code::Conflict]))
}

struct Create;
impl Operation for Create {
    const ACTION: &'static str = "company.create";
    const SCOPE: Scope = Scope::Admin;
    const LIMIT: Option<LimitName> = None;
}

/// Add a company
///
/// The answer carries the secret of its webhooks, this once.
#[utoipa::path(
    post,
    path = "/api/v1/admin/companies",
    tag = "Administration",
    params(once::IdempotencyHeader),
    request_body = wire::CompanyRequest,
    responses((status = 201, description = "The company, and its webhook secret", body = wire::CompanyAnswer))
)]
async fn create(
    State(server): State<Shared>,
    permit: Permit<Create>,
    sent: SentKeys,
    body: Body,
) -> Result<Response, Failure> {
    let company = body.read(wire::CompanyRequest::validate)?;
    let key = once::key(&sent, Create::ACTION, body.bytes())?;
    once(&server, &permit.ctx, key, wire::created, async |reply| {
        companies::create(&server.app, &permit.ctx.exchange, company, reply).await
    })
    .await
}

struct List;
impl Operation for List {
    const ACTION: &'static str = "company.list";
    const SCOPE: Scope = Scope::Admin;
    const LIMIT: Option<LimitName> = None;
}

/// List companies
///
/// By id, one page at a time.
#[utoipa::path(
    get,
    path = "/api/v1/admin/companies",
    tag = "Administration",
    params(PageParameters),
    responses((status = 200, description = "A page of companies", body = wire::CompaniesAnswer))
)]
async fn list(
    State(server): State<Shared>,
    _permit: Permit<List>,
    query: Query,
) -> Result<Response, Failure> {
    let page = query.read(|query, fields| Some(query.page(fields)))?;
    let after = match &page.cursor {
        None => None,
        Some(cursor) => Some(CompanyId::parse(cursor).map_err(|_| unknown_cursor())?),
    };
    let after = after.as_ref().map(CompanyId::as_str);
    let mut found = companies::list_page(&server.app, after, page.wanted()).await?;
    let next = page.cut(&mut found, |company| &company.company_id);
    Ok(answer(200, wire::listed(found, next)))
}

struct Show;
impl Operation for Show {
    const ACTION: &'static str = "company.show";
    const SCOPE: Scope = Scope::Admin;
    const LIMIT: Option<LimitName> = None;
}

/// Show a company
///
/// With its webhook's address, and without the secret that signs what is sent there.
#[utoipa::path(
    get,
    path = "/api/v1/admin/companies/{company_id}",
    tag = "Administration",
    params(("company_id" = String, Path, description = "The company's id", example = "acme")),
    responses((status = 200, description = "The company", body = wire::CompanyAnswer))
)]
async fn show(
    State(server): State<Shared>,
    _permit: Permit<Show>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let id = company_id(&id)?;
    let company = companies::get(&server.app, id.as_str()).await?;
    Ok(answer(200, wire::shown(company)))
}

struct Change;
impl Operation for Change {
    const ACTION: &'static str = "company.change";
    const SCOPE: Scope = Scope::Admin;
    const LIMIT: Option<LimitName> = None;
}

/// Change a company
///
/// What is not named stays as it is. Switching a company off refuses its
/// credentials within a second; the company of the caller's own credential cannot
/// be switched off here. With `rotate_secret` the answer carries the new webhook
/// secret, this once, and the old one signs beside it for `grace`.
#[utoipa::path(
    patch,
    path = "/api/v1/admin/companies/{company_id}",
    tag = "Administration",
    params(
        ("company_id" = String, Path, description = "The company's id", example = "acme"),
        once::IdempotencyHeader,
    ),
    request_body = wire::CompanyChangeRequest,
    responses((status = 200, description = "The company as it is now", body = wire::CompanyAnswer))
)]
async fn change(
    State(server): State<Shared>,
    permit: Permit<Change>,
    Path(id): Path<String>,
    sent: SentKeys,
    body: Body,
) -> Result<Response, Failure> {
    let now = server.app.clock.now();
    let change =
        body.read(|request: wire::CompanyChangeRequest<'_>, fields| request.validate(fields, now))?;
    let id = company_id(&id)?;
    let key = once::key_about(&sent, Change::ACTION, id.as_str(), body.bytes())?;
    once(&server, &permit.ctx, key, wire::changed, async |reply| {
        companies::change(
            &server.app,
            &permit.ctx.exchange,
            id.as_str(),
            change,
            reply,
        )
        .await
    })
    .await
}

/// A text that cannot name a company names none.
fn company_id(text: &str) -> Result<CompanyId, Failure> {
    CompanyId::parse(text)
        .map_err(|_| Error::new(Code::NotFound, "There is no company of that id.").into())
}
