//! Writing down that sessions' time is over, so that their companies are told.
//!
//! Nobody's answer waits for it: a session is over at its instant, swept or not.
//! Must not: let one session that cannot be read keep the others from their turn.

use domain::number::Status;
use jiff::{SignedDuration, Timestamp};
use store::tables::verification_sessions;
use store::{Lane, Spoilt, Tx, Unit, Written};

use super::ending::{Expiry, Pen};
use crate::{App, Result};

/// How many sessions one transaction ends.
const BATCH: i64 = 200;
/// How many of the deadlines that have come one transaction looks at: most of them are of sessions that
/// have ended by themselves.
const WINDOW: i64 = 500;

/// When a session is looked at again whose end only another process can tell.
const AGAIN: SignedDuration = SignedDuration::from_secs(60);

/// Ends every session whose time is over; returns how many there were. Any number of instances may
/// sweep at once.
///
/// # Errors
/// When the database is away; what is left is swept the next time.
pub async fn sweep(app: &App) -> Result<u64> {
    let mut ended = 0;
    loop {
        let unit = Sweep {
            pen: Pen::of(app),
            now: app.clock.now(),
        };
        let swept = app.store.write(unit).await?;
        app.store.note_spoilt(&swept.spoilt);
        ended += swept.ended;
        if swept.ended > 0 {
            (app.numbers.count)(Status::Expired, swept.ended);
            app.outbox.wake();
        }
        if !swept.is_more {
            return Ok(ended);
        }
    }
}

/// What one transaction came to.
struct Swept {
    ended: u64,
    spoilt: Vec<Spoilt>,
    /// Whether there may be more to do.
    is_more: bool,
}

struct Sweep {
    pen: Pen,
    now: Timestamp,
}

impl Unit for Sweep {
    type Output = Swept;

    // It meets sessions of any lane: only a transaction of its own keeps others out.
    const ALONE: bool = true;

    fn lane(&self) -> Lane {
        Lane::of(b"number sweep")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Self::Output>> {
        let due = verification_sessions::list_due_for_update(tx, self.now, WINDOW, BATCH).await?;
        let count = due.rows.len() + due.spoilt.len();
        let mut records = Vec::with_capacity(count);
        let mut put_off = 0;
        for found in &due.rows {
            match self.pen.expire(tx, found, self.now).await? {
                Expiry::None => {}
                Expiry::Ended(record) => records.push(*record),
                Expiry::Elsewhere => {
                    let id = &found.verification_id;
                    let later = self.now.saturating_add(AGAIN).unwrap_or(Timestamp::MAX);
                    verification_sessions::put_off(tx, id, self.now, WINDOW, later).await?;
                    put_off += 1;
                }
            }
        }
        for row in &due.spoilt {
            verification_sessions::end_spoilt(tx, row.id, self.now, WINDOW).await?;
        }
        let forgotten = verification_sessions::forget_deadlines(tx, self.now, WINDOW).await?;
        let met = count as u64;
        let output = Swept {
            ended: met - put_off,
            spoilt: due.spoilt,
            is_more: met == BATCH.unsigned_abs() || forgotten == WINDOW.unsigned_abs(),
        };
        Ok(Written { output, records })
    }
}
