//! Orders whose customer wants no more reminders.
//!
//! A row may come before its order's, or without one: whoever asks to be left alone is, and learns
//! nothing by asking.

use jiff::Timestamp;
use uuid::Uuid;

use crate::{Result, Tx};

/// Stops the reminders of an order; `false` when they were stopped already.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx<'_>, company_id: &str, order: Uuid, at: Timestamp) -> Result<bool> {
    let inserted = tx
        .execute(
            "INSERT INTO mail_stops (company_id, order_id, stopped_at) VALUES ($1, $2, $3) \
             ON CONFLICT (company_id, order_id) DO NOTHING",
            &[company_id.into(), order.into(), at.into()],
        )
        .await?;
    Ok(inserted == 1)
}

/// Whether the reminders of an order are stopped.
///
/// # Errors
/// Those of the database.
pub async fn holds(tx: &mut Tx<'_>, company_id: &str, order: Uuid) -> Result<bool> {
    let row = tx
        .find(
            "SELECT 1 FROM mail_stops WHERE company_id = $1 AND order_id = $2",
            &[company_id.into(), order.into()],
        )
        .await?;
    Ok(row.is_some())
}
