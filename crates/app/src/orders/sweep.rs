//! What comes with time alone: reminders and deadlines, what other rules have completed, and what a proof
//! had no room for in its own transaction.
//!
//! Any number of instances may sweep at once: each takes orders that no other has locked, and what
//! is enqueued or expired is counted in the order's row in the same transaction. Whose order is to be
//! reminded of or to expire is looked up first: an operator may take other proofs than when it was
//! placed, and an order of which nothing is missing any more is released.
//! Must not: let one order keep the others from their turn.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use store::tables::orders::{self, Order, Subject};
use store::{Lane, Spoilt, Tx, Unit, Written};
use uuid::Uuid;

use super::change::Change;
use super::news::News;
use super::pen::{KeyOf, Pen};
use crate::{App, Result};

/// How many orders one transaction takes: few enough to be done in time where the database is far
/// away.
const BATCH: i64 = 20;

/// When an order is looked at again that cannot be read here, or whose key does not open here. It
/// keeps no other from its turn.
const LATER: SignedDuration = SignedDuration::from_secs(60);

/// Sends every reminder that is due, the newest of each order, and ends every hold whose deadline
/// has come, or of which nothing is missing any more; returns how many orders were looked at.
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
        let Swept {
            count,
            news,
            spoilt,
        } = app.store.write(unit).await?;
        app.store.note_spoilt(&spoilt);
        news.announce(app);
        swept += count;
        if count < BATCH.unsigned_abs() {
            return Ok(swept);
        }
    }
}

/// Has every held order looked at by the next sweep. To be called when an instance begins to work:
/// its operator may have changed which proofs count, or when customers are reminded.
///
/// # Errors
/// When the database is away.
pub async fn look_at_all(app: &App) -> Result<u64> {
    let now = app.clock.now();
    Ok(app.store.write(LookAtAll { now }).await?)
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

struct LookAtAll {
    now: Timestamp,
}

impl Unit for LookAtAll {
    type Output = u64;

    // As with a sweep.
    const ALONE: bool = true;

    fn lane(&self) -> Lane {
        Lane::of(b"order sweep")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<u64>> {
        Ok(Written {
            output: orders::make_all_due(tx, self.now).await?,
            records: Vec::new(),
        })
    }
}

struct Sweep {
    pen: Pen,
    now: Timestamp,
}

/// What a sweep did.
struct Swept {
    count: u64,
    news: News,
    spoilt: Vec<Spoilt>,
}

impl Unit for Sweep {
    type Output = Swept;

    // It meets orders of any customer: only a transaction of its own keeps others out.
    const ALONE: bool = true;

    fn lane(&self) -> Lane {
        Lane::of(b"order sweep")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Swept>> {
        let due = orders::list_due_for_update(tx, self.now, BATCH).await?;
        let count = due.rows.len() + due.spoilt.len();
        let ids: Vec<Uuid> = due.rows.iter().map(|order| order.id).collect();
        let subjects = orders::list_subjects(tx, &ids).await?;
        let mut known: HashMap<Uuid, Subject> = subjects.rows.into_iter().collect();
        let mut news = News::default();
        for order in due.rows {
            // What is said of a spoilt one is below.
            if let Some(subject) = known.remove(&order.id) {
                news.extend(self.go_on(tx, order, &subject).await?);
            }
        }
        let spoilt: Vec<Spoilt> = due.spoilt.into_iter().chain(subjects.spoilt).collect();
        for row in &spoilt {
            orders::put_off(tx, row.id, self.later()).await?;
        }
        let records = news.take_records();
        Ok(Written {
            output: Swept {
                count: count as u64,
                news,
                spoilt,
            },
            records,
        })
    }
}

impl Sweep {
    async fn go_on(&self, tx: &mut Tx<'_>, order: Order, subject: &Subject) -> store::Result<News> {
        let key = match self.pen.opened(&order, subject.data_key.as_ref()) {
            KeyOf::Key(key) => Some(key),
            KeyOf::Destroyed => None,
            KeyOf::Unreadable => {
                orders::put_off(tx, order.id, self.later()).await?;
                return Ok(News::default());
            }
        };
        let customer = subject.customer.as_ref();
        let missing = self.pen.missing_of(&order, customer, self.now);
        let mut change = Change::of(&self.pen, order, key.as_ref(), self.now);
        change.catch_up(missing);
        Ok(change.write(tx).await?.1)
    }

    fn later(&self) -> Timestamp {
        self.now.saturating_add(LATER).unwrap_or(Timestamp::MAX)
    }
}
