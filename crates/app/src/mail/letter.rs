//! What a mail says and who brings it: the ports of this channel.

use std::fmt;

use domain::contact::Email;
use domain::mail::Outcome;
use domain::standing::Proof;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::Result;

/// What a mail is about, as it is at the moment of sending.
pub struct Notice {
    /// Who is told.
    pub to: Email,
    /// The name of the company, for people.
    pub company_name: String,
    /// Our name of the order.
    pub order: Uuid,
    /// The shop's name of it.
    pub order_id: String,
    /// Which mail it is.
    pub occasion: Occasion,
    /// What is missing, in the order in which it is shown.
    pub missing: Vec<Proof>,
    /// Until when the order is held.
    pub deadline: Timestamp,
}

/// Shows our name of the order alone.
impl fmt::Debug for Notice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Notice({}, {:?})", self.order, self.occasion)
    }
}

/// Which of the mails about an order it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// The first reminder.
    First,
    /// One in between.
    Between,
    /// The last before the deadline.
    Last,
    /// The deadline has passed.
    Expired,
}

impl Occasion {
    /// The reminder of that number, from 0, of so many. An only one is the first.
    #[must_use]
    pub const fn of_reminder(number: u32, count: u32) -> Self {
        match number {
            0 => Self::First,
            number if number.saturating_add(1) >= count => Self::Last,
            _ => Self::Between,
        }
    }

    /// Whether whoever stopped the reminders is spared it; that an order was given up is told once
    /// all the same.
    #[must_use]
    pub const fn is_reminder(self) -> bool {
        !matches!(self, Self::Expired)
    }

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Between => "between",
            Self::Last => "last",
            Self::Expired => "expired",
        }
    }
}

/// What was found at the moment of sending.
#[derive(Debug)]
pub enum Found {
    /// There is something to say.
    Notice(Box<Notice>),
    /// There is nothing to say any more. The word is kept with the delivery and must not change.
    Nothing(&'static str),
}

/// Looks up what a mail has to say.
pub trait Letters: Send + Sync {
    /// What is to be said now for a delivery of this company, topic and payload.
    ///
    /// # Errors
    /// When it cannot be found out; it is asked again later.
    fn look_up<'a>(
        &'a self,
        company: &'a str,
        topic: &'a str,
        payload: &'a [u8],
    ) -> BoxFuture<'a, Result<Found>>;
}

/// The links of a mail. They are credentials: whoever has them acts for the customer.
pub struct Links {
    /// Opens the customer's page.
    pub verify: Zeroizing<String>,
    /// Stops the reminders.
    pub stop: Zeroizing<String>,
}

/// A mail's words.
pub struct Content {
    /// Its subject, one line.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

/// Puts a notice into words, as of now. It fails only by a fault of ours.
pub type Render = fn(&Notice, &Links, Timestamp) -> std::result::Result<Content, String>;

/// A mail.
pub struct Letter {
    /// Its name, the same in every attempt; the `Message-ID` is made of it.
    pub id: Uuid,
    /// Now.
    pub at: Timestamp,
    /// Who gets it.
    pub to: Email,
    /// Which mail about its order it is.
    pub occasion: Occasion,
    /// What it says.
    pub content: Content,
    /// Its links.
    pub links: Links,
}

/// Shows the id alone: everything else is personal or a credential.
impl fmt::Debug for Letter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Letter({})", self.id)
    }
}

/// Brings mails to a mail server.
///
/// Guarantees of every mailer: it always answers, within a bounded time. It must not try again.
pub trait Mailer: Send + Sync {
    /// Makes one attempt.
    fn send<'a>(&'a self, letter: &'a Letter) -> BoxFuture<'a, Outcome>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reminders_are_first_between_and_last() {
        use Occasion::{Between, First, Last};
        let of = |count| (0..count).map(move |number| Occasion::of_reminder(number, count));
        assert_eq!(of(1).collect::<Vec<_>>(), [First]);
        assert_eq!(of(2).collect::<Vec<_>>(), [First, Last]);
        assert_eq!(of(4).collect::<Vec<_>>(), [First, Between, Between, Last]);
        assert_eq!(Occasion::of_reminder(7, 4), Last);
        assert_eq!(Occasion::of_reminder(u32::MAX, u32::MAX), Last);
    }
}
