//! The paths of keys.

use app::limits::LimitName;
use app::{Code, Error, keys};
use axum::extract::{Path, State};
use axum::response::Response;
use domain::access::{KeyId, Scope};
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
        .routes(documented::<Create>(routes!(create), &[Code::NotFound]))
        .routes(documented::<List>(routes!(list), &[]))
        .routes(documented::<Show>(routes!(show), &[]))
        .routes(documented::<Change>(routes!(change), &[Code::Conflict]))
        .routes(documented::<Rotate>(routes!(rotate), &[Code::Conflict]))
        .routes(documented::<Revoke>(routes!(revoke), &[]))
}

struct Create;
impl Operation for Create {
    const ACTION: &'static str = "key.create";
    const SCOPE: Scope = Scope::Admin;
    const LIMIT: Option<LimitName> = None;
}

/// Make a key
///
/// The answer carries the key itself, this once.
#[utoipa::path(
    post,
    path = "/api/v1/admin/keys",
    tag = "Administration",
    params(once::IdempotencyHeader),
    request_body = wire::KeyRequest,
    responses((status = 201, description = "The key", body = wire::KeyAnswer))
)]
async fn create(
    State(server): State<Shared>,
    permit: Permit<Create>,
    sent: SentKeys,
    body: Body,
) -> Result<Response, Failure> {
    let (app, exchange) = (&server.app, &permit.ctx.exchange);
    let key = once::key(&sent, Create::ACTION, body.bytes())?;
    once(&server, &permit.ctx, key, wire::created, async |reply| {
        let now = app.clock.now();
        let new =
            body.read(|request: wire::KeyRequest<'_>, fields| request.validate(fields, now))?;
        Ok::<_, Failure>(keys::create(app, exchange, new, reply).await?)
    })
    .await
}

struct List;
impl Operation for List {
    const ACTION: &'static str = "key.list";
    const SCOPE: Scope = Scope::Admin;
    const LIMIT: Option<LimitName> = None;
}

/// List keys
///
/// Oldest first, one page at a time; those that have ended, too.
#[utoipa::path(
    get,
    path = "/api/v1/admin/keys",
    tag = "Administration",
    params(
        ("company" = Option<String>, Query, description = "Only the keys of this company", example = "acme"),
        PageParameters,
    ),
    responses((status = 200, description = "A page of keys", body = wire::KeysAnswer))
)]
async fn list(
    State(server): State<Shared>,
    _permit: Permit<List>,
    query: Query,
) -> Result<Response, Failure> {
    let (company, page) = query.read(wire::list_query)?;
    if let Some(cursor) = &page.cursor {
        known(&server, cursor).await?;
    }
    let company = company.as_ref().map(|company| company.as_str());
    let after = page.cursor.as_deref();
    let mut found = keys::list_page(&server.app, company, after, page.wanted()).await?;
    let next = page.cut(&mut found, |key| &key.id);
    Ok(answer(200, wire::listed(&found, next)))
}

/// Refuses a cursor that is no key's id.
async fn known(server: &Shared, cursor: &str) -> Result<(), Failure> {
    let id = KeyId::parse(cursor).map_err(|_| unknown_cursor())?;
    match keys::get(&server.app, id.as_str()).await {
        Ok(_) => Ok(()),
        Err(error) if error.problem().code == Code::NotFound => Err(unknown_cursor()),
        Err(error) => Err(error.into()),
    }
}

struct Show;
impl Operation for Show {
    const ACTION: &'static str = "key.show";
    const SCOPE: Scope = Scope::Admin;
    const LIMIT: Option<LimitName> = None;
}

/// Show a key
///
/// What is known of it; the key itself is never shown again.
#[utoipa::path(
    get,
    path = "/api/v1/admin/keys/{id}",
    tag = "Administration",
    params(("id" = String, Path, description = "The key's id: the part between `bf_` and the next `_`", example = "k7m2p9w4x3qa")),
    responses((status = 200, description = "The key's record", body = wire::KeyAnswer))
)]
async fn show(
    State(server): State<Shared>,
    _permit: Permit<Show>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let id = key_id(&id)?;
    let key = keys::get(&server.app, id.as_str()).await?;
    Ok(answer(200, wire::shown(&key).1))
}

struct Change;
impl Operation for Change {
    const ACTION: &'static str = "key.change";
    const SCOPE: Scope = Scope::Admin;
    const LIMIT: Option<LimitName> = None;
}

