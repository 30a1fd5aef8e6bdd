//! The archive outside of the database: how far it was copied to, who copies now, and what it did not
//! take.
//!
//! A position only moves on from where its mover has read it: whoever was overtaken moves nothing.

use jiff::Timestamp;
use uuid::Uuid;

use super::audit;
use crate::{Result, Row, Tx};

/// What is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// What comes in.
    Stream,
    /// What was there before.
    Backfill,
}

impl Task {
    /// The word it is stored under.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Backfill => "backfill",
        }
    }
}

/// How a task stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// When it was begun.
    pub began_at: Timestamp,
    /// The word for what keeps it from going on, and since when.
    pub trouble: Option<(String, Timestamp)>,
    /// The last decision about an age that it has copied by itself.
    pub ages_to: Option<String>,
}

/// Begins the archive, unless it was begun: what is in the logs now is left to the backfill.
///
/// # Errors
/// Those of the database.
pub async fn begin(tx: &mut Tx<'_>, now: Timestamp) -> Result<()> {
    let mut is_first = false;
    for task in [Task::Stream, Task::Backfill] {
        let inserted = tx
            .execute(
                "INSERT INTO archive_tasks (task, began_at, leased_until) VALUES ($1, $2, $2) \
                 ON CONFLICT DO NOTHING",
                &[task.as_str().into(), now.into()],
            )
            .await?;
        is_first |= task == Task::Stream && inserted == 1;
    }
    if is_first {
        for head in audit::heads(tx).await? {
            insert(tx, head.log, head.head.batch).await?;
        }
    }
    Ok(())
}

/// A log of which nothing was copied yet, to be streamed from after a batch on.
async fn insert(tx: &mut Tx<'_>, log: i64, begins_after: i64) -> Result<()> {
    tx.execute(
        "INSERT INTO archive_positions (log, begins_after, streamed_to, filled_to, missed) \
         VALUES ($1, $2, $2, 0, 0) ON CONFLICT DO NOTHING",
        &[log.into(), begins_after.into()],
    )
    .await
    .map(drop)
}

/// Takes or renews the lease of a task that was begun, and makes positions for logs that are new.
/// `false` when somebody else has the lease.
///
/// # Errors
/// Those of the database.
pub async fn lease(
    tx: &mut Tx<'_>,
    task: Task,
    holder: Uuid,
    until: Timestamp,
    now: Timestamp,
) -> Result<bool> {
    let taken = tx
        .execute(
            "UPDATE archive_tasks SET holder = $2, leased_until = $3 WHERE task = $1 \
             AND (holder IS NULL OR holder = $2 OR leased_until <= $4)",
            &[
                task.as_str().into(),
                holder.into(),
                until.into(),
                now.into(),
            ],
        )
        .await?;
    if taken == 1 {
        for log in audit::logs(tx).await? {
            insert(tx, log, 0).await?;
        }
    }
    Ok(taken == 1)
}

/// Gives a lease back.
///
/// # Errors
/// Those of the database.
pub async fn release(tx: &mut Tx<'_>, task: Task, holder: Uuid) -> Result<()> {
    let sql = "UPDATE archive_tasks SET holder = NULL WHERE task = $1 AND holder = $2";
    let values = [task.as_str().into(), holder.into()];
    tx.execute(sql, &values).await.map(drop)
}

/// Notes what keeps a task from going on, or that nothing does any more. The time is that of the first
/// trouble.
///
/// # Errors
/// Those of the database.
pub async fn note_trouble(
    tx: &mut Tx<'_>,
    task: Task,
    trouble: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        "UPDATE archive_tasks SET trouble = $2, trouble_since = CASE WHEN CAST($2 AS TEXT) IS NULL \
         THEN NULL ELSE COALESCE(trouble_since, CAST($3 AS BIGINT)) END WHERE task = $1",
        &[task.as_str().into(), trouble.into(), now.into()],
    )
    .await
    .map(drop)
}

/// How a task stands; `None` when it was never begun.
///
/// # Errors
/// Those of the database.
pub async fn standing(tx: &mut Tx<'_>, task: Task) -> Result<Option<Standing>> {
    let found = tx
        .find(
            "SELECT began_at, trouble, trouble_since, ages_to FROM archive_tasks WHERE task = $1",
            &[task.as_str().into()],
        )
        .await?;
    found
        .map(|row| {
            let trouble = row.find_text(1, "archive_tasks.trouble")?;
            let since = row.find_time(2, "archive_tasks.trouble_since")?;
            Ok(Standing {
                began_at: row.time(0, "archive_tasks.began_at")?,
                trouble: trouble.zip(since),
                ages_to: row.find_text(3, "archive_tasks.ages_to")?,
            })
        })
        .transpose()
}

/// How far a log was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The log.
    pub log: i64,
    /// The last batch that is left to the backfill.
    pub begins_after: i64,
    /// The last batch that was streamed.
    pub streamed_to: i64,
    /// The last batch that the backfill has copied.
    pub filled_to: i64,
    /// Records that were gone before they were copied.
    pub missed: i64,
}

