//! An archive outside of the database, to which every audit record and every decision about an age is
//! copied.
//!
//! A follower walks behind the writers: it reads what was committed, log by log and batch by batch,
//! hands it over, and moves its position on when it was taken. No request waits for it, nothing is
//! enqueued, and what is committed is found whoever was killed when. Everything arrives at least once,
//! under a name by which it can be told apart. What was there before the archive was begun is copied by
//! a backfill, in the same way.
//!
//! Nothing that leads to a person is copied, sealed or not: neither whom a record is about nor who
//! called. So who is erased here need not be erased there.

mod api;
mod backfill;
mod copy;
mod follow;
mod load;
mod parked;
mod rows;
mod state;

pub use api::{Archive, ArchiveProblem, Sent, Verdict};
pub use backfill::{Backfill, Interrupted, Progress};
pub use follow::{Follower, Next};
pub use parked::{Retried, parked, retry};
pub use rows::{AuditRow, Content, Row, Table};
pub use state::{State, state};
pub use store::tables::archive::Parked;

/// How long whoever copies keeps others from doing it after the last sign of life.
const LEASE: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);
