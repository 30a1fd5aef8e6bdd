//! Counting what was recorded by the hour, behind the writers.

use std::time::Duration;

use jiff::SignedDuration;
use store::tables::audit;
use store::tables::audit_hours::{self, hour_of};
use store::{Lane, Tx, Unit, Written};

use crate::{App, Result};

/// How many times as long as it has worked it rests, so that requests keep the database.
const REST: u32 = 40;

/// For how long the counts are kept: a year, and as much as makes it comparable.
const KEPT: SignedDuration = SignedDuration::from_hours(400 * 24);

/// Counts whatever was recorded since the last time. Any number of instances may do it at once.
///
/// # Errors
/// When the database is away; what is left is counted the next time.
pub async fn count_hours(app: &App) -> Result<()> {
    let logs = app
        .store
        .read(|mut tx| Box::pin(async move { audit::logs(&mut tx).await }))
        .await?;
    for log in logs {
        loop {
            let began_at = app.clock.now();
            if !app.store.write(Count { log }).await? {
                break;
            }
            let worked = app.clock.now().duration_since(began_at);
            let worked = Duration::try_from(worked).unwrap_or_default();
            tokio::time::sleep(worked * REST).await;
        }
    }
    Ok(())
}

/// Forgets counts that are older than anybody looks.
///
/// # Errors
/// When the database is away.
pub async fn forget_hours(app: &App) -> Result<u64> {
    let now = app.clock.now();
    let before = hour_of(now.checked_sub(KEPT).unwrap_or(now));
    Ok(app.store.write(Forget { before }).await?)
}

struct Count {
    log: i64,
}

impl Unit for Count {
    type Output = bool;

    // It reads what others of the same transaction could be adding.
    const ALONE: bool = true;

    fn lane(&self) -> Lane {
        Lane::of(b"audit index")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<bool>> {
        Ok(Written {
            output: audit_hours::count(tx, self.log).await?,
            records: Vec::new(),
        })
    }
}

struct Forget {
    before: i64,
}

impl Unit for Forget {
    type Output = u64;

    fn lane(&self) -> Lane {
        Lane::of(b"audit index")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<u64>> {
        Ok(Written {
            output: audit_hours::forget(tx, self.before).await?,
            records: Vec::new(),
        })
    }
}
