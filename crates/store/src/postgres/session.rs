//! A connection that has claimed an audit log, and the transactions of batches on it.
//!
//! A batch is one transaction: its look-ups come first, all together; then its units run side by side in *waves* (no two units of a wave share a lane), its
//! records are written and the transaction is committed. A batch that only looks needs none around it:
//! reading what is committed, each of its statements sees what it would see alone, and the records are
//! one statement, which stands or falls as a whole.

use std::collections::HashSet;
use std::time::Duration;

use domain::audit::Head;

use super::{Connection, looks, wave};
use crate::tables::age_statistics;
use crate::work::{Lane, Work};
use crate::{Error, Result, StoreClock, ledger};

/// How long a batch waits for rows that another writer has locked, at least. Two batches may wait for
/// each other, which PostgreSQL finds out after a second; undone early, their units run one by one.
const LOCK_TIMEOUT: Duration = Duration::from_millis(50);

/// How much longer than that a single unit waits, which holds so few rows that others get on.
const ALONE: u32 = 4;

/// Writers that wait for each other give up one after another: the next waits so much longer.
const LATER: Duration = Duration::from_millis(15);

/// After so many, writers wait equally long again.
const APART: i64 = 8;

/// How long the database keeps a transaction of ours that says nothing: longer than any lasts. A
/// process that is frozen in the middle of one holds its rows no longer than that.
const IDLE_TIMEOUT: &str = "SET idle_in_transaction_session_timeout = '5s'";

/// Begins a transaction of many units.
const BEGIN: &str = "BEGIN";

/// A statement is planned once, not for each batch anew, which would be a seventh of what a check costs
/// when batches are small. No value in one is so special that it had better be sought another way.
const PLAN_ONCE: &str = "SET plan_cache_mode = force_generic_plan";

/// What was answered must survive the loss of power, whatever the role or the database says.
const DURABLE: &str = "SELECT set_config('synchronous_commit', 'on', false) \
                       WHERE current_setting('synchronous_commit') = 'off'";

/// First half of the advisory lock that claims a log; the second is its number.
const LOG_LOCK: i64 = 0x626f_6e61;

/// Logs that are tried before giving up: more than there can be connections.
const LOGS: i64 = 10_000;

/// The head that a commit whose answer was lost would have left.
pub(super) type Doubt = Option<Head>;

/// A connection that has claimed a log.
pub(super) struct Session {
    connection: Connection,
    log: i64,
    head: Head,
    /// Begins a transaction of a single unit.
    begin_alone: String,
}

impl Session {
    /// Claims a log on a fresh connection: the last session's, if it is free, or any; with `same_log`
    /// the last one's, as soon as that session is gone.
    pub async fn claim(connection: Connection, last: Option<i64>, same_log: bool) -> Result<Self> {
        let log = match last {
            Some(log) if same_log => claim_again(&connection, log).await?,
            last => claim(&connection, last).await?,
        };
        let rows = connection.query(ledger::HEAD, &[log.into()]).await?;
        let head = ledger::head(rows.first())?;
        let lock_timeout = lock_timeout(log);
        let set = format!("SET lock_timeout = {}", lock_timeout.as_millis());
        connection.control(&set).await?;
        connection.control(IDLE_TIMEOUT).await?;
        connection.control(PLAN_ONCE).await?;
        connection.query(DURABLE, &[]).await?;
        // Were it prepared beside the first COMMIT, that would be sent before the insert.
        ledger::postgres::prepare(&connection).await?;
        age_statistics::postgres::prepare(&connection).await?;
        Ok(Self {
            connection,
            log,
            head,
            begin_alone: format!(
                "BEGIN; SET LOCAL lock_timeout = {}",
                (lock_timeout * ALONE).as_millis()
            ),
        })
    }

    pub const fn log(&self) -> i64 {
        self.log
    }

    /// Where the log ends.
    pub const fn head(&self) -> Head {
        self.head
    }

    /// Whether the server or the network has ended it.
    pub fn is_closed(&self) -> bool {
        self.connection.is_closed()
    }

    /// Runs what there is to run, and leaves its transaction open, if it needs one. A failure undoes it
    /// and leaves the session as it was, unless the database is away.
    pub async fn run(&self, works: &mut [Work]) -> Result<()> {
        let run = self.run_works(works).await;
        if run.is_err() && changes(works) {
            self.connection.control("ROLLBACK").await?;
        }
        run
    }

