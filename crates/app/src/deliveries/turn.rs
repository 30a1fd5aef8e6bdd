//! One delivery's turn: sent once, and noted how it went.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use domain::random::uuid_v7;
use futures_util::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use store::tables::deliveries::{Claimed, Status};
use store::tables::delivery_attempts::Attempt;
use uuid::Uuid;

use super::channel::{Fared, Fate, Line, Parcel, Sent, Tried};
use super::dispatch::Shared;
use super::settle::Settle;

/// How much of a lease is kept for noting how the attempt went, of one that was waited for longer, too.
const NOTING: SignedDuration = SignedDuration::from_secs(3);
/// How much longer than an attempt may take a channel is waited for.
const GRACE: Duration = Duration::from_secs(2);
const _: () = assert!(NOTING.as_secs().cast_unsigned() > GRACE.as_secs());
/// How long it waits before it tries again to note how something went.
const AGAIN: Duration = Duration::from_millis(500);

/// A turn that came to its end.
pub(super) struct Ended {
    pub receiver: String,
    pub fared: Fared,
}

/// One delivery's turn.
pub(super) struct Turn {
    pub shared: Arc<Shared>,
    pub receiver: Arc<str>,
    pub line: Arc<dyn Line>,
    pub delivery: Claimed,
    pub lease: Uuid,
    pub until: Timestamp,
}

impl Turn {
    pub async fn take(self) -> Ended {
        let receiver = self.receiver.to_string();
        let fared = self.fared().await;
        Ended { receiver, fared }
    }

    async fn fared(self) -> Fared {
        let app = &self.shared.app;
        let now = app.clock.now();
        if self.is_too_late(now) {
            return Fared::Untold;
        }
        let parcel = Parcel {
            delivery: self.delivery,
            key_ring: app.key_ring.clone(),
            longest_silence: self.shared.settings.longest_silence(),
            at: now,
        };
        let sent = send(&*self.line, &parcel, self.shared.settings.timeout).await;
        let noting = Noting {
            shared: self.shared,
            receiver: self.receiver,
            delivery: parcel.delivery,
            lease: self.lease,
            until: self.until,
            began: now,
        };
        noting.note_all(sent).await
    }

    /// Whether the lease might end before the longest attempt is noted, as it does when this
    /// process was frozen after the claim. Whoever claims it next sends it.
    fn is_too_late(&self, now: Timestamp) -> bool {
        let timeout = SignedDuration::try_from(self.shared.settings.timeout);
        let left = self.until.duration_since(now);
        timeout.is_ok_and(|timeout| left < timeout.saturating_add(NOTING))
    }
}

/// Lets a channel send a parcel. It keeps to the timeout by itself; one that does not must not outlive
/// its lease. One that panics has failed: left to the end of its lease, the delivery would come back for
/// ever, and hold up what comes after it in its stream.
async fn send(line: &dyn Line, parcel: &Parcel, timeout: Duration) -> Sent {
    let sent = AssertUnwindSafe(async { line.send(parcel).await }).catch_unwind();
    match tokio::time::timeout(timeout + GRACE, sent).await {
        Ok(Ok(sent)) => sent,
        Ok(Err(_)) => {
            tracing::error!(id = %parcel.id(), "sending a delivery panicked");
            Sent::Tried(failed("internal", Fared::Untold))
        }
        Err(_) => Sent::Tried(failed("timeout", Fared::Badly(None))),
    }
}

/// A channel did not come back, or not in time.
const fn failed(word: &'static str, line: Fared) -> Tried {
    Tried {
        word,
        status: None,
        fate: Fate::Again(None),
        line,
        note: None,
    }
}

/// What is left of a turn once its channel has answered.
struct Noting {
    shared: Arc<Shared>,
    receiver: Arc<str>,
    delivery: Claimed,
    lease: Uuid,
    until: Timestamp,
    began: Timestamp,
}

impl Noting {
    /// Notes how it went, and says what that tells of the line.
    async fn note_all(&self, sent: Sent) -> Fared {
        let (settle, fared) = match sent {
            Sent::Left => return Fared::Untold,
            Sent::Withheld(word) => (self.give_up(word), Fared::Untold),
            Sent::Tried(tried) => {
                let fared = tried.line;
                (self.after(tried), fared)
            }
        };
        self.note(settle).await;
        fared
    }

    /// Without an attempt: there is nothing to send, or nobody to send it to.
    fn give_up(&self, word: &'static str) -> Settle {
        let now = self.shared.app.clock.now();
        Settle {
            status: Status::Exhausted,
            ..self.settled(word, now)
        }
    }

    fn after(&self, tried: Tried) -> Settle {
        let now = self.shared.app.clock.now();
        let took = now.duration_since(self.began).as_micros();
        let number = self.delivery.attempts + 1;
        let mut settle = self.settled(tried.word, now);
        settle.attempts = number;
        settle.attempt = Some(Attempt {
            number,
            started_at: self.began,
            took: i64::try_from(took).unwrap_or(i64::MAX).max(0),
            outcome: tried.word.to_owned(),
            status: tried.status.map(i64::from),
        });
        settle.note = tried.note;
        match tried.fate {
            Fate::Delivered => settle.status = Status::Delivered,
            Fate::Again(wish) => self.postpone(&mut settle, wish),
            Fate::Never => {
                settle.step = self.delivery.step + 1;
                settle.status = Status::Exhausted;
            }
        }
        settle
    }

    /// Puts a failed attempt back into the line, or gives it up at the end of its schedule.
    fn postpone(&self, settle: &mut Settle, wish: Option<Duration>) {
        settle.step = self.delivery.step + 1;
        let made = u32::try_from(settle.step).unwrap_or(u32::MAX);
        let schedule = &self.shared.settings.schedule;
        let pause = schedule.after(made, wish, &*self.shared.app.random);
        let due_at = pause
            .and_then(|pause| SignedDuration::try_from(pause).ok())
            .and_then(|pause| settle.at.checked_add(pause).ok());
        match due_at {
            Some(due_at) => settle.due_at = due_at,
            None => settle.status = Status::Exhausted,
        }
    }

    fn settled(&self, word: &'static str, at: Timestamp) -> Settle {
        Settle {
            id: self.delivery.id,
            lease: self.lease,
            status: Status::Waiting,
            attempts: self.delivery.attempts,
            step: self.delivery.step,
            due_at: at,
            word,
            attempt: None,
            note: None,
            at,
            request_id: uuid_v7(at, &*self.shared.app.random).to_string(),
        }
    }

    /// Writes it. While the lease lasts nobody else will, so it is tried until then.
    async fn note(&self, settle: Settle) {
        let app = &self.shared.app;
        loop {
            match app.store.write(settle.clone()).await {
                Ok(None) => return,
                Ok(Some(record)) => {
                    let (receiver, change) = (&*self.receiver, &*record.action);
                    let reason = &*record.outcome.code;
                    tracing::warn!(receiver, change, reason, "a receiver was given up");
                    return;
                }
                Err(error) if error.is_transient() && app.clock.now() < self.until => {
                    tokio::time::sleep(AGAIN).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "it is not noted how a delivery went");
                    return;
                }
            }
        }
    }
}
