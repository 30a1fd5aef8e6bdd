//! Keeping the log by months: their tables are made before they begin, and their records are gone
//! when they have been kept for as long as the operator wants.
//!
//! Of a month that is retired the batches stay, so that what comes after it is proven by the same
//! chain; that it was retired is itself a record of the log.

use domain::audit::{Month, Record};
use jiff::Timestamp;
use store::tables::{audit_index, audit_months, audit_search};
use store::{Lane, Tx, Unit, Written};

use super::Draft;
use crate::exchange::Exchange;
use crate::{App, Result};
use domain::random::uuid_v7;

/// How many months are made ahead.
const AHEAD: usize = 3;

/// How many records one transaction takes away; more would hold up those who wait for the writer.
const BATCH: i64 = 2000;

/// Makes the tables of this month and of those that come next.
///
/// # Errors
/// When the database is away.
pub async fn make_months(app: &App) -> Result<()> {
    let mut month = Month::of(app.clock.now());
    for _ in 0..=AHEAD {
        app.store.write(Make { month }).await?;
        month = month.next();
    }
    Ok(())
}

/// Takes away the records of every month that was over before `kept_from`; returns how many months
/// there were.
///
/// # Errors
/// When the database is away; what is left is taken away the next time.
pub async fn retire(app: &App, kept_from: Timestamp) -> Result<u64> {
    let due = app
        .store
        .read(move |mut tx| Box::pin(async move { due(&mut tx, kept_from).await }))
        .await?;
    let mut retired = 0;
    for month in due {
        let mut records = 0;
        loop {
            let taken = app.store.write(Take { month }).await?;
            if taken.is_nothing() {
                break;
            }
            records += taken.records;
        }
        let now = app.clock.now();
        let exchange = Exchange::new(uuid_v7(now, &*app.random).to_string(), now, None, None);
        exchange.note_action("audit.retire");
        let close = Close {
            month,
            now,
            draft: app.recorder.draft(&exchange).await?,
        };
        if app.store.write(close).await? {
            retired += 1;
            tracing::info!(%month, records, "a month of the audit log is retired");
        }
    }
    Ok(retired)
}

/// The months that were over before a moment and still have records.
async fn due(tx: &mut Tx<'_>, kept_from: Timestamp) -> store::Result<Vec<Month>> {
    let Some((first, _)) = audit_search::extent(tx).await? else {
        return Ok(Vec::new());
    };
    let retired = audit_months::retired(tx).await?;
    let mut due = Vec::new();
    let mut month = Month::of(first);
    while month.ends() <= kept_from && month.next() != month {
        if !retired.contains(&month) {
            due.push(month);
        }
        month = month.next();
    }
    Ok(due)
}

struct Make {
    month: Month,
}

impl Unit for Make {
    type Output = ();

    // A change of the schema waits for whoever uses the tables.
    const ALONE: bool = true;

    fn lane(&self) -> Lane {
        Lane::of(b"audit months")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<()>> {
        audit_months::make(tx, self.month).await?;
        Ok(Written {
            output: (),
            records: Vec::new(),
        })
    }
}

/// What one transaction took away.
struct Taken {
    records: i64,
    /// Of what the log is searched by.
    entries: u64,
}

impl Taken {
    const fn is_nothing(&self) -> bool {
        self.records == 0 && self.entries == 0
    }
}

struct Take {
    month: Month,
}

impl Unit for Take {
    type Output = Taken;

    const ALONE: bool = true;

    fn lane(&self) -> Lane {
        Lane::of(b"audit months")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Taken>> {
        let taken = Taken {
            records: audit_months::retire_some(tx, self.month, BATCH).await?,
            entries: audit_index::forget(tx, self.month, BATCH).await?,
        };
        Ok(Written {
            output: taken,
            records: Vec::new(),
        })
    }
}

struct Close {
    month: Month,
    now: Timestamp,
    draft: Draft,
}

impl Close {
    fn record(&self) -> Record {
        let detail = Some(format!("month {}", self.month));
        self.draft.clone().finish("ok", 0, detail)
    }
}

impl Unit for Close {
    type Output = bool;

    const ALONE: bool = true;

    fn lane(&self) -> Lane {
        Lane::of(b"audit months")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<bool>> {
        let closed = audit_months::retire(tx, self.month, self.now).await?;
        let records = closed.then(|| self.record()).into_iter().collect();
        Ok(Written {
            output: closed,
            records,
        })
    }
}
