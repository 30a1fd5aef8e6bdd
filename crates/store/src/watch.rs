//! Telling somebody outside how the store fares, without knowing who it is.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::work::Work;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occupation {
    /// Looking things up.
    Reading,
    /// Transactions, and the look-ups that are recorded with them.
    Writing,
}

/// Is told how the audit log, the rows and the connections fare. It is called by whoever works with
/// them: it must not wait.
pub trait StoreWatch: Send + Sync {
    /// So many audit records, at least one, are durable as one batch.
    fn committed(&self, records: usize);

    /// An audit record could not be written.
    fn failed(&self);

    /// A row of a table could not be read and was put aside.
    fn spoilt(&self, table: &'static str);

    /// A connection was busy for so long: with one batch, or one read.
    fn busy(&self, with: Occupation, lasted: Duration);

    /// A visit to the database begins, in the task of whoever waits for it; what is given back is
    /// dropped when it ends.
    fn visit(&self, name: &'static str) -> Option<Box<dyn Send>>;
}

/// The writers' side: whoever watches, if anybody does.
#[derive(Clone, Default)]
pub(crate) struct Watched(Arc<OnceLock<Box<dyn StoreWatch>>>);

impl Watched {
    /// The first who watches is the only one.
    pub fn watch(&self, watch: Box<dyn StoreWatch>) {
        let _ = self.0.set(watch);
    }

    /// These works are committed, with their records in one batch.
    pub fn committed(&self, works: &[Work]) {
        let Some(watch) = self.0.get() else { return };
        let records = works.iter().map(|work| work.records().len()).sum();
        if records > 0 {
            watch.committed(records);
        }
    }

    /// A record could not even be made.
    pub fn lost(&self) {
        if let Some(watch) = self.0.get() {
            watch.failed();
        }
    }

    /// A row was put aside.
    pub fn spoilt(&self, table: &'static str) {
        if let Some(watch) = self.0.get() {
            watch.spoilt(table);
        }
    }

    /// A connection is busy from now on, until this is dropped.
    pub fn begin(&self, with: Occupation) -> Busy {
        Busy {
            watched: self.clone(),
            with,
            since: Instant::now(),
        }
    }

    /// A visit begins; it ends when this is dropped.
    pub fn visit(&self, name: &'static str) -> Option<Box<dyn Send>> {
        self.0.get()?.visit(name)
    }

    /// This work is given up. Of a unit or a look-up nothing happened, so nothing is missing in the
    /// log; a record stood for something that has happened.
    pub fn failed(&self, work: &Work) {
        if matches!(work, Work::Record { .. }) {
            self.lost();
        }
    }
}

/// A connection that is busy.
pub(crate) struct Busy {
    watched: Watched,
    with: Occupation,
    since: Instant,
}

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(watch) = self.watched.0.get() {
            watch.busy(self.with, self.since.elapsed());
        }
    }
}
