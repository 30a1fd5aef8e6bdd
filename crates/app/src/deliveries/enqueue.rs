//! Into the queue, and the bell that tells the worker of the same process.

use domain::random::{Random, uuid_v7};
use domain::seal::{DataKey, SealError};
use jiff::Timestamp;
use store::tables::deliveries::NewDelivery;
use tokio::sync::Notify;
use uuid::Uuid;

use super::channel::receiver;
use super::place;

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

/// A message that is to leave.
pub(crate) struct Outgoing<'a> {
    /// The name of the channel that it leaves by.
    pub channel: &'static str,
    /// Whose it is.
    pub company: &'a str,
    /// What it is about: `verification.verified`.
    pub topic: &'a str,
    /// Messages of one stream arrive in the order in which they were enqueued; one of none waits for
    /// no other.
    pub stream: Option<&'a [u8]>,
    /// The key of whom it is about: without it the message cannot be read.
    pub key: &'a DataKey,
    /// The message.
    pub body: &'a [u8],
    /// Now.
    pub at: Timestamp,
}

/// A message with everything that its row needs.
pub(crate) struct Sealed<'a> {
    id: Uuid,
    outgoing: &'a Outgoing<'a>,
    receiver: String,
    payload: Vec<u8>,
}

impl<'a> Sealed<'a> {
    /// Seals a message.
    pub fn new(random: &dyn Random, outgoing: &'a Outgoing<'a>) -> Result<Self, SealError> {
        let id = uuid_v7(outgoing.at, random);
        Ok(Self {
            id,
            receiver: receiver(outgoing.channel, outgoing.company),
            payload: outgoing.key.seal(place(&id), outgoing.body, random)?,
            outgoing,
        })
    }

    /// The row. Once its transaction is committed, [`Outbox::wake`] is to be called.
    pub fn row(&self) -> NewDelivery<'_> {
        NewDelivery {
            id: self.id,
            company_id: self.outgoing.company,
            topic: self.outgoing.topic,
            receiver: &self.receiver,
            stream: self.outgoing.stream.unwrap_or(self.id.as_bytes()),
            data_key: self.outgoing.key.id(),
            payload: &self.payload,
            at: self.outgoing.at,
        }
    }
}
