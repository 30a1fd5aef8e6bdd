//! The queue of everything that leaves the building.
//!
//! A delivery is enqueued in the transaction that causes it. It waits in its receiver's line until
//! it is due; whoever claims it holds a lease, which is a name and a later due time: when the
//! holder dies, the delivery is due again by itself. Those of one stream are claimed in the order
//! in which they were enqueued, the next when the one before it is done with.

use jiff::Timestamp;
use uuid::Uuid;

use crate::{Error, Readable, Result, Row, Tx, Value};

macro_rules! insert_delivery {
    () => {
        "INSERT INTO deliveries (id, company_id, kind, topic, receiver, stream, data_key, payload, \
         status, attempts, step, due_at, created_at) "
    };
}

pub(super) use insert_delivery;

mod claim;
mod seen;

pub use claim::{Claimed, claim, give_up_spoilt, list_receivers_due, reclaim_all};
pub use seen::{Seen, find_of_company, find_sealed, list_of_company};

/// A delivery to be enqueued.
#[derive(Debug, Clone)]
pub struct NewDelivery<'a> {
    /// Its name, of which receivers see a form.
    pub id: Uuid,
    /// Whose it is.
    pub company_id: &'a str,
    /// What it is about: `verification.verified`.
    pub topic: &'a str,
    /// In whose line it waits.
    pub receiver: &'a str,
    /// Which deliveries it must not overtake.
    pub stream: &'a [u8],
    /// The data key it is sealed under.
    pub data_key: Uuid,
    /// The sealed message.
    pub payload: &'a [u8],
    /// Now; it is due at once.
    pub at: Timestamp,
}

/// Whether a delivery is still to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It is, or is being made.
    Waiting,
    /// It was.
    Delivered,
    /// It was given up, and may be replayed.
    Exhausted,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Waiting, Self::Delivered, Self::Exhausted];

    /// As it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Exhausted => "exhausted",
        }
    }

    /// Reads what [`Status::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// What an attempt, or the decision to make none, does to a claimed delivery.
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
    /// Now.
    pub at: Timestamp,
}

/// A delivery as it is shown; what is in it is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub id: Uuid,
    /// Whose it is.
    pub company_id: String,
    /// What it is about.
    pub topic: String,
    /// Whether it is still to be made.
    pub status: Status,
    /// Attempts so far.
    pub attempts: i64,
    /// How the newest went.
    pub outcome: Option<String>,
    /// When it was enqueued.
    pub created_at: Timestamp,
    /// When it is due, while it waits.
    pub due_at: Timestamp,
    /// When it was delivered or given up.
    pub finished_at: Option<Timestamp>,
}

/// Which deliveries are to be listed or replayed.
#[derive(Debug, Clone, Default)]
pub struct Filter<'a> {
    /// Only this company's.
    pub company_id: Option<&'a str>,
    /// Only these.
    pub status: Option<Status>,
    /// Only those enqueued before this one.
    pub before: Option<Uuid>,
}

/// How much waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depth {
    /// Deliveries that wait or are being made.
    pub waiting: i64,
    /// When the longest overdue one was due.
    pub oldest_due: Option<Timestamp>,
    /// Webhook addresses of companies that nothing is sent to any more, for they failed too long.
    pub endpoints_off: i64,
}

/// After what waits in stream `$1`. Deliveries of one stream are enqueued one at a time, under a
/// lock.
macro_rules! behind_the_stream {
    () => {
        "SELECT MAX(created_at) + 1 FROM deliveries WHERE status = 'waiting' AND stream = $1"
    };
}

/// Enqueues a webhook; `false` when the company has no address for any.
///
/// # Errors
/// Those of the database.
pub async fn insert_webhook(tx: &mut Tx<'_>, delivery: &NewDelivery<'_>) -> Result<bool> {
    let wanted = concat!(
        "SELECT (",
        behind_the_stream!(),
        ") FROM companies WHERE company_id = $2 AND webhook_url IS NOT NULL"
    );
    let values = [delivery.stream.into(), delivery.company_id.into()];
    let Some(row) = tx.find(wanted, &values).await? else {
        return Ok(false);
    };
    let behind = row.find_time(0, "deliveries.created_at")?;
    insert_behind(tx, "webhook", delivery, behind).await?;
    Ok(true)
}

