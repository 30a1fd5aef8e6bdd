//! The paths of the surface.

use app::limits::LimitName;
use app::{Code, Ctx, credentials::Refusal, numbers};
use axum::extract::{Path, State};
use axum::response::Response;
use domain::access::Scope;
use domain::number::SessionId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::wire;
use crate::http::conventions::body::Body;
use crate::http::conventions::failure::Failure;
use crate::http::conventions::once::{self, SentKeys, answer, once};
use crate::http::conventions::permit::{Offered, Operation, Permit};
use crate::http::openapi::{documented, documented_offered};
use crate::http::{Server, Shared};

/// The routes.
pub fn routes() -> OpenApiRouter<Shared> {
    let closed = [
        Code::NotFound,
        Code::SessionClosed,
        Code::SessionExpired,
        Code::InvalidNumber,
        Code::RateLimited,
    ];
    OpenApiRouter::new()
        .routes(documented::<Initiate>(
            routes!(initiate),
            &[Code::InvalidNumber, Code::Conflict],
        ))
        .routes(documented_offered::<Submit>(routes!(submit), &closed))
        .routes(documented::<Status>(
            routes!(status),
            &[Code::InvalidRequest],
        ))
}

struct Initiate;
impl Operation for Initiate {
    const ACTION: &'static str = "number.initiate";
    const SCOPE: Scope = Scope::NumbersWrite;
    const LIMIT: Option<LimitName> = Some(LimitName::Initiate);
}

/// Open a session
///
/// Send its `deepLink` to the number. The same `requestId` again, while its session is pending, is
/// the same session with a fresh link; the link before is dead.
#[utoipa::path(
    post,
    path = "/api/v1/verification/initiate",
    tag = "Numbers",
    params(once::IdempotencyHeader),
    request_body = wire::InitiateRequest,
    responses(
        (status = 201, description = "Opened", body = wire::InitiateAnswer),
        (status = 200, description = "Pending already; the link is fresh", body = wire::InitiateAnswer),
    )
)]
async fn initiate(
    State(server): State<Shared>,
    permit: Permit<Initiate>,
    sent: SentKeys,
    body: Body,
) -> Result<Response, Failure> {
    let request = body.read(wire::InitiateRequest::validate)?;
    let key = once::key(&sent, Initiate::ACTION, body.bytes())?;
    once(&server, &permit.ctx, key, wire::initiated, async |reply| {
        numbers::initiate(&server.app, &permit.ctx, request, reply).await
    })
    .await
}

struct Submit;
impl Operation for Submit {
    const ACTION: &'static str = "number.submit";
    const SCOPE: Scope = Scope::NumbersWrite;
    // Per session, which is known only from the body.
    const LIMIT: Option<LimitName> = None;
}

/// Name the number
///
/// By the company's app: authorised by the session's one-time `token`, or by a credential of the
/// company. The answer never tells the number.
#[utoipa::path(
    post,
    path = "/api/v1/verification/submit",
    tag = "Numbers",
    params(once::IdempotencyHeader),
    request_body = wire::SubmitRequest,
    responses((status = 200, description = "It is the number, or it is not", body = wire::SubmitAnswer))
)]
async fn submit(
    State(server): State<Shared>,
    offered: Offered<Submit>,
    sent: SentKeys,
    body: Body,
) -> Result<Response, Failure> {
    let named = wire::Named::of(body.bytes());
    if offered.permit.is_none() && named.token.is_none() {
        return Err(offered.unauthorised(Refusal::Missing));
    }
    let ctx = match &offered.permit {
        Some(permit) => permit.ctx.clone(),
        None => by_token(&server, &offered, &named).await?,
    };
    // After that: a stranger who has learnt an id must not use up what its holder may submit.
    limit(&server, &offered, &ctx, &named).await?;
    let mut submission = body.read(wire::SubmitRequest::validate)?;
    let key = once::key(&sent, Submit::ACTION, body.bytes())?;
    let key = match offered.permit {
        Some(_) => key,
        None => {
            submission.token = named.token;
            // Strangers to each other must not meet in the keys of their company.
            key.map(|key| key.within(&submission.id))
        }
    };
    let mut died = false;
    let answer = once(&server, &ctx, key, wire::submitted, async |reply| {
        let submitted = numbers::submit(&server.app, &ctx, submission, reply).await;
        died = matches!(&submitted, Err(error) if error.problem().code == Code::Unauthenticated);
        submitted
    })
    .await;
    // A token that was replaced in between is refused like any other.
    answer.map_err(|failure| match died {
        true => offered.unauthorised(Refusal::BadToken),
        false => failure,
    })
}

/// Counts a submission. What could not be the name of a session counts nowhere: there is nothing to
/// guess, and the text may be anything.
async fn limit(
    server: &Server,
    offered: &Offered<Submit>,
    ctx: &Ctx,
    named: &wire::Named,
) -> Result<(), Failure> {
    let Some(session) = SessionId::parse(&named.verification_id) else {
        return Ok(());
    };
    let verdict = server.limiter.take_submission(&ctx.caller, &session).await;
    offered.judge(LimitName::Submit, verdict)
}

async fn by_token(
    server: &Server,
    offered: &Offered<Submit>,
    named: &wire::Named,
) -> Result<Ctx, Failure> {
    let token = named.token.as_deref().unwrap_or_default();
    let id = &named.verification_id;
    let authorised = numbers::authorise(&server.app, offered.exchange(), id, token).await;
    authorised.map_err(|error| match error.problem().code {
        Code::Unauthenticated => offered.unauthorised(Refusal::BadToken),
        _ => error.into(),
    })
}

struct Status;
impl Operation for Status {
    const ACTION: &'static str = "number.status";
    const SCOPE: Scope = Scope::NumbersRead;
    const LIMIT: Option<LimitName> = Some(LimitName::Status);
}

/// Look up a session
///
/// The number is shown in part only. A session whose time is over has expired, whoever looks.
#[utoipa::path(
    get,
    path = "/api/v1/verification/status/{verificationId}",
    tag = "Numbers",
    params(("verificationId" = String, Path, description = "As `initiate` answered it", example = "nv_06a1uabs000020g30g2gc1o81450m30d1o7g")),
    responses((status = 200, description = "How it stands", body = wire::StatusAnswer))
)]
async fn status(
    State(server): State<Shared>,
    permit: Permit<Status>,
    Path(verification_id): Path<String>,
) -> Result<Response, Failure> {
    let session = numbers::status(&server.app, &permit.ctx, &verification_id).await?;
    Ok(answer(200, wire::status(&session)))
}
