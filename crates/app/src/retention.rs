//! Taking away what has been kept for as long as the operator wants, a little at a time.

use domain::retention::Retention;
use jiff::{SignedDuration, Timestamp};
use store::tables::retention;
use store::{Lane, Tx, Unit, Written};

use crate::{App, Result, audit};

/// How many rows one transaction takes away.
const BATCH: i64 = 200;

/// What was taken away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TakenAway {
    /// Months of the audit log.
    pub months: u64,
    /// Sessions about numbers.
    pub sessions: u64,
    /// Messages that were sent or given up.
    pub deliveries: u64,
    /// Decisions about ages.
    pub ages: u64,
}

/// Takes away what has been kept for long enough. Any number of instances may do it at once.
///
/// # Errors
/// When the database is away; what is left is taken away the next time.
pub async fn take_away(app: &App) -> Result<TakenAway> {
    let (now, rules) = (app.clock.now(), &app.retention);
    let sessions = rules.sessions_kept_from(now);
    Ok(TakenAway {
        months: audit::retire(app, rules.records_kept_from(now)).await?,
        sessions: all(app, Kind::Sessions, sessions).await?,
        deliveries: all(app, Kind::Deliveries, sessions).await?,
        ages: all(app, Kind::Ages, whole_days(rules, now)).await?,
    })
}

/// Decisions about ages are counted by the day, so they go by whole days.
fn whole_days(rules: &Retention, now: Timestamp) -> Timestamp {
    const DAY: SignedDuration = SignedDuration::from_hours(24);
    let kept_from = rules.records_kept_from(now);
    let into_day = kept_from.as_second().rem_euclid(DAY.as_secs());
    let day = kept_from.as_second().saturating_sub(into_day);
    Timestamp::from_second(day).unwrap_or(Timestamp::MIN)
}

async fn all(app: &App, kind: Kind, before: Timestamp) -> Result<u64> {
    let mut taken = 0;
    loop {
        let batch = app.store.write(Take { kind, before }).await?;
        taken += batch;
        if batch < BATCH.unsigned_abs() {
            return Ok(taken);
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Sessions,
    Deliveries,
    Ages,
}

struct Take {
    kind: Kind,
    before: Timestamp,
}

impl Unit for Take {
    type Output = u64;

    // It meets rows of any lane: only a transaction of its own keeps others out.
    const ALONE: bool = true;

    fn lane(&self) -> Lane {
        Lane::of(b"retention")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<u64>> {
        let output = match self.kind {
            Kind::Sessions => retention::sessions(tx, self.before, BATCH).await?,
            Kind::Deliveries => retention::deliveries(tx, self.before, BATCH).await?,
            Kind::Ages => retention::ages(tx, self.before, BATCH).await?,
        };
        Ok(Written {
            output,
            records: Vec::new(),
        })
    }
}
