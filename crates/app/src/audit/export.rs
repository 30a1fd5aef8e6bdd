//! Reading the audit log out, record by record, with what is sealed opened.

use std::collections::HashMap;

use data_encoding::HEXLOWER;
use domain::seal::DataKey;
use jiff::Timestamp;
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

/// Hands every record that arrived in `from..to` to `each`, log by log, in the
/// order in which they were committed. A batch that cannot be read is left out,
/// with a warning in the log and in the result.
///
/// # Errors
/// Those of the database and of `each`.
pub async fn export(
    app: &App,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    mut each: impl FnMut(&ExportedRecord) -> Result<()>,
) -> Result<Exported> {
    let wanted = |at: Timestamp| from.is_none_or(|from| from <= at) && to.is_none_or(|to| at < to);
    let mut keys = Keys {
        app,
        known: HashMap::new(),
    };
    let mut exported = Exported::default();
    let logs = app
        .store
        .read(|mut tx| Box::pin(async move { audit::logs(&mut tx).await }))
        .await?;
    for log in logs {
        let mut after = 0;
        while let Some(step) = step(&app.store, log, after).await? {
            after = step.last;
            exported.unreadable += u64::from(step.unreadable);
            for located in step.records {
                if wanted(located.record.at) {
                    let key = keys.get(located.record.data_key).await?;
                    each(&as_exported(located, key))?;
                    exported.records += 1;
                }
            }
        }
    }
    Ok(exported)
}

/// Some batches of a log, or one that cannot be read.
struct Step {
    records: Vec<Located>,
    last: i64,
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
    Ok(page.batches.last().map(|batch| Step {
        last: batch.number,
        records: page.records,
        unreadable: false,
    }))
}

fn skipped(log: i64, batch: i64) -> Step {
    tracing::warn!(log, batch, "a batch of the audit log cannot be read");
    Step {
        records: Vec::new(),
        last: batch,
        unreadable: true,
    }
}

/// The keys under which clients are sealed; one a company and day.
struct Keys<'a> {
    app: &'a App,
    known: HashMap<Uuid, Option<DataKey>>,
}

impl Keys<'_> {
    async fn get(&mut self, id: Option<Uuid>) -> Result<Option<&DataKey>> {
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

fn as_exported(located: Located, key: Option<&DataKey>) -> ExportedRecord {
    let Located {
        log,
        batch,
        position,
        record,
    } = located;
    let client = key
        .zip(record.client.as_ref())
        .and_then(|(key, sealed)| key.open(client_place(&record.request_id), sealed).ok())
        .map(|plain| String::from_utf8_lossy(&plain).into_owned())
        .unwrap_or_default();
    let mut lines = client
        .split('\n')
        .map(|line| (!line.is_empty()).then(|| line.to_owned()));
    ExportedRecord {
        id: format!("{log}.{batch}.{position}"),
        at: record.at.to_string(),
        request_id: record.request_id,
        company: record.company,
        credential: record.credential,
        action: record.action,
        subject: record
            .subject
            .map(|subject| HEXLOWER.encode(subject.as_bytes())),
        outcome: record.outcome.code,
        status: record.outcome.status,
        latency_us: record.latency,
        occurrences: record.occurrences,
        ip_address: lines.next().flatten(),
        user_agent: lines.next().flatten(),
        token_subject: lines.next().flatten(),
        detail: record.detail,
    }
}
