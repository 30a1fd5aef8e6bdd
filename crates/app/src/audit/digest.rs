//! What is made of the log behind the writers: the index it is searched by, and the counts of requests
//! by the hour. Nobody's answer waits for it.
//!
//! It is made piece by piece, each in a transaction of its own that says how far it went, so any number
//! of instances may do it at once. However much there is to do, requests keep the database: the longer a
//! piece had to wait for its turn, the longer the next one is put off.

use std::sync::Arc;
use std::time::Duration;

use domain::clock::Clock;
use jiff::{SignedDuration, Timestamp};
use store::tables::audit_hours::{self, hour_of};
use store::tables::{audit, audit_index};
use store::{Lane, Tx, Unit, Written};

use crate::{App, Result};

/// How many times as long as a piece has waited for its turn the database is left to others. On an idle one
/// nearly half of the time is used; on one that is asked all the time, about a hundredth.
const DEFERENCE: u32 = 64;

/// For how long counts by the hour are kept: a year, and as much as makes it comparable.
const KEPT: SignedDuration = SignedDuration::from_hours(400 * 24);

/// Takes every block of the log that is complete into the index it is searched by; returns how many
/// pieces there were.
///
/// # Errors
/// When the database is away; what is left is taken in the next time.
pub async fn extend_index(app: &App) -> Result<u64> {
    extend(app, Digest::Index).await
}

/// Counts the requests that were recorded since the last time by the hour; returns how many pieces there
/// were.
///
/// # Errors
/// When the database is away; what is left is counted the next time.
pub async fn count_hours(app: &App) -> Result<u64> {
    extend(app, Digest::Hours).await
}

/// Forgets counts that are older than anybody looks; returns how many.
///
/// # Errors
/// When the database is away.
pub async fn forget_hours(app: &App) -> Result<u64> {
    let now = app.clock.now();
    let before = hour_of(now.checked_sub(KEPT).unwrap_or(now));
    Ok(app.store.write(ForgetHours { before }).await?)
}

/// What is made of the log.
#[derive(Debug, Clone, Copy)]
enum Digest {
    Index,
    Hours,
}

async fn extend(app: &App, digest: Digest) -> Result<u64> {
    let logs = app
        .store
        .read(|mut tx| Box::pin(async move { audit::logs(&mut tx).await }))
        .await?;
    let mut pieces = 0;
    for log in logs {
        let piece = || Extend {
            log,
            digest,
            clock: app.clock.clone(),
            asked_at: app.clock.now(),
        };
        while let Some(rest) = app.store.write(piece()).await? {
            pieces += 1;
            tokio::time::sleep(rest).await;
        }
    }
    Ok(pieces)
}

/// Adds a piece; says for how long the next is to be put off, or that there was none to add.
struct Extend {
    log: i64,
    digest: Digest,
    clock: Arc<dyn Clock>,
    asked_at: Timestamp,
}

impl Unit for Extend {
    type Output = Option<Duration>;

    // It reads what others of the same transaction could be adding.
    const ALONE: bool = true;

    fn lane(&self) -> Lane {
        lane()
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Option<Duration>>> {
        let began_at = self.clock.now();
        let waited = between(self.asked_at, began_at);
        let added = match self.digest {
            Digest::Index => audit_index::extend(tx, self.log).await?,
            Digest::Hours => audit_hours::count(tx, self.log).await?,
        };
        let held = between(began_at, self.clock.now());
        Ok(Written {
            output: added.then(|| held + waited * DEFERENCE),
            records: Vec::new(),
        })
    }
}

struct ForgetHours {
    before: i64,
}

impl Unit for ForgetHours {
    type Output = u64;

    fn lane(&self) -> Lane {
        lane()
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<u64>> {
        Ok(Written {
            output: audit_hours::forget(tx, self.before).await?,
            records: Vec::new(),
        })
    }
}

/// No time at all when the clock was put back.
fn between(from: Timestamp, to: Timestamp) -> Duration {
    to.duration_since(from).try_into().unwrap_or_default()
}

/// One piece after another: each begins where the last one ended.
fn lane() -> Lane {
    Lane::of(b"audit digest")
}
