//! The shop, as far as we ask it for anything.

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;

use super::OrderName;
use crate::inbox::Trouble;

/// An order, as the shop has it.
#[derive(Clone, PartialEq, Eq)]
pub struct ShopOrder {
    /// The number that customers see.
    pub id: String,
    /// The customer's address, if the shop has one.
    pub email: Option<String>,
    /// The customer's phone number, as it was typed.
    pub phone: Option<String>,
    /// `PAID`, `CANCELLED`, …
    pub payment: String,
    /// `AWAITING_PROCESSING`, `SHIPPED`, …
    pub fulfilment: String,
    /// What our field says now.
    pub field: Option<String>,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// Whose order it is stays in it.
impl fmt::Debug for ShopOrder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id,
            payment,
            fulfilment,
            field,
            ..
        } = self;
        write!(
            formatter,
            "ShopOrder({id}, {payment}, {fulfilment}, {field:?})"
        )
    }
}

/// Some of the orders that changed.
#[derive(Clone, Debug, Default)]
pub struct OrderPage {
    /// How many there are in all.
    pub total: u64,
    /// How many the shop has listed, with those that cannot be read.
    pub listed: u64,
    /// Those that can.
    pub orders: Vec<ShopOrder>,
}

/// Why the shop did not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShopProblem {
    /// It wants to be left alone for so long, or we have asked as often as we may.
    Busy(Duration),
    /// It does not accept the token, or the plan does not include the interface (401, 402, 403). It
    /// is left alone for so long.
    Refused(Duration),
    /// It cannot be reached, or fails.
    Away,
    /// It answers something that cannot be understood.
    Garbled,
    /// It does not do that (any other status of 400 to 499).
    Unacceptable,
    /// It does not give the order the fulfilment status that is configured.
    StatusRefused,
}

impl ShopProblem {
    /// The word it is stored and listed under.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Busy(_) => "rate_limited",
            Self::Refused(_) => "token_refused",
            Self::Away => "unreachable",
            Self::Garbled => "garbled",
            Self::Unacceptable => "unacceptable",
            Self::StatusRefused => "status_refused",
        }
    }
}

impl fmt::Display for ShopProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Busy(_) => "Lightspeed takes no more requests for a while",
            Self::Refused(_) => "Lightspeed refuses the token",
            Self::Away => "Lightspeed cannot be reached",
            Self::Garbled => "Lightspeed answers something that cannot be understood",
            Self::Unacceptable => "Lightspeed does not accept the request",
            Self::StatusRefused => "Lightspeed refuses the fulfilment status",
        })
    }
}

impl std::error::Error for ShopProblem {}

impl From<ShopProblem> for Trouble {
    fn from(problem: ShopProblem) -> Self {
        let word = problem.word();
        match problem {
            ShopProblem::Busy(pause) | ShopProblem::Refused(pause) => Self::wait(word, pause),
            ShopProblem::Away
            | ShopProblem::Garbled
            | ShopProblem::Unacceptable
            | ShopProblem::StatusRefused => Self::again(word),
        }
    }
}

type Asked<'a, T> = BoxFuture<'a, Result<T, ShopProblem>>;

/// The shop.
pub trait LightspeedShop: Send + Sync {
    /// An order as it is now; `None` when there is none of that name.
    fn order<'a>(&'a self, name: &'a OrderName) -> Asked<'a, Option<ShopOrder>>;

    /// Orders that were changed at `since` or later, from the `offset`th on, at most `limit` (100).
    fn changed(&self, since: Timestamp, offset: u64, limit: u32) -> Asked<'_, OrderPage>;

    /// Has our field of an order say something.
    fn set_field<'a>(&'a self, order: &'a ShopOrder, value: &'a str) -> Asked<'a, ()>;

    /// Gives an order another fulfilment status.
    fn set_fulfilment<'a>(&'a self, order: &'a str, status: &'a str) -> Asked<'a, ()>;
}
