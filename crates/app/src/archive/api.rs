//! An archive, as it can be written to.

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::rows::{Row, Table};

/// What became of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is there.
    Taken,
    /// It is not there, through no fault of its own; why, in the archive's word.
    Again(String),
    /// It will never be taken as it is; why, in the archive's word.
    Refused(String),
}

/// What kept the archive from taking a whole request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArchiveProblem {
    /// It wants to be left alone for so long, if it says how long (429, or a quota).
    Busy(Option<Duration>),
    /// It does not accept the credentials (401), or the account has none.
    Refused,
    /// The account lacks a permission (403).
    Forbidden,
    /// It cannot be reached, or fails; how long it wants to be left alone, if it says so.
    Away(Option<Duration>),
    /// It answers something that cannot be understood.
    Garbled,
    /// There is no such project or dataset.
    Missing,
    /// The table is not there yet; one that was just made takes minutes to take rows.
    NotYet,
    /// The table is there and not fit: columns are missing, it is not partitioned by day, or what is in
    /// it ends too soon.
    Unfit(Table),
    /// The request is too large.
    TooLarge,
    /// It does not do that (any other status of 400 to 499).
    Unacceptable,
    /// It took some rows, and not others, again and again.
    Partial,
}

impl ArchiveProblem {
    /// All words.
    pub const WORDS: [&'static str; 11] = [
        "rate_limited",
        "credentials_refused",
        "permission_missing",
        "unreachable",
        "garbled",
        "dataset_missing",
        "table_not_ready",
        "table_unfit",
        "too_large",
        "unacceptable",
        "partly_taken",
    ];

    /// The word it is stored, listed and counted under.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Busy(_) => "rate_limited",
            Self::Refused => "credentials_refused",
            Self::Forbidden => "permission_missing",
            Self::Away(_) => "unreachable",
            Self::Garbled => "garbled",
            Self::Missing => "dataset_missing",
            Self::NotYet => "table_not_ready",
            Self::Unfit(_) => "table_unfit",
            Self::TooLarge => "too_large",
            Self::Unacceptable => "unacceptable",
            Self::Partial => "partly_taken",
        }
    }

    /// How long it wants to be left alone, if it says so.
    #[must_use]
    pub const fn wish(self) -> Option<Duration> {
        match self {
            Self::Busy(wish) | Self::Away(wish) => wish,
            _ => None,
        }
    }
}

impl fmt::Display for ArchiveProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self {
            Self::Busy(_) => "the archive takes no more for a while",
            Self::Refused => "the archive does not accept the account",
            Self::Forbidden => "the account lacks a permission at the archive",
            Self::Away(_) => "the archive cannot be reached",
            Self::Garbled => "the archive answers something that cannot be understood",
            Self::Missing => "there is no such project or dataset",
            Self::NotYet => "the table was just made and takes no rows yet",
            Self::Unfit(table) => {
                let name = table.name();
                return write!(
                    formatter,
                    "the table {name} lacks columns, is not partitioned by day, or keeps its rows \
                     for too short a time"
                );
            }
            Self::TooLarge => "the archive takes no request of this size",
            Self::Unacceptable => "the archive does not accept the request",
            Self::Partial => "the archive took some rows and not others",
        };
        formatter.write_str(words)
    }
}

impl std::error::Error for ArchiveProblem {}

/// What became of each row, in order.
pub type Sent = Result<Vec<Verdict>, ArchiveProblem>;

/// An archive.
pub trait Archive: Send + Sync {
    /// Adds rows to a table, and makes the table if there is none. Each row belongs to this table. A row
    /// that is there already may be added again or not.
    fn insert<'a>(&'a self, table: Table, rows: &'a [Row]) -> BoxFuture<'a, Sent>;
}
