//! The paths of the surface.

use app::customers;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use domain::access::Scope;
use http::HeaderMap;

use super::wire;
use crate::http::Shared;
use crate::http::conventions::body::{Body, LARGE};
use crate::http::conventions::failure::Failure;
use crate::http::conventions::once::{self, answer, once};
use crate::http::conventions::permit::{Operation, Permit};

/// The routes.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/api/v1/customer/check-verification", post(check))
        .route("/api/v1/customer/update-verification", post(update))
        .route("/api/v1/customer/bulk-check", post(bulk_check))
}

struct Check;
impl Operation for Check {
    const ACTION: &'static str = "customer.check";
    const SCOPE: Scope = Scope::CustomersRead;
    const LIMITED: bool = true;
}

async fn check(
    State(server): State<Shared>,
    permit: Permit<Check>,
    body: Body,
) -> Result<Response, Failure> {
    let question = body.read(wire::CheckRequest::validate)?;
    let checked = customers::check(&server.app, &permit.ctx, &question).await?;
    Ok(answer(200, wire::checked(&checked)))
}

struct Update;
impl Operation for Update {
    const ACTION: &'static str = "customer.update";
    const SCOPE: Scope = Scope::CustomersWrite;
    const LIMITED: bool = true;
}

async fn update(
    State(server): State<Shared>,
    permit: Permit<Update>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let now = server.app.clock.now();
    let update =
        body.read(|request: wire::UpdateRequest<'_>, fields| request.validate(fields, now))?;
    let key = once::key(&headers, Update::ACTION, body.bytes())?;
    once(&server, &permit.ctx, key, wire::updated, async |reply| {
        customers::update(&server.app, &permit.ctx, update, reply).await
    })
    .await
}

struct BulkCheck;
impl Operation for BulkCheck {
    const ACTION: &'static str = "customer.bulk_check";
    const SCOPE: Scope = Scope::CustomersRead;
    const LIMITED: bool = true;
}

async fn bulk_check(
    State(server): State<Shared>,
    permit: Permit<BulkCheck>,
    body: Body<LARGE>,
) -> Result<Response, Failure> {
    let emails = body.read(wire::BulkRequest::validate)?;
    let checked = customers::bulk_check(&server.app, &permit.ctx, &emails).await?;
    Ok(answer(200, wire::bulk_checked(&emails, &checked)))
}
