//! The writer thread: whatever waits is committed together.

use std::time::Duration;

use domain::audit::Head;
use futures_util::FutureExt as _;
use tokio::sync::mpsc;

use super::connection::BUSY_TIMEOUT;
use super::{Connection, LogEnd, Turnstile};
use crate::ledger::{self, SQLITE_LOG};
use crate::look;
use crate::tables::age_statistics;
use crate::watch::Watched;
use crate::work::{Pending, Work, transactions};
use crate::{Error, Occupation, PATIENCE, Result, StoreClock, Tx};

/// How many works one commit takes along at most: enough to share its cost, and few enough that
/// the answers to one batch leave, and the next questions arrive, while the next is committed.
const BATCH: usize = 64;

/// Starts the thread. It ends, with everything committed, when every sender of
/// `queue` is gone.
pub(crate) fn start(
    connection: Connection,
    turnstile: Turnstile,
    queue: mpsc::Receiver<Work>,
    clock: StoreClock,
    watched: Watched,
    log_end: LogEnd,
) -> Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new()
        .name("sqlite-writer".into())
        .spawn(move || {
            let writer = Writer {
                connection,
                turnstile,
                clock,
                watched,
                log_end,
            };
            writer.work_off(queue);
        })
        .map_err(|error| Error::Unavailable(error.to_string()))
}

struct Writer {
    connection: Connection,
    turnstile: Turnstile,
    clock: StoreClock,
    watched: Watched,
    log_end: LogEnd,
}

impl Writer {
    fn work_off(mut self, mut queue: mpsc::Receiver<Work>) {
        let mut waiting = Vec::with_capacity(BATCH);
        while queue.blocking_recv_many(&mut waiting, BATCH) > 0 {
            for works in transactions(std::mem::take(&mut waiting)) {
                let _busy = self.watched.begin(Occupation::Writing);
                self.commit(works);
                self.log_end.reach(&mut self.connection);
            }
        }
    }

    /// Commits a batch, trying again while the database is busy and somebody may
    /// still be waiting.
    fn commit(&mut self, mut works: Vec<Work>) {
        loop {
            let (error, undone) = self.attempt(works);
            let Some(error) = error else { return };
            let (expired, patient): (Vec<_>, Vec<_>) = undone
                .into_iter()
                .partition(|work| !error.is_transient() || work.since().elapsed() > PATIENCE);
            for work in expired {
                self.give_up(work, &error);
            }
            if patient.is_empty() {
                return;
            }
            works = patient;
            pause();
        }
    }

    /// One transaction; when anything in it fails it is undone, and made again with each
    /// work on its own. What comes back may be tried again.
    fn attempt(&mut self, mut works: Vec<Work>) -> (Option<Error>, Vec<Work>) {
        if let Err(error) = self.begin() {
            return (Some(error), works);
        }
        if let Err(error) = self.run_together(&mut works) {
            self.undo(error);
            return self.attempt_one_by_one(works);
        }
        match self.finish(&works) {
            Ok(()) => {
                self.succeed(works);
                (None, Vec::new())
            }
            Err(error) => (Some(self.undo(error)), works),
        }
    }

    /// Runs all look-ups, then all units, without a net: savepoints copy every page that is written.
    fn run_together(&mut self, works: &mut [Work]) -> Result<()> {
        self.look(works)?;
        for work in works {
            if let Work::Unit { unit, .. } = work {
                run_at_once(unit.as_mut(), &mut self.connection)?;
            }
        }
        Ok(())
    }

    /// One transaction. Works that fail are answered, or come back when trying again
    /// may help, without keeping the others; when the transaction fails, all come
    /// back, those of a lane in their order.
    fn attempt_one_by_one(&mut self, works: Vec<Work>) -> (Option<Error>, Vec<Work>) {
        if let Err(error) = self.begin() {
            return (Some(error), works);
        }
        let mut ready = Vec::with_capacity(works.len());
        let mut conflict = None;
        let mut again: Vec<Work> = Vec::new();
        let mut works = works.into_iter();
        while let Some(mut work) = works.next() {
            // Behind one that comes back, its lanes come back too.
            if again.iter().any(|held| held.meets(&work)) {
                again.push(work);
                continue;
            }
            match self.run(&mut work) {
                Ok(()) => {
                    ready.push(work);
                    continue;
                }
                Err(error) if error.is_transient() => {
                    conflict = Some(error);
                    again.push(work);
                }
                Err(error) => self.give_up(work, &error),
            }
            if self.is_undone() {
                let undone = || Error::Conflict("undone with another unit".into());
                ready.extend(again.into_iter().chain(works));
                return (Some(conflict.unwrap_or_else(undone)), ready);
            }
        }
        match self.finish(&ready) {
            Ok(()) => self.succeed(ready),
            Err(error) => {
                conflict = Some(self.undo(error));
                ready.append(&mut again);
                again = ready;
            }
        }
        (conflict, again)
    }

