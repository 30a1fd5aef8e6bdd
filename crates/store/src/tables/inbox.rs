//! The inbox: everything that others tell us by a hook.
//!
//! An event is inserted once, by the sender's own name for it, before its sender is answered. It
//! waits until it is due; whoever claims it holds a lease, which is a name and a later due time: when
//! the holder dies, the event is due again by itself. Of one stream only one event is leased at a
//! time, whoever claims; one that failed and waits for another attempt holds up no other.

use domain::hook::Source;
use domain::seal::{BlindIndex, WrappedKey};
use jiff::Timestamp;
use uuid::Uuid;

use super::data_keys;
use crate::{Error, Readable, Result, Row, Tx, Value};

macro_rules! listed_columns {
    () => {
        "SELECT id, company_id, source, topic, status, attempts, outcome, received_at, due_at, \
         finished_at, event IS NOT NULL FROM inbox "
    };
}

mod claim;
mod seen;

pub use claim::{Claimed, claim, park_spoilt, reclaim_all};
pub use seen::list_of_company;

/// An event to be inserted.
#[derive(Debug, Clone)]
pub struct NewEvent<'a> {
    /// Our name for it.
    pub id: Uuid,
    /// Whose it is.
    pub company_id: &'a str,
    /// Who sent it.
    pub source: Source,
    /// The sender's name for it.
    pub key_index: BlindIndex,
    /// What it is about, in a word of ours.
    pub topic: &'a str,
    /// What it must not be processed at the same time with.
    pub stream: Option<BlindIndex>,
    /// The key it is sealed under and the sealed event; `None` for one that nobody wants.
    pub sealed: Option<(Uuid, &'a [u8])>,
    /// Now; it is due at once.
    pub at: Timestamp,
}

/// What has become of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It is still to be processed, or is being processed.
    Waiting,
    /// It was processed.
    Done,
    /// Nobody wants it.
    Ignored,
    /// It failed too often; a person has to look at it.
    Parked,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Done, Self::Ignored, Self::Parked];

    /// As it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Ignored => "ignored",
            Self::Parked => "parked",
        }
    }

    /// Reads what [`Status::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// How processing a claimed event went.
#[derive(Debug, Clone)]
pub struct Outcome<'a> {
    /// Which.
    pub id: Uuid,
    /// The lease it was claimed under.
    pub lease: Uuid,
    /// What becomes of it.
    pub status: Status,
    /// Attempts so far, this one included.
    pub attempts: i64,
    /// How far its schedule has come.
    pub step: i64,
    /// When it is due again.
    pub due_at: Timestamp,
    /// How it went, in one word.
    pub word: &'a str,
    /// Whom it is about, if that was learnt.
    pub subject: Option<BlindIndex>,
    /// Now.
    pub at: Timestamp,
}

/// An event as it is shown; what is in it is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Our name for it.
    pub id: Uuid,
    /// Whose it is.
    pub company_id: String,
    /// Who sent it.
    pub source: Source,
    /// What it is about.
    pub topic: String,
    /// What has become of it.
    pub status: Status,
    /// Attempts so far.
    pub attempts: i64,
    /// How the newest went.
    pub outcome: Option<String>,
    /// When it came.
    pub received_at: Timestamp,
    /// When it is due, while it waits.
    pub due_at: Timestamp,
    /// When it was processed, ignored or parked.
    pub finished_at: Option<Timestamp>,
    /// Whether what it said is still kept.
    pub is_kept: bool,
}

/// Which events are to be listed.
#[derive(Debug, Clone, Default)]
pub struct Filter<'a> {
    /// Only this company's.
    pub company_id: Option<&'a str>,
    /// Only from this sender.
    pub source: Option<Source>,
    /// Only these.
    pub status: Option<Status>,
    /// Only those that came before this one.
    pub before: Option<Uuid>,
}

/// How much waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depth {
    /// Events that wait or are being processed.
    pub waiting: i64,
    /// When the longest overdue one was due.
    pub oldest_due: Option<Timestamp>,
    /// Events that a person has to look at.
    pub parked: i64,
}

