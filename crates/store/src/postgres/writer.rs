//! A few writers, each with a connection and an audit log of its own.
//!
//! A batch is one transaction: the units run side by side in *waves* (no two units
//! of a wave share a lane), then the audit batch is inserted and the transaction
//! committed. When anything in it fails, it is undone and its works
//! run again one by one, so that only the guilty one is refused.
//!
//! A connection lost while committing leaves the outcome in doubt. The next
//! connection claims the same log, which is possible only once the old session
//! is gone, and looks whether the batch is there: so nothing is done twice.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use domain::audit::Head;
use tokio::sync::mpsc;

use super::{Connection, Target, wave};
use crate::tables::age_statistics;
use crate::watch::Watched;
use crate::work::{Lane, Work, transactions};
use crate::{Error, Occupation, PATIENCE, QUEUE, Result, StoreClock, ledger};

/// How many works one commit takes along at most.
const BATCH: usize = 512;

/// Pause between attempts while the database is away.
const RETRY: Duration = Duration::from_millis(50);

/// The least time an attempt is given before its connection counts as dead, even
/// when those it is for have waited long already.
const SHORTEST: Duration = Duration::from_millis(500);

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

/// What was answered must survive the loss of power, whatever the role or the database says.
const DURABLE: &str = "SELECT set_config('synchronous_commit', 'on', false) \
                       WHERE current_setting('synchronous_commit') = 'off'";

/// First half of the advisory lock that claims a log; the second is its number.
const LOG_LOCK: i64 = 0x626f_6e61;

/// Logs that are tried before giving up: more than there can be connections.
const LOGS: i64 = 10_000;

/// The queues of all writers.
pub(crate) struct Writers {
    queues: Vec<Queue>,
}

struct Queue {
    works: mpsc::Sender<Work>,
    waiting: Arc<AtomicUsize>,
}

/// Starts `count` writers.
pub(crate) fn start(
    target: &Target,
    count: usize,
    clock: &StoreClock,
    watched: &Watched,
) -> (Writers, Vec<tokio::task::JoinHandle<()>>) {
    let mut tasks = Vec::new();
    let mut queues = Vec::new();
    for _ in 0..count.max(1) {
        let (works, queue) = mpsc::channel(QUEUE);
        let waiting = Arc::new(AtomicUsize::new(0));
        let writer = Writer {
            target: target.clone(),
            clock: clock.clone(),
            watched: watched.clone(),
            session: None,
            log: None,
        };
        tasks.push(tokio::spawn(writer.work_off(queue, waiting.clone())));
        queues.push(Queue { works, waiting });
    }
    (Writers { queues }, tasks)
}

impl Writers {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.queues.len()
    }

    /// How many works stand in line.
    pub fn waiting(&self) -> usize {
        let in_line = |queue: &Queue| queue.works.max_capacity() - queue.works.capacity();
        self.queues.iter().map(in_line).sum()
    }

    /// Units of one lane always go to the same writer. What stands in no lane goes where the fewest
    /// wait: while one writer's batch is with the database, the other's is being answered and fills.
    ///
    /// A work that no writer takes, because too many wait already, comes back.
    pub fn send(&self, work: Work) -> std::result::Result<(), Work> {
        let queue = match work.lanes().first() {
            Some(lane) => self.queues.get(lane.spread(self.queues.len())),
            None => self
                .queues
                .iter()
                .min_by_key(|queue| queue.waiting.load(Ordering::Relaxed)),
        };
        let Some(queue) = queue else {
            return Err(work);
        };
        queue.waiting.fetch_add(1, Ordering::Relaxed);
        queue.works.try_send(work).map_err(|refused| {
            queue.waiting.fetch_sub(1, Ordering::Relaxed);
            refused.into_inner()
        })
    }
}

/// A connection that has claimed a log.
struct Session {
    connection: Connection,
    log: i64,
    head: Head,
    /// Begins a transaction of a single unit.
    begin_alone: String,
}

struct Writer {
    target: Target,
    clock: StoreClock,
    watched: Watched,
    session: Option<Session>,
    /// The log of the last session, claimed again by the next.
    log: Option<i64>,
}