    /// Runs the look-ups, then all units wave by wave, in one transaction if there are any of these.
    /// What comes first travels with the `BEGIN`.
    async fn run_works(&self, works: &mut [Work]) -> Result<()> {
        let connection = &self.connection;
        let mut begin = changes(works).then_some(match works {
            [_] => self.begin_alone.as_str(),
            _ => BEGIN,
        });
        let looks: Vec<_> = works.iter_mut().filter_map(Work::look).collect();
        if !looks.is_empty() {
            self.begin_with(begin.take(), looks::run(connection, looks))
                .await?;
        }
        for mut wave in waves(works) {
            let units = wave.iter_mut().filter_map(|work| work.unit());
            self.begin_with(begin.take(), wave::run(connection, units))
                .await?;
        }
        Ok(())
    }

    async fn begin_with(
        &self,
        begin: Option<&str>,
        run: impl Future<Output = Result<()>>,
    ) -> Result<()> {
        match begin {
            Some(begin) => {
                let begun = self.connection.control(begin);
                tokio::try_join!(biased; begun, run).map(drop)
            }
            None => run.await,
        }
    }

    /// Writes the records and commits. Without a transaction there is nothing to commit but the
    /// records, which the statement does that writes them.
    pub async fn close(
        &mut self,
        works: &mut [Work],
        doubt: &mut Doubt,
        clock: &StoreClock,
    ) -> Result<()> {
        let tallies: Vec<_> = works.iter().filter_map(Work::tally).collect();
        let records: Vec<_> = works.iter().flat_map(Work::records).collect();
        if records.is_empty() {
            age_statistics::postgres::add(&self.connection, self.log, &tallies).await?;
            return match changes(works) {
                true => self.connection.control("COMMIT").await,
                false => Ok(()),
            };
        }
        let batch = ledger::close(self.log, self.head, &records, clock.now());
        *doubt = Some(batch.as_head());
        let connection = &self.connection;
        let counted = age_statistics::postgres::add(connection, self.log, &tallies);
        let inserted = ledger::postgres::insert(connection, &batch, &records);
        let insert = async { tokio::try_join!(biased; counted, inserted).map(drop) };
        let committed = if changes(works) {
            let commit = connection.control("COMMIT");
            let (inserted, committed) = tokio::join!(biased; insert, commit);
            inserted.and(committed)
        } else {
            insert.await
        };
        match committed {
            Ok(()) => self.head = batch.as_head(),
            Err(Error::Unavailable(_)) => return committed,
            Err(_) => {}
        }
        *doubt = None;
        committed
    }
}

/// How long a batch of the writer of this log waits for locked rows.
fn lock_timeout(log: i64) -> Duration {
    let place = u32::try_from(log.rem_euclid(APART)).unwrap_or_default();
    LOCK_TIMEOUT + LATER * place
}

/// Whether any of them may change something.
fn changes(works: &[Work]) -> bool {
    works.iter().any(Work::changes)
}

/// Splits units so that no two of a wave share a lane and those of one lane keep their order. Within a
/// wave they stand in the order of their lanes, so that two instances lock the same rows in the same
/// order.
fn waves(works: &mut [Work]) -> Vec<Vec<&mut Work>> {
    let mut waves: Vec<(HashSet<Lane>, Vec<&mut Work>)> = Vec::new();
    for work in works {
        let Work::Unit { lanes, .. } = work else {
            continue;
        };
        let lanes = lanes.clone();
        let last = waves
            .iter()
            .rposition(|(taken, _)| lanes.iter().any(|lane| taken.contains(lane)));
        let wave = last.map_or(0, |last| last + 1);
        match waves.get_mut(wave) {
            Some((taken, members)) => {
                taken.extend(lanes);
                members.push(work);
            }
            None => waves.push((lanes.into_iter().collect(), vec![work])),
        }
    }
    let waves = waves.into_iter().map(|(_, mut members)| {
        members.sort_by(|one, other| one.lanes().cmp(other.lanes()));
        members
    });
    waves.collect()
}

/// Claims the preferred log if it is free, else the first free one.
async fn claim(connection: &Connection, preferred: Option<i64>) -> Result<i64> {
    for log in preferred.into_iter().chain(1..=LOGS) {
        let rows = connection
            .query(
                "SELECT pg_try_advisory_lock($1::bigint::int, $2::bigint::int)",
                &[LOG_LOCK.into(), log.into()],
            )
            .await?;
        if rows
            .first()
            .map(|row| row.bool(0, "pg_try_advisory_lock"))
            .transpose()?
            == Some(true)
        {
            return Ok(log);
        }
    }
    Err(Error::Unavailable("every audit log is taken".into()))
}

/// Claims one log, waiting until whoever holds it is gone.
async fn claim_again(connection: &Connection, log: i64) -> Result<i64> {
    const LOCK: &str = "SELECT pg_advisory_lock($1::bigint::int, $2::bigint::int)::text";
    connection
        .query(LOCK, &[LOG_LOCK.into(), log.into()])
        .await?;
    Ok(log)
}
