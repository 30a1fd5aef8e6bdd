//! Set-based, whatever the batch's size: one statement for a few records; a copy for many, which
//! takes a round trip more and costs the database less than half as much for each.

use std::pin::{Pin, pin};

use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};

use super::{Batch, INSERT_BATCH, Record, Result, batch_values};
use crate::postgres::Connection;

/// From so many records on, what a copy saves is worth its round trip.
const MANY: usize = 32;

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

const COPY: &str = concat!(
    "COPY audit_records (",
    record_columns!(),
    ") FROM STDIN (FORMAT BINARY)"
);

/// The types of the columns.
const TYPES: [Type; 17] = [
    Type::INT8,
    Type::INT8,
    Type::INT8,
    Type::INT8,
    Type::INT8,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::BYTEA,
    Type::TEXT,
    Type::INT8,
    Type::INT8,
    Type::INT8,
    Type::UUID,
    Type::BYTEA,
    Type::TEXT,
];

/// Prepares the statements, so that each is sent at its first poll.
pub(crate) async fn prepare(connection: &Connection) -> Result<()> {
    for sql in [INSERT, INSERT_BATCH, COPY] {
        connection.prepare(sql).await?;
    }
    Ok(())
}

/// Whether so many records are better [copied](Copy) than [inserted](insert).
pub(crate) fn is_many(records: usize) -> bool {
    records >= MANY
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
    let subject = column(records, subject);
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

fn subject(record: &Record) -> Option<&[u8]> {
    let subject = record.subject.as_ref();
    subject.map(|subject| subject.as_bytes().as_slice())
}

/// A copy that the database waits for. Until its records are there, the connection carries nothing
/// else.
pub(crate) struct Copy(BinaryCopyInWriter);

impl Copy {
    /// Begins it, inside a transaction.
    pub async fn begin(connection: &Connection) -> Result<Self> {
        let sink = connection.copy_in(COPY).await?;
        Ok(Self(BinaryCopyInWriter::new(sink, &TYPES)))
    }

    /// Writes the records of a batch.
    pub async fn records(self, batch: &Batch, records: &[&Record]) -> Result<()> {
        let mut rows = pin!(self.0);
        for (position, record) in (0_i64..).zip(records) {
            write(rows.as_mut(), batch, position, record).await?;
        }
        rows.finish().await?;
        Ok(())
    }
}

async fn write(
    rows: Pin<&mut BinaryCopyInWriter>,
    batch: &Batch,
    position: i64,
    record: &Record,
) -> Result<()> {
    let values: [&(dyn ToSql + Sync); 17] = [
        &batch.log,
        &batch.number,
        &position,
        &batch.month().number(),
        &record.at.as_microsecond(),
        &&*record.request_id,
        &&*record.company,
        &&*record.credential,
        &&*record.action,
        &subject(record),
        &&*record.outcome.code,
        &record.outcome.status,
        &record.latency,
        &record.occurrences,
        &record.data_key,
        &record.client.as_deref(),
        &record.detail.as_deref(),
    ];
    Ok(rows.write(&values).await?)
}

/// Writes the batch itself, whose records are copied.
pub(crate) async fn insert_batch(connection: &Connection, batch: &Batch) -> Result<()> {
    let values = batch_values(batch);
    connection.execute(INSERT_BATCH, &values).await.map(drop)
}
