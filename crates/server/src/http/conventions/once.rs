//! `Idempotency-Key`: a request that is sent again is answered again, not done
//! again.

use std::convert::Infallible;

use app::idempotency::{self, Begun, IdempotencyKey, Reply, Ticket};
use app::{Code, Ctx, Error};
use aws_lc_rs::digest::{Context, SHA256};
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse as _, Response};
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode, header};
use utoipa::IntoParams;

use super::failure::Failure;
use crate::http::Server;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The longest key, in characters.
const LONGEST: usize = 255;

/// The status of an outcome that asks to come back later.
const TOO_MANY: u16 = 429;

/// How a surface renders the outcome of one operation.
pub type Render<T> = fn(&T) -> (u16, Vec<u8>);

/// Does the work once for each idempotency key, and at once without one.
///
/// What the clock decides belongs into the work: a request that was answered is
/// not judged again by a later hour.
///
/// # Errors
/// Those of the work, and of keys in progress or used for something else.
pub async fn once<T, E: Into<Failure>>(
    server: &Server,
    ctx: &Ctx,
    key: Option<IdempotencyKey>,
    render: Render<T>,
    work: impl AsyncFnOnce(Reply<T>) -> Result<T, E>,
) -> Result<Response, Failure> {
    let ticket = match &key {
        None => None,
        Some(key) => match idempotency::begin(&server.app, ctx, key).await? {
            Begun::Replay { status, body } => return Ok(answer(status, body)),
            Begun::First(ticket) => Some(ticket),
        },
    };
    match work(Reply::new(ticket.clone(), render))
        .await
        .map_err(E::into)
    {
        Ok(outcome) => {
            let (status, body) = render(&outcome);
            if status == TOO_MANY {
                // Nothing was done, and the same request may be heard later.
                release(server, ticket).await;
            }
            Ok(answer(status, body))
        }
        Err(failure) if failure.code() == Code::Unavailable => {
            // Whoever has waited in vain once does not wait for this too.
            if let Some(ticket) = ticket {
                idempotency::release_in_time(&server.app, ticket);
            }
            Err(failure)
        }
        Err(failure) => {
            release(server, ticket).await;
            Err(failure)
        }
    }
}

/// Frees the key of a request that came to nothing.
async fn release(server: &Server, ticket: Option<Ticket>) {
    if let Some(ticket) = ticket
        && let Err(error) = idempotency::release(&server.app, ticket).await
    {
        tracing::debug!(
            cause = error.cause(),
            "an idempotency key stays taken for a minute"
        );
    }
}

/// A JSON answer.
pub fn answer(status: u16, body: Vec<u8>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// What stands in a request's `Idempotency-Key` headers.
pub struct SentKeys(Vec<HeaderValue>);

impl<S: Sync> FromRequestParts<S> for SentKeys {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let sent = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        Ok(Self(sent.cloned().collect()))
    }
}

/// The key of a request, quoted (as the draft has it) or bare (as most clients
/// send it), with what it was sent with.
///
/// # Errors
/// When it is empty, too long or not printable ASCII, or there are two.
pub fn key(
    sent: &SentKeys,
    route: &'static str,
    body: &[u8],
) -> Result<Option<IdempotencyKey>, Failure> {
    key_about(sent, route, "", body)
}

/// The same for a path that names what it is about: the key used for another is
/// another request.
///
/// # Errors
/// When it is empty, too long or not printable ASCII, or there are two.
pub fn key_about(
    sent: &SentKeys,
    route: &'static str,
    about: &str,
    body: &[u8],
) -> Result<Option<IdempotencyKey>, Failure> {
    let Some((value, others)) = sent.0.split_first() else {
        return Ok(None);
    };
    if others.iter().any(|other| other != value) {
        let problem = "must be one key, and was sent with several";
        return Err(Error::invalid_field("Idempotency-Key", problem).into());
    }
    let text = value.to_str().unwrap_or_default().trim();
    let key = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text);
    if key.is_empty() || key.len() > LONGEST {
        let problem = "must be 1 to 255 printable ASCII characters";
        return Err(Error::invalid_field("Idempotency-Key", problem).into());
    }
    Ok(Some(IdempotencyKey {
        key: key.to_owned(),
        route,
        fingerprint: fingerprint(about, body),
    }))
}

fn fingerprint(about: &str, body: &[u8]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(about.as_bytes());
    // No id of ours holds a zero byte: the two parts cannot be confused.
    context.update(&[0]);
    context.update(body);
    let mut fingerprint = [0; 32];
    for (to, from) in fingerprint.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    fingerprint
}

/// The header, for the documentation.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "describes what `key` reads")]
pub struct IdempotencyHeader {
    /// Any text of your choice, quoted or bare. The same request sent again with
    /// the same key within 24 hours is answered as the first time and not done
    /// again.
    #[param(
        rename = "Idempotency-Key",
        min_length = 1,
        max_length = 255,
        example = "6d1f0c9e-order-81"
    )]
    idempotency_key: Option<String>,
}
