//! What checking and proving read of the audit log: leaves, hashed as the records lie in the
//! database, and heads.
//!
//! Guarantees: a leaf is that of the stored values, whatever they are. A value that no record could
//! have is no obstacle; it only makes another leaf.

use domain::audit::{Batch, Digest, LeafEncoder};
use rusqlite::types::ValueRef;

use super::audit::{Located, batches};
use crate::{Error, Result, Tx};

/// A record's place in its log, and the leaf of what is stored there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredLeaf {
    /// The batch.
    pub batch: i64,
    /// The place in that batch.
    pub position: i64,
    /// The number of the month by which it is kept.
    pub month: i64,
    /// The leaf.
    pub leaf: Digest,
}

/// Place and month first, then the fields in the order in which they are hashed.
const LEAVES: &str = "SELECT batch, position, month, at, request_id, company_id, credential, action, \
     subject, outcome, status, latency, occurrences, data_key, client, detail FROM audit_records \
     WHERE log = $1 AND batch >= $2 AND batch <= $3 ORDER BY batch, position";

/// The leaves of a log in batches `from` up to and including `to`, in order.
///
/// # Errors
/// Those of the database.
pub async fn leaves(tx: &mut Tx<'_>, log: i64, from: i64, to: i64) -> Result<Vec<StoredLeaf>> {
    let mut leaves = Vec::new();
    let mut encoder = LeafEncoder::new();
    match tx {
        Tx::Sqlite(connection) => {
            let values = [log.into(), from.into(), to.into()];
            connection.visit(LEAVES, &values, |row| {
                leaves.push(of_sqlite(row, &mut encoder)?);
                Ok(())
            })?;
        }
        Tx::Postgres(connection) => {
            let rows = connection.query_native(LEAVES, &[&log, &from, &to]).await?;
            leaves.reserve(rows.len());
            for row in rows {
                leaves.push(of_postgres(&row, &mut encoder)?);
            }
        }
    }
    Ok(leaves)
}

/// How many columns are hashed, and how many stand before them.
const FIELDS: usize = 13;
const BEFORE: usize = 3;

fn of_sqlite(row: &rusqlite::Row<'_>, encoder: &mut LeafEncoder) -> Result<StoredLeaf> {
    for at in BEFORE..BEFORE + FIELDS {
        match row.get_ref(at)? {
            ValueRef::Integer(value) => encoder.integer(value),
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => encoder.present(bytes),
            ValueRef::Null => encoder.optional(None),
            ValueRef::Real(_) => return Err(Error::corrupt("audit_records", "wrong type")),
        }
    }
    Ok(StoredLeaf {
        batch: row.get(0)?,
        position: row.get(1)?,
        month: row.get(2)?,
        leaf: encoder.finish(),
    })
}

fn of_postgres(row: &tokio_postgres::Row, encoder: &mut LeafEncoder) -> Result<StoredLeaf> {
    fn field<'r, T: tokio_postgres::types::FromSql<'r>>(
        row: &'r tokio_postgres::Row,
        at: usize,
    ) -> Result<T> {
        row.try_get(at)
            .map_err(|_| Error::corrupt("audit_records", "wrong type"))
    }
    let text = |at| field::<&str>(row, at).map(str::as_bytes);
    encoder.integer(field(row, 3)?);
    for at in 4..=7 {
        encoder.present(text(at)?);
    }
    encoder.optional(field(row, 8)?);
    encoder.present(text(9)?);
    for at in 10..=12 {
        encoder.integer(field(row, at)?);
    }
    let data_key: Option<uuid::Uuid> = field(row, 13)?;
    encoder.optional(data_key.as_ref().map(|key| key.as_bytes().as_slice()));
    encoder.optional(field(row, 14)?);
    encoder.optional(field::<Option<&str>>(row, 15)?.map(str::as_bytes));
    Ok(StoredLeaf {
        batch: field(row, 0)?,
        position: field(row, 1)?,
        month: field(row, 2)?,
        leaf: encoder.finish(),
    })
}

/// The heads of a log's batches `from` up to and including `to`, by number: up to `limit`.
///
/// # Errors
/// Those of the database; [`Error::Corrupt`] when one is malformed.
pub async fn heads(
    tx: &mut Tx<'_>,
    log: i64,
    from: i64,
    to: i64,
    limit: i64,
) -> Result<Vec<(i64, Digest)>> {
    tx.query(
        "SELECT batch, head FROM audit_batches WHERE log = $1 AND batch >= $2 AND batch <= $3 \
         ORDER BY batch LIMIT $4",
        &[log.into(), from.into(), to.into(), limit.into()],
    )
    .await?
    .iter()
    .map(|row| {
        let head = row.array(1, "audit_batches.head")?;
        Ok((row.int(0, "audit_batches.batch")?, head))
    })
    .collect()
}

/// When a batch of a log was closed, of the first that has this number or a higher one: its number
/// and the time in microseconds since 1970.
///
/// # Errors
/// Those of the database.
pub async fn closed_from(tx: &mut Tx<'_>, log: i64, batch: i64) -> Result<Option<(i64, i64)>> {
    let sql = "SELECT batch, committed_at FROM audit_batches WHERE log = $1 AND batch >= $2 \
               ORDER BY batch LIMIT 1";
    let row = tx.find(sql, &[log.into(), batch.into()]).await?;
    row.map(|row| {
        let closed = row.int(1, "audit_batches.committed_at")?;
        Ok((row.int(0, "audit_batches.batch")?, closed))
    })
    .transpose()
}

/// The places of a request's records in batches `from` up to and including `to` of a log.
///
/// # Errors
/// Those of the database.
pub async fn places_of_request(
    tx: &mut Tx<'_>,
    log: i64,
    from: i64,
    to: i64,
    request_id: &str,
) -> Result<Vec<(i64, i64)>> {
    tx.query(
        "SELECT batch, position FROM audit_records WHERE log = $1 AND batch >= $2 \
         AND batch <= $3 AND request_id = $4 ORDER BY batch, position",
        &[log.into(), from.into(), to.into(), request_id.into()],
    )
    .await?
    .iter()
    .map(|row| {
        let position = row.int(1, "audit_records.position")?;
        Ok((row.int(0, "audit_records.batch")?, position))
    })
    .collect()
}

/// A record and the batch that it stands in.
///
/// # Errors
/// Those of the database; [`Error::Corrupt`] when either is malformed.
pub async fn find(
    tx: &mut Tx<'_>,
    log: i64,
    batch: i64,
    position: i64,
) -> Result<Option<(Located, Batch)>> {
    let records = super::audit::records(tx, log, batch, batch).await?;
    let record = records
        .into_iter()
        .find(|located| located.position == position);
    let batches = batches(tx, log, batch.saturating_sub(1), 1).await?;
    let batch = batches.into_iter().find(|found| found.number == batch);
    Ok(record.zip(batch))
}