/// Inserts an event; `false` when its sender has sent it before.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx<'_>, event: &NewEvent<'_>) -> Result<bool> {
    let (status, finished) = match event.sealed {
        Some(_) => (Status::Waiting, None),
        None => (Status::Ignored, Some(event.at)),
    };
    let values: [Value<'_>; 11] = [
        event.id.into(),
        event.company_id.into(),
        event.source.as_str().into(),
        event.key_index.as_bytes().into(),
        event.topic.into(),
        bytes_of(event.stream.as_ref()),
        event.sealed.map(|(key, _)| key).into(),
        event.sealed.map(|(_, sealed)| sealed).into(),
        status.as_str().into(),
        event.at.into(),
        finished.into(),
    ];
    let inserted = tx
        .execute(
            "INSERT INTO inbox (id, company_id, source, key_index, topic, stream, data_key, event, \
             status, attempts, step, due_at, received_at, finished_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0, $10, $10, $11) \
             ON CONFLICT (company_id, source, key_index) DO NOTHING",
            &values,
        )
        .await?;
    Ok(inserted == 1)
}

fn bytes_of(index: Option<&BlindIndex>) -> Value<'_> {
    index.map_or(Value::Null, |index| index.as_bytes().into())
}

/// Notes how it went; `false` when the lease has passed to somebody else, or that is noted already.
///
/// # Errors
/// Those of the database.
pub async fn settle(tx: &mut Tx<'_>, outcome: &Outcome<'_>) -> Result<bool> {
    let finished = (outcome.status != Status::Waiting).then_some(outcome.at);
    let settled = tx
        .execute(
            "UPDATE inbox SET status = $3, attempts = $4, step = $5, due_at = $6, outcome = $7, \
             subject_index = COALESCE($8, subject_index), finished_at = $9, lease = NULL \
             WHERE id = $1 AND lease = $2",
            &[
                outcome.id.into(),
                outcome.lease.into(),
                outcome.status.as_str().into(),
                outcome.attempts.into(),
                outcome.step.into(),
                outcome.due_at.into(),
                outcome.word.into(),
                bytes_of(outcome.subject.as_ref()),
                finished.into(),
            ],
        )
        .await?;
    if settled == 1 && outcome.status == Status::Ignored {
        forget(tx, outcome.id).await?;
    }
    Ok(settled == 1)
}

/// Forgets what an event said, key and all.
async fn forget(tx: &mut Tx<'_>, id: Uuid) -> Result<()> {
    let kept = tx
        .find("SELECT data_key FROM inbox WHERE id = $1", &[id.into()])
        .await?;
    let key = kept.map(|row| row.find_uuid(0, "inbox.data_key"));
    if let Some(key) = key.transpose()?.flatten() {
        data_keys::destroy(tx, key).await?;
    }
    let forgotten = "UPDATE inbox SET data_key = NULL, event = NULL WHERE id = $1";
    tx.execute(forgotten, &[id.into()]).await.map(drop)
}

/// At most `count` events, the newest first.
///
/// # Errors
/// Those of the database.
pub async fn list(tx: &mut Tx<'_>, filter: &Filter<'_>, count: i64) -> Result<Readable<Listed>> {
    const LIST: &str = concat!(
        listed_columns!(),
        "WHERE company_id = COALESCE($1, company_id) AND source = COALESCE($2, source) \
         AND status = COALESCE($3, status) AND id < $4 ORDER BY id DESC LIMIT $5"
    );
    let values: [Value<'_>; 5] = [
        filter.company_id.into(),
        filter.source.map(Source::as_str).into(),
        filter.status.map(Status::as_str).into(),
        filter.before.unwrap_or(Uuid::max()).into(),
        count.into(),
    ];
    let rows = tx.query(LIST, &values).await?;
    Readable::read(&rows, "inbox", listed)
}

/// One event.
///
/// # Errors
/// Those of the database.
pub async fn find(tx: &mut Tx<'_>, id: Uuid) -> Result<Option<Listed>> {
    const FIND: &str = concat!(listed_columns!(), "WHERE id = $1");
    tx.find(FIND, &[id.into()])
        .await?
        .as_ref()
        .map(listed)
        .transpose()
}

/// What an event said, sealed, with its key; `None` when either is gone.
///
/// # Errors
/// Those of the database.
pub async fn find_sealed(tx: &mut Tx<'_>, id: Uuid) -> Result<Option<(WrappedKey, Vec<u8>)>> {
    tx.find(
        "SELECT k.id, k.master_key, k.wrapped, i.event FROM inbox i \
         JOIN data_keys k ON k.id = i.data_key WHERE i.id = $1 AND i.event IS NOT NULL",
        &[id.into()],
    )
    .await?
    .map(|row| Ok((data_keys::from_row(&row)?, row.bytes(3, "inbox.event")?)))
    .transpose()
}

