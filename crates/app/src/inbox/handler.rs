//! What processes the events of one source, and what it may say of one.

use std::fmt;
use std::time::Duration;

use domain::seal::BlindIndex;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use store::Tx;
use store::tables::inbox::{self, Outcome, Status};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::Error;

/// Processes the events of one source.
pub trait Handler: Send + Sync {
    /// Processes an event. It may be given the same one again, after a crash for instance.
    ///
    /// # Errors
    /// What kept it from doing so; the event is then tried again, or parked.
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, Trouble>>;
}

/// An event that is to be processed.
pub struct Event {
    /// Our name for it.
    pub id: Uuid,
    /// Whose it is.
    pub company: String,
    /// What it is about, in the word that it was stored under.
    pub topic: String,
    /// When it came.
    pub received_at: Timestamp,
    /// What it says, byte for byte.
    pub body: Zeroizing<Vec<u8>>,
    /// Marks it as done.
    pub mark: Mark,
}

/// What is in it stays in it.
impl fmt::Debug for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Event({})", self.id)
    }
}

/// Marks an event as done inside the transaction of what it led to.
#[derive(Clone, Debug)]
pub struct Mark {
    pub(super) id: Uuid,
    pub(super) lease: Uuid,
    pub(super) attempts: i64,
    pub(super) step: i64,
}

impl Mark {
    /// Marks it; `false` when the lease has passed to somebody else, who then does the same work:
    /// what was done here is to be undone.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn done(
        &self,
        tx: &mut Tx<'_>,
        word: &str,
        subject: Option<BlindIndex>,
        at: Timestamp,
    ) -> store::Result<bool> {
        let outcome = Outcome {
            id: self.id,
            lease: self.lease,
            status: Status::Done,
            attempts: self.attempts + 1,
            step: self.step,
            due_at: at,
            word,
            subject,
            at,
        };
        inbox::settle(tx, &outcome).await
    }
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handled {
    /// It was processed.
    Done {
        /// How, in one word.
        word: &'static str,
        /// Whom it is about, if that was learnt.
        subject: Option<BlindIndex>,
    },
    /// It is of no interest; what it said is forgotten.
    Ignored(&'static str),
}

impl Handled {
    /// Processed, and it is about nobody we know.
    #[must_use]
    pub const fn done(word: &'static str) -> Self {
        Self::Done {
            word,
            subject: None,
        }
    }
}

/// What kept an event from being processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trouble {
    pub(super) word: &'static str,
    pub(super) remedy: Remedy,
}

/// What may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remedy {
    /// To try again, later and later, but not for ever.
    Again,
    /// To wait: it is not this event's fault.
    Wait(Duration),
    /// Nothing but a person.
    Person,
}

impl Trouble {
    /// Something failed that may work the next time. Too often, and the event is parked.
    #[must_use]
    pub const fn again(word: &'static str) -> Self {
        let remedy = Remedy::Again;
        Self { word, remedy }
    }

    /// Whoever has to be asked wants to be left alone for a while. That brings no event nearer to
    /// being parked.
    #[must_use]
    pub const fn wait(word: &'static str, pause: Duration) -> Self {
        let remedy = Remedy::Wait(pause);
        Self { word, remedy }
    }

    /// Trying again cannot help: the event is parked at once.
    #[must_use]
    pub const fn person(word: &'static str) -> Self {
        let remedy = Remedy::Person;
        Self { word, remedy }
    }

    /// The word it is stored under.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        self.word
    }
}

/// A failed use case. Its cause is for the log.
impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        let (code, cause) = (error.problem().code, error.cause());
        tracing::warn!(code = code.as_str(), cause, "an event cannot be processed");
        Self::again(code.as_str())
    }
}

impl From<store::Error> for Trouble {
    fn from(error: store::Error) -> Self {
        Error::from(error).into()
    }
}
