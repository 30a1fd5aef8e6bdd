//! Set-based: one statement and one round trip, whatever the batch's size.

use tokio_postgres::types::ToSql;

use super::{Batch, Record, Result};
use crate::postgres::Connection;

const INSERT: &str = concat!(
    "WITH batch AS (INSERT INTO audit_batches \
     (log, batch, size, committed_at, previous, root, head, leaves) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)) \
     INSERT INTO audit_records (",
    record_columns!(),
    ") SELECT $1, $2, row - 1, $22, r.at, r.request_id, r.company_id, r.credential, r.action, \
     r.subject, r.outcome, r.status, r.latency, r.occurrences, r.data_key, r.client, r.detail \
     FROM UNNEST($9::bigint[], $10::text[], $11::text[], $12::text[], $13::text[], \
     $14::bytea[], $15::text[], $16::bigint[], $17::bigint[], $18::bigint[], $19::uuid[], \
     $20::bytea[], $21::text[]) WITH ORDINALITY AS r(at, request_id, company_id, credential, \
     action, subject, outcome, status, latency, occurrences, data_key, client, detail, row)"
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
