//! The membership agreements that customers have signed: each text once, by its version.

use domain::agreement::Agreement;
use jiff::Timestamp;

use crate::{Result, Tx};

/// Keeps the text of an agreement that is being signed; kept before, it stays.
///
/// # Errors
/// Those of the database.
pub async fn keep(
    tx: &mut Tx<'_>,
    company_id: &str,
    agreement: &Agreement,
    at: Timestamp,
) -> Result<()> {
    tx.execute(
        "INSERT INTO agreements (company_id, version, text, first_signed_at) \
         VALUES ($1, $2, $3, $4) ON CONFLICT (company_id, version) DO NOTHING",
        &[
            company_id.into(),
            agreement.version().into(),
            agreement.text().into(),
            at.into(),
        ],
    )
    .await
    .map(drop)
}
