//! Reading the audit log out, record by record, with what is sealed opened.

use std::collections::HashMap;

use data_encoding::HEXLOWER;
use domain::seal::DataKey;
use jiff::{SignedDuration, Timestamp};
use store::Store;
use store::tables::audit::{self, Located};
use store::tables::data_keys;
use uuid::Uuid;

use super::reading;
use super::recorder::client_place;
use crate::{App, Result};

/// Batches read at a time.
const PAGE: i64 = 100;

/// What was exported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exported {
    /// Records.
    pub records: u64,
    /// Batches that could not be read and are left out.
    pub unreadable: u64,
}

/// One record as it is exported.
#[derive(serde::Serialize)]
pub struct ExportedRecord {
    /// `log.batch.position`.
    pub id: String,
    /// When the request arrived.
    pub at: String,
    /// Its id.
    pub request_id: String,
    /// On whose behalf; empty when nobody was authenticated.
    pub company: String,
    /// By which credential.
    pub credential: String,
    /// What was asked.
    pub action: String,
    /// Whom it concerned, as a keyed hash.
    pub subject: Option<String>,
    /// What came of it.
    pub outcome: String,
    /// HTTP status; 0 for what did not come by HTTP.
    pub status: i64,
    /// Microseconds until the record was handed to the log.
    pub latency_us: i64,
    /// How many requests it stands for.
    pub occurrences: i64,
    /// The caller's address; `null` when unknown or forgotten.
    pub ip_address: Option<String>,
    /// The caller's user agent.
    pub user_agent: Option<String>,
    /// The subject of the caller's token.
    pub token_subject: Option<String>,
    /// What else is to say.
    pub detail: Option<String>,
}

impl ExportedRecord {
    /// A record with its client opened, if there is a key that opens it.
    pub(super) fn of(located: Located, key: Option<&DataKey>) -> Self {
        let Located {
            log,
            batch,
            position,
            record,
            ..
        } = located;
        let client = key
            .zip(record.client.as_ref())
            .and_then(|(key, sealed)| key.open(client_place(&record.request_id), sealed).ok())
            .map(|plain| String::from_utf8_lossy(&plain).into_owned())
            .unwrap_or_default();
        let mut lines = client
            .split('\n')
            .map(|line| (!line.is_empty()).then(|| line.to_owned()));
        Self {
            id: format!("{log}.{batch}.{position}"),
            at: record.at.to_string(),
            request_id: record.request_id.as_ref().into(),
            company: record.company.as_ref().into(),
            credential: record.credential.as_ref().into(),
            action: record.action.into_owned(),
            subject: record
                .subject
                .map(|subject| HEXLOWER.encode(subject.as_bytes())),
            outcome: record.outcome.code.into_owned(),
            status: record.outcome.status,
            latency_us: record.latency,
            occurrences: record.occurrences,
            ip_address: lines.next().flatten(),
            user_agent: lines.next().flatten(),
            token_subject: lines.next().flatten(),
            detail: record.detail,
        }
    }
}

/// Which records are wanted; what is `None` may be anything.
#[derive(Debug, Clone, Default)]
pub struct Range {
    /// On whose behalf it was asked.
    pub company: Option<String>,
    /// The first moment of arrival.
    pub from: Option<Timestamp>,
    /// The moment of arrival to stop before.
    pub to: Option<Timestamp>,
}

impl Range {
    fn wants(&self, located: &Located) -> bool {
        let record = &located.record;
        let company = self.company.as_ref();
        company.is_none_or(|company| **company == *record.company)
            && self.from.is_none_or(|from| from <= record.at)
            && self.to.is_none_or(|to| record.at < to)
    }
}

/// How much later or, if a clock was set, earlier than it arrived a request is committed at most.
const SLACK: SignedDuration = SignedDuration::from_hours(1);

/// Reads the log out, log by log, in the order in which records were committed. A batch that cannot
/// be read is left out, with a warning in the log and in the result.
pub struct Export<'a> {
    range: Range,
    keys: Keys<'a>,
    /// The logs that are left, the last one first, and where each begins.
    logs: Vec<(i64, i64)>,
    exported: Exported,
}

