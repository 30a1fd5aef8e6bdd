//! The paths of the surface.

use app::Code;
use app::ages::{self, Answer, Outcome};
use app::idempotency::IdempotencyKey;
use app::limits::LimitName;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::access::Scope;
use domain::age::UsedUp;
use http::header;
use jiff::Timestamp;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{examples, health, wire};
use crate::http::Shared;
use crate::http::conventions::body::Body;
use crate::http::conventions::failure::{Failure, finished};
use crate::http::conventions::once::{self, SentKeys, once};
use crate::http::conventions::page::Query;
use crate::http::conventions::permit::{Operation, Permit};
use crate::http::openapi::{documented, documented_as};
use crate::metrics;

/// The routes.
pub fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(documented::<Verify>(routes!(verify), &[Code::RateLimited]))
        .routes(documented::<Resubmit>(
            routes!(resubmit),
            &[Code::RateLimited],
        ))
        .routes(documented::<Status>(
            routes!(status),
            &[Code::InvalidRequest],
        ))
        .routes(documented::<Statistics>(routes!(statistics), &[]))
        .routes(documented_as("age.health", routes!(health::health), &[]))
}

struct Verify;
impl Operation for Verify {
    const ACTION: &'static str = "age.verify";
    const SCOPE: Scope = Scope::AgesWrite;
    const LIMIT: Option<LimitName> = None;
}

/// Verify a customer's age
///
/// What the customer typed is checked for being plausible and old enough; it is not an ID check.
/// A customer who passed before is answered from that verification until it expires
/// (`"method":"cache"`). A customer who was refused three times in 24 hours is not checked.
#[utoipa::path(
    post,
    path = "/api/age-verification/verify",
    tag = "Ages",
    params(once::IdempotencyHeader),
    request_body = wire::VerifyRequest,
    responses(
        (status = 200, description = "Old enough", body = wire::Passed),
        (
            status = 400,
            description = "Not verified, or fields are missing or not acceptable",
            body = wire::NotVerified,
            examples(("refused" = (value = json!(examples::refused())))),
        ),
        (
            status = 429,
            description = "Too many refused attempts; nothing was checked",
            body = wire::UsedUp,
            headers(("Retry-After" = i64, description = "In how many seconds attempts are checked again.")),
            examples(("rate_limited" = (value = json!(examples::used_up())))),
        ),
    )
)]
async fn verify(
    State(server): State<Shared>,
    permit: Permit<Verify>,
    sent: SentKeys,
    body: Body,
) -> Result<Response, Failure> {
    let key = once::key(&sent, Verify::ACTION, body.bytes())?;
    answered(&server, permit, &body, key, false).await
}

struct Resubmit;
impl Operation for Resubmit {
    const ACTION: &'static str = "age.resubmit";
    const SCOPE: Scope = Scope::AgesWrite;
    const LIMIT: Option<LimitName> = None;
}

/// Verify a customer's age anew
///
/// The same, but an earlier verification is set aside first; not when the attempts are used up.
#[utoipa::path(
    post,
    path = "/api/age-verification/resubmit",
    tag = "Ages",
    params(once::IdempotencyHeader),
    request_body = wire::VerifyRequest,
    responses(
        (status = 200, description = "Old enough", body = wire::Passed),
        (
            status = 400,
            description = "Not verified, or fields are missing or not acceptable",
            body = wire::NotVerified,
            examples(("refused" = (value = json!(examples::refused())))),
        ),
        (
            status = 429,
            description = "Too many refused attempts; nothing was checked",
            body = wire::UsedUp,
            headers(("Retry-After" = i64, description = "In how many seconds attempts are checked again.")),
            examples(("rate_limited" = (value = json!(examples::used_up())))),
        ),
    )
)]
async fn resubmit(
    State(server): State<Shared>,
    permit: Permit<Resubmit>,
    sent: SentKeys,
    body: Body,
) -> Result<Response, Failure> {
    let key = once::key(&sent, Resubmit::ACTION, body.bytes())?;
    answered(&server, permit, &body, key, true).await
}