/// The head that a commit whose answer was lost would have left.
type Doubt = Option<Head>;

impl Writer {
    async fn work_off(mut self, mut queue: mpsc::Receiver<Work>, waiting: Arc<AtomicUsize>) {
        let mut works = Vec::with_capacity(BATCH);
        loop {
            let received = queue.recv_many(&mut works, BATCH).await;
            if received == 0 {
                return;
            }
            for works in transactions(std::mem::take(&mut works)) {
                let _busy = self.watched.begin(Occupation::Writing);
                self.commit(works).await;
            }
            waiting.fetch_sub(received, Ordering::Relaxed);
        }
    }

    /// Sees a batch through: committed, or refused when patience ends.
    async fn commit(&mut self, mut works: Vec<Work>) {
        let mut alone = false;
        let mut conflicted = false;
        let mut doubt = None;
        while !works.is_empty() {
            if alone && works.len() > 1 {
                return self.commit_one_by_one(works).await;
            }
            let Err(error) = self.attempt(&mut works, &mut doubt).await else {
                self.watched.committed(&works);
                return works.into_iter().for_each(Work::succeed);
            };
            tracing::debug!(%error, works = works.len(), "transaction failed");
            // When it was not the connection, somebody in this batch is to blame.
            alone = !matches!(error, Error::Unavailable(_));
            works = self.give_up_on_the_impatient(works, &error);
            // Whoever came first is done by now: only what goes on is waited for.
            let first_conflict = matches!(error, Error::Conflict(_)) && !conflicted;
            conflicted |= first_conflict;
            if error.is_transient() && !first_conflict {
                tokio::time::sleep(RETRY).await;
            }
        }
    }

    /// Refuses those whose callers no longer wait, and everybody when trying again
    /// is no use.
    fn give_up_on_the_impatient(&self, works: Vec<Work>, error: &Error) -> Vec<Work> {
        let hopeless = !error.is_transient() && works.len() == 1;
        let (refused, patient): (Vec<_>, Vec<_>) = works
            .into_iter()
            .partition(|work| hopeless || work.since().elapsed() > PATIENCE);
        for work in refused {
            self.watched.failed(&work);
            work.fail(error);
        }
        patient
    }

    async fn commit_one_by_one(&mut self, works: Vec<Work>) {
        for work in works {
            Box::pin(self.commit(vec![work])).await;
        }
    }

    /// One attempt, which ends when the patience of the first in line does.
    async fn attempt(&mut self, works: &mut [Work], doubt: &mut Doubt) -> Result<()> {
        let now = Instant::now();
        let first = works.iter().map(Work::since).min().unwrap_or(now);
        let end = (first + PATIENCE).max(now + SHORTEST);
        match tokio::time::timeout_at(end.into(), self.try_once(works, doubt)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Error::Unavailable("a transaction took too long".into())),
        }
    }

    /// The session is taken out for the attempt and put back only when it is
    /// known to be sound: an attempt that is cut off leaves none behind.
    async fn try_once(&mut self, works: &mut [Work], doubt: &mut Doubt) -> Result<()> {
        // Whatever keeps us from the log, the doubt stays until somebody has looked.
        let mut session = self
            .connected(doubt.is_some())
            .await
            .map_err(Error::into_unavailable)?;
        // The session holds the log, so nobody can still be committing to it.
        if doubt.take() == Some(session.head) {
            self.session = Some(session);
            return Ok(());
        }
        if let Err(error) = session.run(works).await {
            if !matches!(error, Error::Unavailable(_)) {
                self.session = Some(session);
            }
            return Err(error);
        }
        // After a failure here the log may not end where this session believes: the
        // next one reads its head anew.
        session.close(works, doubt, &self.clock).await?;
        self.session = Some(session);
        Ok(())
    }

    /// The session, taken out; a fresh one when the last has ended. `same_log`
    /// waits for the last session's log instead of taking another.
    async fn connected(&mut self, same_log: bool) -> Result<Session> {
        if let Some(session) = self.session.take()
            && !session.connection.is_closed()
        {
            return Ok(session);
        }
        let connection = Connection::open(&self.target).await?;
        let log = match self.log {
            Some(log) if same_log => claim_again(&connection, log).await?,
            last => claim(&connection, last).await?,
        };
        self.log = Some(log);
        let rows = connection.query(ledger::HEAD, &[log.into()]).await?;
        let head = ledger::head(rows.first())?;
        let lock_timeout = lock_timeout(log);
        let set = format!("SET lock_timeout = {}", lock_timeout.as_millis());
        connection.control(&set).await?;
        connection.control(IDLE_TIMEOUT).await?;
        connection.query(DURABLE, &[]).await?;
        // Were it prepared beside the first COMMIT, that would be sent before the insert.
        ledger::postgres::prepare(&connection).await?;
        age_statistics::postgres::prepare(&connection).await?;
        Ok(Session {
            connection,
            log,
            head,
            begin_alone: format!(
                "BEGIN; SET LOCAL lock_timeout = {}",
                (lock_timeout * ALONE).as_millis()
            ),
        })
    }
}

