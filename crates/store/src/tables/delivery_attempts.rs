//! Every attempt at a delivery.

use jiff::Timestamp;
use uuid::Uuid;

use crate::{Result, Tx};

/// An attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Which of the delivery's, from 1.
    pub number: i64,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took, in microseconds.
    pub took: i64,
    /// How it went, in one word.
    pub outcome: String,
    /// What the receiver answered.
    pub status: Option<i64>,
}

/// Inserts an attempt.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx<'_>, delivery: Uuid, attempt: &Attempt) -> Result<()> {
    tx.execute(
        "INSERT INTO delivery_attempts (delivery, number, started_at, took, outcome, status) \
         VALUES ($1, $2, $3, $4, $5, $6)",
        &[
            delivery.into(),
            attempt.number.into(),
            attempt.started_at.into(),
            attempt.took.into(),
            (&attempt.outcome).into(),
            attempt.status.into(),
        ],
    )
    .await
    .map(drop)
}

/// The attempts at a delivery, the first first.
///
/// # Errors
/// Those of the database.
pub async fn list(tx: &mut Tx<'_>, delivery: Uuid) -> Result<Vec<Attempt>> {
    tx.query(
        "SELECT number, started_at, took, outcome, status FROM delivery_attempts \
         WHERE delivery = $1 ORDER BY number",
        &[delivery.into()],
    )
    .await?
    .iter()
    .map(|row| {
        Ok(Attempt {
            number: row.int(0, "delivery_attempts.number")?,
            started_at: row.time(1, "delivery_attempts.started_at")?,
            took: row.int(2, "delivery_attempts.took")?,
            outcome: row.text(3, "delivery_attempts.outcome")?,
            status: row.find_int(4, "delivery_attempts.status")?,
        })
    })
    .collect()
}
