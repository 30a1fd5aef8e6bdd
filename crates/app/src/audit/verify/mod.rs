//! Checking the audit log: every record there, unchanged and in its place.
//!
//! Nothing is trusted but the arithmetic: leaves are computed again from the
//! records, roots from the leaves, heads from the roots, spans from the heads,
//! and the checkpoints' signatures are checked. What does not fit is named.

mod checkpoints;
mod kept;
mod keys;
mod log;
mod pages;
mod vouched;

use domain::seal::KeyRing;
use jiff::Timestamp;
use store::Store;
use store::tables::audit;

use super::faults::{Fault, Report};
use crate::Result;

pub use kept::Kept;

/// How many records there are to check, as far as the batches say.
///
/// # Errors
/// When the database is away.
pub async fn count(store: &Store) -> Result<u64> {
    let records = store
        .read(|mut tx| Box::pin(async move { audit::committed_records(&mut tx).await }))
        .await?;
    Ok(u64::try_from(records).unwrap_or_default())
}

/// Checks everything. With a key ring the signing keys are checked against their
/// sealed halves too; without one, against nothing but each other. Of batches that
/// were committed before `kept_from` the records may be gone. `kept` are checkpoints
/// that were kept elsewhere: they must all be there, as they were.
/// `progress` is told the number of records checked so far.
///
/// # Errors
/// When the database is away. What is wrong with the log is in the report.
pub async fn verify(
    store: &Store,
    ring: Option<&KeyRing>,
    kept_from: Timestamp,
    kept: &[Kept],
    mut progress: impl FnMut(u64),
) -> Result<Report> {
    let mut report = Report {
        kept_from,
        ..Report::default()
    };
    let mut vouched = checkpoints::check(store, ring, &mut report).await?;
    kept::compare(store, kept, &mut report).await?;
    let logs = store
        .read(|mut tx| Box::pin(async move { audit::logs(&mut tx).await }))
        .await?;
    for log in logs {
        report.logs += 1;
        log::check(store, log, &mut vouched, &mut report, &mut progress).await?;
    }
    let missing = vouched.into_missing();
    report
        .faults
        .extend(missing.map(|(log, checkpoint)| Fault::LogRemoved { log, checkpoint }));
    Ok(report)
}