    /// Whether SQLite has undone the whole transaction by itself, as it does when the disk is full
    /// or cannot be read. What runs after that would be committed statement by statement.
    fn is_undone(&mut self) -> bool {
        self.connection.raw().is_autocommit()
    }

    fn succeed(&self, works: Vec<Work>) {
        self.watched.committed(&works);
        works.into_iter().for_each(Work::succeed);
    }

    fn begin(&mut self) -> Result<()> {
        let _turn = self.turnstile.wait(BUSY_TIMEOUT);
        self.connection.control("BEGIN IMMEDIATE")
    }

    /// Runs all look-ups among them to their end.
    fn look(&mut self, works: &mut [Work]) -> Result<()> {
        let mut looks: Vec<_> = works.iter_mut().filter_map(Work::look).collect();
        looks.iter_mut().for_each(|look| look.begin());
        loop {
            let asked = look::asked(&looks);
            if asked.is_empty() {
                return Ok(());
            }
            let mut answers = Vec::with_capacity(asked.len());
            for asked in asked {
                let found = self
                    .connection
                    .find_each(asked.statement.one, &asked.values)?;
                answers.push((asked.places, found));
            }
            for (places, rows) in answers {
                look::tell(&mut looks, places, rows);
            }
        }
    }

    /// Runs one work; a unit between savepoints, so that its failure is its own.
    fn run(&mut self, work: &mut Work) -> Result<()> {
        let unit = match work {
            Work::Unit { unit, .. } => unit,
            Work::Look { .. } => return self.look(std::slice::from_mut(work)),
            Work::Record { .. } => return Ok(()),
        };
        self.connection.control("SAVEPOINT unit")?;
        let outcome = run_at_once(unit.as_mut(), &mut self.connection);
        if self.is_undone() {
            // The savepoint is gone too.
            return outcome;
        }
        if outcome.is_err() {
            self.connection.control("ROLLBACK TO unit")?;
        }
        self.connection.control("RELEASE unit")?;
        outcome
    }

    fn finish(&mut self, ready: &[Work]) -> Result<()> {
        let records: Vec<_> = ready.iter().flat_map(Work::records).collect();
        if !records.is_empty() {
            // Another process may have written since: the head is read each time.
            let head = self.head()?;
            let batch = ledger::close(SQLITE_LOG, head, &records, self.clock.now());
            ledger::sqlite::insert(&mut self.connection, &batch, &records)?;
        }
        let tallies: Vec<_> = ready.iter().filter_map(Work::tally).collect();
        age_statistics::sqlite::add(&mut self.connection, SQLITE_LOG, &tallies)?;
        self.connection.control("COMMIT")
    }

    fn give_up(&self, work: Work, error: &Error) {
        self.watched.failed(&work);
        work.fail(error);
    }

    fn head(&mut self) -> Result<Head> {
        let rows = self.connection.query(ledger::HEAD, &[SQLITE_LOG.into()])?;
        ledger::head(rows.first())
    }

    fn undo(&mut self, error: Error) -> Error {
        // After some failures SQLite has rolled back by itself.
        if let Err(rollback) = self.connection.control("ROLLBACK") {
            tracing::debug!(%rollback, "nothing left to roll back");
        }
        error
    }
}

fn run_at_once(unit: &mut dyn Pending, connection: &mut Connection) -> Result<()> {
    unit.run(Tx::Sqlite(connection))
        .now_or_never()
        .unwrap_or_else(|| Err(Error::Refused("a unit waited inside SQLite".into())))
}

/// Waits a moment for another process to finish its transaction, or for the
/// disk to have room again.
fn pause() {
    std::thread::park_timeout(Duration::from_millis(20));
}
