//! Numbers: does this person hold this mobile number?
//!
//! A company opens a session and sends its link to the number. Whoever holds the link names the
//! number, in the company's app or in the browser; the session then ends as verified, or after a
//! few other numbers as failed, or when its time is over. It ends once, whatever happens at the
//! same moment, and its end is told to the company's webhook by a delivery enqueued in the same
//! transaction.

mod ending;
mod initiate;
mod link;
mod list;
mod shown;
mod status;
mod submit;
mod sweep;

pub use initiate::{Initiated, Request, initiate};
pub use link::{Link, authorise, follow};
pub use list::{Listed, list};
pub use shown::Shown;
pub use status::status;
pub use submit::{Outcome, Submission, submit};
pub use sweep::sweep;

use std::sync::Arc;

use domain::access::CompanyId;
use domain::number::{MobileNumber, Status};
use domain::seal::{BlindIndex, IndexKey};
use domain::span::Span;
use jiff::Timestamp;

use crate::{Code, Error};

/// The operator's rules.
#[derive(Clone)]
pub struct Policy {
    /// How long a session stays open.
    pub lifetime: Span,
    /// Where this server is reached, without a slash at the end.
    pub base_url: Arc<str>,
    /// How the end of a session is told, in the words of the surface.
    pub render_event: fn(&Event) -> Vec<u8>,
    /// Counts so many sessions that have ended like this, once that is durable.
    pub count: fn(Status, u64),
}

/// A session has ended.
#[derive(Debug, Clone)]
pub struct Event {
    /// `verification.verified`, `verification.failed` or `verification.expired`.
    pub topic: &'static str,
    /// When.
    pub at: Timestamp,
    /// The session as it stands now.
    pub session: Shown,
}

/// How the sessions of a number are found again.
pub(crate) fn number_index(
    index: &IndexKey,
    company: &CompanyId,
    number: &MobileNumber,
) -> BlindIndex {
    index.index("number", company.as_str(), number.as_str())
}

fn not_found() -> Error {
    Error::new(Code::NotFound, "There is no session of that id.")
}
