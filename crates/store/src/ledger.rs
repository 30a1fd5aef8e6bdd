//! Writing the audit log: batches are closed here, whichever engine commits them.

use domain::audit::{self, Batch, Head, Record};
use jiff::Timestamp;

use crate::{Result, Row};

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

/// The columns of `audit_records`, in the order in which both engines write them.
macro_rules! record_columns {
    () => {
        "log, batch, position, month, at, request_id, company_id, credential, action, subject, \
         outcome, status, latency, occurrences, data_key, client, detail"
    };
}

const INSERT_BATCH: &str = "INSERT INTO audit_batches (log, batch, size, committed_at, previous, root, head, leaves) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

pub(crate) mod sqlite {
    //! Row by row: the statement is prepared, the call is in process.

    use super::{Batch, INSERT_BATCH, Record, Result};
    use crate::Value;
    use crate::sqlite::Connection;

    const INSERT_RECORD: &str = concat!(
        "INSERT INTO audit_records (",
        record_columns!(),
        ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"
    );

    pub fn insert(connection: &mut Connection, batch: &Batch, records: &[&Record]) -> Result<()> {
        connection.execute(
            INSERT_BATCH,
            &[
                batch.log.into(),
                batch.number.into(),
                batch.size.into(),
                batch.committed_at.into(),
                (&batch.previous).into(),
                (&batch.root).into(),
                (&batch.head).into(),
                batch.leaves.as_flattened().into(),
            ],
        )?;
        for (position, record) in (0_i64..).zip(records) {
            connection.execute(INSERT_RECORD, &values(batch, position, record))?;
        }
        Ok(())
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
}

pub(crate) mod postgres {
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

    /// Every column gathered into one array.
    fn column<'r, T>(records: &[&'r Record], value: impl Fn(&'r Record) -> T) -> Vec<T> {
        records.iter().map(|record| value(record)).collect()
    }

    /// Prepares the statement, so that [`insert`] sends it at its first poll.
    pub async fn prepare(connection: &Connection) -> Result<()> {
        connection.prepare(INSERT).await
    }

    pub async fn insert(connection: &Connection, batch: &Batch, records: &[&Record]) -> Result<()> {
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
        connection.execute_native(INSERT, &values).await.map(|_| ())
    }
}
