//! Taking an event in: sealed, stored once, and recorded, in one transaction.

use domain::audit::Record;
use domain::hook::Source;
use domain::random::uuid_v7;
use domain::seal::{BlindIndex, DataKey, IndexKey, WrappedKey};
use jiff::Timestamp;
use store::tables::data_keys::{self, Purpose};
use store::tables::inbox::{self, NewEvent};
use store::{Lane, Tx, Unit, Written};
use tokio::sync::Notify;
use uuid::Uuid;

use super::place;
use crate::exchange::Exchange;
use crate::{App, Result};

/// Rings when an event was stored here. What other instances store, and what becomes due again, is
/// found by looking.
#[derive(Default)]
pub struct Bell(Notify);

impl Bell {
    /// Says that something is due.
    pub fn wake(&self) {
        self.0.notify_one();
    }

    /// Waits until somebody says so.
    pub(super) async fn woken(&self) {
        self.0.notified().await;
    }
}

/// An event whose sender has proven itself.
pub struct Incoming {
    /// Whose it is.
    pub company: String,
    /// Who sent it.
    pub source: Source,
    /// The sender's name for it: the same name again is the same event.
    pub name: String,
    /// What it is about, in a word of ours.
    pub topic: &'static str,
    /// What it must not be processed at the same time with: the number of its order, for instance.
    pub stream: Option<String>,
    /// What it says; `None` for one that nobody wants, of which only the name is kept.
    pub body: Option<Vec<u8>>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// It will be processed.
    Stored,
    /// It is known by now that it came, and that nobody wants it.
    Ignored,
    /// It came before.
    Repeated,
}

/// Takes in an event that came by a request; returns once that is durable.
///
/// # Errors
/// When the database is away: then its sender must not be told that it was taken.
pub async fn receive(app: &App, exchange: &Exchange, incoming: Incoming) -> Result<Received> {
    let (company, wanted) = (incoming.company.clone(), incoming.body.is_some());
    let draft = app.recorder.draft(exchange).await?;
    let detail = if wanted { "stored" } else { "ignored" };
    let mut record = draft.finish("ok", 200, Some(detail.to_owned()));
    record.company = company.into();
    record.credential = "hook".into();
    let filing = Filing {
        events: vec![Prepared::new(app, incoming)?],
        record: Some(record),
    };
    if app.store.write(filing).await? == 0 {
        exchange.note_detail("repeated");
        return Ok(Received::Repeated);
    }
    exchange.mark_recorded();
    if !wanted {
        return Ok(Received::Ignored);
    }
    app.inbox.wake();
    Ok(Received::Stored)
}

/// Takes in events that we went to see ourselves; returns how many are new.
///
/// # Errors
/// When the database is away.
pub(crate) async fn file(app: &App, incoming: Vec<Incoming>) -> Result<u64> {
    let events = incoming.into_iter().map(|event| Prepared::new(app, event));
    let filing = Filing {
        events: events.collect::<Result<_>>()?,
        record: None,
    };
    let stored = app.store.write(filing).await?;
    app.inbox.wake();
    Ok(stored)
}

/// An event with everything that its row needs.
struct Prepared {
    id: Uuid,
    company: String,
    source: Source,
    key_index: BlindIndex,
    topic: &'static str,
    stream: Option<BlindIndex>,
    sealed: Option<(WrappedKey, Vec<u8>)>,
    at: Timestamp,
}

impl Prepared {
    fn new(app: &App, incoming: Incoming) -> Result<Self> {
        let (at, random) = (app.clock.now(), &*app.random);
        let id = uuid_v7(at, random);
        let (company, source) = (incoming.company, incoming.source);
        let key = &app.index_key;
        let name = format!("{}:{}", source.as_str(), incoming.name);
        let key_index = key.index("inbox event", &company, &name);
        let stream = incoming.stream.as_deref();
        let stream = stream.map(|stream| stream_index(key, &company, source, stream));
        let seal = |body: Vec<u8>| {
            let key = DataKey::generate(uuid_v7(at, random), random)?;
            let sealed = key.seal(place(&id), &body, random)?;
            app.key_ring.wrap(&key, random).map(|key| (key, sealed))
        };
        Ok(Self {
            id,
            key_index,
            stream,
            topic: incoming.topic,
            sealed: incoming.body.map(seal).transpose()?,
            company,
            source,
            at,
        })
    }

    async fn insert(&self, tx: &mut Tx<'_>) -> store::Result<bool> {
        let sealed = self.sealed.as_ref();
        let event = NewEvent {
            id: self.id,
            company_id: &self.company,
            source: self.source,
            key_index: self.key_index,
            topic: self.topic,
            stream: self.stream,
            sealed: sealed.map(|(key, sealed)| (key.id, sealed.as_slice())),
            at: self.at,
        };
        let is_new = inbox::insert(tx, &event).await?;
        if let (Some((key, _)), true) = (sealed, is_new) {
            data_keys::insert(tx, &self.company, Purpose::Event, None, key, self.at).await?;
        }
        Ok(is_new)
    }
}

/// How the events of a stream are found.
pub(crate) fn stream_index(
    key: &IndexKey,
    company: &str,
    source: Source,
    stream: &str,
) -> BlindIndex {
    let name = format!("{}:{stream}", source.as_str());
    key.index("inbox stream", company, &name)
}

/// Stores the events that are new, and tells of it if there were any; returns how many.
struct Filing {
    events: Vec<Prepared>,
    record: Option<Record>,
}

impl Unit for Filing {
    type Output = u64;

    fn lane(&self) -> Lane {
        let first = self.events.first();
        Lane::of(first.map_or(&[], |event| event.key_index.as_bytes().as_slice()))
    }

    fn other_lanes(&self) -> Vec<Lane> {
        let others = self.events.iter().skip(1);
        others
            .map(|event| Lane::of(event.key_index.as_bytes()))
            .collect()
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<u64>> {
        let mut stored = 0;
        for event in &self.events {
            stored += u64::from(event.insert(tx).await?);
        }
        let record = self.record.clone().filter(|_| stored > 0);
        Ok(Written {
            output: stored,
            records: record.into_iter().collect(),
        })
    }
}
