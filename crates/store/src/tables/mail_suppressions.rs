//! Addresses that refused a mail, and are left alone for a while.
//!
//! They stand here as blind indexes, each until an end of its own.

use domain::seal::BlindIndex;
use jiff::Timestamp;

use crate::{Result, Tx};

/// Leaves an address alone until `ends_at`; what was noted of it before is replaced.
///
/// # Errors
/// Those of the database.
pub async fn upsert(
    tx: &mut Tx<'_>,
    company_id: &str,
    address: &BlindIndex,
    ends_at: Timestamp,
) -> Result<()> {
    tx.execute(
        "INSERT INTO mail_suppressions (company_id, address_index, ends_at) VALUES ($1, $2, $3) \
         ON CONFLICT (company_id, address_index) DO UPDATE SET ends_at = excluded.ends_at",
        &[
            company_id.into(),
            address.as_bytes().as_slice().into(),
            ends_at.into(),
        ],
    )
    .await
    .map(drop)
}

/// Whether an address is left alone now.
///
/// # Errors
/// Those of the database.
pub async fn holds(
    tx: &mut Tx<'_>,
    company_id: &str,
    address: &BlindIndex,
    now: Timestamp,
) -> Result<bool> {
    let row = tx
        .find(
            "SELECT 1 FROM mail_suppressions \
             WHERE company_id = $1 AND address_index = $2 AND ends_at > $3",
            &[
                company_id.into(),
                address.as_bytes().as_slice().into(),
                now.into(),
            ],
        )
        .await?;
    Ok(row.is_some())
}

/// Deletes what is over; returns how much that was.
///
/// # Errors
/// Those of the database.
pub async fn delete_ended(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64> {
    tx.execute(
        "DELETE FROM mail_suppressions WHERE ends_at <= $1",
        &[now.into()],
    )
    .await
}
