//! How a webhook leaves: one attempt to hand one message to its receiver.
//!
//! Guarantees of every sender: it always answers, within a bounded time, whatever the receiver does;
//! it sends the body byte for byte, as that is what was signed.
//! Must not: try again, or remember anything of a receiver.

use std::fmt;
use std::time::Duration;

use domain::delivery::Outcome;
use futures_util::future::BoxFuture;
use jiff::Timestamp;

/// A signed message.
pub struct Message {
    /// Where it goes.
    pub url: String,
    /// `webhook-id`: the same in every attempt.
    pub id: String,
    /// `webhook-timestamp`: when this attempt is made.
    pub at: Timestamp,
    /// `webhook-signature`, over the three others; empty for a body that is signed itself.
    pub signature: String,
    /// The JSON to send.
    pub body: Vec<u8>,
}

/// Shows the id alone: the body may speak of a person, and a URL may hold a secret.
impl fmt::Debug for Message {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Message({})", self.id)
    }
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// How it ended.
    pub outcome: Outcome,
    /// How long the receiver wants to be left alone, if it said so.
    pub retry_after: Option<Duration>,
}

impl Answer {
    /// An outcome without a wish.
    #[must_use]
    pub const fn of(outcome: Outcome) -> Self {
        Self {
            outcome,
            retry_after: None,
        }
    }
}

/// Hands messages to their receivers.
pub trait Sender: Send + Sync {
    /// Makes one attempt.
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Answer>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_neither_body_nor_receiver() {
        let message = Message {
            url: "https://shop.example/hooks?key=sesame".to_owned(),
            id: "msg_1".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            signature: "v1,c2lnbmF0dXJl".to_owned(),
            body: b"+15550100".to_vec(),
        };
        assert_eq!(format!("{message:?}"), "Message(msg_1)");
    }
}
