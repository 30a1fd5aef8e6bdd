//! Authentication, limit and scope, as a type in the handler's signature.
//!
//! A [`Permit`] exists only for a caller whose credential is good, whose limit is
//! not used up and who has the operation's scope; use cases take the [`Ctx`]
//! inside it. Whatever fails, the audit log learns why and the caller only that.

use std::marker::PhantomData;

use app::credentials::{Caller, Refusal};
use app::quota::Verdict;
use app::{Code, Ctx, Error};
use axum::extract::FromRequestParts;
use domain::access::Scope;
use http::HeaderMap;
use http::request::Parts;

use super::failure::Failure;
use super::visit::Visit;
use crate::http::Shared;

/// What a route does: its name in the audit log, and the scope it needs.
pub trait Operation: Send + Sync + 'static {
    /// As the audit log names it.
    const ACTION: &'static str;
    /// What the caller must be allowed to do.
    const SCOPE: Scope;
    /// Whether it counts against the customers limit.
    const LIMITED: bool;
}

/// A caller who may do `O`.
pub struct Permit<O> {
    /// For the use case.
    pub ctx: Ctx,
    operation: PhantomData<O>,
}

impl<O: Operation> FromRequestParts<Shared> for Permit<O> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, server: &Shared) -> Result<Self, Failure> {
        let visit = parts
            .extensions
            .get::<Visit>()
            .cloned()
            .ok_or_else(|| Error::internal("a route stands outside the edge"))?;
        let exchange = visit.exchange();
        exchange.note_action(O::ACTION);
        let caller = authenticate(server, &parts.headers, &visit)?;
        exchange.note_caller(caller.clone());
        let allowed = caller.may(O::SCOPE);
        if O::LIMITED {
            take(server, &caller, &visit, allowed).await?;
        }
        if !allowed {
            return Err(forbidden(O::SCOPE));
        }
        Ok(Self {
            ctx: Ctx {
                caller,
                exchange: exchange.clone(),
            },
            operation: PhantomData,
        })
    }
}

fn authenticate(server: &Shared, headers: &HeaderMap, visit: &Visit) -> Result<Caller, Failure> {
    let presented = presented(headers);
    let outcome = match presented {
        Ok(presented) => server
            .app
            .directory
            .authenticate_key(presented, visit.exchange().at),
        Err(refusal) => Err(refusal),
    };
    outcome.map_err(|refusal| {
        visit.exchange().note_detail(refusal.as_str());
        unauthenticated(refusal)
    })
}

/// The credential of a request: `X-API-Key`, or `Authorization: Bearer`.
fn presented(headers: &HeaderMap) -> Result<&str, Refusal> {
    if let Some(key) = headers.get("x-api-key") {
        return key.to_str().map(str::trim).map_err(|_| Refusal::Malformed);
    }
    let authorization = headers
        .get(http::header::AUTHORIZATION)
        .ok_or(Refusal::Missing)?;
    let (scheme, credential) = authorization
        .to_str()
        .ok()
        .and_then(|value| value.trim().split_once(' '))
        .ok_or(Refusal::Malformed)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(credential.trim())
    } else {
        Err(Refusal::Malformed)
    }
}

async fn take(
    server: &Shared,
    caller: &Caller,
    visit: &Visit,
    allowed: bool,
) -> Result<(), Failure> {
    // Who is refused for another reason consumes nothing, but sees where it stands.
    let cost = u64::from(allowed);
    let Some(verdict) = server.limiter.take_customers(caller, cost).await else {
        return Ok(());
    };
    visit.note_verdict(verdict);
    match verdict {
        Verdict::Refused { retry_after, .. } if allowed => Err(Error::new(
            Code::RateLimited,
            "Too many requests; the limit of this credential is used up.",
        )
        .retry_after(retry_after)
        .into()),
        _ => Ok(()),
    }
}

/// RFC 6750 §3: no error word when there was no credential.
fn unauthenticated(refusal: Refusal) -> Failure {
    let challenge = match refusal {
        Refusal::Missing => "Bearer realm=\"bonafide\"",
        _ => "Bearer realm=\"bonafide\", error=\"invalid_token\"",
    };
    let message = match refusal {
        Refusal::Missing => "A credential is required: X-API-Key, or Authorization: Bearer.",
        _ => "The credential is not accepted.",
    };
    Failure::from(Error::new(Code::Unauthenticated, message)).challenge(challenge)
}

fn forbidden(scope: Scope) -> Failure {
    let scope = scope.as_str();
    let message = format!("The credential lacks the scope {scope}.");
    Failure::from(Error::new(Code::Forbidden, message)).challenge(&format!(
        "Bearer realm=\"bonafide\", error=\"insufficient_scope\", scope=\"{scope}\""
    ))
}
