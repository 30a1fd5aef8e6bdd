//! Noting how it went: the delivery, the attempt and what it tells, in one transaction.

use std::sync::Arc;

use domain::audit::Record;
use jiff::Timestamp;
use store::tables::deliveries;
use store::tables::delivery_attempts::{self, Attempt};
use store::{Lane, Tx, Unit, Written};
use uuid::Uuid;

use super::channel::Note;

/// How a delivery's turn ended.
#[derive(Clone)]
pub(super) struct Settle {
    /// Which delivery.
    pub id: Uuid,
    /// Under which lease.
    pub lease: Uuid,
    /// What becomes of it.
    pub status: deliveries::Status,
    /// Attempts so far.
    pub attempts: i64,
    /// How far its schedule has come.
    pub step: i64,
    /// When it is due again.
    pub due_at: Timestamp,
    /// How it went, in one word.
    pub word: &'static str,
    /// The attempt, if one was made.
    pub attempt: Option<Attempt>,
    /// What else it tells.
    pub note: Option<Arc<dyn Note>>,
    /// Now.
    pub at: Timestamp,
    /// The name of a change in the audit log, should there be one.
    pub request_id: String,
}

impl Unit for Settle {
    /// The record of what it changed beyond the delivery.
    type Output = Option<Record>;

    fn lane(&self) -> Lane {
        match &self.note {
            // Nobody else touches these rows: they need not follow one another.
            None => Lane::of(self.id.as_bytes()),
            Some(note) => note.lane(),
        }
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Self::Output>> {
        let outcome = deliveries::Outcome {
            id: self.id,
            lease: self.lease,
            status: self.status,
            attempts: self.attempts,
            step: self.step,
            due_at: self.due_at,
            word: self.word,
            at: self.at,
        };
        if !deliveries::settle(tx, &outcome).await? {
            // The lease ended before the news came; whoever has it now tells the rest.
            return Ok(Written {
                output: None,
                records: Vec::new(),
            });
        }
        if let Some(attempt) = &self.attempt {
            delivery_attempts::insert(tx, self.id, attempt).await?;
        }
        let record = match &self.note {
            Some(note) => note.write(tx, self.at, &self.request_id).await?,
            None => None,
        };
        Ok(Written {
            records: record.clone().into_iter().collect(),
            output: record,
        })
    }
}
