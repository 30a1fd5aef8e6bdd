//! Months of the audit log: made before they begin, retired when their time is over.
//!
//! Of a retired month the records are gone, and the leaves with them. Its batches stay, so that the
//! chain goes on through them. On PostgreSQL a month has tables of its own, which are dropped; what
//! stands outside of them, and everything on SQLite, is deleted a few batches at a time.

use domain::audit::Month;
use jiff::Timestamp;

use crate::{Result, Tx, Value};

/// Tables of a month are made and dropped while nobody uses the log, and whoever comes meanwhile waits
/// behind. Where somebody reads for long (a backup does), that is given up before any writer does, and
/// tried again.
const BRIEFLY: &str = "SELECT set_config('lock_timeout', '40ms', true)";

/// Makes the tables of a month, where months have any.
///
/// # Errors
/// Those of the database.
pub async fn make(tx: &mut Tx<'_>, month: Month) -> Result<()> {
    if let Tx::Postgres(_) = tx {
        tx.query(BRIEFLY, &[]).await?;
        let values = [month.number().into()];
        tx.query("SELECT audit_make_month($1)", &values).await?;
    }
    Ok(())
}

/// The months whose records are gone, in order.
///
/// # Errors
/// Those of the database.
pub async fn retired(tx: &mut Tx<'_>) -> Result<Vec<Month>> {
    let rows = tx
        .query("SELECT month FROM audit_retired ORDER BY month", &[])
        .await?;
    let mut months = Vec::with_capacity(rows.len());
    for row in &rows {
        months.extend(Month::from_number(row.int(0, "audit_retired.month")?));
    }
    Ok(months)
}

/// Takes the leaves of some batches of a month away, and their records where they stand in no table of
/// the month's own: of about `records` records on SQLite, where others wait meanwhile, and of so many
/// batches on PostgreSQL, where nobody does. Returns how many records are gone; 0 when there is
/// nothing left.
///
/// # Errors
/// Those of the database.
pub async fn retire_some(tx: &mut Tx<'_>, month: Month, records: i64) -> Result<i64> {
    match tx {
        Tx::Sqlite(_) => retire_one_by_one(tx, month, records).await,
        Tx::Postgres(_) => retire_at_once(tx, month, records).await,
    }
}

async fn retire_one_by_one(tx: &mut Tx<'_>, month: Month, records: i64) -> Result<i64> {
    let batches = tx
        .query(
            "SELECT log, batch, size FROM audit_batches WHERE committed_at >= $1 \
             AND committed_at < $2 AND size > 0 AND length(leaves) > 0 LIMIT $3",
            &[month.begins().into(), month.ends().into(), records.into()],
        )
        .await?;
    let mut gone = 0;
    for row in &batches {
        let place: [Value<'_>; 2] = [
            row.int(0, "audit_batches.log")?.into(),
            row.int(1, "audit_batches.batch")?.into(),
        ];
        let delete = "DELETE FROM audit_records WHERE log = $1 AND batch = $2";
        tx.execute(delete, &place).await?;
        tx.execute(
            "UPDATE audit_batches SET leaves = $3 WHERE log = $1 AND batch = $2",
            &[place[0], place[1], Value::Bytes(&[])],
        )
        .await?;
        gone += row.int(2, "audit_batches.size")?;
        if gone >= records {
            break;
        }
    }
    Ok(gone)
}

async fn retire_at_once(tx: &mut Tx<'_>, month: Month, batches: i64) -> Result<i64> {
    let gone = tx
        .find(
            "WITH due AS (SELECT log, batch FROM audit_batches WHERE committed_at >= $1 \
             AND committed_at < $2 AND size > 0 AND length(leaves) > 0 LIMIT $3), \
             gone AS (DELETE FROM audit_records_other r USING due \
             WHERE r.log = due.log AND r.batch = due.batch), \
             emptied AS (UPDATE audit_batches b SET leaves = $4 FROM due \
             WHERE b.log = due.log AND b.batch = due.batch RETURNING b.size) \
             SELECT CAST(SUM(size) AS BIGINT) FROM emptied",
            &[
                month.begins().into(),
                month.ends().into(),
                batches.into(),
                Value::Bytes(&[]),
            ],
        )
        .await?;
    let gone = gone.map(|row| row.find_int(0, "audit_batches.size"));
    Ok(gone.transpose()?.flatten().unwrap_or_default())
}

/// Drops the tables of a month, and notes that it is retired; `false` when somebody else has.
///
/// # Errors
/// Those of the database.
pub async fn retire(tx: &mut Tx<'_>, month: Month, at: Timestamp) -> Result<bool> {
    let noted = tx
        .execute(
            "INSERT INTO audit_retired (month, batches, records, at) \
             SELECT CAST($1 AS BIGINT), COUNT(*), CAST(COALESCE(SUM(size), 0) AS BIGINT), \
             CAST($4 AS BIGINT) FROM audit_batches \
             WHERE committed_at >= $2 AND committed_at < $3 ON CONFLICT DO NOTHING",
            &[
                month.number().into(),
                month.begins().into(),
                month.ends().into(),
                at.into(),
            ],
        )
        .await?;
    if let Tx::Postgres(_) = tx {
        tx.query(BRIEFLY, &[]).await?;
        let values = [month.number().into()];
        tx.query("SELECT audit_drop_month($1)", &values).await?;
    }
    Ok(noted == 1)
}