impl Position {
    /// The last batch that a task has copied.
    #[must_use]
    pub const fn of(&self, task: Task) -> i64 {
        match task {
            Task::Stream => self.streamed_to,
            Task::Backfill => self.filled_to,
        }
    }

    /// The last batch that is a task's to copy.
    #[must_use]
    pub const fn end(&self, task: Task) -> i64 {
        match task {
            Task::Stream => i64::MAX,
            Task::Backfill => self.begins_after,
        }
    }
}

/// How far each log was copied, by number.
///
/// # Errors
/// Those of the database.
pub async fn positions(tx: &mut Tx<'_>) -> Result<Vec<Position>> {
    let rows = tx
        .query(
            "SELECT log, begins_after, streamed_to, filled_to, missed FROM archive_positions \
             ORDER BY log",
            &[],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Position {
                log: row.int(0, "archive_positions.log")?,
                begins_after: row.int(1, "archive_positions.begins_after")?,
                streamed_to: row.int(2, "archive_positions.streamed_to")?,
                filled_to: row.int(3, "archive_positions.filled_to")?,
                missed: row.int(4, "archive_positions.missed")?,
            })
        })
        .collect()
}

/// A step forward in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The log.
    pub log: i64,
    /// The last batch that was copied before.
    pub from: i64,
    /// The last batch that is copied now.
    pub to: i64,
    /// How many records of these batches were gone.
    pub missed: i64,
}

/// Moves a position on; `false` when it does not stand any more where it was read.
///
/// # Errors
/// Those of the database.
pub async fn advance(tx: &mut Tx<'_>, task: Task, step: Step) -> Result<bool> {
    let sql = match task {
        Task::Stream => {
            "UPDATE archive_positions SET streamed_to = $3, missed = missed + $4 \
             WHERE log = $1 AND streamed_to = $2"
        }
        Task::Backfill => {
            "UPDATE archive_positions SET filled_to = $3, missed = missed + $4 \
             WHERE log = $1 AND filled_to = $2"
        }
    };
    let values = [step.log, step.from, step.to, step.missed].map(Into::into);
    Ok(tx.execute(sql, &values).await? == 1)
}

/// Notes the last decision about an age that the backfill has copied.
///
/// # Errors
/// Those of the database.
pub async fn set_ages_to(tx: &mut Tx<'_>, name: &str) -> Result<()> {
    let sql = "UPDATE archive_tasks SET ages_to = $2 WHERE task = $1 \
               AND (ages_to IS NULL OR ages_to < $2)";
    let values = [Task::Backfill.as_str().into(), name.into()];
    tx.execute(sql, &values).await.map(drop)
}

/// A batch, as far as copying it needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// Its number.
    pub number: i64,
    /// How many records it has.
    pub size: i64,
    /// When it was committed.
    pub committed_at: Timestamp,
}

/// Up to `limit` batches of a log after one and up to another, in order.
///
/// # Errors
/// Those of the database.
pub async fn batches(
    tx: &mut Tx<'_>,
    log: i64,
    after: i64,
    to: i64,
    limit: i64,
) -> Result<Vec<Batch>> {
    let rows = tx
        .query(
            "SELECT batch, size, committed_at FROM audit_batches WHERE log = $1 AND batch > $2 \
             AND batch <= $3 ORDER BY batch LIMIT $4",
            &[log.into(), after.into(), to.into(), limit.into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Batch {
                number: row.int(0, "audit_batches.batch")?,
                size: row.int(1, "audit_batches.size")?,
                committed_at: row.time(2, "audit_batches.committed_at")?,
            })
        })
        .collect()
}

/// How many records the batches of a log after one and up to another have.
///
/// # Errors
/// Those of the database.
pub async fn count(tx: &mut Tx<'_>, log: i64, after: i64, to: i64) -> Result<i64> {
    let sql = "SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM audit_batches \
               WHERE log = $1 AND batch > $2 AND batch <= $3";
    let values = [log.into(), after.into(), to.into()];
    let row = tx.find(sql, &values).await?;
    row.map_or(Ok(0), |row| row.int(0, "audit_batches.size"))
}

/// A decision about an age, without whom it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Its name.
    pub verification_id: String,
    /// Whose customer.
    pub company: String,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// How it ended.
    pub passed: bool,
    /// Which check decided.
    pub method: String,
    /// Why.
    pub reason: String,
    /// The customer's state.
    pub state: String,
    /// The age in years, where it could be told.
    pub age: Option<i64>,
    /// How strong the evidence is.
    pub assurance: String,
    /// The request that brought it.
    pub request_id: String,
}

macro_rules! decisions {
    ($where:literal) => {
        concat!(
            "SELECT verification_id, company_id, decided_at, passed, method, reason, state, age, \
             assurance, request_id FROM age_decisions WHERE ",
            $where
        )
    };
}

