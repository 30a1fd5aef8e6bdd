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
    /// Records are missing, from the first to the last of these positions.
    Removed(Place, i64),
    /// A record stands where none was committed.
    Inserted(Place),
    /// Whole batches are missing, from the first to the last of these numbers.
    BatchesRemoved(BatchPlace, i64),
    /// A batch stands where none was committed.
    BatchInserted(BatchPlace),
    /// A batch does not agree with itself or with the one before it.
    BatchChanged(BatchPlace, &'static str),
    /// A stored value cannot even be read.
    Unreadable(BatchPlace, String),
    /// A log lost its end.
    TailRemoved {
        /// The first batch that is missing.
        first: BatchPlace,
        /// The number of the last that was known.
        last: i64,
        /// The checkpoint that vouches for it.
        checkpoint: i64,
    },
    /// A whole log is missing.
    LogRemoved {
        /// The log.
        log: i64,
        /// The newest checkpoint that vouches for it.
        checkpoint: i64,
    },
    /// A checkpoint vouches for a batch that is missing or another.
    Contradicted {
        /// The checkpoint.
        checkpoint: i64,
        /// The batch.
        place: BatchPlace,
    },
    /// A checkpoint is missing or changed, or its signature does not hold.
    Checkpoint(i64, &'static str),
    /// Checkpoints are missing, from the first to the last of these numbers.
    CheckpointsRemoved(i64, i64),
    /// A checkpoint that was kept elsewhere does not fit.
    Kept(i64, &'static str),
    /// A signing key is not what it was.
    SigningKey(Uuid, &'static str),
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

impl Place {
    /// Reads `log.batch.position`; `None` when it is no place.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.splitn(3, '.').map(|number| {
            let digits = number.bytes().all(|byte| byte.is_ascii_digit());
            number.parse().ok().filter(|_| digits)
        });
        Some(Self {
            log: numbers.next()??,
            batch: numbers.next()??,
            position: numbers.next()??,
        })
    }

    /// What [`Place::parse`] reads.
    pub fn id(&self) -> String {
        format!("{}.{}.{}", self.log, self.batch, self.position)
    }
}

/// Which batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
            Self::Removed(first, last) if first.position == *last => {
                write!(formatter, "{first} was removed")
            }
            Self::Removed(first, last) => {
                write!(formatter, "{first} and all up to {last} were removed")
            }
            Self::Inserted(place) => write!(formatter, "{place} was inserted"),
            Self::BatchesRemoved(first, last) if first.batch == *last => {
                write!(formatter, "{first} was removed")
            }
            Self::BatchesRemoved(first, last) => {
                write!(formatter, "{first} and all up to {last} were removed")
            }
            Self::BatchInserted(place) => write!(formatter, "{place} was inserted"),
            Self::BatchChanged(place, what) => write!(formatter, "{place} was changed: {what}"),
            Self::Unreadable(place, what) => write!(formatter, "{place} cannot be read: {what}"),
            Self::TailRemoved {
                first,
                last,
                checkpoint,
            } => write!(
                formatter,
                "{first} and all up to {last} were removed: checkpoint {checkpoint} vouches for them"
            ),
            Self::LogRemoved { log, checkpoint } => {
                write!(
                    formatter,
                    "log {log} was removed: checkpoint {checkpoint} vouches for it"
                )
            }
            Self::Contradicted { checkpoint, place } => {
                write!(
                    formatter,
                    "{place} is not the one that checkpoint {checkpoint} vouches for"
                )
            }
            Self::Checkpoint(number, what) => write!(formatter, "checkpoint {number}: {what}"),
            Self::CheckpointsRemoved(first, last) => {
                write!(formatter, "checkpoints {first} to {last} were removed")
            }
            Self::Kept(number, what) => {
                write!(formatter, "checkpoint {number}, as kept elsewhere: {what}")
            }
            Self::SigningKey(id, what) => write!(formatter, "signing key {id}: {what}"),
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
    /// Checkpoints kept elsewhere, with which the log was compared.
    pub kept: u64,
    /// Everything that does not fit; empty when all is well.
    pub faults: Vec<Fault>,
}
