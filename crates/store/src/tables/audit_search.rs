//! What was recorded, found again: by the index (`audit_index`) as far as it goes, record by record
//! where it does not. Everything is found the newest first, by when its batch was committed.

use domain::audit::Month;
use domain::seal::BlindIndex;
use jiff::Timestamp;

use super::audit::{self, Located};
use super::audit_index;
use crate::{Result, Row, Tx, Value};

/// What is searched for; what is `None` may be anything.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// On whose behalf it was asked.
    pub company_id: Option<String>,
    /// What was asked.
    pub action: Option<String>,
    /// What came of it.
    pub outcome: Option<String>,
    /// Whom it concerned.
    pub subject: Option<BlindIndex>,
    /// The request.
    pub request_id: Option<String>,
    /// The first moment of arrival.
    pub from: Option<Timestamp>,
    /// The moment of arrival to stop before.
    pub to: Option<Timestamp>,
}

impl Filter {
    /// The parameters `$1` to `$7` of every search.
    fn values(&self) -> [Value<'_>; 7] {
        [
            self.company_id.as_ref().map_or(Value::Null, Value::from),
            self.action.as_ref().map_or(Value::Null, Value::from),
            self.outcome.as_ref().map_or(Value::Null, Value::from),
            self.from.unwrap_or(Timestamp::MIN).into(),
            self.to.unwrap_or(Timestamp::MAX).into(),
            self.subject
                .as_ref()
                .map(|subject| subject.as_bytes().as_slice())
                .into(),
            self.request_id.as_ref().map_or(Value::Null, Value::from),
        ]
    }
}

/// Where a record stands in the order of all: by the time of its batch, the newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// When its batch was committed.
    pub committed_at: Timestamp,
    /// The log.
    pub log: i64,
    /// The batch.
    pub batch: i64,
    /// The place in the batch.
    pub position: i64,
}

impl Position {
    /// Behind which everything comes.
    pub const NEWEST: Self = Self {
        committed_at: Timestamp::MAX,
        log: i64::MAX,
        batch: i64::MAX,
        position: i64::MAX,
    };

    /// Behind which everything comes that was committed no later than a moment.
    #[must_use]
    pub const fn behind(committed_at: Timestamp) -> Self {
        Self {
            committed_at,
            ..Self::NEWEST
        }
    }
}

/// A record that was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// Where it stands in the order.
    pub position: Position,
    /// The record.
    pub located: Located,
}

/// A run of batches of a log in which something may be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// When the oldest of its batches was committed, at the earliest.
    pub committed_from: Timestamp,
    /// When the newest of its batches was committed, at the latest.
    pub committed_to: Timestamp,
    /// The log.
    pub log: i64,
    /// The first batch of its block.
    pub first: i64,
    /// The first batch.
    pub from: i64,
    /// The last batch.
    pub to: i64,
}

macro_rules! stretches {
    ($kinds:literal) => {
        concat!(
            "SELECT committed_to, log, first_batch, MIN(from_batch), MAX(to_batch), \
             MIN(committed_from) FROM audit_kinds WHERE ",
            $kinds,
            " AND (outcome = $3 OR $3 IS NULL) AND at_to >= $4 AND at_from < $5 \
             AND (committed_to, log, first_batch) < ($6, $7, $8) AND committed_from <= $9 \
             GROUP BY committed_to, log, first_batch \
             ORDER BY committed_to DESC, log DESC, first_batch DESC LIMIT $10"
        )
    };
}

