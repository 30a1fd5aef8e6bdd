//! Writing down that sessions' time is over, so that their companies are told.
//!
//! Nobody's answer waits for it: a session is over at its instant, swept or not.

use jiff::Timestamp;
use store::tables::verification_sessions;
use store::{Lane, Tx, Unit, Written};

use super::ending::Pen;
use crate::{App, Result};

/// How many sessions one transaction ends.
const BATCH: i64 = 200;

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
        let batch = app.store.write(unit).await?;
        ended += batch;
        if batch > 0 {
            app.outbox.wake();
        }
        if batch < BATCH.unsigned_abs() {
            return Ok(ended);
        }
    }
}

struct Sweep {
    pen: Pen,
    now: Timestamp,
}

impl Unit for Sweep {
    type Output = u64;

    // It meets sessions of any lane: only a transaction of its own keeps others out.
    const ALONE: bool = true;

    fn lane(&self) -> Lane {
        Lane::of(b"number sweep")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<u64>> {
        let due = verification_sessions::list_due_for_update(tx, self.now, BATCH).await?;
        let mut records = Vec::with_capacity(due.len());
        for found in &due {
            records.extend(self.pen.expire(tx, found, self.now).await?);
        }
        Ok(Written {
            output: due.len() as u64,
            records,
        })
    }
}
