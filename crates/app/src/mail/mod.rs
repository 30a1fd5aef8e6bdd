//! Mail: what a customer is told about an order that waits, and being left alone.
//!
//! A mail is a delivery like any other. Its payload says only what it is about; what it has to say
//! is looked up at the moment of sending, so that nobody is asked for what they have given since.
//! Guarantees: every attempt at one delivery carries the same `Message-ID`; an address that refused
//! a mail gets no other for a while; who stopped the reminders of an order gets none.
//! Must not: know how a mail looks, or speak to a mail server: both are ports.

mod channel;
mod letter;
mod stop;
mod suppression;

pub use channel::{MAIL, Mails, Policy};
pub use letter::{Content, Found, Letter, Letters, Links, Mailer, Notice, Occasion, Render};
pub use stop::stop;
pub use suppression::clean_up;

use domain::random::Random;
use domain::seal::DataKey;
use jiff::Timestamp;
use store::Tx;
use store::tables::deliveries;

use crate::deliveries::{Outgoing, Sealed};
use crate::people::sealing;

/// A mail that is to be sent.
pub struct Mail<'a> {
    /// Whose customer it goes to.
    pub company: &'a str,
    /// What it is about: `order.reminder`.
    pub topic: &'a str,
    /// The key of the customer: once it is destroyed the mail cannot be sent.
    pub key: &'a DataKey,
    /// What [`Letters`] will be asked with.
    pub payload: &'a [u8],
    /// Now.
    pub at: Timestamp,
}

impl Mail<'_> {
    /// Enqueues it in the transaction that causes it. Once that is committed,
    /// [`Outbox::wake`](crate::deliveries::Outbox::wake) is to be called.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn enqueue(&self, tx: &mut Tx<'_>, random: &dyn Random) -> store::Result<()> {
        let outgoing = Outgoing {
            channel: MAIL,
            company: self.company,
            topic: self.topic,
            // A newer one must not wait until an older one is tried again; that one will find that it
            // is out of date.
            stream: None,
            key: self.key,
            body: self.payload,
            at: self.at,
        };
        let sealed = Sealed::new(random, &outgoing).map_err(sealing)?;
        deliveries::insert(tx, MAIL, &sealed.row()).await
    }
}
