//! Checkpoints on their way out of the house: what is told of one, and the channel that tells it.
//!
//! Guarantees: each checkpoint made while somebody is to be told is enqueued in the transaction that
//! stores it, and delivered at least once, in the order of the numbers as long as attempts succeed.
//! Nothing of it is secret, and its own signature says whose it is: it needs no other.

use std::sync::Arc;

use domain::audit::PublicKey;
use domain::delivery::LONGEST_WISH;
use domain::random::Random;
use domain::seal::DataKey;
use domain::webhook;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use store::tables::audit_checkpoints::{self, Signed};
use store::tables::{deliveries, signing_keys};
use store::{Store, Tx};

use crate::Result;
use crate::deliveries::channel::{Channel, Fared, Fate, Line, Parcel, Sent, Tried};
use crate::deliveries::{Message, Outgoing, Sealed, Sender};
use crate::people::sealing;

/// The name of the channel.
pub const CHECKPOINT: &str = "checkpoint";

/// Checkpoints are about all companies; their deliveries stand with the one that always exists.
pub(super) const COMPANY: &str = "default";

/// A checkpoint as the world may know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Its number.
    pub number: i64,
    /// When it was made.
    pub at: Timestamp,
    /// The signed text.
    pub statement: String,
    /// The signature.
    pub signature: Vec<u8>,
    /// The key that signed.
    pub public_key: PublicKey,
}

/// Puts a checkpoint into the form in which it is sent.
pub type Announce = fn(&Published) -> Vec<u8>;

impl Published {
    pub(super) fn of(signed: &Signed, public_key: PublicKey) -> Self {
        Self {
            number: signed.checkpoint.number,
            at: signed.checkpoint.at,
            statement: signed.checkpoint.statement(),
            signature: signed.signature.clone(),
            public_key,
        }
    }
}

/// Up to `limit` checkpoints after number `after`, in order.
///
/// # Errors
/// When the database is away, or one of them cannot be read.
pub async fn published(store: &Store, after: i64, limit: i64) -> Result<Vec<Published>> {
    let read = store.read(move |mut tx| {
        async move {
            let page = audit_checkpoints::list(&mut tx, after, limit).await?;
            // After the checkpoints, so that none of them is without its key.
            Ok((page, signing_keys::list(&mut tx).await?))
        }
        .boxed()
    });
    let (page, keys) = read.await?;
    let published = page.into_iter().map(|(_, signed)| {
        let signed = signed?;
        let key = keys.iter().find(|key| key.wrapped.id == signed.signing_key);
        let key = key.ok_or_else(|| store::Error::Corrupt {
            place: "audit_checkpoints.signing_key".into(),
            problem: "unknown".into(),
        })?;
        Ok(Published::of(&signed, PublicKey(key.public_key.clone())))
    });
    published.collect()
}

/// Enqueues a checkpoint, in the transaction that stores it.
pub(super) async fn enqueue(
    tx: &mut Tx<'_>,
    random: &dyn Random,
    key: &DataKey,
    body: &[u8],
    at: Timestamp,
) -> store::Result<()> {
    let outgoing = Outgoing {
        channel: CHECKPOINT,
        company: COMPANY,
        topic: "audit.checkpoint",
        stream: Some(CHECKPOINT.as_bytes()),
        key,
        body,
        at,
    };
    let sealed = Sealed::new(random, &outgoing).map_err(sealing)?;
    deliveries::insert(tx, CHECKPOINT, &sealed.row()).await
}

/// Tells checkpoints to one address.
#[derive(Clone)]
pub struct Announcements {
    url: Arc<str>,
    sender: Arc<dyn Sender>,
}

impl Announcements {
    /// To this address, over a sender.
    pub fn new(url: &str, sender: Arc<dyn Sender>) -> Self {
        Self {
            url: url.into(),
            sender,
        }
    }
}

impl Channel for Announcements {
    fn open<'a>(
        &'a self,
        _company: &'a str,
        _now: Timestamp,
    ) -> BoxFuture<'a, Result<Arc<dyn Line>>> {
        let line: Arc<dyn Line> = Arc::new(self.clone());
        std::future::ready(Ok(line)).boxed()
    }
}

impl Line for Announcements {
    fn send<'a>(&'a self, parcel: &'a Parcel) -> BoxFuture<'a, Sent> {
        async move {
            let body = match parcel.open() {
                Ok(body) => body,
                Err(unopened) => return unopened.into(),
            };
            let message = Message {
                url: self.url.to_string(),
                id: webhook::message_id(parcel.id()),
                at: parcel.at,
                signature: String::new(),
                body: body.to_vec(),
            };
            let answer = self.sender.send(&message).await;
            let wish = answer.retry_after.map(|wish| wish.min(LONGEST_WISH));
            let delivered = answer.outcome.is_delivered();
            Sent::Tried(Tried {
                word: answer.outcome.word(),
                status: answer.outcome.status(),
                fate: match delivered {
                    true => Fate::Delivered,
                    false => Fate::Again(wish),
                },
                line: match delivered {
                    true => Fared::Well,
                    false => {
                        Fared::Badly(wish.and_then(|wish| SignedDuration::try_from(wish).ok()))
                    }
                },
                note: None,
            })
        }
        .boxed()
    }
}
