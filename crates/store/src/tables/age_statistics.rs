//! How many ages were decided, and how: counted day by day in the transactions that decide.
//!
//! Whatever one commit decides is added up and written with its last statements. Each audit log
//! counts in rows of its own, which only its writer touches, so no commit waits for another's; a
//! recount stands in the rows of log 0, which nobody writes to.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::{Result, Row, Tx};

const DAY: i64 = 86_400_000_000;

/// The log in whose rows a recount stands.
const RECOUNT: i64 = 0;

/// One decision, as it is counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tally {
    /// Whose customer.
    pub company_id: String,
    /// The day, counted from 1970-01-01 (UTC).
    pub day: i64,
    /// How it ended.
    pub passed: bool,
    /// Which check decided.
    pub method: &'static str,
    /// Why.
    pub reason: &'static str,
    /// The customer's state, or `unknown`.
    pub state: &'static str,
}

/// The day of a moment, counted from 1970-01-01 (UTC).
pub fn day_of(at: Timestamp) -> i64 {
    at.as_microsecond().div_euclid(DAY)
}

/// Decisions of a period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Those that passed.
    pub passed: i64,
    /// Those that did not.
    pub refused: i64,
}

/// What a company decided from one day to another, both included.
///
/// # Errors
/// Those of the database.
pub async fn totals(tx: &mut Tx<'_>, company_id: &str, from: i64, to: i64) -> Result<Totals> {
    let row = tx
        .find(
            "SELECT CAST(COALESCE(SUM(passed), 0) AS BIGINT), \
             CAST(COALESCE(SUM(refused), 0) AS BIGINT) FROM age_daily_totals \
             WHERE company_id = $1 AND day BETWEEN $2 AND $3",
            &[company_id.into(), from.into(), to.into()],
        )
        .await?;
    row.map_or(Ok(Totals::default()), |row| {
        Ok(Totals {
            passed: row.int(0, "age_daily_totals.passed")?,
            refused: row.int(1, "age_daily_totals.refused")?,
        })
    })
}

/// Decisions of one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfDay {
    /// The day, counted from 1970-01-01 (UTC).
    pub day: i64,
    /// How they ended.
    pub totals: Totals,
}

/// What a company decided on each day from one to another, both included; days without a decision
/// are left out.
///
/// # Errors
/// Those of the database.
pub async fn by_day(tx: &mut Tx<'_>, company_id: &str, from: i64, to: i64) -> Result<Vec<OfDay>> {
    tx.query(
        "SELECT day, CAST(SUM(passed) AS BIGINT), CAST(SUM(refused) AS BIGINT) \
         FROM age_daily_totals WHERE company_id = $1 AND day BETWEEN $2 AND $3 \
         GROUP BY day ORDER BY day",
        &[company_id.into(), from.into(), to.into()],
    )
    .await?
    .iter()
    .map(|row| {
        Ok(OfDay {
            day: row.int(0, "age_daily_totals.day")?,
            totals: Totals {
                passed: row.int(1, "age_daily_totals.passed")?,
                refused: row.int(2, "age_daily_totals.refused")?,
            },
        })
    })
    .collect()
}

/// Why a company decided as it did from one day to another, both included, and how often; the most
/// frequent first.
///
/// # Errors
/// Those of the database.
pub async fn by_reason(
    tx: &mut Tx<'_>,
    company_id: &str,
    from: i64,
    to: i64,
) -> Result<Vec<(String, i64)>> {
    tx.query(
        "SELECT reason, CAST(SUM(decided) AS BIGINT) FROM age_daily_reasons \
         WHERE company_id = $1 AND day BETWEEN $2 AND $3 GROUP BY reason ORDER BY 2 DESC, reason",
        &[company_id.into(), from.into(), to.into()],
    )
    .await?
    .iter()
    .map(|row| {
        let reason = row.text(0, "age_daily_reasons.reason")?;
        Ok((reason, row.int(1, "age_daily_reasons.decided")?))
    })
    .collect()
}

/// How many a company decided on of each state from one day to another, both included, and how many
/// of them passed; the most frequent first.
///
/// # Errors
/// Those of the database.
pub async fn by_state(
    tx: &mut Tx<'_>,
    company_id: &str,
    from: i64,
    to: i64,
) -> Result<Vec<(String, Totals)>> {
    tx.query(
        "SELECT state, CAST(SUM(CASE WHEN method = 'full_verification' THEN decided ELSE 0 END) \
         AS BIGINT), CAST(SUM(decided) AS BIGINT) FROM age_daily_reasons \
         WHERE company_id = $1 AND day BETWEEN $2 AND $3 GROUP BY state ORDER BY 3 DESC, state",
        &[company_id.into(), from.into(), to.into()],
    )
    .await?
    .iter()
    .map(|row| {
        let passed = row.int(1, "age_daily_reasons.passed")?;
        let totals = Totals {
            passed,
            refused: row.int(2, "age_daily_reasons.decided")? - passed,
        };
        Ok((row.text(0, "age_daily_reasons.state")?, totals))
    })
    .collect()
}

