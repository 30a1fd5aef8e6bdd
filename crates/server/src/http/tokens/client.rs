//! Who asks for a token (RFC 6749 §2.3.1): an API key's id as `client_id` and the
//! whole key as `client_secret`, by HTTP Basic or in the form, not both.

use app::credentials::{Caller, Refusal};
use app::{Code, Error};
use axum::extract::FromRequestParts;
use data_encoding::BASE64;
use domain::access::ApiKey;
use http::request::Parts;
use http::{HeaderMap, header};
use url::form_urlencoded;

use super::wire::TokenRequest;
use crate::http::Shared;
use crate::http::conventions::failure::Failure;
use crate::http::conventions::visit::Visit;
use crate::metrics::refusals;

/// As the audit log names the exchange.
pub const ACTION: &str = "token.issue";

/// The client of the `Authorization` header, if there is one: it is authenticated
/// before the body is looked at.
pub struct HeaderClient(Option<Caller>);

impl FromRequestParts<Shared> for HeaderClient {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, server: &Shared) -> Result<Self, Failure> {
        let visit = parts
            .extensions
            .get::<Visit>()
            .ok_or_else(|| Error::internal("a route stands outside the edge"))?;
        visit.exchange().note_action(ACTION);
        if !parts.headers.contains_key(header::AUTHORIZATION) {
            return Ok(Self(None));
        }
        let caller = match basic(&parts.headers) {
            Some((id, secret)) => authenticate(server, visit, &id, &secret).await?,
            None => return Err(invalid_client(visit, Refusal::Malformed)),
        };
        Ok(Self(Some(caller)))
    }
}

/// The one client of a request.
///
/// # Errors
/// When there is none, it is not accepted, or it identifies itself in two ways.
pub async fn identify(
    server: &Shared,
    visit: &Visit,
    header: HeaderClient,
    request: &TokenRequest,
) -> Result<Caller, Failure> {
    match (header.0, request.client_id(), request.client_secret()) {
        // To repeat one's id in the form is to identify oneself once.
        (Some(caller), id, None) if id.is_none_or(|id| is_of(&caller, id)) => Ok(caller),
        (Some(_), ..) => Err(Error::new(
            Code::InvalidRequest,
            "The client must identify itself in one way: by HTTP Basic or in the form.",
        )
        .into()),
        (None, Some(id), Some(secret)) => authenticate(server, visit, id, secret).await,
        (None, ..) => Err(invalid_client(visit, Refusal::Missing)),
    }
}

fn is_of(caller: &Caller, id: &str) -> bool {
    caller.key().is_some_and(|key| key.as_str() == id)
}

async fn authenticate(
    server: &Shared,
    visit: &Visit,
    id: &str,
    secret: &str,
) -> Result<Caller, Failure> {
    let exchange = visit.exchange();
    let is_pair = ApiKey::parse(secret).is_some_and(|(of, _)| of.as_str() == id);
    let caller = if is_pair {
        let directory = &server.app.directory;
        directory.authenticate_key(secret, exchange.at).await?
    } else {
        Err(Refusal::Unknown)
    };
    let caller = caller.map_err(|refusal| invalid_client(visit, refusal))?;
    exchange.note_caller(caller.clone());
    Ok(caller)
}

/// Id and secret of one well-formed Basic header; both were form-encoded before
/// they were joined.
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, credentials) = value.to_str().ok()?.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = BASE64.decode(credentials.trim().as_bytes()).ok()?;
    let (id, secret) = std::str::from_utf8(&pair).ok()?.split_once(':')?;
    Some((decoded(id), decoded(secret)))
}

/// One form-encoded value.
fn decoded(text: &str) -> String {
    // Neither sign stands in an encoded value; as it is, `&` and `=` would split this one.
    let text = text.replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(text.as_bytes())
        .next()
        .map(|(value, _)| value.into_owned())
        .unwrap_or_default()
}

/// RFC 9110 §15.5.2: a 401 names the scheme that would do.
fn invalid_client(visit: &Visit, refusal: Refusal) -> Failure {
    visit.exchange().note_detail(refusal.as_str());
    refusals::unauthenticated(refusal);
    let message = match refusal {
        Refusal::Missing => {
            "The client must identify itself: client_id is a key's id, client_secret the whole key."
        }
        _ => "The client is not accepted.",
    };
    Failure::from(Error::new(Code::Unauthenticated, message)).challenge("Basic realm=\"bonafide\"")
}
