//! What the merchant's webhook is told.
//!
//! Who the customer is, it is not told: an address appears masked. The order's own number leads to
//! the rest, in the shop or by asking here.

use domain::order::{Missing, Status};
use jiff::Timestamp;

/// Something that the merchant may want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An order has come to stand elsewhere.
    Order(OrderMoved),
    /// A customer has now proven everything.
    Verified(CustomerVerified),
}

/// An order has come to stand elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderMoved {
    /// `order.held`, `order.released`, `order.expired` or `order.late`.
    pub topic: &'static str,
    /// When.
    pub at: Timestamp,
    /// The shop's number for it.
    pub order_id: String,
    /// The shop it came from.
    pub source: String,
    /// Where it stands now.
    pub status: Status,
    /// What is missing.
    pub missing: Missing,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// Until when it is, or was, held.
    pub deadline: Timestamp,
}

/// A customer has now proven everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerVerified {
    /// When.
    pub at: Timestamp,
    /// The customer's address, masked.
    pub masked_email: String,
    /// The shop's numbers of the orders that were open, the newest hundred of them.
    pub orders: Vec<String>,
}

impl Event {
    /// What it is called.
    pub const fn topic(&self) -> &'static str {
        match self {
            Self::Order(moved) => moved.topic,
            Self::Verified(_) => CustomerVerified::TOPIC,
        }
    }
}

impl CustomerVerified {
    /// What it is called.
    pub const TOPIC: &'static str = "customer.verified";
}
