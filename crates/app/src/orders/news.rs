//! What a transaction did to orders, for those who hear of it once it is durable.

use domain::audit::Record;
use domain::order::Status;

use crate::App;

/// What a transaction did to orders.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Where orders have come to stand.
    pub statuses: Vec<Status>,
    /// Whether anything was enqueued.
    pub enqueued: bool,
    /// What the audit log is told of changes that nobody asked for.
    pub records: Vec<Record>,
}

impl News {
    /// Adds what else the same transaction did.
    pub fn extend(&mut self, other: Self) {
        self.statuses.extend(other.statuses);
        self.enqueued |= other.enqueued;
        self.records.extend(other.records);
    }

    /// The records, which are to be committed with the rest.
    pub fn take_records(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.records)
    }

    /// Tells those who wait for it; to be called when the transaction is durable.
    pub fn announce(&self, app: &App) {
        for status in &self.statuses {
            (app.orders.count)(*status);
        }
        if self.enqueued {
            app.outbox.wake();
        }
    }
}
