//! The keys that sign checkpoints, wrapped by a master key.

use domain::seal::WrappedKey;
use jiff::Timestamp;

use crate::{Result, Tx};

/// A signing key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// The Ed25519 public key.
    pub public_key: Vec<u8>,
    /// The wrapped seed, and the key's name.
    pub wrapped: WrappedKey,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Inserts a key.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx<'_>, key: &SigningKey) -> Result<()> {
    tx.execute(
        "INSERT INTO signing_keys (id, public_key, master_key, wrapped, created_at) \
         VALUES ($1, $2, $3, $4, $5)",
        &[
            key.wrapped.id.into(),
            (&key.public_key).into(),
            (&key.wrapped.master_key).into(),
            (&key.wrapped.wrapped).into(),
            key.created_at.into(),
        ],
    )
    .await
    .map(drop)
}

/// All keys, newest first.
///
/// # Errors
/// Those of the database.
pub async fn list(tx: &mut Tx<'_>) -> Result<Vec<SigningKey>> {
    tx.query(
        "SELECT public_key, created_at, id, master_key, wrapped FROM signing_keys \
         ORDER BY created_at DESC, id DESC",
        &[],
    )
    .await?
    .iter()
    .map(|row| {
        Ok(SigningKey {
            public_key: row.bytes(0, "signing_keys.public_key")?,
            created_at: row.time(1, "signing_keys.created_at")?,
            wrapped: super::data_keys::from_row_at(row, 2)?,
        })
    })
    .collect()
}
