//! The gate, as orders of the shop come to it and are asked about.

use domain::contact::{E164, Email};
use domain::seal::BlindIndex;
use domain::standing::Proof;
use futures_util::future::BoxFuture;
use jiff::Timestamp;

use crate::Result;

/// An order of the shop that has to pass the gate.
pub struct Placement {
    /// Its number in the shop.
    pub order_id: String,
    /// Whose it is.
    pub email: Email,
    /// Their number, if the shop has a usable one.
    pub phone: Option<E164>,
    /// When it was placed.
    pub placed_at: Timestamp,
}

/// Where an order stands, in the words that the shop is to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It waits for these.
    Held(Vec<Proof>),
    /// It may ship.
    Released,
    /// Its time was over before everything was there.
    Expired,
    /// The last proof came after its time was over: a person has to decide.
    Late,
    /// It ended.
    Cancelled,
}

/// What gates orders.
pub trait Gate: Send + Sync {
    /// Has an order pass the gate, or wait. One that did so before goes to the customer of another
    /// address while it waits, and passes the gate anew when the shop had ended it; otherwise it is
    /// left as it is. Returns whose it is by what the shop says.
    ///
    /// # Errors
    /// [`crate::Code::Conflict`] when another shop of the company has an order of that number.
    fn place<'a>(&'a self, company: &'a str, order: Placement)
    -> BoxFuture<'a, Result<BlindIndex>>;

    /// Ends the hold of an order that will not ship; `false` when there is no such order, or nothing
    /// to end.
    fn cancel<'a>(
        &'a self,
        company: &'a str,
        order_id: &'a str,
        reason: &'static str,
    ) -> BoxFuture<'a, Result<bool>>;

    /// Where an order of the shop stands now; `None` when it never came to the gate.
    fn standing<'a>(
        &'a self,
        company: &'a str,
        order_id: &'a str,
    ) -> BoxFuture<'a, Result<Option<Standing>>>;
}