/// Enqueues a delivery over any channel, whatever becomes of its company's webhook.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx<'_>, kind: &str, delivery: &NewDelivery<'_>) -> Result<()> {
    let row = tx
        .find(behind_the_stream!(), &[delivery.stream.into()])
        .await?;
    let behind = row.map_or(Ok(None), |row| row.find_time(0, "deliveries.created_at"))?;
    insert_behind(tx, kind, delivery, behind).await
}

/// Enqueues a delivery as of now, but not before `earliest`, whatever the clocks of those who
/// enqueued the ones before it said.
async fn insert_behind(
    tx: &mut Tx<'_>,
    kind: &str,
    delivery: &NewDelivery<'_>,
    earliest: Option<Timestamp>,
) -> Result<()> {
    let enqueued_at = earliest.map_or(delivery.at, |earliest| earliest.max(delivery.at));
    let [
        id,
        company_id,
        topic,
        receiver,
        stream,
        data_key,
        payload,
        at,
    ] = values(delivery);
    let values = [
        id,
        company_id,
        topic,
        receiver,
        stream,
        data_key,
        payload,
        at,
        kind.into(),
        enqueued_at.into(),
    ];
    // Values alone: for rows that a statement looks up, SQLite copies each page before it writes.
    let sql = concat!(
        insert_delivery!(),
        "VALUES ($1, $2, $9, $3, $4, $5, $6, $7, 'waiting', 0, 0, $8, $10)"
    );
    tx.execute(sql, &values).await.map(drop)
}

/// The columns of a delivery, in the order in which they are written.
pub(super) fn values<'v>(delivery: &'v NewDelivery<'_>) -> [Value<'v>; 8] {
    [
        delivery.id.into(),
        delivery.company_id.into(),
        delivery.topic.into(),
        delivery.receiver.into(),
        delivery.stream.into(),
        delivery.data_key.into(),
        delivery.payload.into(),
        delivery.at.into(),
    ]
}

/// Whether anything of a stream is still to be delivered.
///
/// # Errors
/// Those of the database.
pub async fn is_waiting(tx: &mut Tx<'_>, stream: &[u8]) -> Result<bool> {
    let sql = "SELECT 1 FROM deliveries WHERE status = 'waiting' AND stream = $1 LIMIT 1";
    Ok(tx.find(sql, &[stream.into()]).await?.is_some())
}

/// Notes how it went; `false` when the lease has passed to somebody else.
///
/// # Errors
/// Those of the database.
pub async fn settle(tx: &mut Tx<'_>, outcome: &Outcome<'_>) -> Result<bool> {
    let finished = (outcome.status != Status::Waiting).then_some(outcome.at);
    let settled = tx
        .execute(
            "UPDATE deliveries SET status = $3, attempts = $4, step = $5, due_at = $6, \
             outcome = $7, finished_at = $8, lease = NULL WHERE id = $1 AND lease = $2",
            &[
                outcome.id.into(),
                outcome.lease.into(),
                outcome.status.as_str().into(),
                outcome.attempts.into(),
                outcome.step.into(),
                outcome.due_at.into(),
                outcome.word.into(),
                finished.into(),
            ],
        )
        .await?;
    Ok(settled == 1)
}

/// At most `count` deliveries, the newest first.
///
/// # Errors
/// Those of the database.
pub async fn list(tx: &mut Tx<'_>, filter: &Filter<'_>, count: i64) -> Result<Readable<Listed>> {
    let values: [Value<'_>; 4] = [
        filter.company_id.into(),
        filter.status.map(Status::as_str).into(),
        filter.before.unwrap_or(Uuid::max()).into(),
        count.into(),
    ];
    let rows = tx
        .query(
            "SELECT id, company_id, topic, status, attempts, outcome, created_at, due_at, \
             finished_at FROM deliveries WHERE company_id = COALESCE($1, company_id) \
             AND status = COALESCE($2, status) AND id < $3 ORDER BY id DESC LIMIT $4",
            &values,
        )
        .await?;
    Readable::read(&rows, "deliveries", listed)
}

