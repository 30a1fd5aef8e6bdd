//! What comes with time alone: reminders and deadlines.
//!
//! Any number of instances may sweep at once: each takes orders that no other has locked, and what
//! is enqueued or expired is counted in the order's row in the same transaction.

use jiff::{SignedDuration, Timestamp};
use store::tables::orders;
use store::{Lane, Tx, Unit, Written};

use super::change::Change;
use super::news::News;
use super::pen::{KeyOf, Pen};
use crate::{App, Result};

/// How many orders one transaction takes: few enough to be done in time where the database is far
/// away.
const BATCH: i64 = 20;

/// When an order is looked at again whose key does not open here. It keeps no other from its turn.
const LATER: SignedDuration = SignedDuration::from_secs(60);

/// Sends every reminder that is due, the newest of each order, and ends every hold whose deadline
/// has come; returns to how many orders something happened.
///
/// # Errors
/// When the database is away; what is left is swept the next time.
pub async fn sweep(app: &App) -> Result<u64> {
    let mut swept = 0;
    loop {
        let unit = Sweep {
            pen: Pen::of(app),
            now: app.clock.now(),
        };
        let (count, news) = app.store.write(unit).await?;
        news.announce(app);
        swept += count;
        if count < BATCH.unsigned_abs() {
            return Ok(swept);
        }
    }
}

/// How many orders of all companies are held.
///
/// # Errors
/// When the database is away.
pub async fn held(app: &App) -> Result<i64> {
    let count = app
        .store
        .read(|mut tx| Box::pin(async move { orders::count_held(&mut tx).await }));
    Ok(count.await?)
}

struct Sweep {
    pen: Pen,
    now: Timestamp,
}

impl Unit for Sweep {
    type Output = (u64, News);

    // It meets orders of any customer: only a transaction of its own keeps others out.
    const ALONE: bool = true;

    fn lane(&self) -> Lane {
        Lane::of(b"order sweep")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Self::Output>> {
        let due = orders::list_due_for_update(tx, self.now, BATCH).await?;
        let count = due.len() as u64;
        let mut news = News::default();
        for mut order in due {
            let key = match self.pen.key_of(tx, &order).await? {
                KeyOf::Key(key) => Some(key),
                KeyOf::Destroyed => None,
                KeyOf::Unreadable => {
                    order.next_at = self.now.checked_add(LATER).ok();
                    orders::update(tx, &order).await?;
                    continue;
                }
            };
            let mut change = Change::of(&self.pen, order, key.as_ref(), self.now);
            change.catch_up(None);
            news.extend(change.write(tx).await?.1);
        }
        let records = news.take_records();
        Ok(Written {
            output: (count, news),
            records,
        })
    }
}
