//! The ways out: what the worker asks of each, whatever it carries and to whom.
//!
//! The worker claims, leases, spaces and notes; a channel knows how one company's deliveries are
//! sent and what came of it. A delivery names its channel before the colon of its receiver, as in
//! `webhook:acme`. Guarantees: what waits for a channel that this process does not have is not
//! claimed, so that processes of different configuration share one queue.
//! Must not: try again by itself, or keep anything between two attempts that another process would
//! need to know.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::audit::Record;
use domain::seal::{KeyRing, SealError};
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use store::tables::deliveries::Claimed;
use store::{Lane, Tx};
use uuid::Uuid;
use zeroize::Zeroizing;

pub use super::lines::Fared;
use super::place;
use crate::Result;

/// One way out.
pub trait Channel: Send + Sync {
    /// Looks how a company's deliveries are sent now. It is asked anew for every claim.
    ///
    /// # Errors
    /// When that cannot be found out. What was claimed is due again when its lease ends.
    fn open<'a>(&'a self, company: &'a str, now: Timestamp)
    -> BoxFuture<'a, Result<Arc<dyn Line>>>;
}

/// How the deliveries of one company are sent, as it was when they were claimed.
pub trait Line: Send + Sync {
    /// Makes one attempt, within the time that an attempt may take; no transaction is open.
    fn send<'a>(&'a self, parcel: &'a Parcel) -> BoxFuture<'a, Sent>;
}

/// A claimed delivery on its way through a channel.
pub struct Parcel {
    pub(super) delivery: Claimed,
    pub(super) key_ring: Arc<KeyRing>,
    /// The longest between two attempts at a receiver, while anything is tried again there.
    pub(super) longest_silence: SignedDuration,
    /// When this attempt begins.
    pub at: Timestamp,
}

impl Parcel {
    /// Its name, the same in every attempt.
    #[must_use]
    pub const fn id(&self) -> Uuid {
        self.delivery.id
    }

    /// Whose it is.
    #[must_use]
    pub fn company(&self) -> &str {
        &self.delivery.company_id
    }

    /// What it is about.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.delivery.topic
    }

    /// Opens what is in it.
    ///
    /// # Errors
    /// [`Unopened`].
    pub fn open(&self) -> std::result::Result<Zeroizing<Vec<u8>>, Unopened> {
        let wrapped = self.delivery.data_key.as_ref();
        let wrapped = wrapped.ok_or(Unopened::ForGood("erased"))?;
        self.key_ring
            .unwrap(wrapped)
            .and_then(|key| key.open(place(&self.delivery.id), &self.delivery.payload))
            .map_err(|error| match error {
                SealError::UnknownMasterKey => Unopened::Here,
                _ => Unopened::ForGood("unreadable"),
            })
    }
}

/// Why a parcel is not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unopened {
    /// It never can be: whom it is about was erased, or it was moved or changed. The word for it.
    ForGood(&'static str),
    /// This process lacks the master key. They are rotated one process after the other, so another has
    /// it, or this one once it was restarted.
    Here,
}

impl From<Unopened> for Sent {
    fn from(unopened: Unopened) -> Self {
        match unopened {
            Unopened::ForGood(word) => Self::Withheld(word),
            Unopened::Here => Self::Left,
        }
    }
}

/// What a channel did with a parcel.
pub enum Sent {
    /// Nothing, for good: there is nothing to send, or nobody to send it to. The word says why.
    Withheld(&'static str),
    /// Nothing yet: what is to be sent could not be found out. It is due again when its lease ends.
    Left,
    /// An attempt was made.
    Tried(Tried),
}

/// How an attempt went.
pub struct Tried {
    /// The word it is stored and listed under, which must not change.
    pub word: &'static str,
    /// The number that the receiver answered, if its protocol has such numbers.
    pub status: Option<u16>,
    /// What becomes of the delivery.
    pub fate: Fate,
    /// What it tells of the whole line.
    pub line: Fared,
    /// What else is to be written down with it.
    pub note: Option<Arc<dyn Note>>,
}

/// What becomes of a delivery after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was delivered.
    Delivered,
    /// It failed for now; the receiver may want to be left alone for a while.
    Again(Option<Duration>),
    /// It failed for good.
    Never,
}

/// What an attempt tells beyond its delivery, written in the transaction that notes the attempt.
pub trait Note: Send + Sync {
    /// Whose rows it touches.
    fn lane(&self) -> Lane;

    /// Writes it; returns the audit record of a change, if there was one.
    ///
    /// # Errors
    /// Those of the database.
    fn write<'a>(
        &'a self,
        tx: &'a mut Tx<'_>,
        at: Timestamp,
        request_id: &'a str,
    ) -> BoxFuture<'a, store::Result<Option<Record>>>;
}

/// The channels that a process has, by their names.
#[derive(Clone, Default)]
pub struct Channels(BTreeMap<&'static str, Arc<dyn Channel>>);

impl Channels {
    /// These and one more.
    #[must_use]
    pub fn with(mut self, name: &'static str, channel: impl Channel + 'static) -> Self {
        self.0.insert(name, Arc::new(channel));
        self
    }

    /// The channel of a receiver and the company whose line it is; `None` when this process does
    /// not have it.
    pub(super) fn of<'r>(&self, receiver: &'r str) -> Option<(&Arc<dyn Channel>, &'r str)> {
        let (name, company) = receiver.split_once(':')?;
        Some((self.0.get(name)?, company))
    }
}

/// In whose line a company's deliveries over a channel wait.
pub(crate) fn receiver(channel: &str, company: &str) -> String {
    format!("{channel}:{company}")
}
