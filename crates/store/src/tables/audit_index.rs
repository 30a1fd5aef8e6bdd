//! What the audit log is searched by, made behind the writers: nobody's answer waits for it.
//!
//! A *block* is a run of successive batches of a log. Of each kind of record in it (company, action,
//! outcome) is kept where it begins and ends, so that a search passes over what holds nothing of it;
//! of each subject, where its records stand. What comes after the last block of a log is its *tail*,
//! which is searched record by record.

use domain::audit::Month;
use domain::seal::BlindIndex;
use jiff::Timestamp;

use super::audit::{self, Located};
use crate::{Result, Row, Tx, Value};

/// How many records a block has at least.
const BLOCK: i64 = 2048;

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
    indexed_to(tx.find(find, &[log.into()]).await?.as_ref())
}

fn indexed_to(row: Option<&Row>) -> Result<(i64, i64)> {
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
    // What a company asked for has an index, by which a rare action is found among millions.
    let sql = match (&filter.company_id, &filter.action) {
        (Some(_), Some(_)) => stretches!("company_id = $1 AND action = $2"),
        _ => stretches!("(company_id = $1 OR $1 IS NULL) AND (action = $2 OR $2 IS NULL)"),
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
    const FIND: &str = "SELECT kinds_to, subjects_to FROM audit_indexed WHERE log = $1";
    let mut tails = Vec::new();
    for log in audit::logs(tx).await? {
        let row = tx.find(FIND, &[log.into()]).await?;
        let (kinds_to, subjects_to) = indexed_to(row.as_ref())?;
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
                room = BLOCK;
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
