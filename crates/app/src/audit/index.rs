//! Taking what was recorded into the index that the log is searched by, behind the writers.

use std::time::Duration;

use store::tables::{audit, audit_index};
use store::{Lane, Tx, Unit, Written};

use crate::{App, Result};

/// How many times as long as it has worked it rests, so that requests keep the database.
const REST: u32 = 20;

/// Takes in every block that is complete; returns how many pieces there were. Any number of instances may
/// do it at once.
///
/// # Errors
/// When the database is away; what is left is taken in the next time.
pub async fn extend_index(app: &App) -> Result<u64> {
    let logs = app
        .store
        .read(|mut tx| Box::pin(async move { audit::logs(&mut tx).await }))
        .await?;
    let mut pieces = 0;
    for log in logs {
        loop {
            let began_at = app.clock.now();
            if !app.store.write(Extend { log }).await? {
                break;
            }
            pieces += 1;
            let worked = app.clock.now().duration_since(began_at);
            let worked = Duration::try_from(worked).unwrap_or_default();
            tokio::time::sleep(worked * REST).await;
        }
    }
    Ok(pieces)
}

struct Extend {
    log: i64,
}

impl Unit for Extend {
    type Output = bool;

    // It reads what others of the same transaction could be adding.
    const ALONE: bool = true;

    fn lane(&self) -> Lane {
        Lane::of(b"audit index")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<bool>> {
        Ok(Written {
            output: audit_index::extend(tx, self.log).await?,
            records: Vec::new(),
        })
    }
}
