//! Mails to customers, into the queue of deliveries.
//!
//! What is enqueued only names the order and the reminder; what the mail says is decided when it is
//! sent, by [`super::letter`]. An order notes when its customer was reminded in the transaction that
//! enqueues the reminder, so that each is enqueued once.

use domain::random::Random;
use domain::seal::DataKey;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::Tx;
use store::tables::orders::Order;
use uuid::Uuid;

use crate::mail;

/// A mail that is to be sent.
#[derive(Clone, Copy)]
pub(super) enum Mail {
    /// The reminder of this instant.
    Reminder(Timestamp),
    /// That the order has expired.
    Expired,
}

/// What waits in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Payload {
    /// The order's row.
    pub order: Uuid,
    /// When the customer was reminded, in microseconds since 1970, as the order's row says it; not
    /// there in a mail that tells of the end.
    pub reminded_at: Option<i64>,
}

impl Mail {
    pub async fn enqueue(
        self,
        tx: &mut Tx<'_>,
        random: &dyn Random,
        order: &Order,
        key: &DataKey,
        now: Timestamp,
    ) -> store::Result<()> {
        let (topic, reminded_at) = match self {
            Self::Reminder(at) => ("order.reminder", Some(at.as_microsecond())),
            Self::Expired => ("order.expired", None),
        };
        let payload = Payload {
            order: order.id,
            reminded_at,
        };
        let payload = serde_json::to_vec(&payload)
            .map_err(|error| store::Error::Refused(error.to_string()))?;
        let mail = mail::Mail {
            company: &order.company_id,
            topic,
            key,
            payload: &payload,
            at: now,
        };
        mail.enqueue(tx, random).await
    }
}
