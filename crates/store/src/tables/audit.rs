//! Reading the audit log. Records are written by the store's writers alone.

use domain::audit::{Batch, LogHead, Month, Outcome, Record};
use domain::seal::BlindIndex;
use jiff::Timestamp;

use crate::{Error, Result, Row, Tx};

/// A record and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The log.
    pub log: i64,
    /// The batch in that log.
    pub batch: i64,
    /// The place in that batch, from 0.
    pub position: i64,
    /// The number of the month by which it is kept.
    pub month: i64,
    /// The record.
    pub record: Record,
}

/// Every log that has a batch or a record, by number. Logs are numbered from 1
/// without large gaps, so each is one step in an index.
///
/// # Errors
/// Those of the database.
pub async fn logs(tx: &mut Tx<'_>) -> Result<Vec<i64>> {
    let mut logs = Vec::new();
    let mut after = i64::MIN;
    loop {
        let row = tx
            .find(
                "SELECT MIN(log) FROM (SELECT MIN(log) AS log FROM audit_batches WHERE log > $1 \
                 UNION ALL SELECT MIN(log) FROM audit_records WHERE log > $1) AS next",
                &[after.into()],
            )
            .await?;
        match row
            .map(|row| row.find_int(0, "audit_batches.log"))
            .transpose()?
            .flatten()
        {
            Some(log) => {
                logs.push(log);
                after = log;
            }
            None => return Ok(logs),
        }
    }
}

/// The end of each log.
///
/// # Errors
/// Those of the database.
pub async fn heads(tx: &mut Tx<'_>) -> Result<Vec<LogHead>> {
    let mut heads = Vec::new();
    for log in logs(tx).await? {
        let row = tx.find(crate::ledger::HEAD, &[log.into()]).await?;
        heads.push(LogHead {
            log,
            head: crate::ledger::head(row.as_ref())?,
        });
    }
    Ok(heads)
}

/// Up to `limit` batches of a log after batch `after`, in order.
///
/// # Errors
/// Those of the database; [`Error::Corrupt`] when a digest has the wrong length.
pub async fn batches(tx: &mut Tx<'_>, log: i64, after: i64, limit: i64) -> Result<Vec<Batch>> {
    tx.query(
        "SELECT log, batch, size, committed_at, previous, root, head, leaves FROM audit_batches \
         WHERE log = $1 AND batch > $2 ORDER BY batch LIMIT $3",
        &[log.into(), after.into(), limit.into()],
    )
    .await?
    .iter()
    .map(batch)
    .collect()
}

/// The number of the first batch of a log after batch `after`.
///
/// # Errors
/// Those of the database.
pub async fn next_batch(tx: &mut Tx<'_>, log: i64, after: i64) -> Result<Option<i64>> {
    let sql = "SELECT MIN(batch) FROM audit_batches WHERE log = $1 AND batch > $2";
    tx.find(sql, &[log.into(), after.into()])
        .await?
        .map_or(Ok(None), |row| row.find_int(0, "audit_batches.batch"))
}

/// The number of the batch before the first one of a log that was committed at a moment or later;
/// without a moment, 0.
///
/// # Errors
/// Those of the database.
pub async fn batch_before(tx: &mut Tx<'_>, log: i64, from: Option<Timestamp>) -> Result<i64> {
    const FIRST: &str =
        "SELECT MIN(batch) FROM audit_batches WHERE log = $1 AND committed_at >= $2";
    let Some(from) = from else { return Ok(0) };
    let row = tx.find(FIRST, &[log.into(), from.into()]).await?;
    let first = row.map_or(Ok(None), |row| row.find_int(0, "audit_batches.batch"))?;
    match first {
        Some(first) => Ok(first - 1),
        None => Ok(heads(tx)
            .await?
            .iter()
            .find(|head| head.log == log)
            .map_or(0, |head| head.head.batch)),
    }
}

