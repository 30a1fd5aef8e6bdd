//! Sessions whose time is over, found by their deadlines.
//!
//! A sweep looks at a window of the deadlines that have come, the oldest: however many there are, and
//! however many of their sessions have ended by themselves, one transaction does a bounded amount of work.

use domain::number::SessionId;
use jiff::Timestamp;
use uuid::Uuid;

use super::{FOUND, Found, found};
use crate::{Readable, Result, Tx, Value};

/// The oldest deadlines that have come, with further columns and a lock.
macro_rules! window {
    ($columns:literal, $lock:literal) => {
        concat!(
            "(SELECT verification_id, expires_at",
            $columns,
            " FROM verification_deadlines WHERE expires_at <= $1 \
             ORDER BY expires_at, verification_id LIMIT $2",
            $lock,
            ") d "
        )
    };
}

/// Up to `count` pending sessions of the `window` whose time is over, the oldest first, locked; those
/// that another transaction has locked are left to it, and those that cannot be read are to be
/// [ended untold](end_spoilt).
///
/// # Errors
/// Those of the database.
pub async fn list_due_for_update(
    tx: &mut Tx<'_>,
    now: Timestamp,
    window: i64,
    count: i64,
) -> Result<Readable<Found>> {
    let sql = match tx {
        Tx::Sqlite(_) => sqlite::LIST,
        Tx::Postgres(_) => postgres::LIST,
    };
    let rows = tx
        .query(sql, &[now.into(), window.into(), count.into()])
        .await?;
    Readable::read_by(FOUND, &rows, "verification_sessions", found)
}

/// Writes down that the time of a session of the `window` is over whose row cannot be read, whatever it
/// says.
///
/// # Errors
/// Those of the database.
pub async fn end_spoilt(tx: &mut Tx<'_>, id: Uuid, now: Timestamp, window: i64) -> Result<()> {
    let sql = match tx {
        Tx::Sqlite(_) => sqlite::END_SPOILT,
        Tx::Postgres(_) => postgres::END_SPOILT,
    };
    tx.execute(sql, &[now.into(), window.into(), id.into()])
        .await
        .map(drop)
}

/// Has a session of the `window` looked at again `later`, whose time is over all the same.
///
/// # Errors
/// Those of the database.
pub async fn put_off(
    tx: &mut Tx<'_>,
    id: &SessionId,
    now: Timestamp,
    window: i64,
    later: Timestamp,
) -> Result<()> {
    let sql = match tx {
        Tx::Sqlite(_) => sqlite::PUT_OFF,
        Tx::Postgres(_) => postgres::PUT_OFF,
    };
    let values = [now.into(), window.into(), later.into(), id.as_str().into()];
    tx.execute(sql, &values).await.map(drop)
}

/// Forgets the deadlines of the `window` whose sessions have ended, however they did, or are there no
/// longer. Returns how many there were.
///
/// # Errors
/// Those of the database.
pub async fn forget_deadlines(tx: &mut Tx<'_>, now: Timestamp, window: i64) -> Result<u64> {
    let values = [now.into(), window.into()];
    if let Tx::Postgres(_) = tx {
        return tx.execute(postgres::FORGET, &values).await;
    }
    let met = tx.query(sqlite::LIST_MET, &values).await?;
    for row in &met {
        let expires_at = row.int(0, "verification_deadlines.expires_at")?;
        let id = row.text(1, "verification_deadlines.verification_id")?;
        let key: [Value<'_>; 2] = [expires_at.into(), id.as_str().into()];
        tx.execute(sqlite::FORGET, &key).await?;
    }
    Ok(met.len() as u64)
}

mod sqlite {
    //! From each deadline to its session: a cross join is made as it is written.

    pub const LIST: &str = concat!(
        "SELECT ",
        columns!(),
        ", s.id FROM ",
        window!("", ""),
        "CROSS JOIN verification_sessions s LEFT JOIN data_keys k ON k.id = s.data_key \
         WHERE s.verification_id = d.verification_id AND s.status = 'pending' \
         AND s.expires_at <= $1 ORDER BY d.expires_at LIMIT $3"
    );

    pub const END_SPOILT: &str = concat!(
        "UPDATE verification_sessions SET status = 'expired', ended_at = $1 \
         WHERE status = 'pending' AND id = $3 AND verification_id IN (SELECT verification_id FROM ",
        window!("", ""),
        ")"
    );

    pub const PUT_OFF: &str = concat!(
        "UPDATE verification_deadlines SET expires_at = $3 WHERE verification_id = $4 \
         AND (expires_at, verification_id) IN (SELECT expires_at, verification_id FROM ",
        window!("", ""),
        ")"
    );

    pub const LIST_MET: &str = concat!(
        "SELECT d.expires_at, d.verification_id FROM ",
        window!("", ""),
        "WHERE NOT EXISTS (SELECT 1 FROM verification_sessions s \
         WHERE s.verification_id = d.verification_id AND s.status = 'pending')"
    );

    pub const FORGET: &str =
        "DELETE FROM verification_deadlines WHERE expires_at = $1 AND verification_id = $2";
}

mod postgres {
    //! Each session is sought by its name, and each row changed where it lies, whatever the tables' sizes
    //! were when plans were made.

    pub const LIST: &str = concat!(
        "SELECT ",
        columns!(),
        ", s.id FROM ",
        window!("", ""),
        each!(
            "s.*",
            "verification_sessions s",
            "s.verification_id = d.verification_id AND s.status = 'pending' \
             AND s.expires_at <= $1 FOR UPDATE SKIP LOCKED"
        ),
        "s ",
        its_key!(),
        " ORDER BY d.expires_at LIMIT $3"
    );

    pub const END_SPOILT: &str = concat!(
        "UPDATE verification_sessions SET status = 'expired', ended_at = $1 \
         WHERE status = 'pending' AND ctid = ANY(ARRAY(SELECT s.place FROM ",
        window!("", ""),
        each!(
            "s.ctid AS place, s.id",
            "verification_sessions s",
            "s.verification_id = d.verification_id"
        ),
        "s WHERE s.id = $3))"
    );

    pub const PUT_OFF: &str = concat!(
        "UPDATE verification_deadlines SET expires_at = $3 \
         WHERE ctid = ANY(ARRAY(SELECT d.place FROM ",
        window!(", ctid AS place", ""),
        "WHERE d.verification_id = $4))"
    );

    pub const FORGET: &str = concat!(
        "DELETE FROM verification_deadlines WHERE ctid = ANY(ARRAY(SELECT d.place FROM ",
        window!(", ctid AS place", " FOR UPDATE SKIP LOCKED"),
        "LEFT JOIN LATERAL (SELECT TRUE AS is_pending FROM verification_sessions s \
         WHERE s.verification_id = d.verification_id AND s.status = 'pending' OFFSET 0) s \
         ON TRUE WHERE s.is_pending IS NULL))"
    );
}
