//! Authentication, limit and scope, as a type in the handler's signature.
//!
//! A [`Permit`] exists only for a caller whose credential is good, whose limit is
//! not used up and who has the operation's scope; use cases take the [`Ctx`]
//! inside it. Whatever fails, the audit log learns why and the caller only that.
//!
//! A credential comes as `X-API-Key: <key>`, `Authorization: Bearer <key>` or
//! `Authorization: Bearer <token>`. The same one may come twice; two different
//! ones are refused, because whichever was chosen, a proxy in front or the
//! reader of a log might think it was the other.

use std::marker::PhantomData;
use std::sync::Arc;

use app::credentials::{Caller, Refusal};
use app::exchange::Exchange;
use app::limits::LimitName;
use app::quota::Verdict;
use app::{Code, Ctx, Error};
use axum::extract::FromRequestParts;
use domain::access::Scope;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, header};

use super::failure::Failure;
use super::visit::Visit;
use crate::http::Shared;
use crate::metrics::refusals;

/// What a route does: its name in the audit log, and the scope it needs.
pub trait Operation: Send + Sync + 'static {
    /// As the audit log names it.
    const ACTION: &'static str;
    /// What the caller must be allowed to do.
    const SCOPE: Scope;
    /// What it counts against, if anything.
    const LIMIT: Option<LimitName>;
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
        let visit = visit::<O>(parts)?;
        let caller = authenticate(server, &parts.headers, &visit).await?;
        let exchange = visit.exchange();
        exchange.note_caller(caller.clone());
        let allowed = caller.may(O::SCOPE);
        if let Some(name) = O::LIMIT {
            // Who is refused for another reason consumes nothing, but sees where it stands.
            let cost = u64::from(allowed);
            if let Some(verdict) = server.limiter.take(&caller, name, cost).await {
                judge(&visit, name, verdict, allowed)?;
            }
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

/// A request of an operation that may be authorised without a credential: with one, whoever sent
/// it; without, nobody yet.
pub struct Offered<O> {
    /// Who may do it, if a credential was presented.
    pub permit: Option<Permit<O>>,
    visit: Visit,
}

impl<O: Operation> FromRequestParts<Shared> for Offered<O> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, server: &Shared) -> Result<Self, Failure> {
        let visit = visit::<O>(parts)?;
        let permit = match presented(&parts.headers) {
            Err(Refusal::Missing) => None,
            _ => Some(Permit::from_request_parts(parts, server).await?),
        };
        Ok(Self { permit, visit })
    }
}

impl<O> Offered<O> {
    /// The request.
    pub fn exchange(&self) -> &Arc<Exchange> {
        self.visit.exchange()
    }

    /// The failure of a request that nothing authorises.
    pub fn unauthorised(&self, refusal: Refusal) -> Failure {
        refused(&self.visit, refusal)
    }

    /// Notes what the limiter said, and stops what it refused.
    ///
    /// # Errors
    /// [`Code::RateLimited`].
    pub fn judge(&self, name: LimitName, verdict: Option<Verdict>) -> Result<(), Failure> {
        verdict.map_or(Ok(()), |verdict| judge(&self.visit, name, verdict, true))
    }
}

/// The request's own visit; it is of operation `O` from now on.
fn visit<O: Operation>(parts: &Parts) -> Result<Visit, Failure> {
    let visit = parts.extensions.get::<Visit>().cloned();
    let visit = visit.ok_or_else(|| Error::internal("a route stands outside the edge"))?;
    visit.exchange().note_action(O::ACTION);
    Ok(visit)
}

async fn authenticate(
    server: &Shared,
    headers: &HeaderMap,
    visit: &Visit,
) -> Result<Caller, Failure> {
    let at = visit.exchange().at;
    let directory = &server.app.directory;
    let outcome = match presented(headers) {
        Ok(Presented::Key(key)) => directory.authenticate_key(key, at).await?,
        // Boxed: requests with a key would have room for it too.
        Ok(Presented::Token(token)) => match Box::pin(server.tokens.verify(token, at)).await? {
            Ok(claims) => directory.authenticate_claims(&claims, at).await?,
            Err(refusal) => Err(refusal),
        },
        Err(refusal) => Err(refusal),
    };
    outcome.map_err(|refusal| refused(visit, refusal))
}

/// The failure of a request that nothing authorises.
pub fn refused(visit: &Visit, refusal: Refusal) -> Failure {
    visit.exchange().note_detail(refusal.as_str());
    refusals::unauthenticated(refusal);
    unauthenticated(refusal)
}

