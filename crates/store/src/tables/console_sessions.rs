//! Who is signed in to the console, and the links that sign somebody in once.
//!
//! A row is found by the keyed hash of its token, and by nothing that a person could guess. A session
//! that is over is no session, whether its row is still there or not.

use jiff::Timestamp;
use uuid::Uuid;

use crate::{Result, Row, Tx};

/// A session.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its name, which is no secret.
    pub id: Uuid,
    /// Whose console it is.
    pub company_id: String,
    /// Who is signed in, as the audit log names the credential.
    pub holder: String,
    /// The API key it was begun with.
    pub key_id: Option<String>,
    /// Or what the token said that it was begun with, sealed.
    pub claims: Option<Vec<u8>>,
    /// From where it was begun, sealed.
    pub client: Option<Vec<u8>>,
    /// When it began.
    pub began_at: Timestamp,
    /// When it was last used, to the minute.
    pub seen_at: Timestamp,
    /// When it is over however much it is used.
    pub last_at: Timestamp,
    /// When it is over if it is not used again.
    pub ends_at: Timestamp,
}

/// Begins a session.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx<'_>, token_hash: &[u8; 32], session: &Session) -> Result<()> {
    tx.execute(
        "INSERT INTO console_sessions (id, token_hash, company_id, holder, key_id, claims, client, \
         began_at, seen_at, last_at, ends_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        &[
            session.id.into(),
            token_hash.into(),
            session.company_id.as_str().into(),
            session.holder.as_str().into(),
            session.key_id.as_deref().into(),
            session.claims.as_deref().into(),
            session.client.as_deref().into(),
            session.began_at.into(),
            session.seen_at.into(),
            session.last_at.into(),
            session.ends_at.into(),
        ],
    )
    .await
    .map(drop)
}

macro_rules! select {
    () => {
        "SELECT id, company_id, holder, key_id, claims, client, began_at, seen_at, last_at, ends_at \
         FROM console_sessions "
    };
}

/// Finds a session that is not over.
///
/// # Errors
/// Those of the database.
pub async fn find(
    tx: &mut Tx<'_>,
    token_hash: &[u8; 32],
    now: Timestamp,
) -> Result<Option<Session>> {
    let sql = concat!(select!(), "WHERE token_hash = $1 AND ends_at > $2");
    let row = tx.find(sql, &[token_hash.into(), now.into()]).await?;
    row.as_ref().map(session).transpose()
}

/// The sessions of whoever is signed in that are not over, the newest first; at most `count`.
///
/// # Errors
/// Those of the database.
pub async fn list(
    tx: &mut Tx<'_>,
    company_id: &str,
    holder: &str,
    now: Timestamp,
    count: i64,
) -> Result<Vec<Session>> {
    let sql = concat!(
        select!(),
        "WHERE company_id = $1 AND holder = $2 AND ends_at > $3 ORDER BY id DESC LIMIT $4"
    );
    let values = [company_id.into(), holder.into(), now.into(), count.into()];
    tx.query(sql, &values).await?.iter().map(session).collect()
}

/// Notes that a session is used, and when it is over now.
///
/// # Errors
/// Those of the database.
pub async fn note_use(
    tx: &mut Tx<'_>,
    id: Uuid,
    seen_at: Timestamp,
    ends_at: Timestamp,
) -> Result<()> {
    tx.execute(
        "UPDATE console_sessions SET seen_at = $2, ends_at = $3 WHERE id = $1 AND seen_at < $2",
        &[id.into(), seen_at.into(), ends_at.into()],
    )
    .await
    .map(drop)
}

/// Ends one session of whoever is signed in; `false` when it was over.
///
/// # Errors
/// Those of the database.
pub async fn end(tx: &mut Tx<'_>, company_id: &str, holder: &str, id: Uuid) -> Result<bool> {
    let ended = tx
        .execute(
            "DELETE FROM console_sessions WHERE id = $1 AND company_id = $2 AND holder = $3",
            &[id.into(), company_id.into(), holder.into()],
        )
        .await?;
    Ok(ended == 1)
}

/// Ends all sessions of whoever is signed in; returns how many there were.
///
/// # Errors
/// Those of the database.
pub async fn end_all(tx: &mut Tx<'_>, company_id: &str, holder: &str) -> Result<u64> {
    tx.execute(
        "DELETE FROM console_sessions WHERE company_id = $1 AND holder = $2",
        &[company_id.into(), holder.into()],
    )
    .await
}

/// Takes away what is over.
///
/// # Errors
/// Those of the database.
pub async fn clear(tx: &mut Tx<'_>, now: Timestamp) -> Result<()> {
    let sessions = "DELETE FROM console_sessions WHERE ends_at <= $1";
    tx.execute(sessions, &[now.into()]).await?;
    let links = "DELETE FROM console_links WHERE ends_at <= $1";
    tx.execute(links, &[now.into()]).await.map(drop)
}

/// Makes a link that signs in whoever holds an API key.
///
/// # Errors
/// Those of the database.
pub async fn insert_link(
    tx: &mut Tx<'_>,
    token_hash: &[u8; 32],
    company_id: &str,
    key_id: &str,
    ends_at: Timestamp,
) -> Result<()> {
    tx.execute(
        "INSERT INTO console_links (token_hash, company_id, key_id, ends_at) VALUES ($1, $2, $3, $4)",
        &[
            token_hash.into(),
            company_id.into(),
            key_id.into(),
            ends_at.into(),
        ],
    )
    .await
    .map(drop)
}

/// Uses a link up; the API key that it signs in, if it was good.
///
/// # Errors
/// Those of the database.
pub async fn take_link(
    tx: &mut Tx<'_>,
    token_hash: &[u8; 32],
    now: Timestamp,
) -> Result<Option<String>> {
    let sql = "DELETE FROM console_links WHERE token_hash = $1 AND ends_at > $2 RETURNING key_id";
    let row = tx.find(sql, &[token_hash.into(), now.into()]).await?;
    row.map(|row| row.text(0, "console_links.key_id"))
        .transpose()
}

fn session(row: &Row) -> Result<Session> {
    Ok(Session {
        id: row.uuid(0, "console_sessions.id")?,
        company_id: row.text(1, "console_sessions.company_id")?,
        holder: row.text(2, "console_sessions.holder")?,
        key_id: row.find_text(3, "console_sessions.key_id")?,
        claims: row.find_bytes(4, "console_sessions.claims")?,
        client: row.find_bytes(5, "console_sessions.client")?,
        began_at: row.time(6, "console_sessions.began_at")?,
        seen_at: row.time(7, "console_sessions.seen_at")?,
        last_at: row.time(8, "console_sessions.last_at")?,
        ends_at: row.time(9, "console_sessions.ends_at")?,
    })
}