/// Where indexed records that a filter wants and that were committed no later than `until` may be
/// found, the newest first, after the stretch `after`.
///
/// # Errors
/// Those of the database.
pub async fn stretches(
    tx: &mut Tx<'_>,
    filter: &Filter,
    until: Timestamp,
    after: Option<Stretch>,
    count: i64,
) -> Result<Vec<Stretch>> {
    let (committed_to, log, first) = after
        .map_or((Timestamp::MAX, i64::MAX, i64::MAX), |stretch| {
            (stretch.committed_to, stretch.log, stretch.first)
        });
    let [company, action, outcome, at_from, at_to, ..] = filter.values();
    // An action has indexes, by which a rare one is found among millions: a company's, and anybody's.
    let sql = match (&filter.company_id, &filter.action) {
        (Some(_), Some(_)) => stretches!("company_id = $1 AND action = $2"),
        (None, Some(_)) => stretches!("CAST($1 AS TEXT) IS NULL AND action = $2"),
        (_, None) => stretches!("(company_id = $1 OR $1 IS NULL) AND CAST($2 AS TEXT) IS NULL"),
    };
    let values = [
        company,
        action,
        outcome,
        at_from,
        at_to,
        committed_to.into(),
        log.into(),
        first.into(),
        until.into(),
        count.into(),
    ];
    let rows = tx.query(sql, &values).await?;
    rows.iter().map(stretch).collect()
}

fn stretch(row: &Row) -> Result<Stretch> {
    Ok(Stretch {
        committed_to: row.time(0, "audit_kinds.committed_to")?,
        log: row.int(1, "audit_kinds.log")?,
        first: row.int(2, "audit_kinds.first_batch")?,
        from: row.int(3, "audit_kinds.from_batch")?,
        to: row.int(4, "audit_kinds.to_batch")?,
        committed_from: row.time(5, "audit_kinds.committed_from")?,
    })
}

/// What of each log is not indexed yet for a filter, as far as anything of it was committed no later
/// than `until`.
///
/// # Errors
/// Those of the database.
pub async fn tails(tx: &mut Tx<'_>, filter: &Filter, until: Timestamp) -> Result<Vec<Stretch>> {
    let mut tails = Vec::new();
    for log in audit::logs(tx).await? {
        let (kinds_to, subjects_to) = audit_index::indexed_to(tx, log).await?;
        let indexed = match filter.subject {
            Some(_) => subjects_to,
            None => kinds_to,
        };
        let tail = tail(tx, log, indexed).await?;
        let tail = tail.into_iter();
        tails.extend(tail.filter(|stretch| stretch.committed_from <= until));
    }
    Ok(tails)
}

/// What comes after a batch of a log, in stretches.
async fn tail(tx: &mut Tx<'_>, log: i64, after: i64) -> Result<Vec<Stretch>> {
    let batches = tx
        .query(
            "SELECT batch, size, committed_at FROM audit_batches WHERE log = $1 AND batch > $2 \
             ORDER BY batch",
            &[log.into(), after.into()],
        )
        .await?;
    let mut tail: Vec<Stretch> = Vec::new();
    let mut room = 0;
    for row in &batches {
        let batch = row.int(0, "audit_batches.batch")?;
        let committed_at = row.time(2, "audit_batches.committed_at")?;
        match tail.last_mut() {
            Some(stretch) if room > 0 => {
                stretch.to = batch;
                stretch.committed_to = stretch.committed_to.max(committed_at);
                stretch.committed_from = stretch.committed_from.min(committed_at);
            }
            _ => {
                room = audit_index::BLOCK;
                tail.push(Stretch {
                    committed_from: committed_at,
                    committed_to: committed_at,
                    log,
                    first: batch,
                    from: batch,
                    to: batch,
                });
            }
        }
        room -= row.int(1, "audit_batches.size")?;
    }
    Ok(tail)
}

// Found first and sorted then: in the order of an index, which the sum keeps PostgreSQL from, all batches
// would be gone through. A batch is looked up for each record that was found; were its number confined as
// the records' are, PostgreSQL would compare each of a stretch's batches with each of its records.
macro_rules! found {
    ($from:literal) => {
        concat!(
            "SELECT r.log, r.batch, r.position, r.month, r.at, r.request_id, r.company_id, \
             r.credential, r.action, r.subject, r.outcome, r.status, r.latency, r.occurrences, \
             r.data_key, r.client, r.detail, b.committed_at FROM ",
            $from,
            " JOIN audit_batches b ON b.log = r.log AND b.batch = r.batch \
             WHERE (r.company_id = $1 OR $1 IS NULL) AND (r.action = $2 OR $2 IS NULL) \
             AND (r.outcome = $3 OR $3 IS NULL) AND r.at >= $4 AND r.at < $5 \
             AND (r.subject = $6 OR $6 IS NULL) AND (r.request_id = $7 OR $7 IS NULL) \
             AND (b.committed_at, r.log, r.batch, r.position) < ($8, $9, $10, $11) "
        )
    };
}