/// Change a key
///
/// What is not named stays as it is; `limits` replaces all limits of the key's
/// own. A key's company and scopes never change, and a key that is revoked,
/// expired or replaced stays so.
#[utoipa::path(
    patch,
    path = "/api/v1/admin/keys/{id}",
    tag = "Administration",
    params(
        ("id" = String, Path, description = "The key's id", example = "k7m2p9w4x3qa"),
        once::IdempotencyHeader,
    ),
    request_body = wire::KeyChangeRequest,
    responses((status = 200, description = "The key's record as it is now", body = wire::KeyAnswer))
)]
async fn change(
    State(server): State<Shared>,
    permit: Permit<Change>,
    Path(id): Path<String>,
    sent: SentKeys,
    body: Body,
) -> Result<Response, Failure> {
    let (app, exchange) = (&server.app, &permit.ctx.exchange);
    let id = key_id(&id)?;
    let key = once::key_about(&sent, Change::ACTION, id.as_str(), body.bytes())?;
    once(&server, &permit.ctx, key, wire::shown, async |reply| {
        let now = app.clock.now();
        let change =
            body.read(|request: wire::KeyChangeRequest<'_>, fields| request.validate(fields, now))?;
        Ok::<_, Failure>(keys::change(app, exchange, id.as_str(), change, reply).await?)
    })
    .await
}

struct Rotate;
impl Operation for Rotate {
    const ACTION: &'static str = "key.rotate";
    const SCOPE: Scope = Scope::Admin;
    const LIMIT: Option<LimitName> = None;
}

/// Replace a key
///
/// By a new one of the same company, name, scopes and limits, which the answer
/// carries, this once; the old one is accepted for `grace` longer.
#[utoipa::path(
    post,
    path = "/api/v1/admin/keys/{id}/rotate",
    tag = "Administration",
    params(
        ("id" = String, Path, description = "The key's id", example = "k7m2p9w4x3qa"),
        once::IdempotencyHeader,
    ),
    request_body = Option<wire::RotateRequest>,
    responses((status = 201, description = "The new key", body = wire::KeyAnswer))
)]
async fn rotate(
    State(server): State<Shared>,
    permit: Permit<Rotate>,
    Path(id): Path<String>,
    sent: SentKeys,
    body: Body,
) -> Result<Response, Failure> {
    let now = server.app.clock.now();
    let grace =
        body.read_if_any(|request: wire::RotateRequest<'_>, fields| request.validate(fields, now))?;
    let id = key_id(&id)?;
    let key = once::key_about(&sent, Rotate::ACTION, id.as_str(), body.bytes())?;
    once(&server, &permit.ctx, key, wire::created, async |reply| {
        keys::rotate(&server.app, &permit.ctx.exchange, id.as_str(), grace, reply).await
    })
    .await
}

struct Revoke;
impl Operation for Revoke {
    const ACTION: &'static str = "key.revoke";
    const SCOPE: Scope = Scope::Admin;
    const LIMIT: Option<LimitName> = None;
}

/// End a key
///
/// It and every token made from it are refused within a second. Ending it again
/// changes nothing.
#[utoipa::path(
    post,
    path = "/api/v1/admin/keys/{id}/revoke",
    tag = "Administration",
    params(
        ("id" = String, Path, description = "The key's id", example = "k7m2p9w4x3qa"),
        once::IdempotencyHeader,
    ),
    request_body = Option<wire::RevokeRequest>,
    responses((status = 200, description = "The key's record", body = wire::KeyAnswer))
)]
async fn revoke(
    State(server): State<Shared>,
    permit: Permit<Revoke>,
    Path(id): Path<String>,
    sent: SentKeys,
    body: Body,
) -> Result<Response, Failure> {
    // Nothing is asked for, but what comes is looked at like any other body.
    body.read_if_any(|_: wire::RevokeRequest, _| Some(()))?;
    let id = key_id(&id)?;
    let key = once::key_about(&sent, Revoke::ACTION, id.as_str(), body.bytes())?;
    once(&server, &permit.ctx, key, wire::shown, async |reply| {
        keys::revoke(&server.app, &permit.ctx.exchange, id.as_str(), reply).await
    })
    .await
}

/// A text that cannot name a key names none.
fn key_id(text: &str) -> Result<KeyId, Failure> {
    KeyId::parse(text).map_err(|_| Error::new(Code::NotFound, "There is no key of that id.").into())
}
