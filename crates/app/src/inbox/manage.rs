//! Looking at the inbox, and processing again what was parked.

use domain::hook::Source;
use jiff::Timestamp;
use store::tables::inbox::{self, Depth, Filter, Status};
use store::{Lane, Tx, Unit, Written};
use uuid::Uuid;
use zeroize::Zeroizing;

pub use store::tables::inbox::Listed;

use super::place;
use crate::audit::Draft;
use crate::exchange::Exchange;
use crate::{App, Code, Error, Result};

/// How many one transaction has processed again: others have to get in between.
const BATCH: i64 = 1_000;

/// Which events are meant.
#[derive(Debug, Clone, Default)]
pub struct Chosen {
    /// Only this company's.
    pub company: Option<String>,
    /// Only from this sender.
    pub source: Option<Source>,
    /// Only these.
    pub status: Option<Status>,
    /// Only those that came before this one.
    pub before: Option<Uuid>,
}

/// What is to be processed again.
#[derive(Debug, Clone)]
pub enum Replay {
    /// These, whatever became of them.
    These(Vec<Uuid>),
    /// Everything of a company that was parked.
    ParkedOf(String),
}

/// At most `count` events, the newest first; what cannot be read is told to the log.
///
/// # Errors
/// When the database is away.
pub async fn list(app: &App, chosen: Chosen, count: u16) -> Result<Vec<Listed>> {
    let listed = app.store.read(move |mut tx| {
        let chosen = chosen.clone();
        Box::pin(async move {
            let filter = Filter {
                company_id: chosen.company.as_deref(),
                source: chosen.source,
                status: chosen.status,
                before: chosen.before,
            };
            inbox::list(&mut tx, &filter, count.into()).await
        })
    });
    let listed = listed.await?;
    app.store.note_spoilt(&listed.spoilt);
    Ok(listed.rows)
}

/// One event.
///
/// # Errors
/// [`Code::NotFound`] when there is none of that id.
pub async fn find(app: &App, id: Uuid) -> Result<Listed> {
    let found = app
        .store
        .read(move |mut tx| Box::pin(async move { inbox::find(&mut tx, id).await }));
    found.await?.ok_or_else(not_found)
}

/// What an event says, byte for byte. That somebody looked is recorded before it is told.
///
/// # Errors
/// [`Code::NotFound`] when there is no such event, [`Code::Gone`] when what it said is forgotten.
pub async fn reveal(app: &App, exchange: &Exchange, id: Uuid) -> Result<Zeroizing<Vec<u8>>> {
    find(app, id).await?;
    let event = opened(app, id).await?;
    exchange.note_detail(format!("event={id}"));
    app.recorder.record(exchange, "ok", 0).await?;
    Ok(event)
}

/// What an event says, byte for byte.
///
/// # Errors
/// [`Code::Gone`] when it is forgotten.
pub(super) async fn opened(app: &App, id: Uuid) -> Result<Zeroizing<Vec<u8>>> {
    let sealed = app
        .store
        .read(move |mut tx| Box::pin(async move { inbox::find_sealed(&mut tx, id).await }));
    let (key, event) = sealed.await?.ok_or_else(|| {
        let message = "What this event said is not kept any more.";
        Error::new(Code::Gone, message)
    })?;
    Ok(app.key_ring.unwrap(&key)?.open(place(&id), &event)?)
}

/// How much waits.
///
/// # Errors
/// When the database is away.
pub async fn depth(app: &App) -> Result<Depth> {
    let depth = app
        .store
        .read(|mut tx| Box::pin(async move { inbox::depth(&mut tx).await }));
    Ok(depth.await?)
}

/// Has events processed again, from the beginning of their schedule; returns how many. Those that
/// wait anyway are left alone, and so are those of which only the name is kept.
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
        app.inbox.wake();
        replayed += batch;
        if !matches!(replay, Replay::ParkedOf(_)) || batch < BATCH.unsigned_abs() {
            return Ok(replayed);
        }
    }
}

pub(super) fn not_found() -> Error {
    Error::new(Code::NotFound, "There is no event of that id.")
}

struct Again {
    replay: Replay,
    now: Timestamp,
    draft: Draft,
}

impl Unit for Again {
    type Output = Option<u64>;

    fn lane(&self) -> Lane {
        Lane::of(b"inbox")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Option<u64>>> {
        let replayed = match &self.replay {
            Replay::These(ids) => self.these(tx, ids).await?,
            Replay::ParkedOf(company) => {
                Some(inbox::replay_parked(tx, company, self.now, BATCH).await?)
            }
        };
        let record = |count| {
            let detail = format!("events={count}");
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
            if inbox::find(tx, *id).await?.is_none() {
                return Ok(None);
            }
        }
        let mut replayed = 0;
        for id in ids {
            replayed += u64::from(inbox::replay(tx, *id, self.now).await?);
        }
        Ok(Some(replayed))
    }
}