/// A count that is not what the decisions say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Whose customers.
    pub company_id: String,
    /// The day, counted from 1970-01-01 (UTC).
    pub day: i64,
    /// Which check decided, why, and in which state; `total` for the sum of a day.
    pub what: String,
    /// What was counted.
    pub counted: i64,
    /// What there is.
    pub found: i64,
}

/// The days that a recount has to look at, in order: all from the oldest decision until `today`,
/// and every other that something is counted for.
///
/// # Errors
/// Those of the database.
pub async fn days_to_recount(tx: &mut Tx<'_>, today: i64) -> Result<BTreeSet<i64>> {
    let oldest = "SELECT decided_at FROM age_decisions ORDER BY verification_id LIMIT 1";
    let counted = "SELECT day FROM age_daily_totals UNION SELECT day FROM age_daily_reasons";
    let mut days = BTreeSet::new();
    if let Some(row) = tx.find(oldest, &[]).await? {
        days.extend(day_of(row.time(0, "age_decisions.decided_at")?)..=today);
    }
    for row in tx.query(counted, &[]).await? {
        days.insert(row.int(0, "age_daily_*.day")?);
    }
    Ok(days)
}

/// The counts of one day that are not what a recount finds.
///
/// # Errors
/// Those of the database.
pub async fn differences(tx: &mut Tx<'_>, day: i64) -> Result<Vec<Difference>> {
    let (first, last) = ids(day);
    let values = [day.into(), first.as_str().into(), last.as_str().into()];
    let mut rows = tx.query(DIFFERENT_REASONS, &values).await?;
    rows.extend(tx.query(DIFFERENT_TOTALS, &values).await?);
    rows.iter().map(|row| difference(row, day)).collect()
}

fn difference(row: &Row, day: i64) -> Result<Difference> {
    Ok(Difference {
        company_id: row.text(0, "age_decisions.company_id")?,
        day,
        what: row.text(1, "age_decisions.reason")?,
        counted: row.int(2, "age_daily_*.counted")?,
        found: row.int(3, "age_decisions.found")?,
    })
}

const DIFFERENT_REASONS: &str = "SELECT company_id, what, CAST(SUM(counted) AS BIGINT), CAST(SUM(found) AS BIGINT) FROM (\
     SELECT company_id, method || ' ' || reason || ' ' || state AS what, decided AS counted, 0 AS found \
     FROM age_daily_reasons WHERE day = $1 \
     UNION ALL SELECT company_id, method || ' ' || reason || ' ' || state, 0, 1 FROM age_decisions \
     WHERE verification_id >= $2 AND verification_id < $3) AS counts \
     GROUP BY company_id, what HAVING SUM(counted) <> SUM(found)";

const DIFFERENT_TOTALS: &str = "SELECT company_id, what, CAST(SUM(counted) AS BIGINT), CAST(SUM(found) AS BIGINT) FROM (\
     SELECT company_id, 'passed total' AS what, passed AS counted, 0 AS found FROM age_daily_totals WHERE day = $1 \
     UNION ALL SELECT company_id, 'refused total', refused, 0 FROM age_daily_totals WHERE day = $1 \
     UNION ALL SELECT company_id, CASE WHEN passed THEN 'passed total' ELSE 'refused total' END, 0, 1 FROM age_decisions \
     WHERE verification_id >= $2 AND verification_id < $3) AS counts \
     GROUP BY company_id, what HAVING SUM(counted) <> SUM(found)";

/// Counts one day anew. Decisions of that day wait until it is committed.
///
/// # Errors
/// Those of the database.
pub async fn recount(tx: &mut Tx<'_>, day: i64) -> Result<()> {
    if let Tx::Postgres(connection) = tx {
        // What is being decided must be counted once: here, or by its own transaction afterwards.
        connection
            .control("LOCK TABLE age_daily_totals, age_daily_reasons IN EXCLUSIVE MODE")
            .await?;
    }
    for delete in [
        "DELETE FROM age_daily_totals WHERE day = $1",
        "DELETE FROM age_daily_reasons WHERE day = $1",
    ] {
        tx.execute(delete, &[day.into()]).await?;
    }
    let (first, last) = ids(day);
    let values = [
        day.into(),
        RECOUNT.into(),
        first.as_str().into(),
        last.as_str().into(),
    ];
    for insert in [
        "INSERT INTO age_daily_totals (company_id, day, log, passed, refused) \
         SELECT company_id, CAST($1 AS BIGINT), CAST($2 AS BIGINT), \
         SUM(CASE WHEN passed THEN 1 ELSE 0 END), SUM(CASE WHEN passed THEN 0 ELSE 1 END) \
         FROM age_decisions WHERE verification_id >= $3 AND verification_id < $4 \
         GROUP BY company_id",
        "INSERT INTO age_daily_reasons (company_id, day, log, method, reason, state, decided) \
         SELECT company_id, CAST($1 AS BIGINT), CAST($2 AS BIGINT), method, reason, state, \
         COUNT(*) FROM age_decisions WHERE verification_id >= $3 AND verification_id < $4 \
         GROUP BY company_id, method, reason, state",
    ] {
        tx.execute(insert, &values).await?;
    }
    Ok(())
}

