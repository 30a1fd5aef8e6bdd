//! Webhook secrets, sealed under their company's data key. During a rotation two
//! are valid.

use jiff::Timestamp;
use uuid::Uuid;

use crate::{Result, Tx};

/// A sealed secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSecret {
    /// Its name.
    pub id: Uuid,
    /// Whose it is.
    pub company_id: String,
    /// The data key it is sealed under.
    pub data_key: Uuid,
    /// The sealed secret.
    pub secret: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it signs, once another has taken its place.
    pub expires_at: Option<Timestamp>,
}

/// Inserts a secret.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx<'_>, secret: &WebhookSecret) -> Result<()> {
    tx.execute(
        "INSERT INTO webhook_secrets (id, company_id, data_key, secret, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6)",
        &[
            secret.id.into(),
            (&secret.company_id).into(),
            secret.data_key.into(),
            (&secret.secret).into(),
            secret.created_at.into(),
            secret.expires_at.into(),
        ],
    )
    .await
    .map(drop)
}

/// Lets every secret of a company that has no end yet end at `at`.
///
/// # Errors
/// Those of the database.
pub async fn expire_all(tx: &mut Tx<'_>, company_id: &str, at: Timestamp) -> Result<u64> {
    tx.execute(
        "UPDATE webhook_secrets SET expires_at = $2 WHERE company_id = $1 AND expires_at IS NULL",
        &[company_id.into(), at.into()],
    )
    .await
}
