//! One event's turn: processed once, and noted how it went.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use domain::hook::Source;
use domain::random::uuid_v7;
use futures_util::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use store::tables::inbox::{Claimed, Outcome, Status};
use uuid::Uuid;

use super::handler::{Event, Handled, Handler, Mark, Remedy, Trouble};
use super::place;
use super::settle::Settle;
use super::worker::Shared;

/// How long it waits before it tries again to note how something went.
const AGAIN: Duration = Duration::from_millis(500);

/// One event's turn.
pub(super) struct Turn {
    pub shared: Arc<Shared>,
    pub source: Source,
    pub handler: Arc<dyn Handler>,
    pub claimed: Claimed,
    pub lease: Uuid,
    pub until: Timestamp,
}

/// Why an event cannot be read.
enum Unopened {
    /// Its key was destroyed, and what it says with it.
    Erased,
    /// Its key does not open: this instance may lack a master key that others have. What its sender
    /// was told is taken must not be thrown away for that.
    Unreadable,
}

impl Turn {
    pub async fn take(self) {
        let result = match self.open() {
            Ok(event) => self.handle(&event).await,
            Err(Unopened::Erased) => Ok(Handled::Ignored("erased")),
            Err(Unopened::Unreadable) => Err(Trouble::again("unreadable")),
        };
        let settle = self.settle(result);
        self.note(settle).await;
    }

    /// The event as it came, or why it cannot be read.
    fn open(&self) -> Result<Event, Unopened> {
        let Claimed { id, event, .. } = &self.claimed;
        let wrapped = self.claimed.data_key.as_ref().ok_or(Unopened::Erased)?;
        let sealed = event.as_deref().ok_or(Unopened::Erased)?;
        let body = self.shared.app.key_ring.unwrap(wrapped);
        let body = body.and_then(|key| key.open(place(id), sealed));
        Ok(Event {
            id: *id,
            company: self.claimed.company_id.clone(),
            topic: self.claimed.topic.clone(),
            received_at: self.claimed.received_at,
            body: body.map_err(|_| Unopened::Unreadable)?,
            mark: Mark {
                id: *id,
                lease: self.lease,
                attempts: self.claimed.attempts,
                step: self.claimed.step,
            },
        })
    }

    /// Lets the handler have it, for no longer than the lease lasts. A handler that panics has failed
    /// like any other: left to the end of its lease, its event would come back for ever.
    async fn handle(&self, event: &Event) -> Result<Handled, Trouble> {
        let handled = AssertUnwindSafe(async { self.handler.handle(event).await }).catch_unwind();
        let limit = self.shared.settings.timeout;
        match tokio::time::timeout(limit, handled).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => {
                tracing::error!(id = %event.id, "processing an event panicked");
                Err(Trouble::again("internal"))
            }
            Err(_) => Err(Trouble::again("timeout")),
        }
    }

    fn settle(&self, result: Result<Handled, Trouble>) -> Settle {
        let now = self.shared.app.clock.now();
        let mut outcome = Outcome {
            id: self.claimed.id,
            lease: self.lease,
            status: Status::Done,
            attempts: self.claimed.attempts + 1,
            step: self.claimed.step,
            due_at: now,
            word: "",
            subject: None,
            at: now,
        };
        match result {
            Ok(Handled::Done { word, subject }) => {
                outcome.word = word;
                outcome.subject = subject;
            }
            Ok(Handled::Ignored(word)) => {
                outcome.word = word;
                outcome.status = Status::Ignored;
            }
            Err(trouble) => self.postpone(&mut outcome, trouble),
        }
        Settle {
            company: self.claimed.company_id.clone(),
            outcome,
            request_id: uuid_v7(now, &*self.shared.app.random).to_string(),
        }
    }

    /// Has it tried again later, or parks it.
    fn postpone(&self, outcome: &mut Outcome<'static>, trouble: Trouble) {
        outcome.word = trouble.word;
        let pause = match trouble.remedy {
            Remedy::Wait(pause) => Some(pause.max(Duration::from_secs(1))),
            Remedy::Person => None,
            Remedy::Again => {
                outcome.step += 1;
                let failures = u32::try_from(outcome.step).unwrap_or(u32::MAX);
                let schedule = &self.shared.settings.schedule;
                schedule.after(failures, None, &*self.shared.app.random)
            }
        };
        let due_at = pause
            .and_then(|pause| SignedDuration::try_from(pause).ok())
            .and_then(|pause| outcome.at.checked_add(pause).ok());
        match due_at {
            Some(due_at) => {
                outcome.status = Status::Waiting;
                outcome.due_at = due_at;
            }
            None => outcome.status = Status::Parked,
        }
    }

    /// Notes how it went. While the lease lasts nobody else will, so it is tried until then.
    async fn note(&self, settle: Settle) {
        let app = &self.shared.app;
        loop {
            match app.store.write(settle.clone()).await {
                Ok(_) => break,
                Err(error) if error.is_transient() && app.clock.now() < self.until => {
                    tokio::time::sleep(AGAIN).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "it is not noted how an event was processed");
                    return;
                }
            }
        }
        if settle.outcome.status == Status::Parked {
            let (id, word) = (settle.outcome.id, settle.outcome.word);
            let source = self.source.as_str();
            tracing::warn!(%id, source, word, "an event is parked; `bonafide inbox` shows it");
        }
    }
}
