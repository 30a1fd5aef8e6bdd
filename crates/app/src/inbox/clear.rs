//! Deleting events whose time is over.

use jiff::{SignedDuration, Timestamp};
use store::tables::inbox;
use store::{Lane, Tx, Unit, Written};

use crate::{App, Result};

/// How long an event is kept at least, whatever the operator wants: its sender's name for it is known for
/// as long, and nobody repeats a hook after a week.
const LEAST: SignedDuration = SignedDuration::from_hours(8 * 24);

/// How many one transaction deletes.
const BATCH: i64 = 200;

/// Deletes events whose time is over, each with its key: it begins when an event was processed, ignored or
/// parked, and when it came, if its sender is switched off, so that nobody processes it. Returns how many
/// there were.
///
/// # Errors
/// When the database is away; what is left is deleted the next time.
pub async fn clear(app: &App) -> Result<u64> {
    let now = app.clock.now();
    let least = now.saturating_sub(LEAST).unwrap_or(Timestamp::MIN);
    let before = app.retention.sessions_kept_from(now).min(least);
    let mut deleted = 0;
    loop {
        let batch = app.store.write(Clear { before }).await?;
        deleted += batch;
        if batch < BATCH.unsigned_abs() {
            return Ok(deleted);
        }
    }
}

struct Clear {
    before: Timestamp,
}

impl Unit for Clear {
    type Output = u64;

    fn lane(&self) -> Lane {
        Lane::of(b"inbox clearing")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<u64>> {
        Ok(Written {
            output: inbox::delete_old(tx, self.before, BATCH).await?,
            records: Vec::new(),
        })
    }
}
