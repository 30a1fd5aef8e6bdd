//! How many requests there were, hour by hour: counted from the audit log, behind the writers.
//!
//! Nobody's answer waits for it. Each log is counted batch by batch, in the transaction that says how
//! far it was counted, so that every record counts once. Latencies are kept as steps of a scale.
//! Must not: count what came from the command line, which answers nobody.

use jiff::Timestamp;

use crate::{Result, Tx};

/// The upper ends of the scale's steps, in microseconds; what takes longer is on one more step.
pub const STEPS: [i64; 12] = [
    1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000,
    5_000_000,
];

/// How many microseconds an hour has.
const HOUR: i64 = 3_600_000_000;

/// How many batches are counted at once, at most.
const BATCHES: i64 = 256;

/// With how many records a run of batches is long enough: whoever waits for the writer of SQLite
/// waits for no more than that.
const RECORDS: i64 = 2048;

/// The hour of a moment, counted from 1970-01-01 (UTC).
#[must_use]
pub fn hour_of(at: Timestamp) -> i64 {
    at.as_microsecond().div_euclid(HOUR)
}

/// When an hour begins.
#[must_use]
pub fn begin_of(hour: i64) -> Timestamp {
    Timestamp::from_microsecond(hour.saturating_mul(HOUR)).unwrap_or(Timestamp::MAX)
}

/// Counts what came since a log was last counted, or the first part of it; `false` when there is
/// nothing more to count.
///
/// # Errors
/// Those of the database.
pub async fn count(tx: &mut Tx<'_>, log: i64) -> Result<bool> {
    let begin = "INSERT INTO audit_indexed (log, kinds_to, subjects_to) VALUES ($1, 0, 0) \
                 ON CONFLICT DO NOTHING";
    tx.execute(begin, &[log.into()]).await?;
    let find = "SELECT counted_to FROM audit_indexed WHERE log = $1 FOR UPDATE";
    let row = tx.find(find, &[log.into()]).await?;
    let counted_to = row.map_or(Ok(0), |row| row.int(0, "audit_indexed.counted_to"))?;
    let end = "SELECT MAX(batch) FROM (SELECT batch, SUM(size) OVER (ORDER BY batch) - size AS ahead \
               FROM (SELECT batch, size FROM audit_batches WHERE log = $1 AND batch > $2 \
               ORDER BY batch LIMIT $3) AS next) AS sums WHERE ahead < CAST($4 AS BIGINT)";
    let values = [
        log.into(),
        counted_to.into(),
        BATCHES.into(),
        RECORDS.into(),
    ];
    let row = tx.find(end, &values).await?;
    let last = row.and_then(|row| row.find_int(0, "audit_batches.batch").transpose());
    let Some(last) = last.transpose()? else {
        return Ok(false);
    };
    // The steps are those of `STEPS`.
    tx.execute(
        "INSERT INTO audit_hours (company_id, hour, action, outcome, step, requests) \
         SELECT company_id, at / 3600000000, action, outcome, \
         CASE WHEN latency <= 1000 THEN 0 WHEN latency <= 2000 THEN 1 WHEN latency <= 5000 THEN 2 \
         WHEN latency <= 10000 THEN 3 WHEN latency <= 20000 THEN 4 WHEN latency <= 50000 THEN 5 \
         WHEN latency <= 100000 THEN 6 WHEN latency <= 200000 THEN 7 WHEN latency <= 500000 THEN 8 \
         WHEN latency <= 1000000 THEN 9 WHEN latency <= 2000000 THEN 10 \
         WHEN latency <= 5000000 THEN 11 ELSE 12 END, CAST(SUM(occurrences) AS BIGINT) \
         FROM audit_records WHERE log = $1 AND batch > $2 AND batch <= $3 AND status > 0 \
         GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5 \
         ON CONFLICT (company_id, hour, action, outcome, step) \
         DO UPDATE SET requests = audit_hours.requests + excluded.requests",
        &[log.into(), counted_to.into(), last.into()],
    )
    .await?;
    let extended = "UPDATE audit_indexed SET counted_to = $2 WHERE log = $1";
    let values = [log.into(), last.into()];
    tx.execute(extended, &values).await.map(|_| true)
}

/// Forgets the counts of hours before one.
///
/// # Errors
/// Those of the database.
pub async fn forget(tx: &mut Tx<'_>, before: i64) -> Result<u64> {
    tx.execute("DELETE FROM audit_hours WHERE hour < $1", &[before.into()])
        .await
}

/// Requests of one hour that went alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// The hour, counted from 1970-01-01 (UTC).
    pub hour: i64,
    /// What came of them.
    pub outcome: String,
    /// On which step of the scale their latency is.
    pub step: i64,
    /// How many.
    pub requests: i64,
}

/// What was asked on behalf of a company from an hour on, and not by way of the console.
///
/// # Errors
/// Those of the database.
pub async fn list(tx: &mut Tx<'_>, company_id: &str, from: i64) -> Result<Vec<Counted>> {
    tx.query(
        "SELECT hour, outcome, step, CAST(SUM(requests) AS BIGINT) FROM audit_hours \
         WHERE company_id = $1 AND hour >= $2 AND action NOT LIKE 'console.%' \
         GROUP BY hour, outcome, step ORDER BY hour, outcome, step",
        &[company_id.into(), from.into()],
    )
    .await?
    .iter()
    .map(|row| {
        Ok(Counted {
            hour: row.int(0, "audit_hours.hour")?,
            outcome: row.text(1, "audit_hours.outcome")?,
            step: row.int(2, "audit_hours.step")?,
            requests: row.int(3, "audit_hours.requests")?,
        })
    })
    .collect()
}
