//! Hooks: what shops and verification services tell us, at `/hooks/{sender}`.
//!
//! The bytes are read as they are, the signature is checked over them, the event is stored once by
//! its sender's own name for it, and only then is the sender answered: 200 and nothing else, at once.
//! What becomes of the event is decided afterwards, by a worker.
//!
//! Guarantees: without a good signature nothing is stored but the audit record; a sender that is not
//! configured has no path (404); a query string means nothing.
//! Must not: act on an event, or answer a sender with anything that somebody else could learn from.

mod lightspeed;
mod square;
mod veriff;

pub use lightspeed::LightspeedReception;
pub use square::SquareReception;
pub use veriff::VeriffReception;

use std::collections::BTreeMap;
use std::sync::Arc;

use app::inbox::{self, Incoming};
use app::{Code, Error};
use axum::Router;
use axum::extract::{Extension, Path, Request, State};
use axum::routing::post;
use domain::hook::Source;
use http::{HeaderMap, StatusCode};

use super::Shared;
use super::conventions::body::{SMALL, collect};
use super::conventions::failure::{Failure, unknown_path};
use super::conventions::visit::Visit;

/// How one sender's hooks are read.
pub trait Reception: Send + Sync {
    /// Reads a hook. Nothing of it is believed that its signature does not cover.
    fn read(&self, headers: &HeaderMap, body: &[u8]) -> Reading;
}

/// What a request to a sender's path turned out to be.
pub enum Reading {
    /// Its event.
    Event(Incoming),
    /// Not the sender's; what gave it away, for the audit log.
    Refused(&'static str),
    /// The sender's, but without what makes it an event.
    Unusable,
}

/// The senders whose hooks are taken. Each needs somebody who processes its events.
#[derive(Clone, Default)]
pub struct Hooks(BTreeMap<Source, Arc<dyn Reception>>);

impl Hooks {
    /// These and one more.
    #[must_use]
    pub fn with(mut self, source: Source, reception: impl Reception + 'static) -> Self {
        self.0.insert(source, Arc::new(reception));
        self
    }

    /// Whether a sender's hooks are taken.
    #[must_use]
    pub fn takes(&self, source: Source) -> bool {
        self.0.contains_key(&source)
    }
}

/// The route.
pub fn routes() -> Router<Shared> {
    Router::new().route("/hooks/{sender}", post(take))
}

/// How an event is called in logs, metrics and the audit log.
const fn action(source: Source) -> &'static str {
    match source {
        Source::Lightspeed => "hook.lightspeed",
        Source::Square => "hook.square",
        Source::Veriff => "hook.veriff",
    }
}

async fn take(
    State(server): State<Shared>,
    Extension(visit): Extension<Visit>,
    Path(sender): Path<String>,
    request: Request,
) -> Result<StatusCode, Failure> {
    let source = Source::parse(&sender);
    let reception = source.and_then(|source| {
        visit.exchange().note_action(action(source));
        server.hooks.0.get(&source)
    });
    let Some(reception) = reception else {
        return Err(unknown_path().await);
    };
    let (parts, body) = request.into_parts();
    let body = collect(body, SMALL).await?;
    match reception.read(&parts.headers, &body) {
        Reading::Event(incoming) => {
            inbox::receive(&server.app, visit.exchange(), incoming).await?;
            Ok(StatusCode::OK)
        }
        Reading::Refused(reason) => {
            visit.exchange().note_detail(reason);
            Err(refused())
        }
        Reading::Unusable => {
            let message = "The event does not say what it is.";
            Err(Error::new(Code::InvalidRequest, message).into())
        }
    }
}

/// The same for everybody, whatever is wrong.
fn refused() -> Failure {
    let error = Error::new(Code::Unauthenticated, "The signature is not accepted.");
    Failure::from(error).challenge("Signature realm=\"hooks\"")
}

/// The value of a header that is there once; of two, nobody knows which is meant.
fn only<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}
