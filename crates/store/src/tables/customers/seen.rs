//! A customer as staff see one: what is proven, and still sealed who it is.

use domain::seal::{BlindIndex, WrappedKey};
use jiff::Timestamp;
use uuid::Uuid;

use super::{FOUND, Found, found_at, standing_columns};
use crate::tables::data_keys;
use crate::{Result, Tx};

/// A customer.
#[derive(Debug, Clone)]
pub struct Seen {
    /// What is proven.
    pub found: Found,
    /// The sealed address.
    pub email: Vec<u8>,
    /// The sealed phone number.
    pub phone: Option<Vec<u8>>,
    /// When the customer was first heard of.
    pub created_at: Timestamp,
    /// Since when the customer is under legal hold.
    pub legal_hold_at: Option<Timestamp>,
    /// The newest evidence.
    pub last_evidence: Uuid,
    /// The key.
    pub key: WrappedKey,
}

/// Finds a customer; `None` when there is none, or no key to open it.
///
/// # Errors
/// Those of the database.
pub async fn see(
    tx: &mut Tx<'_>,
    company_id: &str,
    email_index: BlindIndex,
) -> Result<Option<Seen>> {
    let row = tx
        .find(
            concat!(
                "SELECT ",
                standing_columns!(),
                ", c.updated_at, c.age_verified_until, c.email, c.phone, c.created_at, \
                 c.legal_hold_at, c.last_evidence, k.id, k.master_key, k.wrapped \
                 FROM customer_verification c JOIN data_keys k ON k.id = c.data_key \
                 WHERE c.company_id = $1 AND c.email_index = $2"
            ),
            &[company_id.into(), email_index.as_bytes().into()],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Seen {
        found: found_at(&row, 0)?,
        email: row.bytes(FOUND, "customer_verification.email")?,
        phone: row.find_bytes(FOUND + 1, "customer_verification.phone")?,
        created_at: row.time(FOUND + 2, "customer_verification.created_at")?,
        legal_hold_at: row.find_time(FOUND + 3, "customer_verification.legal_hold_at")?,
        last_evidence: row.uuid(FOUND + 4, "customer_verification.last_evidence")?,
        key: data_keys::from_row_at(&row, FOUND + 5)?,
    }))
}

/// A piece of evidence.
#[derive(Debug, Clone)]
pub struct Piece {
    /// Its name, which it was sealed for.
    pub id: Uuid,
    /// What it proves, or what else made the customer known.
    pub proof: String,
    /// Given, or withdrawn.
    pub given: bool,
    /// Whether it changed anything, or something newer was known.
    pub applied: bool,
    /// How strong it is.
    pub assurance: String,
    /// Who told.
    pub source: String,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// When it was learnt of.
    pub recorded_at: Timestamp,
    /// What came with it, sealed.
    pub metadata: Vec<u8>,
}

/// The newest pieces of evidence about a customer, from the last on; at most `count`.
///
/// # Errors
/// Those of the database.
pub async fn list_evidence(tx: &mut Tx<'_>, last: Uuid, count: i64) -> Result<Vec<Piece>> {
    tx.query(
        "WITH RECURSIVE chain (id, previous, place) AS (\
         SELECT id, previous, CAST(1 AS BIGINT) FROM evidence WHERE id = $1 UNION ALL \
         SELECT e.id, e.previous, c.place + 1 FROM evidence e JOIN chain c ON e.id = c.previous \
         WHERE c.place < $2) \
         SELECT e.id, e.proof, e.status, e.applied, e.assurance, e.source, e.occurred_at, \
         e.recorded_at, e.metadata FROM chain c JOIN evidence e ON e.id = c.id ORDER BY c.place",
        &[last.into(), count.into()],
    )
    .await?
    .iter()
    .map(|row| {
        Ok(Piece {
            id: row.uuid(0, "evidence.id")?,
            proof: row.text(1, "evidence.proof")?,
            given: row.bool(2, "evidence.status")?,
            applied: row.bool(3, "evidence.applied")?,
            assurance: row.text(4, "evidence.assurance")?,
            source: row.text(5, "evidence.source")?,
            occurred_at: row.time(6, "evidence.occurred_at")?,
            recorded_at: row.time(7, "evidence.recorded_at")?,
            metadata: row.bytes(8, "evidence.metadata")?,
        })
    })
    .collect()
}
