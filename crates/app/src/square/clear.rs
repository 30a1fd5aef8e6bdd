//! Forgetting customers who are gone at Square.

use jiff::{SignedDuration, Timestamp};
use store::tables::data_keys;
use store::tables::square_customers;
use store::{Lane, Tx, Unit, Written};

use crate::{App, Result};

/// How long is remembered of a customer who is gone what their last hooks may be about, and what is
/// needed to bring them back.
const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

/// How many one transaction forgets.
const BATCH: i64 = 100;

/// Forgets customers of Square who are gone for long. Of one who was part of a merge the merge is
/// remembered: proofs may still follow it. Returns how many there were.
///
/// # Errors
/// When the database is away; what is left is forgotten the next time.
pub async fn clear(app: &App) -> Result<u64> {
    let now = app.clock.now();
    let before = now.saturating_sub(KEPT).unwrap_or(Timestamp::MIN);
    let mut forgotten = 0;
    loop {
        let batch = app.store.write(Clear { before, now }).await?;
        forgotten += batch;
        if batch < BATCH.unsigned_abs() {
            return Ok(forgotten);
        }
    }
}

struct Clear {
    before: Timestamp,
    now: Timestamp,
}

impl Unit for Clear {
    type Output = u64;

    // It meets customers of Square of anybody: only a transaction of its own keeps others out.
    const ALONE: bool = true;

    fn lane(&self) -> Lane {
        Lane::of(b"square clearing")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<u64>> {
        let gone = square_customers::list_gone_for_update(tx, self.before, BATCH).await?;
        let count = gone.len() as u64;
        for mut customer in gone {
            let (company, index) = (customer.company_id.clone(), customer.square_index);
            if let Some(key) = customer.data_key.take() {
                data_keys::destroy(tx, key).await?;
            }
            customer.contact = None;
            match square_customers::is_of_a_merge(tx, &company, index).await? {
                true => square_customers::update(tx, &customer, self.now).await?,
                false => square_customers::delete(tx, &company, index).await?,
            }
        }
        Ok(Written {
            output: count,
            records: Vec::new(),
        })
    }
}
