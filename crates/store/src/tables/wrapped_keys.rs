//! Every key that lies under a master key, whatever it is for: data keys and signing keys.
//!
//! Guarantees: a key is wrapped anew only if it still is what was read; one that was destroyed
//! meanwhile stays destroyed.

use domain::seal::WrappedKey;
use uuid::Uuid;

use super::data_keys::from_row;
use crate::{Result, Tx};

/// Where wrapped keys lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Under which everything of a person, a company or a day is sealed.
    DataKeys,
    /// Which sign checkpoints.
    SigningKeys,
}

impl Kept {
    /// All places.
    pub const ALL: [Self; 2] = [Self::DataKeys, Self::SigningKeys];
}

/// A key as it was read, and the same key under another master key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrapped {
    /// The sealed bytes that were read.
    pub before: Vec<u8>,
    /// What is to stand there.
    pub after: WrappedKey,
}

/// How many keys are not under this master key.
///
/// # Errors
/// Those of the database.
pub async fn count_others(tx: &mut Tx<'_>, kept: Kept, master_key: &str) -> Result<i64> {
    let sql = match kept {
        Kept::DataKeys => "SELECT COUNT(*) FROM data_keys WHERE master_key <> $1",
        Kept::SigningKeys => "SELECT COUNT(*) FROM signing_keys WHERE master_key <> $1",
    };
    tx.find(sql, &[master_key.into()])
        .await?
        .map_or(Ok(0), |row| row.int(0, "data_keys.id"))
}

/// Up to `limit` keys that are not under this master key, with names after `after`, in their order.
///
/// # Errors
/// Those of the database.
pub async fn list_others(
    tx: &mut Tx<'_>,
    kept: Kept,
    master_key: &str,
    after: Uuid,
    limit: i64,
) -> Result<Vec<WrappedKey>> {
    let sql = match kept {
        Kept::DataKeys => {
            "SELECT id, master_key, wrapped FROM data_keys \
             WHERE id > $1 AND master_key <> $2 ORDER BY id LIMIT $3"
        }
        Kept::SigningKeys => {
            "SELECT id, master_key, wrapped FROM signing_keys \
             WHERE id > $1 AND master_key <> $2 ORDER BY id LIMIT $3"
        }
    };
    tx.query(sql, &[after.into(), master_key.into(), limit.into()])
        .await?
        .iter()
        .map(from_row)
        .collect()
}

/// Puts keys under another master key; returns how many were still as they had been read.
///
/// # Errors
/// Those of the database.
pub async fn rewrap(tx: &mut Tx<'_>, kept: Kept, keys: &[Rewrapped]) -> Result<u64> {
    match tx {
        Tx::Sqlite(connection) => {
            let sql = match kept {
                Kept::DataKeys => {
                    "UPDATE data_keys SET master_key = $1, wrapped = $2 \
                     WHERE id = $3 AND wrapped = $4"
                }
                Kept::SigningKeys => {
                    "UPDATE signing_keys SET master_key = $1, wrapped = $2 \
                     WHERE id = $3 AND wrapped = $4"
                }
            };
            let mut rewrapped = 0;
            for Rewrapped { before, after } in keys {
                let values = [
                    (&after.master_key).into(),
                    (&after.wrapped).into(),
                    after.id.into(),
                    before.into(),
                ];
                rewrapped += connection.execute(sql, &values)?;
            }
            Ok(rewrapped)
        }
        Tx::Postgres(connection) => {
            let sql = match kept {
                Kept::DataKeys => {
                    "UPDATE data_keys AS k SET master_key = n.master_key, wrapped = n.wrapped \
                     FROM UNNEST($1::uuid[], $2::text[], $3::bytea[], $4::bytea[]) \
                     AS n(id, master_key, wrapped, before) \
                     WHERE k.id = n.id AND k.wrapped = n.before"
                }
                Kept::SigningKeys => {
                    "UPDATE signing_keys AS k SET master_key = n.master_key, wrapped = n.wrapped \
                     FROM UNNEST($1::uuid[], $2::text[], $3::bytea[], $4::bytea[]) \
                     AS n(id, master_key, wrapped, before) \
                     WHERE k.id = n.id AND k.wrapped = n.before"
                }
            };
            let ids: Vec<Uuid> = keys.iter().map(|key| key.after.id).collect();
            let masters: Vec<&str> = keys
                .iter()
                .map(|key| key.after.master_key.as_str())
                .collect();
            let wrapped: Vec<&[u8]> = keys
                .iter()
                .map(|key| key.after.wrapped.as_slice())
                .collect();
            let before: Vec<&[u8]> = keys.iter().map(|key| key.before.as_slice()).collect();
            connection
                .execute_native(sql, &[&ids, &masters, &wrapped, &before])
                .await
        }
    }
}
