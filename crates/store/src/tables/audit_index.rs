//! What the audit log is searched by (`audit_search`), made behind the writers: nobody's answer waits
//! for it.
//!
//! A *block* is a run of successive batches of a log. Of each kind of record in it (company, action,
//! outcome) is kept where it begins and ends, so that a search passes over what holds nothing of it;
//! of each subject, where its records stand. What comes after the last block of a log is its *tail*,
//! which is searched record by record.

use domain::audit::Month;
use jiff::Timestamp;

use crate::{Result, Row, Tx};

/// How many records a block has at least.
pub(super) const BLOCK: i64 = 2048;

/// How many records' subjects are taken in at once: whoever waits for the writer of SQLite waits for
/// no more than that.
const SLICE: i64 = 256;

/// Takes the next piece of a log into the index: the kinds of a block, or the subjects of a part of
/// the last one. `false` when the subjects are all there and the tail is too short for a block.
///
/// # Errors
/// Those of the database.
pub async fn extend(tx: &mut Tx<'_>, log: i64) -> Result<bool> {
    let (kinds_to, subjects_to) = lock(tx, log).await?;
    if subjects_to < kinds_to {
        let slice = next_run(tx, log, subjects_to, SLICE).await?;
        let last = slice.map_or(kinds_to, |slice| slice.last.min(kinds_to));
        return add_subjects(tx, log, subjects_to, last)
            .await
            .map(|()| true);
    }
    match next_run(tx, log, kinds_to, BLOCK).await? {
        Some(block) => add_kinds(tx, log, kinds_to, &block).await.map(|()| true),
        None => Ok(false),
    }
}

async fn add_kinds(tx: &mut Tx<'_>, log: i64, after: i64, block: &Run) -> Result<()> {
    tx.execute(
        "INSERT INTO audit_kinds (committed_from, committed_to, log, first_batch, company_id, \
         action, outcome, from_batch, to_batch, at_from, at_to) SELECT CAST($4 AS BIGINT), \
         CAST($5 AS BIGINT), log, CAST($2 AS BIGINT), company_id, action, outcome, MIN(batch), \
         MAX(batch), MIN(at), MAX(at) FROM audit_records \
         WHERE log = $1 AND batch >= $2 AND batch <= $3 GROUP BY log, company_id, action, outcome",
        &[
            log.into(),
            (after + 1).into(),
            block.last.into(),
            block.committed_from.into(),
            block.committed_to.into(),
        ],
    )
    .await?;
    let extended = "UPDATE audit_indexed SET kinds_to = $2 WHERE log = $1";
    let values = [log.into(), block.last.into()];
    tx.execute(extended, &values).await.map(drop)
}

async fn add_subjects(tx: &mut Tx<'_>, log: i64, after: i64, last: i64) -> Result<()> {
    tx.execute(
        "INSERT INTO audit_subjects (month, subject, log, batch, position) \
         SELECT month, subject, log, batch, position FROM audit_records \
         WHERE log = $1 AND batch > $2 AND batch <= $3 AND subject IS NOT NULL \
         ORDER BY month, subject, batch, position",
        &[log.into(), after.into(), last.into()],
    )
    .await?;
    let extended = "UPDATE audit_indexed SET subjects_to = $2 WHERE log = $1";
    let values = [log.into(), last.into()];
    tx.execute(extended, &values).await.map(drop)
}

/// Through which batch the kinds and the subjects of a log are indexed; nobody else extends its index
/// meanwhile.
async fn lock(tx: &mut Tx<'_>, log: i64) -> Result<(i64, i64)> {
    let begin = "INSERT INTO audit_indexed (log, kinds_to, subjects_to) VALUES ($1, 0, 0) \
                 ON CONFLICT DO NOTHING";
    tx.execute(begin, &[log.into()]).await?;
    let find = "SELECT kinds_to, subjects_to FROM audit_indexed WHERE log = $1 FOR UPDATE";
    through(tx.find(find, &[log.into()]).await?.as_ref())
}

/// Through which batch the kinds and the subjects of a log are indexed.
pub(super) async fn indexed_to(tx: &mut Tx<'_>, log: i64) -> Result<(i64, i64)> {
    let find = "SELECT kinds_to, subjects_to FROM audit_indexed WHERE log = $1";
    through(tx.find(find, &[log.into()]).await?.as_ref())
}

fn through(row: Option<&Row>) -> Result<(i64, i64)> {
    let Some(row) = row else { return Ok((0, 0)) };
    let kinds_to = row.int(0, "audit_indexed.kinds_to")?;
    Ok((kinds_to, row.int(1, "audit_indexed.subjects_to")?))
}

/// Where a run of batches ends, and when the oldest and the newest of them were committed.
struct Run {
    last: i64,
    committed_from: Timestamp,
    committed_to: Timestamp,
}

/// The shortest run after a batch that has so many records, if there are so many.
async fn next_run(tx: &mut Tx<'_>, log: i64, after: i64, enough: i64) -> Result<Option<Run>> {
    let batches = tx
        .query(
            "SELECT batch, size, committed_at FROM audit_batches WHERE log = $1 AND batch > $2 \
             ORDER BY batch LIMIT $3",
            &[log.into(), after.into(), enough.into()],
        )
        .await?;
    let mut records = 0;
    let mut run = Run {
        last: after,
        committed_from: Timestamp::MAX,
        committed_to: Timestamp::MIN,
    };
    for row in &batches {
        let committed_at = row.time(2, "audit_batches.committed_at")?;
        run.last = row.int(0, "audit_batches.batch")?;
        run.committed_from = run.committed_from.min(committed_at);
        run.committed_to = run.committed_to.max(committed_at);
        records += row.int(1, "audit_batches.size")?;
        if records >= enough {
            return Ok(Some(run));
        }
    }
    Ok(None)
}

macro_rules! forget_subjects {
    ($table:literal) => {
        concat!(
            "DELETE FROM ",
            $table,
            " WHERE month = $1 AND (subject, log, batch, position) IN \
             (SELECT subject, log, batch, position FROM ",
            $table,
            " WHERE month = $1 LIMIT $2)"
        )
    };
}

/// Forgets what is known of kinds in blocks that ended before a moment, and of subjects in a month;
/// at most `count` of each. Returns how many were forgotten.
///
/// # Errors
/// Those of the database.
pub async fn forget(tx: &mut Tx<'_>, month: Month, count: i64) -> Result<u64> {
    let kinds = tx
        .execute(
            "DELETE FROM audit_kinds WHERE (committed_to, log, first_batch, company_id, action, \
             outcome) IN (SELECT committed_to, log, first_batch, company_id, action, outcome \
             FROM audit_kinds WHERE committed_to < $1 ORDER BY committed_to LIMIT $2)",
            &[month.ends().into(), count.into()],
        )
        .await?;
    let delete = match tx {
        Tx::Sqlite(_) => forget_subjects!("audit_subjects"),
        // A month that has a table of its own is dropped with it.
        Tx::Postgres(_) => forget_subjects!("audit_subjects_other"),
    };
    let subjects = [month.number().into(), count.into()];
    let subjects = tx.execute(delete, &subjects).await?;
    Ok(kinds + subjects)
}
