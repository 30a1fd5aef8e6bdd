//! Mails to customers, into the queue of deliveries.
//!
//! What is enqueued only names the order and the step; what the mail says is decided when it is
//! sent, by [`super::letter`]. An order counts its steps in the transaction that enqueues one, so
//! that each is enqueued once.

use domain::random::Random;
use domain::seal::DataKey;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::Tx;
use store::tables::orders::Order;
use uuid::Uuid;

use crate::mail;

/// A mail that is to be sent.
pub(super) struct Mail {
    /// `order.reminder`, or `order.expired`.
    pub topic: &'static str,
    /// Which step of the schedule it is; behind the last reminder stands the mail at the deadline.
    pub step: u32,
}

/// What waits in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Payload {
    /// The order's row.
    pub order: Uuid,
    /// Which step.
    pub step: u32,
}

impl Mail {
    pub async fn enqueue(
        &self,
        tx: &mut Tx<'_>,
        random: &dyn Random,
        order: &Order,
        key: &DataKey,
        now: Timestamp,
    ) -> store::Result<()> {
        let payload = Payload {
            order: order.id,
            step: self.step,
        };
        let payload = serde_json::to_vec(&payload)
            .map_err(|error| store::Error::Refused(error.to_string()))?;
        let mail = mail::Mail {
            company: &order.company_id,
            topic: self.topic,
            key,
            payload: &payload,
            at: now,
        };
        mail.enqueue(tx, random).await
    }
}
