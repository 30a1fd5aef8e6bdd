//! Looking at the queue, and sending again what was given up.

use jiff::Timestamp;
use store::tables::deliveries::{self, Depth, Filter, Status};
use store::tables::delivery_attempts::{self, Attempt};
use store::{Lane, Tx, Unit, Written};
use uuid::Uuid;

pub use store::tables::deliveries::Listed;

use crate::audit::Draft;
use crate::exchange::Exchange;
use crate::{App, Code, Error, Result};

/// How many one transaction sends again: others have to get in between.
const BATCH: i64 = 1_000;

/// Which deliveries are meant.
#[derive(Debug, Clone, Default)]
pub struct Chosen {
    /// Only this company's.
    pub company: Option<String>,
    /// Only these.
    pub status: Option<Status>,
    /// Only those enqueued before this one.
    pub before: Option<Uuid>,
}

/// What is to be sent again.
#[derive(Debug, Clone)]
pub enum Replay {
    /// These, whether they were delivered or given up.
    These(Vec<Uuid>),
    /// Everything of a company that was given up.
    ExhaustedOf(String),
}

/// At most `count` deliveries, the newest first; what cannot be read is told to the log.
///
/// # Errors
/// When the database is away.
pub async fn list(app: &App, chosen: Chosen, count: u16) -> Result<Vec<Listed>> {
    let listed = app.store.read(move |mut tx| {
        let chosen = chosen.clone();
        Box::pin(async move {
            let filter = Filter {
                company_id: chosen.company.as_deref(),
                status: chosen.status,
                before: chosen.before,
            };
            deliveries::list(&mut tx, &filter, count.into()).await
        })
    });
    let listed = listed.await?;
    app.store.note_spoilt(&listed.spoilt);
    Ok(listed.rows)
}

/// One delivery with every attempt at it.
///
/// # Errors
/// [`Code::NotFound`] when there is none of that id.
pub async fn with_attempts(app: &App, id: Uuid) -> Result<(Listed, Vec<Attempt>)> {
    let found = app.store.read(move |mut tx| {
        Box::pin(async move {
            let Some(listed) = deliveries::find(&mut tx, id).await? else {
                return Ok(None);
            };
            Ok(Some((listed, delivery_attempts::list(&mut tx, id).await?)))
        })
    });
    found.await?.ok_or_else(not_found)
}

/// How much waits.
///
/// # Errors
/// When the database is away.
pub async fn depth(app: &App) -> Result<Depth> {
    let depth = app
        .store
        .read(|mut tx| Box::pin(async move { deliveries::depth(&mut tx).await }));
    Ok(depth.await?)
}

/// Has deliveries made again, from the beginning of their schedule and under the same message id;
/// returns how many. Those that wait anyway are left alone.
///
/// # Errors
/// [`Code::NotFound`], and nothing is done, when one of several named does not exist.
pub async fn replay(app: &App, exchange: &Exchange, replay: Replay) -> Result<u64> {
    let (now, draft) = (app.clock.now(), app.recorder.draft(exchange).await?);
    let mut replayed = 0;
    loop {
        let unit = Again {
            replay: replay.clone(),
            now,
            draft: draft.clone(),
        };
        let batch = app.store.write(unit).await?.ok_or_else(not_found)?;
        exchange.mark_recorded();
        app.outbox.wake();
        replayed += batch;
        if !matches!(replay, Replay::ExhaustedOf(_)) || batch < BATCH.unsigned_abs() {
            return Ok(replayed);
        }
    }
}

fn not_found() -> Error {
    Error::new(Code::NotFound, "There is no delivery of that id.")
}

struct Again {
    replay: Replay,
    now: Timestamp,
    draft: Draft,
}

impl Unit for Again {
    type Output = Option<u64>;

    fn lane(&self) -> Lane {
        Lane::of(b"deliveries")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Option<u64>>> {
        let replayed = match &self.replay {
            Replay::These(ids) => self.these(tx, ids).await?,
            Replay::ExhaustedOf(company) => {
                Some(deliveries::replay_exhausted(tx, company, self.now, BATCH).await?)
            }
        };
        let record = |count| {
            let detail = format!("deliveries={count}");
            self.draft.clone().finish("ok", 0, Some(detail))
        };
        Ok(Written {
            output: replayed,
            records: replayed.map(record).into_iter().collect(),
        })
    }
}

impl Again {
    async fn these(&self, tx: &mut Tx<'_>, ids: &[Uuid]) -> store::Result<Option<u64>> {
        for id in ids {
            if deliveries::find(tx, *id).await?.is_none() {
                return Ok(None);
            }
        }
        let mut replayed = 0;
        for id in ids {
            replayed += u64::from(deliveries::replay(tx, *id, self.now).await?);
        }
        Ok(Some(replayed))
    }
}
