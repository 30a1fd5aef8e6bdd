//! `Idempotency-Key`: a request that is sent again is answered again, not done
//! again.

use app::idempotency::{self, Begun, IdempotencyKey, Reply, Ticket};
use app::{Ctx, Error};
use aws_lc_rs::digest::{SHA256, digest};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderName, StatusCode, header};

use super::failure::Failure;
use crate::http::Server;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The longest key, in characters.
const LONGEST: usize = 255;

/// How a surface renders the outcome of one operation.
pub type Render<T> = fn(&T) -> (u16, Vec<u8>);

/// Does the work once for each idempotency key, and at once without one.
///
/// # Errors
/// Those of the work, and of keys in progress or used for something else.
pub async fn once<T>(
    server: &Server,
    ctx: &Ctx,
    key: Option<IdempotencyKey>,
    render: Render<T>,
    work: impl AsyncFnOnce(Reply<T>) -> app::Result<T>,
) -> Result<Response, Failure> {
    let ticket = match &key {
        None => None,
        Some(key) => match idempotency::begin(&server.app, ctx, key).await? {
            Begun::Replay { status, body } => return Ok(answer(status, body)),
            Begun::First(ticket) => Some(ticket),
        },
    };
    match work(Reply::new(ticket.clone(), render)).await {
        Ok(outcome) => {
            let (status, body) = render(&outcome);
            Ok(answer(status, body))
        }
        Err(error) => {
            release(server, ticket).await;
            Err(error.into())
        }
    }
}

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

/// The key of a request, quoted (as the draft has it) or bare (as most clients
/// send it), with what it was sent with.
///
/// # Errors
/// When it is empty, too long or not printable ASCII.
pub fn key(
    headers: &HeaderMap,
    route: &'static str,
    body: &[u8],
) -> Result<Option<IdempotencyKey>, Failure> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default().trim();
    let key = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text);
    if key.is_empty() || key.len() > LONGEST {
        let problem = "must be 1 to 255 printable ASCII characters";
        return Err(Error::invalid_field("Idempotency-Key", problem).into());
    }
    let mut fingerprint = [0; 32];
    for (to, from) in fingerprint.iter_mut().zip(digest(&SHA256, body).as_ref()) {
        *to = *from;
    }
    Ok(Some(IdempotencyKey {
        key: key.to_owned(),
        route,
        fingerprint,
    }))
}