async fn answered<O>(
    server: &Shared,
    permit: Permit<O>,
    body: &Body,
    key: Option<IdempotencyKey>,
    anew: bool,
) -> Result<Response, Failure> {
    let request =
        body.read(|request: wire::VerifyRequest<'_>, fields| request.validate(fields, anew))?;
    let (app, ctx) = (&server.app, &permit.ctx);
    ages::note_subject(app, ctx, &request.customer_id);
    let render: once::Render<Answer> = wire::answered;
    let mut used_up = None;
    let response = once(server, ctx, key, render, async |reply| {
        let answer = ages::verify(app, ctx, request, reply).await?;
        metrics::ages::answered(&answer);
        if let Outcome::UsedUp(exhausted) = answer.outcome {
            used_up = Some((exhausted, answer.at));
        }
        Ok::<_, app::Error>(answer)
    });
    let response = response.await?;
    Ok(finished(match used_up {
        None => response,
        Some((exhausted, at)) => come_back_later(&exhausted, at, &ctx.exchange.request_id),
    }))
}

fn come_back_later(exhausted: &UsedUp, at: Timestamp, request_id: &str) -> Response {
    let mut response = once::answer(429, wire::used_up(exhausted, request_id));
    let wait = exhausted.reset_at.duration_since(at);
    let seconds = wait.as_secs() + i64::from(wait.subsec_nanos() > 0);
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, seconds.max(1).into());
    response
}

struct Status;
impl Operation for Status {
    const ACTION: &'static str = "age.status";
    const SCOPE: Scope = Scope::AgesRead;
    const LIMIT: Option<LimitName> = None;
}

/// Look up a customer's verification
///
/// The newest one that passed, whether or not it still holds.
#[utoipa::path(
    get,
    path = "/api/age-verification/status/{customerId}",
    tag = "Ages",
    params(("customerId" = String, Path, description = "The shop's own name for the customer: 1 to 200 characters, percent-encoded", min_length = 1, max_length = 200, example = "customer-81")),
    responses(
        (status = 200, description = "There is one, valid or expired", body = wire::Status),
        (
            status = 404,
            description = "There is none",
            body = wire::NeverVerified,
            examples(("not_found" = (value = json!(examples::never_verified())))),
        ),
    )
)]
async fn status(
    State(server): State<Shared>,
    permit: Permit<Status>,
    Path(customer_id): Path<String>,
) -> Result<Response, Failure> {
    let customer_id = wire::customer_id_in_path(&customer_id)?;
    let status = ages::status(&server.app, &permit.ctx, &customer_id).await?;
    let request_id = &permit.ctx.exchange.request_id;
    Ok(wire::status(&status, &customer_id, request_id))
}

struct Statistics;
impl Operation for Statistics {
    const ACTION: &'static str = "age.statistics";
    const SCOPE: Scope = Scope::StatisticsRead;
    const LIMIT: Option<LimitName> = None;
}

/// Count decisions
///
/// Those of so many days of UTC, today included. Answers that decided nothing (a verification that
/// still holds, attempts used up) do not count.
#[utoipa::path(
    get,
    path = "/api/age-verification/statistics",
    tag = "Ages",
    params(("days" = Option<i64>, Query, description = "How many days", minimum = 1, maximum = 2557, example = 30)),
    responses((status = 200, description = "The counts", body = wire::StatisticsAnswer))
)]
async fn statistics(
    State(server): State<Shared>,
    permit: Permit<Statistics>,
    query: Query,
) -> Result<Response, Failure> {
    let days = query.read(wire::days)?;
    let statistics = ages::statistics(&server.app, &permit.ctx, days).await?;
    Ok(once::answer(200, wire::statistics(&statistics)))
}
