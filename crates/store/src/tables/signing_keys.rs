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
    /// When it was made: at the time of the checkpoint that it was stored with.
    pub created_at: Timestamp,
    /// The first checkpoint that it signs: 1, or the one after that which named it.
    pub first_checkpoint: i64,
}

/// Inserts a key.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx<'_>, key: &SigningKey) -> Result<()> {
    tx.execute(
        "INSERT INTO signing_keys \
         (id, public_key, master_key, wrapped, created_at, first_checkpoint) \
         VALUES ($1, $2, $3, $4, $5, $6)",
        &[
            key.wrapped.id.into(),
            (&key.public_key).into(),
            (&key.wrapped.master_key).into(),
            (&key.wrapped.wrapped).into(),
            key.created_at.into(),
            key.first_checkpoint.into(),
        ],
    )
    .await
    .map(drop)
}

/// All keys; the one that signs now first.
///
/// # Errors
/// Those of the database.
pub async fn list(tx: &mut Tx<'_>) -> Result<Vec<SigningKey>> {
    tx.query(
        "SELECT public_key, created_at, id, master_key, wrapped, first_checkpoint \
         FROM signing_keys ORDER BY first_checkpoint DESC, id DESC",
        &[],
    )
    .await?
    .iter()
    .map(|row| {
        Ok(SigningKey {
            public_key: row.bytes(0, "signing_keys.public_key")?,
            created_at: row.time(1, "signing_keys.created_at")?,
            wrapped: super::data_keys::from_row_at(row, 2)?,
            first_checkpoint: row.int(5, "signing_keys.first_checkpoint")?,
        })
    })
    .collect()
}
