//! Square, as it can be asked.

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use uuid::Uuid;

use super::Profile;
use crate::inbox::Trouble;

/// Which customers are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All.
    All,
    /// Those that were changed at this time or later.
    ChangedSince(Timestamp),
}

/// Some of the wanted customers.
#[derive(Debug, Default)]
pub struct Page {
    /// These.
    pub customers: Vec<Profile>,
    /// Where the next page begins; only where there is none, this was the last one.
    pub cursor: Option<String>,
    /// How many are wanted in all, if Square says so.
    pub count: Option<u64>,
}

/// What Square is to show of a customer.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The value.
    pub value: &'a str,
    /// Names the delivery. What is true may change between two of its attempts, so the name of a
    /// change is made of this and of the time.
    pub name: Uuid,
    /// When the attempt begins.
    pub at: Timestamp,
}

/// What kept Square from answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SquareProblem {
    /// It wants to be left alone for so long (429).
    Busy(Duration),
    /// It does not accept the access token (401).
    Refused,
    /// The access token does not include what is asked for (403).
    Forbidden,
    /// It cannot be reached, or fails.
    Away,
    /// It answers something that cannot be understood.
    Garbled,
    /// It has no such customer.
    Unknown,
    /// It does not do that (any other status of 400 to 499).
    Unacceptable,
}

impl SquareProblem {
    /// How long nobody asks again when the token is refused, or lacks a permission.
    pub const REST: Duration = Duration::from_secs(5 * 60);

    /// The word it is stored and listed under.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Busy(_) => "rate_limited",
            Self::Refused => "token_refused",
            Self::Forbidden => "permission_missing",
            Self::Away => "unreachable",
            Self::Garbled => "garbled",
            Self::Unknown => "not_found",
            Self::Unacceptable => "unacceptable",
        }
    }

    /// How long to wait before Square is asked for anything again, if that is known.
    #[must_use]
    pub const fn pause(self) -> Option<Duration> {
        match self {
            Self::Busy(pause) => Some(pause),
            Self::Refused | Self::Forbidden => Some(Self::REST),
            Self::Away | Self::Garbled | Self::Unknown | Self::Unacceptable => None,
        }
    }
}

impl fmt::Display for SquareProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Busy(_) => "Square takes no more requests for a while",
            Self::Refused => "Square refuses the access token",
            Self::Forbidden => "the access token lacks a permission that is needed at Square",
            Self::Away => "Square cannot be reached",
            Self::Garbled => "Square answers something that cannot be understood",
            Self::Unknown => "Square has no such customer",
            Self::Unacceptable => "Square does not accept the request",
        })
    }
}

impl std::error::Error for SquareProblem {}

impl From<SquareProblem> for Trouble {
    fn from(problem: SquareProblem) -> Self {
        let word = problem.word();
        match problem.pause() {
            Some(pause) => Self::wait(word, pause),
            None => Self::again(word),
        }
    }
}

type Asked<'a, T> = BoxFuture<'a, Result<T, SquareProblem>>;

/// A seller's account at Square.
pub trait SquareApi: Send + Sync {
    /// A page of customers, from where a cursor says; from the beginning without one.
    fn page<'a>(&'a self, wanted: Wanted, cursor: Option<&'a str>) -> Asked<'a, Page>;

    /// A customer as it is now; `None` when there is none of that id.
    fn customer<'a>(&'a self, id: &'a str) -> Asked<'a, Option<Profile>>;

    /// Has a customer show something.
    fn show<'a>(&'a self, id: &'a str, shown: Shown<'a>) -> Asked<'a, ()>;
}