/// Ids begin with their time in milliseconds, of as many digits until the year 2286.
fn ids(day: i64) -> (String, String) {
    let first = |day: i64| format!("av_{:013}_", day.saturating_mul(DAY / 1000));
    (first(day), first(day.saturating_add(1)))
}

/// Adds up what belongs to the same rows.
struct Sums<'t> {
    totals: BTreeMap<(&'t str, i64), Totals>,
    reasons: BTreeMap<&'t Tally, i64>,
}

impl<'t> Sums<'t> {
    fn of(tallies: &'t [Tally]) -> Self {
        let mut totals: BTreeMap<_, Totals> = BTreeMap::new();
        let mut reasons = BTreeMap::new();
        for tally in tallies {
            let total = totals
                .entry((tally.company_id.as_str(), tally.day))
                .or_default();
            *(if tally.passed {
                &mut total.passed
            } else {
                &mut total.refused
            }) += 1;
            *reasons.entry(tally).or_default() += 1;
        }
        Self { totals, reasons }
    }
}

macro_rules! add {
    (totals $source:literal) => {
        concat!(
            "INSERT INTO age_daily_totals (company_id, day, log, passed, refused) ",
            $source,
            " ON CONFLICT (company_id, day, log) DO UPDATE SET \
             passed = age_daily_totals.passed + excluded.passed, \
             refused = age_daily_totals.refused + excluded.refused"
        )
    };
    (reasons $source:literal) => {
        concat!(
            "INSERT INTO age_daily_reasons (company_id, day, log, method, reason, state, decided) ",
            $source,
            " ON CONFLICT (company_id, day, log, method, reason, state) DO UPDATE SET \
             decided = age_daily_reasons.decided + excluded.decided"
        )
    };
}

pub(crate) mod sqlite {
    //! Row by row.

    use super::{Result, Sums, Tally};
    use crate::sqlite::Connection;

    const TOTAL: &str = add!(totals "VALUES ($1, $2, $3, $4, $5)");
    const REASON: &str = add!(reasons "VALUES ($1, $2, $3, $4, $5, $6, $7)");

    pub fn add(connection: &mut Connection, log: i64, tallies: &[Tally]) -> Result<()> {
        let sums = Sums::of(tallies);
        for ((company, day), total) in sums.totals {
            let values = [
                company.into(),
                day.into(),
                log.into(),
                total.passed.into(),
                total.refused.into(),
            ];
            connection.execute(TOTAL, &values)?;
        }
        for (tally, decided) in sums.reasons {
            let values = [
                tally.company_id.as_str().into(),
                tally.day.into(),
                log.into(),
                tally.method.into(),
                tally.reason.into(),
                tally.state.into(),
                decided.into(),
            ];
            connection.execute(REASON, &values)?;
        }
        Ok(())
    }
}

pub(crate) mod postgres {
    //! Set-based: two statements, whatever was decided.

    use super::{Result, Sums, Tally};
    use crate::postgres::Connection;

    const TOTALS: &str = add!(totals
        "SELECT company_id, day, $1::bigint, passed, refused FROM \
         UNNEST($2::text[], $3::bigint[], $4::bigint[], $5::bigint[]) \
         AS sums(company_id, day, passed, refused)");
    const REASONS: &str = add!(reasons
        "SELECT company_id, day, $1::bigint, method, reason, state, decided FROM \
         UNNEST($2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::bigint[]) \
         AS sums(company_id, day, method, reason, state, decided)");

    /// Prepares the statements, so that [`add`] sends them at its first poll.
    pub async fn prepare(connection: &Connection) -> Result<()> {
        connection.prepare(TOTALS).await?;
        connection.prepare(REASONS).await
    }

    pub async fn add(connection: &Connection, log: i64, tallies: &[Tally]) -> Result<()> {
        if tallies.is_empty() {
            return Ok(());
        }
        let sums = Sums::of(tallies);
        let (days, totals): (Vec<_>, Vec<_>) = sums.totals.into_iter().unzip();
        let (companies, days): (Vec<&str>, Vec<i64>) = days.into_iter().unzip();
        let passed: Vec<i64> = totals.iter().map(|total| total.passed).collect();
        let refused: Vec<i64> = totals.iter().map(|total| total.refused).collect();
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
            [&log, &companies, &days, &passed, &refused];
        let totals = connection.execute_native(TOTALS, &values);

        let (reasons, decided): (Vec<&Tally>, Vec<i64>) = sums.reasons.into_iter().unzip();
        let company: Vec<&str> = reasons.iter().map(|of| of.company_id.as_str()).collect();
        let day: Vec<i64> = reasons.iter().map(|of| of.day).collect();
        let method: Vec<&str> = reasons.iter().map(|of| of.method).collect();
        let reason: Vec<&str> = reasons.iter().map(|of| of.reason).collect();
        let state: Vec<&str> = reasons.iter().map(|of| of.state).collect();
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 7] =
            [&log, &company, &day, &method, &reason, &state, &decided];
        let reasons = connection.execute_native(REASONS, &values);
        tokio::try_join!(biased; totals, reasons).map(drop)
    }
}
