//! What a check of the audit log can find, and how it is told to people.
//!
//! Faults name places, never what is stored there.

use std::fmt;

use jiff::Timestamp;
use uuid::Uuid;

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A record is not the one that was committed.
    Changed(Place),
    /// A record is missing.
    Removed(Place),
    /// A record stands where none was committed.
    Inserted(Place),
    /// A whole batch is missing.
    BatchRemoved(BatchPlace),
    /// A batch does not agree with itself or with the one before it.
    BatchChanged(BatchPlace, &'static str),
    /// A stored value cannot even be read.
    Unreadable(BatchPlace, String),
    /// A checkpoint vouches for a batch that is missing or another.
    Contradicted {
        /// The checkpoint.
        checkpoint: i64,
        /// The batch.
        place: BatchPlace,
    },
    /// A checkpoint is missing or changed, or its signature does not hold.
    Checkpoint(i64, &'static str),
    /// A signing key is not the one that its sealed half makes.
    SigningKey(Uuid),
}

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The log.
    pub log: i64,
    /// The batch in that log.
    pub batch: i64,
    /// The place in that batch.
    pub position: i64,
}

/// Which batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BatchPlace {
    /// The log.
    pub log: i64,
    /// The batch in that log.
    pub batch: i64,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "record {}.{}.{}",
            self.log, self.batch, self.position
        )
    }
}

impl fmt::Display for BatchPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "batch {}.{}", self.log, self.batch)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed(place) => write!(formatter, "{place} was changed"),
            Self::Removed(place) => write!(formatter, "{place} was removed"),
            Self::Inserted(place) => write!(formatter, "{place} was inserted"),
            Self::BatchRemoved(place) => write!(formatter, "{place} was removed"),
            Self::BatchChanged(place, what) => write!(formatter, "{place} was changed: {what}"),
            Self::Unreadable(place, what) => write!(formatter, "{place} cannot be read: {what}"),
            Self::Contradicted { checkpoint, place } => {
                write!(
                    formatter,
                    "{place} is not the one that checkpoint {checkpoint} vouches for"
                )
            }
            Self::Checkpoint(number, what) => write!(formatter, "checkpoint {number}: {what}"),
            Self::SigningKey(id) => write!(formatter, "signing key {id} was changed"),
        }
    }
}

/// What was checked and what was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// What was committed before may be gone: its time was over.
    pub kept_from: Timestamp,
    /// Logs.
    pub logs: u64,
    /// Batches.
    pub batches: u64,
    /// Records.
    pub records: u64,
    /// Records that are gone because their time was over.
    pub retired: u64,
    /// Checkpoints.
    pub checkpoints: u64,
    /// Everything that does not fit; empty when all is well.
    pub faults: Vec<Fault>,
}
