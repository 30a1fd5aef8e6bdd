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

/// Lets the secret of a company that has no end yet end at `at`, and those before it now: beside the next
/// one only the last signs.
///
/// # Errors
/// Those of the database.
pub async fn expire_all(
    tx: &mut Tx<'_>,
    company_id: &str,
    at: Timestamp,
    now: Timestamp,
) -> Result<u64> {
    tx.execute(
        "UPDATE webhook_secrets SET expires_at = CASE WHEN expires_at IS NULL THEN $2 ELSE $3 END \
         WHERE company_id = $1 AND (expires_at IS NULL OR expires_at > $3)",
        &[company_id.into(), at.into(), now.into()],
    )
    .await
}

/// The secrets that sign for a company now, the newest first.
///
/// # Errors
/// Those of the database.
pub async fn list_valid(
    tx: &mut Tx<'_>,
    company_id: &str,
    now: Timestamp,
) -> Result<Vec<WebhookSecret>> {
    tx.query(
        "SELECT id, company_id, data_key, secret, created_at, expires_at FROM webhook_secrets \
         WHERE company_id = $1 AND (expires_at IS NULL OR expires_at > $2) \
         ORDER BY created_at DESC, id DESC",
        &[company_id.into(), now.into()],
    )
    .await?
    .iter()
    .map(|row| {
        Ok(WebhookSecret {
            id: row.uuid(0, "webhook_secrets.id")?,
            company_id: row.text(1, "webhook_secrets.company_id")?,
            data_key: row.uuid(2, "webhook_secrets.data_key")?,
            secret: row.bytes(3, "webhook_secrets.secret")?,
            created_at: row.time(4, "webhook_secrets.created_at")?,
            expires_at: row.find_time(5, "webhook_secrets.expires_at")?,
        })
    })
    .collect()
}
