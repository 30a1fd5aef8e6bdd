//! Veriff: sessions in which customers show their ID, and the decisions on them.
//!
//! Guarantees: Veriff is told no name and no e-mail address, only a random reference and where the
//! customer's browser goes back to; a session is written
//! down before it is asked for, so that a request that is sent again buys no second one; a decision
//! changes the proof, the customer's orders and the inbox in one transaction; whatever order
//! decisions come in, the same one stands.
//! Must not: take Veriff's approval for an answer to "is this customer old enough".

mod api;
mod check;
mod decide;
mod hook;
mod message;
mod poll;
mod start;

pub use api::{Opened, VeriffApi, VeriffProblem};
pub use check::Check;
pub use hook::VeriffHooks;
pub use message::{Message, incoming};
pub use poll::{Polled, poll_due, sync};
pub use start::{Started, start};

use std::sync::Arc;

use domain::hook::Source;
use domain::seal::Place;
use uuid::Uuid;

/// What Veriff is called in our records.
pub const SOURCE: Source = Source::Veriff;

/// An integration of Veriff.
#[derive(Clone)]
pub struct Veriff {
    /// Whose customers are sent there.
    pub company: String,
    /// Veriff.
    pub api: Arc<dyn VeriffApi>,
}

/// Where a session's address is sealed for.
fn place(id: &Uuid) -> Place<'_> {
    Place {
        table: "veriff_sessions",
        column: "url",
        row: id.as_bytes(),
    }
}
