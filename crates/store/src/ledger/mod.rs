//! Writing the audit log: batches are closed here, whichever engine commits them.

use domain::audit::{self, Batch, Head, Record};
use jiff::Timestamp;

use crate::{Result, Row};

/// The columns of `audit_records`, in the order in which both engines write them.
macro_rules! record_columns {
    () => {
        "log, batch, position, month, at, request_id, company_id, credential, action, subject, \
         outcome, status, latency, occurrences, data_key, client, detail"
    };
}

pub(crate) mod postgres;
pub(crate) mod sqlite;

/// SQLite has one writer at a time and therefore one log.
pub(crate) const SQLITE_LOG: i64 = 1;

/// The end of a log.
pub(crate) const HEAD: &str =
    "SELECT batch, head FROM audit_batches WHERE log = $1 ORDER BY batch DESC LIMIT 1";

/// Reads [`HEAD`]'s answer.
pub(crate) fn head(row: Option<&Row>) -> Result<Head> {
    row.map_or(Ok(Head::EMPTY), |row| {
        Ok(Head {
            batch: row.int(0, "audit_batches.batch")?,
            hash: row.array(1, "audit_batches.head")?,
        })
    })
}

/// Closes a batch over records.
pub(crate) fn close(log: i64, head: Head, records: &[&Record], at: Timestamp) -> Batch {
    audit::close(
        log,
        head,
        records.iter().map(|record| record.leaf()).collect(),
        at,
    )
}
