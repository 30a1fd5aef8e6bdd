//! Who may make what: claims under a lease, line by line, of one stream in its order.

use domain::seal::WrappedKey;
use jiff::Timestamp;
use uuid::Uuid;

use crate::tables::data_keys;
use crate::{Readable, Result, Row, Tx};

/// What is due in a line, but for what must wait for another of its stream.
macro_rules! due {
    () => {
        "WHERE d.status = 'waiting' AND d.receiver = $1 AND d.due_at <= $2 \
         AND NOT EXISTS (SELECT 1 FROM deliveries earlier WHERE earlier.status = 'waiting' \
         AND earlier.stream = d.stream AND (earlier.created_at, earlier.id) < (d.created_at, d.id)) \
         ORDER BY d.due_at, d.id"
    };
}

/// A delivery that was claimed.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// Its name.
    pub id: Uuid,
    /// Whose it is.
    pub company_id: String,
    /// What it is about.
    pub topic: String,
    /// The sealed message.
    pub payload: Vec<u8>,
    /// The data key it is sealed under; `None` once that is destroyed.
    pub data_key: Option<WrappedKey>,
    /// Attempts so far.
    pub attempts: i64,
    /// Attempts since it was enqueued or replayed: how far its schedule has come.
    pub step: i64,
}

/// The receivers in whose lines something is due: at most `count`, by name, those after `after`.
///
/// # Errors
/// Those of the database.
pub async fn list_receivers_due(
    tx: &mut Tx<'_>,
    now: Timestamp,
    after: &str,
    count: i64,
) -> Result<Vec<String>> {
    // One step into the index for each line, however long the lines are. Asked with EXISTS,
    // PostgreSQL would join all that is due, and forget the order.
    tx.query(
        "WITH RECURSIVE lines (receiver) AS (\
         SELECT (SELECT MIN(receiver) FROM deliveries WHERE status = 'waiting' AND receiver > $2) \
         UNION ALL SELECT (SELECT MIN(d.receiver) FROM deliveries d WHERE d.status = 'waiting' \
         AND d.receiver > lines.receiver) FROM lines WHERE lines.receiver IS NOT NULL) \
         SELECT receiver FROM lines WHERE receiver IS NOT NULL AND (SELECT MIN(d.due_at) \
         FROM deliveries d WHERE d.status = 'waiting' AND d.receiver = lines.receiver) <= $1 \
         ORDER BY receiver LIMIT $3",
        &[now.into(), after.into(), count.into()],
    )
    .await?
    .iter()
    .map(|row| row.text(0, "deliveries.receiver"))
    .collect()
}

/// Claims up to `count` due deliveries of a receiver under a lease that ends at `until`, in the
/// order in which they are to be made; those that cannot be read are to be
/// [given up](give_up_spoilt).
///
/// # Errors
/// Those of the database.
pub async fn claim(
    tx: &mut Tx<'_>,
    receiver: &str,
    now: Timestamp,
    lease: Uuid,
    until: Timestamp,
    count: i64,
) -> Result<Readable<Claimed>> {
    match tx {
        Tx::Sqlite(_) => sqlite::claim(tx, receiver, now, lease, until, count).await,
        Tx::Postgres(_) => postgres::claim(tx, receiver, now, lease, until, count).await,
    }
}

/// Gives up a delivery whose row cannot be read, whatever it says.
///
/// # Errors
/// Those of the database.
pub async fn give_up_spoilt(tx: &mut Tx<'_>, id: Uuid, at: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE deliveries SET status = 'exhausted', outcome = 'spoilt', finished_at = $2, \
         lease = NULL WHERE id = $1",
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
        "UPDATE deliveries SET lease = NULL, due_at = $1 \
         WHERE status = 'waiting' AND lease IS NOT NULL",
        &[now.into()],
    )
    .await
}

fn claimed(row: &Row) -> Result<Claimed> {
    let data_key = row.find_uuid(6, "data_keys.id")?;
    Ok(Claimed {
        id: row.uuid(0, "deliveries.id")?,
        company_id: row.text(1, "deliveries.company_id")?,
        topic: row.text(2, "deliveries.topic")?,
        payload: row.bytes(3, "deliveries.payload")?,
        attempts: row.int(4, "deliveries.attempts")?,
        step: row.int(5, "deliveries.step")?,
        data_key: data_key
            .map(|_| data_keys::from_row_at(row, 6))
            .transpose()?,
    })
}

mod sqlite {
    //! Looked up and then leased: nobody else writes in between.

    use super::{Claimed, Readable, Result, Timestamp, Tx, Uuid, claimed};

    const FIND: &str = concat!(
        "SELECT d.id, d.company_id, d.topic, d.payload, d.attempts, d.step, k.id, k.master_key, \
         k.wrapped \
         FROM deliveries d LEFT JOIN data_keys k ON k.id = d.data_key ",
        due!(),
        " LIMIT $3"
    );

    pub async fn claim(
        tx: &mut Tx<'_>,
        receiver: &str,
        now: Timestamp,
        lease: Uuid,
        until: Timestamp,
        count: i64,
    ) -> Result<Readable<Claimed>> {
        let rows = tx
            .query(FIND, &[receiver.into(), now.into(), count.into()])
            .await?;
        let found = Readable::read(&rows, "deliveries", claimed)?;
        for delivery in &found.rows {
            tx.execute(
                "UPDATE deliveries SET lease = $2, due_at = $3 WHERE id = $1",
                &[delivery.id.into(), lease.into(), until.into()],
            )
            .await?;
        }
        Ok(found)
    }
}

mod postgres {
    //! One statement; what another worker has locked is left to it.

    use super::{Claimed, Readable, Result, Timestamp, Tx, Uuid, claimed};

    const CLAIM: &str = concat!(
        "WITH due AS (SELECT d.id, d.due_at FROM deliveries d ",
        due!(),
        " LIMIT $3 FOR UPDATE OF d SKIP LOCKED), \
         leased AS (UPDATE deliveries d SET lease = $4, due_at = $5 FROM due WHERE d.id = due.id \
         RETURNING d.id, d.company_id, d.topic, d.payload, d.attempts, d.step, d.data_key, \
         due.due_at AS was_due) \
         SELECT l.id, l.company_id, l.topic, l.payload, l.attempts, l.step, k.id, k.master_key, \
         k.wrapped \
         FROM leased l LEFT JOIN data_keys k ON k.id = l.data_key ORDER BY l.was_due, l.id"
    );

    pub async fn claim(
        tx: &mut Tx<'_>,
        receiver: &str,
        now: Timestamp,
        lease: Uuid,
        until: Timestamp,
        count: i64,
    ) -> Result<Readable<Claimed>> {
        let values = [
            receiver.into(),
            now.into(),
            count.into(),
            lease.into(),
            until.into(),
        ];
        let rows = tx.query(CLAIM, &values).await?;
        Readable::read(&rows, "deliveries", claimed)
    }
}
