//! The revision of everything that instances keep in memory.
//!
//! A change takes the next revision inside its transaction and holds the
//! counter's row until it commits; revisions therefore become visible in their
//! order, and "everything after revision n" misses nothing.

use crate::{Error, Result, Tx};

/// Takes the next revision.
///
/// # Errors
/// Those of the database.
pub async fn next(tx: &mut Tx<'_>) -> Result<i64> {
    tx.find(
        "UPDATE change_counter SET revision = revision + 1 WHERE id = 1 RETURNING revision",
        &[],
    )
    .await?
    .ok_or_else(|| Error::corrupt("change_counter", "row 1 is missing"))?
    .int(0, "change_counter.revision")
}

/// The newest revision.
///
/// # Errors
/// Those of the database.
pub async fn current(tx: &mut Tx<'_>) -> Result<i64> {
    tx.find("SELECT revision FROM change_counter WHERE id = 1", &[])
        .await?
        .ok_or_else(|| Error::corrupt("change_counter", "row 1 is missing"))?
        .int(0, "change_counter.revision")
}
