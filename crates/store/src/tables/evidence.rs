//! The evidence behind every proof: what kind, how strong, from where, when.
//!
//! A customer's evidence is a chain: the customer names the last piece, each piece
//! the one before it. Rows are written one behind the other, whoever they are about.

use domain::seal::BlindIndex;
use jiff::Timestamp;
use uuid::Uuid;

use crate::{Result, Row, Tx};

/// One piece of evidence.
#[derive(Debug, Clone)]
pub struct Evidence<'a> {
    /// Whose customer.
    pub company_id: &'a str,
    /// Which customer.
    pub email_index: BlindIndex,
    /// Its name; later ones sort behind.
    pub id: Uuid,
    /// The customer's evidence before it.
    pub previous: Option<Uuid>,
    /// What it proves: `veriff`, `membership`, `email_optin`.
    pub proof: &'a str,
    /// Given, or withdrawn.
    pub status: bool,
    /// Whether it changed the customer's standing, or came too late to.
    pub applied: bool,
    /// How strong: `self_declared`, `document`, `provider`.
    pub assurance: &'a str,
    /// Who told us: the credential.
    pub source: &'a str,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// When we learnt of it.
    pub recorded_at: Timestamp,
    /// The request that brought it.
    pub request_id: &'a str,
    /// The person's data key.
    pub data_key: Uuid,
    /// What came with it, sealed.
    pub metadata: &'a [u8],
}

/// Inserts a piece of evidence.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx<'_>, evidence: &Evidence<'_>) -> Result<()> {
    tx.execute(
        "INSERT INTO evidence (company_id, email_index, id, previous, proof, status, applied, assurance, \
         source, occurred_at, recorded_at, request_id, data_key, metadata) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        &[
            evidence.company_id.into(),
            evidence.email_index.as_bytes().into(),
            evidence.id.into(),
            evidence.previous.into(),
            evidence.proof.into(),
            evidence.status.into(),
            evidence.applied.into(),
            evidence.assurance.into(),
            evidence.source.into(),
            evidence.occurred_at.into(),
            evidence.recorded_at.into(),
            evidence.request_id.into(),
            evidence.data_key.into(),
            evidence.metadata.into(),
        ],
    )
    .await
    .map(drop)
}

/// What a piece of evidence says of a proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// What it proves.
    pub proof: String,
    /// Given, or withdrawn.
    pub status: bool,
    /// Who told us: the credential.
    pub source: String,
    /// When it happened.
    pub occurred_at: Timestamp,
}

/// What a customer's evidence says, the newest piece (`last`) first.
///
/// # Errors
/// Those of the database.
pub async fn list_back_from(tx: &mut Tx<'_>, last: Uuid) -> Result<Vec<Said>> {
    let rows = tx
        .query(
            "WITH RECURSIVE chain (number, previous, proof, status, source, occurred_at) AS (\
             SELECT 0, previous, proof, status, source, occurred_at FROM evidence WHERE id = $1 \
             UNION ALL SELECT chain.number + 1, e.previous, e.proof, e.status, e.source, \
             e.occurred_at FROM evidence e JOIN chain ON e.id = chain.previous) \
             SELECT proof, status, source, occurred_at FROM chain ORDER BY number",
            &[last.into()],
        )
        .await?;
    let said = |row: &Row| {
        Ok(Said {
            proof: row.text(0, "evidence.proof")?,
            status: row.bool(1, "evidence.status")?,
            source: row.text(2, "evidence.source")?,
            occurred_at: row.time(3, "evidence.occurred_at")?,
        })
    };
    rows.iter().map(said).collect()
}
