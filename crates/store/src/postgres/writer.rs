//! A few writers, each with a connection and an audit log of its own.
//!
//! A batch is one transaction of a [`Session`]. When anything in it fails, it is undone and its works
//! run again one by one, so that only the guilty one is refused.
//!
//! A connection lost while committing leaves the outcome in doubt. The next
//! connection claims the same log, which is possible only once the old session
//! is gone, and looks whether the batch is there: so nothing is done twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::session::{Doubt, Session};
use super::{Connection, Target};
use crate::watch::Watched;
use crate::work::{Work, transactions};
use crate::{Error, Occupation, PATIENCE, QUEUE, Result, StoreClock};

/// How many works one commit takes along at most.
const BATCH: usize = 512;

/// Pause between attempts while the database is away.
const RETRY: Duration = Duration::from_millis(50);

/// The least time an attempt is given before its connection counts as dead, even
/// when those it is for have waited long already.
const SHORTEST: Duration = Duration::from_millis(500);

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
            away: None,
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

    /// Units of one lane always go to the same writer. What stands in none goes where the fewest
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

struct Writer {
    target: Target,
    clock: StoreClock,
    watched: Watched,
    session: Option<Session>,
    /// The log of the last session, claimed again by the next.
    log: Option<i64>,
    /// Why the last attempt did not reach the database, if it did not.
    away: Option<Error>,
}

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
        // Those who waited in vain behind others do not wait for an attempt of their own.
        if let Some(error) = self.away.clone() {
            works = self.give_up_on_the_impatient(works, &error);
        }
        let mut alone = false;
        let mut conflicted = false;
        let mut doubt = None;
        while !works.is_empty() {
            if alone && works.len() > 1 {
                return self.commit_one_by_one(works).await;
            }
            let outcome = self.attempt(&mut works, &mut doubt).await;
            self.away = outcome.clone().err().filter(is_away);
            let Err(error) = outcome else {
                self.watched.committed(&works);
                return works.into_iter().for_each(Work::succeed);
            };
            tracing::debug!(%error, works = works.len(), "transaction failed");
            // When it was not the connection, somebody in this batch is to blame.
            alone = !is_away(&error);
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

    /// Look-ups share nothing with units, so they stay together unless one of them is to blame.
    async fn commit_one_by_one(&mut self, works: Vec<Work>) {
        let (looks, others): (Vec<_>, Vec<_>) = works
            .into_iter()
            .partition(|work| matches!(work, Work::Look { .. }));
        let together = !others.is_empty();
        let batches = match together {
            true => vec![looks],
            false => looks.into_iter().map(|look| vec![look]).collect(),
        };
        let others = others.into_iter().map(|work| vec![work]);
        for batch in batches.into_iter().chain(others) {
            Box::pin(self.commit(batch)).await;
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
        if doubt.take() == Some(session.head()) {
            self.session = Some(session);
            return Ok(());
        }
        if let Err(error) = session.run(works).await {
            if !is_away(&error) {
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
            && !session.is_closed()
        {
            return Ok(session);
        }
        let connection = Connection::open(&self.target).await?;
        let session = Session::claim(connection, self.log, same_log).await?;
        self.log = Some(session.log());
        Ok(session)
    }
}

/// Whether the database could not be reached, so that nobody in the batch is to blame.
const fn is_away(error: &Error) -> bool {
    matches!(error, Error::Unavailable(_))
}