/// The records of a log in batches `from` up to and including `to`, in order.
///
/// # Errors
/// Those of the database.
pub async fn records(tx: &mut Tx<'_>, log: i64, from: i64, to: i64) -> Result<Vec<Located>> {
    tx.query(
        "SELECT log, batch, position, month, at, request_id, company_id, credential, action, \
         subject, outcome, status, latency, occurrences, data_key, client, detail \
         FROM audit_records WHERE log = $1 AND batch >= $2 AND batch <= $3 ORDER BY batch, position",
        &[log.into(), from.into(), to.into()],
    )
    .await?
    .iter()
    .map(located)
    .collect()
}

/// How many records the batches of all logs hold by their own account.
///
/// # Errors
/// Those of the database.
pub async fn committed_records(tx: &mut Tx<'_>) -> Result<i64> {
    let sql = "SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM audit_batches";
    tx.find(sql, &[])
        .await?
        .map_or(Ok(0), |row| row.int(0, "audit_batches.size"))
}

fn batch(row: &Row) -> Result<Batch> {
    let leaves = row.bytes(7, "audit_batches.leaves")?;
    let (leaves, rest) = leaves.as_chunks::<32>();
    if !rest.is_empty() {
        return Err(Error::corrupt("audit_batches.leaves", "not whole digests"));
    }
    Ok(Batch {
        log: row.int(0, "audit_batches.log")?,
        number: row.int(1, "audit_batches.batch")?,
        size: row.int(2, "audit_batches.size")?,
        committed_at: row.time(3, "audit_batches.committed_at")?,
        previous: row.array(4, "audit_batches.previous")?,
        root: row.array(5, "audit_batches.root")?,
        head: row.array(6, "audit_batches.head")?,
        leaves: leaves.to_vec(),
    })
}

pub(super) fn located(row: &Row) -> Result<Located> {
    let subject = row
        .find_bytes(9, "audit_records.subject")?
        .map(|bytes| {
            BlindIndex::from_bytes(&bytes)
                .ok_or_else(|| Error::corrupt("audit_records.subject", "wrong length"))
        })
        .transpose()?;
    Ok(Located {
        log: row.int(0, "audit_records.log")?,
        batch: row.int(1, "audit_records.batch")?,
        position: row.int(2, "audit_records.position")?,
        month: row.int(3, "audit_records.month")?,
        record: Record {
            at: row.time(4, "audit_records.at")?,
            request_id: row.text(5, "audit_records.request_id")?.into(),
            company: row.text(6, "audit_records.company_id")?.into(),
            credential: row.text(7, "audit_records.credential")?.into(),
            action: row.text(8, "audit_records.action")?.into(),
            subject,
            outcome: Outcome {
                code: row.text(10, "audit_records.outcome")?.into(),
                status: row.int(11, "audit_records.status")?,
            },
            latency: row.int(12, "audit_records.latency")?,
            occurrences: row.int(13, "audit_records.occurrences")?,
            data_key: row.find_uuid(14, "audit_records.data_key")?,
            client: row.find_bytes(15, "audit_records.client")?,
            detail: row.find_text(16, "audit_records.detail")?,
        },
    })
}

/// The log, batch and position of a request's record of an action, among what was committed at
/// `since` or later.
///
/// # Errors
/// Those of the database.
pub async fn find_since(
    tx: &mut Tx<'_>,
    since: Timestamp,
    request_id: &str,
    action: &str,
) -> Result<Option<(i64, i64, i64)>> {
    // From the batches to their records: joined in another order, all records would be read. The upper
    // end, which is none, has PostgreSQL expect few batches.
    let found = tx
        .query(
            "SELECT r.log, r.batch, r.position FROM audit_batches b CROSS JOIN audit_records r \
             WHERE b.committed_at >= $1 AND b.committed_at <= $2 AND r.log = b.log \
             AND r.batch = b.batch AND r.month >= $3 AND r.request_id = $4 AND r.action = $5",
            &[
                since.into(),
                Timestamp::MAX.into(),
                Month::of(since).number().into(),
                request_id.into(),
                action.into(),
            ],
        )
        .await?;
    let places = found.iter().map(|row| {
        Ok((
            row.int(0, "audit_records.log")?,
            row.int(1, "audit_records.batch")?,
            row.int(2, "audit_records.position")?,
        ))
    });
    Ok(places.collect::<Result<Vec<_>>>()?.into_iter().min())
}
