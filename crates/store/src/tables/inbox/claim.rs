//! Who may process what: claims under a lease, of one stream one event at a time.

use domain::hook::Source;
use domain::seal::WrappedKey;
use jiff::Timestamp;
use uuid::Uuid;

use crate::tables::data_keys;
use crate::{Readable, Result, Row, Tx};

/// What is due of a source, but for what must wait for another of its stream: one that is leased, or
/// an earlier one that is due as well.
macro_rules! due {
    () => {
        "WHERE i.status = 'waiting' AND i.source = $1 AND i.due_at <= $2 \
         AND NOT EXISTS (SELECT 1 FROM inbox other WHERE other.status = 'waiting' \
         AND other.stream = i.stream AND other.id <> i.id \
         AND ((other.lease IS NOT NULL AND other.due_at > $2) \
         OR (other.due_at <= $2 AND other.id < i.id))) \
         ORDER BY i.due_at, i.id"
    };
}

/// An event that was claimed.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// Our name for it.
    pub id: Uuid,
    /// Whose it is.
    pub company_id: String,
    /// What it is about.
    pub topic: String,
    /// The sealed event.
    pub event: Option<Vec<u8>>,
    /// The key it is sealed under; `None` once that is destroyed.
    pub data_key: Option<WrappedKey>,
    /// Attempts so far.
    pub attempts: i64,
    /// Failures since it came or was replayed: how far its schedule has come.
    pub step: i64,
    /// When it came.
    pub received_at: Timestamp,
}

/// Claims up to `count` due events of a source under a lease that ends at `until`; those that cannot
/// be read are to be [parked](park_spoilt). It has to be done in a transaction of its own: what others
/// have claimed must be seen.
///
/// # Errors
/// Those of the database.
pub async fn claim(
    tx: &mut Tx<'_>,
    source: Source,
    now: Timestamp,
    lease: Uuid,
    until: Timestamp,
    count: i64,
) -> Result<Readable<Claimed>> {
    match tx {
        Tx::Sqlite(_) => sqlite::claim(tx, source, now, lease, until, count).await,
        Tx::Postgres(_) => postgres::claim(tx, source, now, lease, until, count).await,
    }
}

/// Parks an event whose row cannot be read, whatever it says.
///
/// # Errors
/// Those of the database.
pub async fn park_spoilt(tx: &mut Tx<'_>, id: Uuid, at: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE inbox SET status = 'parked', outcome = 'spoilt', finished_at = $2, lease = NULL \
         WHERE id = $1",
        &[id.into(), at.into()],
    )
    .await
    .map(drop)
}

/// Ends every lease: for a database that nobody else works on. Returns how many there were.
///
/// # Errors
/// Those of the database.
pub async fn reclaim_all(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64> {
    tx.execute(
        "UPDATE inbox SET lease = NULL, due_at = $1 \
         WHERE status = 'waiting' AND lease IS NOT NULL",
        &[now.into()],
    )
    .await
}

fn claimed(row: &Row) -> Result<Claimed> {
    let data_key = row.find_uuid(7, "data_keys.id")?;
    Ok(Claimed {
        id: row.uuid(0, "inbox.id")?,
        company_id: row.text(1, "inbox.company_id")?,
        topic: row.text(2, "inbox.topic")?,
        event: row.find_bytes(3, "inbox.event")?,
        attempts: row.int(4, "inbox.attempts")?,
        step: row.int(5, "inbox.step")?,
        received_at: row.time(6, "inbox.received_at")?,
        data_key: data_key
            .map(|_| data_keys::from_row_at(row, 7))
            .transpose()?,
    })
}

mod sqlite {
    //! Looked up and then leased: nobody else writes in between.

    use super::{Claimed, Readable, Result, Source, Timestamp, Tx, Uuid, claimed};

    const FIND: &str = concat!(
        "SELECT i.id, i.company_id, i.topic, i.event, i.attempts, i.step, i.received_at, \
         k.id, k.master_key, k.wrapped FROM inbox i LEFT JOIN data_keys k ON k.id = i.data_key ",
        due!(),
        " LIMIT $3"
    );

    pub async fn claim(
        tx: &mut Tx<'_>,
        source: Source,
        now: Timestamp,
        lease: Uuid,
        until: Timestamp,
        count: i64,
    ) -> Result<Readable<Claimed>> {
        let values = [source.as_str().into(), now.into(), count.into()];
        let rows = tx.query(FIND, &values).await?;
        let found = Readable::read(&rows, "inbox", claimed)?;
        for event in &found.rows {
            tx.execute(
                "UPDATE inbox SET lease = $2, due_at = $3 WHERE id = $1",
                &[event.id.into(), lease.into(), until.into()],
            )
            .await?;
        }
        Ok(found)
    }
}

mod postgres {
    //! One claim after the other, of all instances: two that did not see each other could lease two
    //! events of one stream.

    use super::{Claimed, Readable, Result, Source, Timestamp, Tx, Uuid, claimed};

    /// Names the lock that claims take: "inbox" in letters.
    const LOCK: i64 = 0x69_6e_62_6f_78;

    const CLAIM: &str = concat!(
        "WITH due AS (SELECT i.id, i.due_at FROM inbox i ",
        due!(),
        " LIMIT $3 FOR UPDATE OF i SKIP LOCKED), \
         leased AS (UPDATE inbox i SET lease = $4, due_at = $5 FROM due WHERE i.id = due.id \
         RETURNING i.id, i.company_id, i.topic, i.event, i.attempts, i.step, i.received_at, \
         i.data_key, due.due_at AS was_due) \
         SELECT l.id, l.company_id, l.topic, l.event, l.attempts, l.step, l.received_at, \
         k.id, k.master_key, k.wrapped \
         FROM leased l LEFT JOIN data_keys k ON k.id = l.data_key ORDER BY l.was_due, l.id"
    );

    pub async fn claim(
        tx: &mut Tx<'_>,
        source: Source,
        now: Timestamp,
        lease: Uuid,
        until: Timestamp,
        count: i64,
    ) -> Result<Readable<Claimed>> {
        let lock = "SELECT 1 FROM (SELECT pg_advisory_xact_lock($1)) AS held";
        tx.query(lock, &[LOCK.into()]).await?;
        let values = [
            source.as_str().into(),
            now.into(),
            count.into(),
            lease.into(),
            until.into(),
        ];
        let rows = tx.query(CLAIM, &values).await?;
        Readable::read(&rows, "inbox", claimed)
    }
}
