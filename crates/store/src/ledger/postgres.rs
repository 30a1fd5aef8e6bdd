//! Set-based: one statement and one round trip, whatever the batch's size.

use tokio_postgres::types::ToSql;

use super::{Batch, Record, Result};
use crate::postgres::Connection;

/// The arrays are unnested where columns are selected, side by side: as a table, each of them would be
/// written into a store of its own before the first row is made of them.
const INSERT: &str = concat!(
    "WITH batch AS (INSERT INTO audit_batches \
     (log, batch, size, committed_at, previous, root, head, leaves) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)) \
     INSERT INTO audit_records (",
    record_columns!(),
    ") SELECT $1, $2, generate_series(0, $3 - 1), $22, UNNEST($9::bigint[]), UNNEST($10::text[]), \
     UNNEST($11::text[]), UNNEST($12::text[]), UNNEST($13::text[]), UNNEST($14::bytea[]), \
     UNNEST($15::text[]), UNNEST($16::bigint[]), UNNEST($17::bigint[]), UNNEST($18::bigint[]), \
     UNNEST($19::uuid[]), UNNEST($20::bytea[]), UNNEST($21::text[])"
);

/// Prepares the statement, so that [`insert`] sends it at its first poll.
pub(crate) async fn prepare(connection: &Connection) -> Result<()> {
    connection.prepare(INSERT).await
}

/// Writes a batch and its records in one statement.
pub(crate) async fn insert(
    connection: &Connection,
    batch: &Batch,
    records: &[&Record],
) -> Result<()> {
    let at = column(records, |r| r.at.as_microsecond());
    let request_id = column(records, |r| &*r.request_id);
    let company = column(records, |r| &*r.company);
    let credential = column(records, |r| &*r.credential);
    let action = column(records, |r| &*r.action);
    let subject = column(records, |r| {
        r.subject
            .as_ref()
            .map(|subject| subject.as_bytes().as_slice())
    });
    let outcome = column(records, |r| &*r.outcome.code);
    let status = column(records, |r| r.outcome.status);
    let latency = column(records, |r| r.latency);
    let occurrences = column(records, |r| r.occurrences);
    let data_key = column(records, |r| r.data_key);
    let client = column(records, |r| r.client.as_deref());
    let detail = column(records, |r| r.detail.as_deref());
    let month = batch.month().number();
    let values: [&(dyn ToSql + Sync); 22] = [
        &batch.log,
        &batch.number,
        &batch.size,
        &batch.committed_at.as_microsecond(),
        &batch.previous.as_slice(),
        &batch.root.as_slice(),
        &batch.head.as_slice(),
        &batch.leaves.as_flattened(),
        &at,
        &request_id,
        &company,
        &credential,
        &action,
        &subject,
        &outcome,
        &status,
        &latency,
        &occurrences,
        &data_key,
        &client,
        &detail,
        &month,
    ];
    connection.execute_native(INSERT, &values).await.map(drop)
}

/// Every column gathered into one array.
fn column<'r, T>(records: &[&'r Record], value: impl Fn(&'r Record) -> T) -> Vec<T> {
    records.iter().map(|record| value(record)).collect()
}