impl Session {
    /// Runs the units, if there are any, and leaves their transaction open. A failure
    /// undoes them and leaves the session as it was, unless the database is away.
    async fn run(&self, works: &mut [Work]) -> Result<()> {
        if has_units(works)
            && let Err(error) = self.run_units(works).await
        {
            self.connection.control("ROLLBACK").await?;
            return Err(error);
        }
        Ok(())
    }

    /// Runs all units in one transaction, wave by wave. The first wave's statements
    /// travel with the `BEGIN`.
    async fn run_units(&self, works: &mut [Work]) -> Result<()> {
        let connection = &self.connection;
        let begin = match works {
            [_] => self.begin_alone.as_str(),
            _ => BEGIN,
        };
        let mut begun = false;
        for mut wave in waves(works) {
            let units = wave.iter_mut().filter_map(|work| work.unit());
            let run = wave::run(connection, units);
            if begun {
                run.await?;
            } else {
                begun = true;
                tokio::try_join!(biased; connection.control(begin), run)?;
            }
        }
        Ok(())
    }

    /// Writes the records and commits.
    async fn close(
        &mut self,
        works: &mut [Work],
        doubt: &mut Doubt,
        clock: &StoreClock,
    ) -> Result<()> {
        let connection = &self.connection;
        let tallies: Vec<_> = works.iter().filter_map(Work::tally).collect();
        let records: Vec<_> = works.iter().flat_map(Work::records).collect();
        if records.is_empty() {
            age_statistics::postgres::add(connection, self.log, &tallies).await?;
            return connection.control("COMMIT").await;
        }
        let batch = ledger::close(self.log, self.head, &records, clock.now());
        let counted = age_statistics::postgres::add(connection, self.log, &tallies);
        let inserted = ledger::postgres::insert(connection, &batch, &records);
        let insert = async { tokio::try_join!(biased; counted, inserted).map(drop) };
        *doubt = Some(batch.as_head());
        let committed = if has_units(works) {
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

fn has_units(works: &[Work]) -> bool {
    works.iter().any(|work| matches!(work, Work::Unit { .. }))
}

/// Splits works so that no two units of a wave share a lane and units of one lane
/// keep their order. What stands in no lane only looks, and comes first: it finds nothing of what
/// the others do, which is not committed yet. Within a wave units stand in the order of their lanes, so
/// that two instances lock the same rows in the same order.
fn waves(works: &mut [Work]) -> Vec<Vec<&mut Work>> {
    let mut looks: Vec<&mut Work> = Vec::new();
    let mut waves: Vec<(HashSet<Lane>, Vec<&mut Work>)> = Vec::new();
    for work in works {
        let Work::Unit { lanes, .. } = work else {
            continue;
        };
        if lanes.is_empty() {
            looks.push(work);
            continue;
        }
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
    let looks = (!looks.is_empty()).then_some(looks);
    looks.into_iter().chain(waves).collect()
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
