//! What happened to orders: their timelines.

use jiff::Timestamp;
use uuid::Uuid;

use crate::{Result, Tx};

/// Something that happened to an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderEvent {
    /// Its place in the timeline, from 1 on.
    pub number: i64,
    /// When.
    pub at: Timestamp,
    /// What, in one word.
    pub event: String,
    /// More of it, in words of ours.
    pub detail: Option<String>,
    /// What staff gave as the reason, sealed.
    pub reason: Option<Vec<u8>>,
}

/// Inserts an event. The order is locked, or new.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx<'_>, order: Uuid, event: &OrderEvent) -> Result<()> {
    tx.execute(
        "INSERT INTO order_events (order_row, number, at, event, detail, reason) \
         VALUES ($1, $2, $3, $4, $5, $6)",
        &[
            order.into(),
            event.number.into(),
            event.at.into(),
            event.event.as_str().into(),
            event.detail.as_deref().into(),
            event.reason.as_deref().into(),
        ],
    )
    .await
    .map(drop)
}

/// The timeline of an order, from its beginning.
///
/// # Errors
/// Those of the database.
pub async fn list(tx: &mut Tx<'_>, order: Uuid) -> Result<Vec<OrderEvent>> {
    tx.query(
        "SELECT number, at, event, detail, reason FROM order_events \
         WHERE order_row = $1 ORDER BY number",
        &[order.into()],
    )
    .await?
    .iter()
    .map(|row| {
        Ok(OrderEvent {
            number: row.int(0, "order_events.number")?,
            at: row.time(1, "order_events.at")?,
            event: row.text(2, "order_events.event")?,
            detail: row.find_text(3, "order_events.detail")?,
            reason: row.find_bytes(4, "order_events.reason")?,
        })
    })
    .collect()
}
