//! Idempotency keys: one row per company and (hashed) key, with the answer once
//! there is one.

use domain::seal::BlindIndex;
use jiff::Timestamp;
use uuid::Uuid;

use crate::{Error, Result, Tx};

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// SHA-256 of the request it was first used with.
    pub fingerprint: [u8; 32],
    /// The answer; `None` while the first request is under way.
    pub answer: Option<SealedAnswer>,
    /// Whom that is about, if it is about somebody.
    pub subject: Option<BlindIndex>,
    /// When the key was first used.
    pub created_at: Timestamp,
    /// From when on it counts as unused.
    pub expires_at: Timestamp,
}

/// A stored answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedAnswer {
    /// HTTP status.
    pub status: i64,
    /// The data key its body is sealed under.
    pub data_key: Uuid,
    /// The sealed body.
    pub body: Vec<u8>,
}

/// Takes a key for a request that begins; `false` when it is taken.
///
/// # Errors
/// Those of the database.
pub async fn insert(
    tx: &mut Tx<'_>,
    company_id: &str,
    key: BlindIndex,
    fingerprint: &[u8; 32],
    created_at: Timestamp,
    expires_at: Timestamp,
) -> Result<bool> {
    let inserted = tx
        .execute(
            "INSERT INTO idempotency_keys (company_id, key_index, fingerprint, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
            &[
                company_id.into(),
                key.as_bytes().into(),
                fingerprint.into(),
                created_at.into(),
                expires_at.into(),
            ],
        )
        .await?;
    Ok(inserted == 1)
}

/// One key.
///
/// # Errors
/// Those of the database.
pub async fn find(tx: &mut Tx<'_>, company_id: &str, key: BlindIndex) -> Result<Option<Entry>> {
    let row = tx
        .find(
            "SELECT fingerprint, status, data_key, answer, created_at, expires_at, subject_index \
             FROM idempotency_keys WHERE company_id = $1 AND key_index = $2",
            &[company_id.into(), key.as_bytes().into()],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let answer = match row.find_int(1, "idempotency_keys.status")? {
        None => None,
        Some(status) => Some(SealedAnswer {
            status,
            data_key: row.uuid(2, "idempotency_keys.data_key")?,
            body: row.bytes(3, "idempotency_keys.answer")?,
        }),
    };
    const SUBJECT: &str = "idempotency_keys.subject_index";
    let subject = row.find_bytes(6, SUBJECT)?;
    let subject = subject.map(|bytes| {
        BlindIndex::from_bytes(&bytes).ok_or_else(|| Error::corrupt(SUBJECT, "not an index"))
    });
    Ok(Some(Entry {
        fingerprint: row.array(0, "idempotency_keys.fingerprint")?,
        answer,
        subject: subject.transpose()?,
        created_at: row.time(4, "idempotency_keys.created_at")?,
        expires_at: row.time(5, "idempotency_keys.expires_at")?,
    }))
}

/// Stores the answer and whom it is about, in the transaction that did the work; `false` when the
/// key, as it was taken at `created_at`, is held no longer.
///
/// # Errors
/// Those of the database.
pub async fn complete(
    tx: &mut Tx<'_>,
    company_id: &str,
    key: BlindIndex,
    created_at: Timestamp,
    answer: &SealedAnswer,
    subject: Option<BlindIndex>,
    expires_at: Timestamp,
) -> Result<bool> {
    let completed = tx
        .execute(
            "UPDATE idempotency_keys SET status = $4, data_key = $5, answer = $6, expires_at = $7, \
             subject_index = $8 WHERE company_id = $1 AND key_index = $2 AND created_at = $3 AND status IS NULL",
            &[
                company_id.into(),
                key.as_bytes().into(),
                created_at.into(),
                answer.status.into(),
                answer.data_key.into(),
                (&answer.body).into(),
                expires_at.into(),
                subject.as_ref().map(|subject| subject.as_bytes().as_slice()).into(),
            ],
        )
        .await?;
    Ok(completed == 1)
}

/// Puts a fuller answer in the place of the one that is stored for a key, as it was taken at
/// `created_at`; nothing is done when none is.
///
/// # Errors
/// Those of the database.
pub async fn replace(
    tx: &mut Tx<'_>,
    company_id: &str,
    key: BlindIndex,
    created_at: Timestamp,
    answer: &SealedAnswer,
) -> Result<()> {
    tx.execute(
        "UPDATE idempotency_keys SET status = $4, data_key = $5, answer = $6 \
         WHERE company_id = $1 AND key_index = $2 AND created_at = $3 AND status IS NOT NULL",
        &[
            company_id.into(),
            key.as_bytes().into(),
            created_at.into(),
            answer.status.into(),
            answer.data_key.into(),
            (&answer.body).into(),
        ],
    )
    .await
    .map(drop)
}

/// Gives up a key, as it was taken at `created_at`, unless its answer is stored.
///
/// # Errors
/// Those of the database.
pub async fn release(
    tx: &mut Tx<'_>,
    company_id: &str,
    key: BlindIndex,
    created_at: Timestamp,
) -> Result<()> {
    tx.execute(
        "DELETE FROM idempotency_keys \
         WHERE company_id = $1 AND key_index = $2 AND created_at = $3 AND status IS NULL",
        &[company_id.into(), key.as_bytes().into(), created_at.into()],
    )
    .await
    .map(drop)
}

/// Forgets a key whose time is over.
///
/// # Errors
/// Those of the database.
pub async fn delete(tx: &mut Tx<'_>, company_id: &str, key: BlindIndex) -> Result<()> {
    tx.execute(
        "DELETE FROM idempotency_keys WHERE company_id = $1 AND key_index = $2",
        &[company_id.into(), key.as_bytes().into()],
    )
    .await
    .map(drop)
}

/// Forgets up to a thousand keys whose time is over; returns how many they were.
///
/// # Errors
/// Those of the database.
pub async fn delete_expired(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64> {
    tx.execute(
        "DELETE FROM idempotency_keys WHERE (company_id, key_index) IN \
         (SELECT company_id, key_index FROM idempotency_keys WHERE expires_at < $1 LIMIT 1000)",
        &[now.into()],
    )
    .await
}