/// A credential as it was presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presented<'a> {
    Key(&'a str),
    Token(&'a str),
}

/// The credential of a request. An `Authorization` of another scheme is none of
/// ours: beside a key it is ignored.
fn presented(headers: &HeaderMap) -> Result<Presented<'_>, Refusal> {
    let keys = headers.get_all("x-api-key").iter().map(|value| {
        let key = value.to_str().map(str::trim);
        key.map(Presented::Key).map_err(|_| Refusal::Malformed)
    });
    let bearers = headers
        .get_all(header::AUTHORIZATION)
        .iter()
        .filter_map(bearer);
    let mut credentials = keys.chain(bearers);
    let Some(first) = credentials.next() else {
        let foreign = headers.contains_key(header::AUTHORIZATION);
        return Err(if foreign {
            Refusal::Malformed
        } else {
            Refusal::Missing
        });
    };
    if credentials.all(|other| other == first) {
        first
    } else {
        Err(Refusal::Ambiguous)
    }
}

/// What an `Authorization` header of the scheme Bearer holds.
fn bearer(value: &HeaderValue) -> Option<Result<Presented<'_>, Refusal>> {
    let Ok(text) = value.to_str() else {
        return Some(Err(Refusal::Malformed));
    };
    let (scheme, credential) = text.trim().split_once(' ')?;
    let credential = credential.trim();
    scheme.eq_ignore_ascii_case("bearer").then(|| {
        Ok(if credential.starts_with("bf_") {
            Presented::Key(credential)
        } else {
            Presented::Token(credential)
        })
    })
}

/// Notes what the limiter said, and stops what it refused if it is `allowed` otherwise.
///
/// # Errors
/// [`Code::RateLimited`].
pub fn judge(
    visit: &Visit,
    name: LimitName,
    verdict: Verdict,
    allowed: bool,
) -> Result<(), Failure> {
    visit.note_verdict(name, verdict);
    match verdict {
        Verdict::Refused { retry_after, .. } if allowed => {
            refusals::limited(name);
            Err(Error::new(Code::RateLimited, used_up(name))
                .retry_after(retry_after)
                .into())
        }
        _ => Ok(()),
    }
}

const fn used_up(name: LimitName) -> &'static str {
    match name {
        LimitName::Customers => "Too many requests; the limit of this credential is used up.",
        LimitName::Initiate | LimitName::Status => {
            "Too many requests; the limit of this company is used up."
        }
        LimitName::Submit => "Too many requests; the limit of this session is used up.",
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

#[cfg(test)]
mod tests {
    use super::*;

    fn presented_in(lines: &[(&'static str, &'static str)]) -> Result<(bool, String), Refusal> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        presented(&headers).map(|credential| match credential {
            Presented::Key(key) => (true, key.to_owned()),
            Presented::Token(token) => (false, token.to_owned()),
        })
    }

    #[test]
    fn a_credential_comes_in_three_ways() {
        let key = Ok((true, "bf_a_b".to_owned()));
        assert_eq!(presented_in(&[("x-api-key", " bf_a_b ")]), key);
        assert_eq!(presented_in(&[("authorization", "Bearer bf_a_b")]), key);
        let token = presented_in(&[("authorization", "bearer  a.b.c")]);
        assert_eq!(token, Ok((false, "a.b.c".to_owned())));
    }

    #[test]
    fn two_different_credentials_are_none() {
        let key = ("x-api-key", "bf_a_b");
        let same = ("authorization", "Bearer bf_a_b");
        assert!(presented_in(&[key, same, key]).is_ok());
        for other in [
            ("authorization", "Bearer bf_a_c"),
            ("authorization", "Bearer a.b.c"),
            ("x-api-key", "bf_a_c"),
            ("x-api-key", ""),
        ] {
            assert_eq!(presented_in(&[key, other]), Err(Refusal::Ambiguous));
            assert_eq!(presented_in(&[other, key]), Err(Refusal::Ambiguous));
        }
    }

    #[test]
    fn other_schemes_are_no_credential_of_ours() {
        let basic = ("authorization", "Basic YTpi");
        assert_eq!(presented_in(&[]), Err(Refusal::Missing));
        assert_eq!(presented_in(&[basic]), Err(Refusal::Malformed));
        assert_eq!(
            presented_in(&[("authorization", "Bearer")]),
            Err(Refusal::Malformed)
        );
        assert!(presented_in(&[basic, ("x-api-key", "bf_a_b")]).is_ok());
    }
}
