//! Into the queue, and the bell that tells the worker of the same process.

use domain::random::{Random, uuid_v7};
use domain::seal::DataKey;
use jiff::Timestamp;
use store::Tx;
use store::tables::deliveries::{self, NewDelivery};
use tokio::sync::Notify;

use super::place;
use crate::people::sealing;

/// Rings when something was enqueued here. What other instances enqueue, and what becomes due
/// again, is found by looking.
#[derive(Default)]
pub struct Outbox(Notify);

impl Outbox {
    /// Says that something is due.
    pub fn wake(&self) {
        self.0.notify_one();
    }

    /// Waits until somebody says so.
    pub(super) async fn woken(&self) {
        self.0.notified().await;
    }
}

/// A message to a company's webhook.
pub(crate) struct Outgoing<'a> {
    /// Whose webhook.
    pub company: &'a str,
    /// What it is about: `verification.verified`.
    pub topic: &'a str,
    /// Messages of one stream arrive in the order in which they were enqueued.
    pub stream: &'a [u8],
    /// The key of whom it is about: without it the message cannot be read.
    pub key: &'a DataKey,
    /// The message.
    pub body: &'a [u8],
    /// Now.
    pub at: Timestamp,
}

/// Enqueues a message, if the company has a webhook. [`Outbox::wake`] is to be called once the
/// transaction is committed.
///
/// # Errors
/// Those of the database.
pub(crate) async fn enqueue(
    tx: &mut Tx<'_>,
    random: &dyn Random,
    outgoing: &Outgoing<'_>,
) -> store::Result<()> {
    let id = uuid_v7(outgoing.at, random);
    let payload = outgoing
        .key
        .seal(place(&id), outgoing.body, random)
        .map_err(sealing)?;
    let delivery = NewDelivery {
        id,
        company_id: outgoing.company,
        topic: outgoing.topic,
        receiver: &receiver(outgoing.company),
        stream: outgoing.stream,
        data_key: outgoing.key.id(),
        payload: &payload,
        at: outgoing.at,
    };
    deliveries::insert_webhook(tx, &delivery).await.map(drop)
}

/// In whose line a company's webhooks wait.
fn receiver(company: &str) -> String {
    format!("webhook:{company}")
}

/// The company in whose line they wait.
pub(super) fn company_of(receiver: &str) -> Option<&str> {
    receiver.strip_prefix("webhook:")
}