/// What a filter wants in a stretch, behind a position, the newest first.
///
/// # Errors
/// Those of the database.
pub async fn search(
    tx: &mut Tx<'_>,
    filter: &Filter,
    stretch: Stretch,
    after: Position,
    count: i64,
) -> Result<Vec<Found>> {
    // The months leave out the tables of all others.
    const SEARCH: &str = concat!(
        found!("audit_records r"),
        "AND r.log = $12 AND r.batch >= $13 AND r.batch <= $14 \
         AND r.month >= $15 AND r.month <= $16 \
         ORDER BY b.committed_at + 0 DESC, r.log DESC, r.batch DESC, r.position DESC LIMIT $17"
    );
    let [oldest, newest] = [stretch.committed_from, stretch.committed_to].map(Month::of);
    let within = [
        stretch.log,
        stretch.from,
        stretch.to,
        oldest.number(),
        newest.number(),
    ]
    .map(Value::from);
    query(tx, SEARCH, filter, after, &within, count).await
}

/// What a filter wants of its subject among the indexed records of a month, behind a position, the
/// newest first.
///
/// # Errors
/// Those of the database.
pub async fn search_subject(
    tx: &mut Tx<'_>,
    filter: &Filter,
    month: Month,
    after: Position,
    count: i64,
) -> Result<Vec<Found>> {
    const SEARCH: &str = concat!(
        found!(
            "audit_subjects s JOIN audit_records r ON r.log = s.log AND r.batch = s.batch \
             AND r.position = s.position AND r.month = s.month"
        ),
        "AND s.month = $12 AND r.month = $12 AND s.subject = $6 \
         ORDER BY b.committed_at + 0 DESC, r.log DESC, r.batch DESC, r.position DESC LIMIT $13"
    );
    let within = [Value::from(month.number())];
    query(tx, SEARCH, filter, after, &within, count).await
}

async fn query(
    tx: &mut Tx<'_>,
    sql: &'static str,
    filter: &Filter,
    after: Position,
    within: &[Value<'_>],
    count: i64,
) -> Result<Vec<Found>> {
    let mut values = filter.values().to_vec();
    values.push(after.committed_at.into());
    values.extend([after.log, after.batch, after.position].map(Value::from));
    values.extend(within);
    values.push(count.into());
    tx.query(sql, &values).await?.iter().map(found).collect()
}

fn found(row: &Row) -> Result<Found> {
    let located = audit::located(row)?;
    Ok(Found {
        position: Position {
            committed_at: row.time(17, "audit_batches.committed_at")?,
            log: located.log,
            batch: located.batch,
            position: located.position,
        },
        located,
    })
}

/// When the first and the last batch of all logs were committed.
///
/// # Errors
/// Those of the database.
pub async fn extent(tx: &mut Tx<'_>) -> Result<Option<(Timestamp, Timestamp)>> {
    // Each for itself is one step in the index; SQLite takes both together from all rows.
    let sql = "SELECT (SELECT MIN(committed_at) FROM audit_batches), \
               (SELECT MAX(committed_at) FROM audit_batches)";
    let Some(row) = tx.find(sql, &[]).await? else {
        return Ok(None);
    };
    let first = row.find_time(0, "audit_batches.committed_at")?;
    Ok(first.zip(row.find_time(1, "audit_batches.committed_at")?))
}

/// When the last batch before a moment was committed.
///
/// # Errors
/// Those of the database.
pub async fn last_before(tx: &mut Tx<'_>, at: Timestamp) -> Result<Option<Timestamp>> {
    let sql = "SELECT MAX(committed_at) FROM audit_batches WHERE committed_at < $1";
    let row = tx.find(sql, &[at.into()]).await?;
    row.map_or(Ok(None), |row| {
        row.find_time(0, "audit_batches.committed_at")
    })
}