/// Lets an event be processed again, from the beginning of its schedule; `false` when it waits
/// anyway, when what it said is forgotten, or there is none.
///
/// # Errors
/// Those of the database.
pub async fn replay(tx: &mut Tx<'_>, id: Uuid, now: Timestamp) -> Result<bool> {
    let replayed = tx
        .execute(
            "UPDATE inbox SET status = 'waiting', step = 0, due_at = $2, finished_at = NULL, \
             lease = NULL WHERE id = $1 AND status <> 'waiting' AND event IS NOT NULL",
            &[id.into(), now.into()],
        )
        .await?;
    Ok(replayed == 1)
}

/// The same for up to `count` events of a company that were parked until `until`; returns how many.
///
/// # Errors
/// Those of the database.
pub async fn replay_parked(
    tx: &mut Tx<'_>,
    company_id: &str,
    until: Timestamp,
    count: i64,
) -> Result<u64> {
    tx.execute(
        "UPDATE inbox SET status = 'waiting', step = 0, due_at = $2, finished_at = NULL, \
         lease = NULL WHERE id IN (SELECT id FROM inbox WHERE company_id = $1 \
         AND status = 'parked' AND finished_at <= $2 AND event IS NOT NULL ORDER BY id LIMIT $3)",
        &[company_id.into(), until.into(), count.into()],
    )
    .await
}

/// Deletes up to `count` events that were finished before `before`, and as many that came before and
/// still wait, each with its key; returns how many.
///
/// # Errors
/// Those of the database.
pub async fn delete_old(tx: &mut Tx<'_>, before: Timestamp, count: i64) -> Result<u64> {
    // Two statements, each of which walks an index that is made for it.
    const FINISHED: &str = "DELETE FROM inbox WHERE id IN (SELECT id FROM inbox \
        WHERE finished_at < $1 ORDER BY finished_at LIMIT $2) RETURNING data_key";
    const UNPROCESSED: &str = "DELETE FROM inbox WHERE id IN (SELECT id FROM inbox \
        WHERE status = 'waiting' AND due_at < $1 AND received_at < $1 LIMIT $2) RETURNING data_key";
    let mut deleted = 0;
    for sql in [FINISHED, UNPROCESSED] {
        for row in tx.query(sql, &[before.into(), count.into()]).await? {
            if let Some(key) = row.find_uuid(0, "inbox.data_key")? {
                data_keys::destroy(tx, key).await?;
            }
            deleted += 1;
        }
    }
    Ok(deleted)
}

/// How much waits.
///
/// # Errors
/// Those of the database.
pub async fn depth(tx: &mut Tx<'_>) -> Result<Depth> {
    let row = tx
        .find(
            "SELECT (SELECT COUNT(*) FROM inbox WHERE status = 'waiting'), \
             (SELECT MIN(due_at) FROM inbox WHERE status = 'waiting'), \
             (SELECT COUNT(*) FROM inbox WHERE status = 'parked')",
            &[],
        )
        .await?
        .ok_or_else(|| Error::corrupt("inbox", "no count"))?;
    Ok(Depth {
        waiting: row.int(0, "inbox")?,
        oldest_due: row.find_time(1, "inbox.due_at")?,
        parked: row.int(2, "inbox")?,
    })
}

fn listed(row: &Row) -> Result<Listed> {
    const SOURCE: &str = "inbox.source";
    const STATUS: &str = "inbox.status";
    Ok(Listed {
        id: row.uuid(0, "inbox.id")?,
        company_id: row.text(1, "inbox.company_id")?,
        source: Source::parse(&row.text(2, SOURCE)?)
            .ok_or_else(|| Error::corrupt(SOURCE, "not a source"))?,
        topic: row.text(3, "inbox.topic")?,
        status: Status::parse(&row.text(4, STATUS)?)
            .ok_or_else(|| Error::corrupt(STATUS, "not a status"))?,
        attempts: row.int(5, "inbox.attempts")?,
        outcome: row.find_text(6, "inbox.outcome")?,
        received_at: row.time(7, "inbox.received_at")?,
        due_at: row.time(8, "inbox.due_at")?,
        finished_at: row.find_time(9, "inbox.finished_at")?,
        is_kept: row.bool(10, "inbox.event")?,
    })
}