fn decision(row: &Row) -> Result<Decision> {
    Ok(Decision {
        verification_id: row.text(0, "age_decisions.verification_id")?,
        company: row.text(1, "age_decisions.company_id")?,
        decided_at: row.time(2, "age_decisions.decided_at")?,
        passed: row.bool(3, "age_decisions.passed")?,
        method: row.text(4, "age_decisions.method")?,
        reason: row.text(5, "age_decisions.reason")?,
        state: row.text(6, "age_decisions.state")?,
        age: row.find_int(7, "age_decisions.age")?,
        assurance: row.text(8, "age_decisions.assurance")?,
        request_id: row.text(9, "age_decisions.request_id")?,
    })
}

/// The decision of a name.
///
/// # Errors
/// Those of the database.
pub async fn find_decision(tx: &mut Tx<'_>, name: &str) -> Result<Option<Decision>> {
    const FIND: &str = decisions!("verification_id = $1");
    let row = tx.find(FIND, &[name.into()]).await?;
    row.as_ref().map(decision).transpose()
}

/// The decisions of these names that are there, in no order.
///
/// # Errors
/// Those of the database.
pub async fn find_decisions(tx: &mut Tx<'_>, names: &[&str]) -> Result<Vec<Decision>> {
    let rows: Vec<Row> = match tx {
        Tx::Sqlite(connection) => {
            const FIND: &str = decisions!("verification_id = $1");
            let look = |name: &&str| connection.query(FIND, &[(*name).into()]);
            let found: Result<Vec<_>> = names.iter().map(look).collect();
            found?.into_iter().flatten().collect()
        }
        Tx::Postgres(connection) => {
            const FIND: &str = decisions!("verification_id = ANY($1)");
            let rows = connection.query_native(FIND, &[&names]).await?;
            rows.into_iter().map(Row::Postgres).collect()
        }
    };
    rows.iter().map(decision).collect()
}

/// Up to `limit` decisions with names after one and before another, in their order.
///
/// # Errors
/// Those of the database.
pub async fn list_decisions(
    tx: &mut Tx<'_>,
    after: &str,
    before: &str,
    limit: i64,
) -> Result<Vec<Decision>> {
    const LIST: &str = decisions!(
        "verification_id > $1 AND verification_id < $2 ORDER BY verification_id LIMIT $3"
    );
    let values = [after.into(), before.into(), limit.into()];
    let rows = tx.query(LIST, &values).await?;
    rows.iter().map(decision).collect()
}

/// How many decisions have names after one and before another.
///
/// # Errors
/// Those of the database.
pub async fn count_decisions(tx: &mut Tx<'_>, after: &str, before: &str) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM age_decisions \
               WHERE verification_id > $1 AND verification_id < $2";
    let row = tx.find(sql, &[after.into(), before.into()]).await?;
    row.map_or(Ok(0), |row| row.int(0, "age_decisions.verification_id"))
}

/// Something that the archive did not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// What it is.
    pub kind: String,
    /// Its name among those.
    pub name: String,
    /// Why, in a word.
    pub reason: String,
    /// Since when.
    pub parked_at: Timestamp,
}

/// Notes that something was not taken; if it was noted before, why it was not now.
///
/// # Errors
/// Those of the database.
pub async fn park(tx: &mut Tx<'_>, parked: &Parked) -> Result<()> {
    tx.execute(
        "INSERT INTO archive_parked (kind, name, reason, parked_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (kind, name) DO UPDATE SET reason = excluded.reason",
        &[
            (&parked.kind).into(),
            (&parked.name).into(),
            (&parked.reason).into(),
            parked.parked_at.into(),
        ],
    )
    .await
    .map(drop)
}

/// Up to `limit` of what was not taken, after one of them, by kind and name.
///
/// # Errors
/// Those of the database.
pub async fn list_parked(tx: &mut Tx<'_>, after: (&str, &str), limit: i64) -> Result<Vec<Parked>> {
    let rows = tx
        .query(
            "SELECT kind, name, reason, parked_at FROM archive_parked \
             WHERE (kind, name) > ($1, $2) ORDER BY kind, name LIMIT $3",
            &[after.0.into(), after.1.into(), limit.into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Parked {
                kind: row.text(0, "archive_parked.kind")?,
                name: row.text(1, "archive_parked.name")?,
                reason: row.text(2, "archive_parked.reason")?,
                parked_at: row.time(3, "archive_parked.parked_at")?,
            })
        })
        .collect()
}

/// Notes that something was taken after all, or is gone.
///
/// # Errors
/// Those of the database.
pub async fn unpark(tx: &mut Tx<'_>, kind: &str, name: &str) -> Result<()> {
    let sql = "DELETE FROM archive_parked WHERE kind = $1 AND name = $2";
    let values = [kind.into(), name.into()];
    tx.execute(sql, &values).await.map(drop)
}

/// How much was not taken.
///
/// # Errors
/// Those of the database.
pub async fn count_parked(tx: &mut Tx<'_>) -> Result<i64> {
    let row = tx.find("SELECT COUNT(*) FROM archive_parked", &[]).await?;
    row.map_or(Ok(0), |row| row.int(0, "archive_parked.name"))
}
