//! Row by row: the statement is prepared, the call is in process.

use super::{Batch, Record, Result};
use crate::Value;
use crate::sqlite::Connection;

const INSERT_BATCH: &str = "INSERT INTO audit_batches (log, batch, size, committed_at, previous, root, head, leaves) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

const INSERT_RECORD: &str = concat!(
    "INSERT INTO audit_records (",
    record_columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"
);

pub(crate) fn insert(
    connection: &mut Connection,
    batch: &Batch,
    records: &[&Record],
) -> Result<()> {
    connection.execute(INSERT_BATCH, &batch_values(batch))?;
    let rows = (0_i64..).zip(records);
    let rows = rows.map(|(position, record)| values(batch, position, record));
    connection.execute_each(INSERT_RECORD, rows)
}

fn batch_values(batch: &Batch) -> [Value<'_>; 8] {
    [
        batch.log.into(),
        batch.number.into(),
        batch.size.into(),
        batch.committed_at.into(),
        (&batch.previous).into(),
        (&batch.root).into(),
        (&batch.head).into(),
        batch.leaves.as_flattened().into(),
    ]
}

fn values<'r>(batch: &Batch, position: i64, record: &'r Record) -> [Value<'r>; 17] {
    [
        batch.log.into(),
        batch.number.into(),
        position.into(),
        batch.month().number().into(),
        record.at.into(),
        (&*record.request_id).into(),
        (&*record.company).into(),
        (&*record.credential).into(),
        (&*record.action).into(),
        record
            .subject
            .as_ref()
            .map(|subject| subject.as_bytes().as_slice())
            .into(),
        (&*record.outcome.code).into(),
        record.outcome.status.into(),
        record.latency.into(),
        record.occurrences.into(),
        record.data_key.into(),
        record.client.as_deref().into(),
        record.detail.as_deref().into(),
    ]
}