impl<'a> Export<'a> {
    /// From the beginning of a range.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn begin(app: &'a App, range: Range) -> Result<Self> {
        let from = range.from.map(|from| from.saturating_sub(SLACK));
        let from = from.and_then(std::result::Result::ok);
        let logs = app
            .store
            .read(move |mut tx| {
                Box::pin(async move {
                    let mut logs = Vec::new();
                    for log in audit::logs(&mut tx).await? {
                        let before = audit::batch_before(&mut tx, log, from).await?;
                        logs.push((log, before));
                    }
                    Ok(logs)
                })
            })
            .await?;
        Ok(Self {
            range,
            keys: Keys::of(app),
            logs: logs.into_iter().rev().collect(),
            exported: Exported::default(),
        })
    }

    /// The next records; `None` at the end. A page may be empty.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn next(&mut self) -> Result<Option<Vec<ExportedRecord>>> {
        let Some((log, after)) = self.logs.last().copied() else {
            return Ok(None);
        };
        let step = step(&self.keys.app.store, log, after).await?;
        let (Some(step), Some(place)) = (step, self.logs.last_mut()) else {
            self.logs.pop();
            return Ok(Some(Vec::new()));
        };
        place.1 = step.last;
        self.exported.unreadable += u64::from(step.unreadable);
        if self.is_beyond(&step) {
            self.logs.pop();
        }
        let mut page = Vec::new();
        for located in step.records {
            if self.range.wants(&located) {
                let key = self.keys.get(located.record.data_key).await?;
                page.push(ExportedRecord::of(located, key));
            }
        }
        self.exported.records += page.len() as u64;
        Ok(Some(page))
    }

    /// Whether nothing that comes later can be in the range.
    fn is_beyond(&self, step: &Step) -> bool {
        let end = self.range.to.map(|to| to.saturating_add(SLACK));
        let end = end.and_then(std::result::Result::ok);
        end.zip(step.committed_from)
            .is_some_and(|(end, committed_from)| committed_from > end)
    }

    /// What was exported so far.
    pub const fn exported(&self) -> Exported {
        self.exported
    }
}

/// Some batches of a log, or one that cannot be read.
struct Step {
    records: Vec<Located>,
    last: i64,
    /// When the first batch was committed, if it can be read.
    committed_from: Option<Timestamp>,
    unreadable: bool,
}

/// The batches after `after`; `None` when there are none.
async fn step(store: &Store, log: i64, after: i64) -> Result<Option<Step>> {
    let page = match reading::page(store, log, after, PAGE).await? {
        Some(page) => Some(page),
        // What cannot be read as a page is read batch by batch.
        None => reading::page(store, log, after, 1).await?,
    };
    let Some(page) = page else {
        let unreadable = reading::next(store, log, after).await?;
        return Ok(unreadable.map(|batch| skipped(log, batch)));
    };
    let committed_from = page.batches.first().map(|batch| batch.committed_at);
    Ok(page.batches.last().map(|batch| Step {
        last: batch.number,
        records: page.records,
        committed_from,
        unreadable: false,
    }))
}

fn skipped(log: i64, batch: i64) -> Step {
    tracing::warn!(log, batch, "a batch of the audit log cannot be read");
    Step {
        records: Vec::new(),
        last: batch,
        committed_from: None,
        unreadable: true,
    }
}

/// The keys under which clients are sealed; one a company and day.
pub(super) struct Keys<'a> {
    app: &'a App,
    known: HashMap<Uuid, Option<DataKey>>,
}

impl<'a> Keys<'a> {
    pub fn of(app: &'a App) -> Self {
        Self {
            app,
            known: HashMap::new(),
        }
    }

    /// The key of a name; `None` when it is destroyed or does not open here.
    pub async fn get(&mut self, id: Option<Uuid>) -> Result<Option<&DataKey>> {
        let Some(id) = id else { return Ok(None) };
        if !self.known.contains_key(&id) {
            let wrapped = self
                .app
                .store
                .read(move |mut tx| {
                    Box::pin(async move { data_keys::find_by_id(&mut tx, id).await })
                })
                .await?;
            // Without its master key a record is exported with its client closed.
            let key = wrapped.and_then(|wrapped| self.app.key_ring.unwrap(&wrapped).ok());
            self.known.insert(id, key);
        }
        Ok(self.known.get(&id).and_then(Option::as_ref))
    }
}
