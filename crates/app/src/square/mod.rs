//! Square: which of the shop's customers is which of Square's, and what follows from a merge.
//!
//! A customer of Square is tied to ours by the address, and by nothing else: anybody can type a number
//! at a checkout. The tie proves nothing: it says whose standing Square is to show, and whose proofs
//! follow when staff merge two customers.
//! Guarantees: after the same events, in any order and however often, the same is tied, held and
//! shown; a proof that comes later follows the same merges; what Square is told to show is looked up
//! at the moment of telling.
//! Must not: take an address of Square's for proven, or carry an agreement about one address to
//! another.

mod api;
mod carry;
mod channel;
mod clear;
mod facts;
mod hold;
mod hook;
mod learn;
mod notice;
mod profile;
mod sync;
mod told;

pub use api::{Page, Shown, SquareApi, SquareProblem, Wanted};
use carry::carry_on;
pub use carry::sweep;
pub use channel::{SQUARE, Showing};
pub use clear::clear;
pub use hook::SquareHooks;
pub(crate) use learn::id_of;
pub(crate) use notice::{Changed, Whom, ask, notice};
pub use profile::Profile;
pub use sync::{Interrupted, Progress, Request, sync};

use std::sync::Arc;

use domain::hook::Source;
use domain::seal::{BlindIndex, IndexKey, Place};

/// What Square is called in our records.
pub const SOURCE: Source = Source::Square;

/// Whose customers are those of Square.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The company.
    pub company: Arc<str>,
    /// Whether Square is told who has shown an ID.
    pub shows: bool,
}

/// How a customer of Square is looked up.
fn square_index(key: &IndexKey, company: &str, id: &str) -> BlindIndex {
    key.index("square customer", company, id)
}

/// Where the id and the address are sealed for.
pub(crate) fn place(square_index: &BlindIndex) -> Place<'_> {
    Place {
        table: "square_customers",
        column: "contact",
        row: square_index.as_bytes(),
    }
}