/// One delivery.
///
/// # Errors
/// Those of the database.
pub async fn find(tx: &mut Tx<'_>, id: Uuid) -> Result<Option<Listed>> {
    tx.find(
        "SELECT id, company_id, topic, status, attempts, outcome, created_at, due_at, finished_at \
         FROM deliveries WHERE id = $1",
        &[id.into()],
    )
    .await?
    .as_ref()
    .map(listed)
    .transpose()
}

/// Lets a delivery that was delivered or given up be made again, from the beginning of its
/// schedule; `false` when it waits, or there is none.
///
/// # Errors
/// Those of the database.
pub async fn replay(tx: &mut Tx<'_>, id: Uuid, now: Timestamp) -> Result<bool> {
    let replayed = tx
        .execute(
            "UPDATE deliveries SET status = 'waiting', step = 0, due_at = $2, finished_at = NULL, \
             lease = NULL WHERE id = $1 AND status <> 'waiting'",
            &[id.into(), now.into()],
        )
        .await?;
    Ok(replayed == 1)
}

/// The same for up to `count` deliveries of a company that were given up until `until`; returns how
/// many.
///
/// # Errors
/// Those of the database.
pub async fn replay_exhausted(
    tx: &mut Tx<'_>,
    company_id: &str,
    until: Timestamp,
    count: i64,
) -> Result<u64> {
    tx.execute(
        "UPDATE deliveries SET status = 'waiting', step = 0, due_at = $2, finished_at = NULL, \
         lease = NULL WHERE id IN (SELECT id FROM deliveries WHERE company_id = $1 \
         AND status = 'exhausted' AND finished_at <= $2 ORDER BY id LIMIT $3)",
        &[company_id.into(), until.into(), count.into()],
    )
    .await
}

/// The same for up to `count` deliveries of a company over a channel that were given up because attempts
/// failed, and not because there was nothing to make; returns how many.
///
/// # Errors
/// Those of the database.
pub async fn replay_failed(
    tx: &mut Tx<'_>,
    company_id: &str,
    channel: &str,
    now: Timestamp,
    count: i64,
) -> Result<u64> {
    tx.execute(
        "UPDATE deliveries SET status = 'waiting', step = 0, due_at = $3, finished_at = NULL, \
         lease = NULL WHERE id IN (SELECT id FROM deliveries WHERE company_id = $1 \
         AND status = 'exhausted' AND kind = $2 AND step > 0 ORDER BY id LIMIT $4)",
        &[company_id.into(), channel.into(), now.into(), count.into()],
    )
    .await
}

/// How much waits.
///
/// # Errors
/// Those of the database.
pub async fn depth(tx: &mut Tx<'_>) -> Result<Depth> {
    let row = tx
        .find(
            "SELECT COUNT(*), MIN(due_at), (SELECT COUNT(*) FROM webhook_endpoints e \
             JOIN companies c ON c.company_id = e.company_id \
             WHERE e.off_at IS NOT NULL AND c.webhook_url IS NOT NULL AND c.is_active = $1) \
             FROM deliveries WHERE status = 'waiting'",
            &[true.into()],
        )
        .await?
        .ok_or_else(|| Error::corrupt("deliveries", "no count"))?;
    Ok(Depth {
        waiting: row.int(0, "deliveries")?,
        oldest_due: row.find_time(1, "deliveries.due_at")?,
        endpoints_off: row.int(2, "webhook_endpoints")?,
    })
}

fn listed(row: &Row) -> Result<Listed> {
    const STATUS: &str = "deliveries.status";
    Ok(Listed {
        id: row.uuid(0, "deliveries.id")?,
        company_id: row.text(1, "deliveries.company_id")?,
        topic: row.text(2, "deliveries.topic")?,
        status: Status::parse(&row.text(3, STATUS)?)
            .ok_or_else(|| Error::corrupt(STATUS, "not a status"))?,
        attempts: row.int(4, "deliveries.attempts")?,
        outcome: row.find_text(5, "deliveries.outcome")?,
        created_at: row.time(6, "deliveries.created_at")?,
        due_at: row.time(7, "deliveries.due_at")?,
        finished_at: row.find_time(8, "deliveries.finished_at")?,
    })
}
