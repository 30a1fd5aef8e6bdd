//! The paths of the surface.

use app::limits::LimitName;
use app::{Code, customers, veriff};
use axum::extract::State;
use axum::response::Response;
use domain::access::Scope;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{personal, wire};
use crate::http::Shared;
use crate::http::conventions::body::{Body, LARGE};
use crate::http::conventions::customer::CheckAnswer;
use crate::http::conventions::failure::Failure;
use crate::http::conventions::once::{self, SentKeys, answer, once};
use crate::http::conventions::permit::{Operation, Permit};
use crate::http::openapi::documented;

/// The routes.
pub fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(documented::<Check>(routes!(check), &[]))
        .routes(documented::<Update>(routes!(update), &[]))
        .routes(documented::<BulkCheck>(routes!(bulk_check), &[]))
        .routes(documented::<StartVeriff>(
            routes!(start_veriff),
            &[Code::NotConfigured],
        ))
        .merge(personal::routes())
}

struct Check;
impl Operation for Check {
    const ACTION: &'static str = "customer.check";
    const SCOPE: Scope = Scope::CustomersRead;
    const LIMIT: Option<LimitName> = Some(LimitName::Customers);
}

/// Check a customer
///
/// Looked for by e-mail address first, then by phone number; one of them is
/// enough. A customer who is not known is an answer, not a failure.
#[utoipa::path(
    post,
    path = "/api/v1/customer/check-verification",
    tag = "Customers",
    request_body = wire::CheckRequest,
    responses((status = 200, description = "What is proven", body = CheckAnswer))
)]
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
    const LIMIT: Option<LimitName> = Some(LimitName::Customers);
}

/// Record a proof, or withdraw it
///
/// The customer is created if need be. What happened earlier (`occurred_at`) never
/// overwrites what happened later; the answer is the same.
#[utoipa::path(
    post,
    path = "/api/v1/customer/update-verification",
    tag = "Customers",
    params(once::IdempotencyHeader),
    request_body = wire::UpdateRequest,
    responses((status = 200, description = "Recorded", body = wire::UpdateAnswer))
)]
async fn update(
    State(server): State<Shared>,
    permit: Permit<Update>,
    sent: SentKeys,
    body: Body,
) -> Result<Response, Failure> {
    let now = server.app.clock.now();
    let update =
        body.read(|request: wire::UpdateRequest<'_>, fields| request.validate(fields, now))?;
    let key = once::key(&sent, Update::ACTION, body.bytes())?;
    once(&server, &permit.ctx, key, wire::updated, async |reply| {
        customers::update(&server.app, &permit.ctx, update, reply).await
    })
    .await
}

struct BulkCheck;
impl Operation for BulkCheck {
    const ACTION: &'static str = "customer.bulk_check";
    const SCOPE: Scope = Scope::CustomersRead;
    const LIMIT: Option<LimitName> = Some(LimitName::Customers);
}

/// Check many customers
///
/// Results come in the order of the addresses. Counts as one request.
#[utoipa::path(
    post,
    path = "/api/v1/customer/bulk-check",
    tag = "Customers",
    request_body = wire::BulkRequest,
    responses((status = 200, description = "What is proven about each", body = wire::BulkAnswer))
)]
async fn bulk_check(
    State(server): State<Shared>,
    permit: Permit<BulkCheck>,
    body: Body<LARGE>,
) -> Result<Response, Failure> {
    let emails = body.read(wire::BulkRequest::validate)?;
    let checked = customers::bulk_check(&server.app, &permit.ctx, &emails).await?;
    Ok(answer(200, wire::bulk_checked(&emails, &checked)))
}

struct StartVeriff;
impl Operation for StartVeriff {
    const ACTION: &'static str = "customer.start_veriff";
    const SCOPE: Scope = Scope::CustomersWrite;
    const LIMIT: Option<LimitName> = Some(LimitName::Customers);
}

/// Send a customer to Veriff
///
/// Answers the address where the customer shows an ID: that of the session under
/// way, or of a new one. The customer is created if need be. Whoever has the
/// address can go on in the customer's place: give it to nobody else.
#[utoipa::path(
    post,
    path = "/api/v1/customer/start-veriff",
    tag = "Customers",
    params(once::IdempotencyHeader),
    request_body = wire::StartVeriffRequest,
    responses((status = 200, description = "Where the customer goes", body = wire::StartVeriffAnswer))
)]
async fn start_veriff(
    State(server): State<Shared>,
    permit: Permit<StartVeriff>,
    sent: SentKeys,
    body: Body,
) -> Result<Response, Failure> {
    let email = body.read(wire::StartVeriffRequest::validate)?;
    let key = once::key(&sent, StartVeriff::ACTION, body.bytes())?;
    once(&server, &permit.ctx, key, wire::started, async |reply| {
        let veriff = server.veriff.as_ref();
        veriff::start(&server.app, veriff, &permit.ctx, email, None, reply).await
    })
    .await
}
