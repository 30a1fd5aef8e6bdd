//! Putting every wrapped key under the newest master key, so that the older ones can be removed.
//!
//! Guarantees: what is sealed is not touched, only the keys it is sealed under are wrapped anew, a
//! few at a time, beside working servers; whatever was done before it was interrupted is not done
//! again. A key that no master key at hand opens is left as it is, and counted.

use domain::audit::Record;
use domain::seal::KeyRing;
use store::tables::wrapped_keys::{self, Kept, Rewrapped};
use store::{Lane, Tx, Unit, Written};
use uuid::Uuid;

use crate::exchange::Exchange;
use crate::{App, Result};

/// Keys wrapped anew in one transaction.
const BATCH: i64 = 200;

/// What became of the keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Keys that were put under the newest master key.
    pub rewrapped: u64,
    /// Keys that no master key at hand opens.
    pub unopened: u64,
    /// The master key that everything is under now, but what does not open.
    pub newest: String,
    /// Every master key that something is still under.
    pub in_use: Vec<String>,
}

/// Wraps every key that is not under the newest master key. `progress` is told how many keys were
/// looked at, and how many there are.
///
/// # Errors
/// When the database is away.
pub async fn run(
    app: &App,
    exchange: &Exchange,
    mut progress: impl FnMut(u64, u64),
) -> Result<Outcome> {
    let newest = app.key_ring.newest().to_owned();
    let mut outcome = Outcome {
        newest: newest.clone(),
        ..Outcome::default()
    };
    let all = count(app, &newest).await?;
    let mut seen = 0;
    for kept in Kept::ALL {
        let mut after = Uuid::nil();
        loop {
            let master = newest.clone();
            let page = app.store.read(move |mut tx| {
                let master = master.clone();
                Box::pin(async move {
                    wrapped_keys::list_others(&mut tx, kept, &master, after, BATCH).await
                })
            });
            let page = page.await?;
            let Some(last) = page.last() else { break };
            after = last.id;
            seen += page.len() as u64;
            let mut keys = Vec::with_capacity(page.len());
            for key in page {
                match rewrapped(&app.key_ring, app, &key) {
                    Some(after) => keys.push(after),
                    None => outcome.unopened += 1,
                }
            }
            outcome.rewrapped += write(app, exchange, kept, keys).await?;
            progress(seen, all.max(seen));
        }
    }
    outcome.in_use = app.store.master_keys().await?;
    Ok(outcome)
}

async fn count(app: &App, newest: &str) -> Result<u64> {
    let newest = newest.to_owned();
    let counted = app.store.read(move |mut tx| {
        let newest = newest.clone();
        Box::pin(async move {
            let mut count = 0;
            for kept in Kept::ALL {
                count += wrapped_keys::count_others(&mut tx, kept, &newest).await?;
            }
            Ok(count)
        })
    });
    Ok(u64::try_from(counted.await?).unwrap_or_default())
}

fn rewrapped(ring: &KeyRing, app: &App, key: &domain::seal::WrappedKey) -> Option<Rewrapped> {
    let bytes = ring.unwrap_bytes(key).ok()?;
    let after = ring.wrap_bytes(key.id, &bytes, app.random.as_ref()).ok()?;
    Some(Rewrapped {
        before: key.wrapped.clone(),
        after,
    })
}

async fn write(app: &App, exchange: &Exchange, kept: Kept, keys: Vec<Rewrapped>) -> Result<u64> {
    if keys.is_empty() {
        return Ok(0);
    }
    let detail = format!("{} keys under {}", keys.len(), app.key_ring.newest());
    let record = app
        .recorder
        .draft(exchange)
        .await?
        .finish("ok", 0, Some(detail));
    Ok(app.store.write(Rewrap { kept, keys, record }).await?)
}

/// Some keys and their record.
struct Rewrap {
    kept: Kept,
    keys: Vec<Rewrapped>,
    record: Record,
}

impl Unit for Rewrap {
    type Output = u64;

    fn lane(&self) -> Lane {
        Lane::of(b"rewrap keys")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<u64>> {
        Ok(Written {
            output: wrapped_keys::rewrap(tx, self.kept, &self.keys).await?,
            records: vec![self.record.clone()],
        })
    }
}
