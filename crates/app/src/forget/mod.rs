//! Forgetting a person, telling all that is known of one, and keeping one from being forgotten.
//!
//! A person is a customer, by e-mail address or phone number, with everything that hangs on the
//! customer: evidence, orders, checks of age, number and identity, what came in about them, what is
//! still to leave. Erasing is one transaction: what is about the person alone is deleted, what the
//! company must keep leads to nobody any more, and every data key is destroyed, so that older copies
//! of a row cannot be read either. Audit records stay as they were written: they hold keyed hashes,
//! and addresses sealed under keys that are gone.
//! Must not: revive anybody. Whoever comes again is a new person with a new key.

mod again;
mod document;
mod erase;
mod eraser;
mod export;
mod hold;

pub use again::{Again, forget_again, list};
pub use document::Document;
pub use erase::{Receipt, detail, erase};
pub use eraser::Counts;
pub use export::export;
pub use hold::{Held, hold};
pub use store::tables::erasures::Erasure;

use domain::access::CompanyId;
use domain::contact::{E164, Email};
use domain::number::MobileNumber;
use domain::seal::{BlindIndex, IndexKey, KeyRing};
use store::Tx;
use store::tables::erasure::{self, Lock, Person};
use zeroize::Zeroizing;

use crate::exchange::Exchange;
use crate::people::sealing;
use crate::{App, Code, Error, ages, customers, numbers};

/// Whom it is about; at least one of the two.
#[derive(Clone)]
pub struct Whom {
    /// The e-mail address.
    pub email: Option<Email>,
    /// The phone number.
    pub phone: Option<E164>,
}

/// The keyed hashes that somebody is looked up by.
#[derive(Clone, Copy, Debug, Default)]
struct Indexes {
    email: Option<BlindIndex>,
    phone: Option<BlindIndex>,
    /// As a number that was verified.
    number: Option<BlindIndex>,
    /// As somebody whom the shop knows by the address, where it asks about an age.
    age: Option<BlindIndex>,
}

impl Indexes {
    /// Of somebody at a company; the exchange is about them.
    fn of(app: &App, exchange: &Exchange, company: &CompanyId, whom: &Whom) -> Self {
        let key = &app.index_key;
        let number = whom.phone.as_ref();
        let number = number.and_then(|phone| MobileNumber::parse(phone.as_str()).ok());
        let indexes = Self {
            email: whom
                .email
                .as_ref()
                .map(|email| customers::email_index(key, company, email)),
            phone: whom
                .phone
                .as_ref()
                .map(|phone| customers::phone_index(key, company, phone)),
            number: number.map(|number| numbers::number_index(key, company, &number)),
            age: whom
                .email
                .as_ref()
                .map(|email| ages::key(key, company, email.as_str()).index),
        };
        if let Some(subject) = indexes.email.or(indexes.phone) {
            exchange.note_subject(subject);
        }
        indexes
    }

    /// The customer: by address, or else by phone number.
    async fn find(
        &self,
        tx: &mut Tx<'_>,
        company: &str,
        lock: Lock,
    ) -> store::Result<Result<Option<Person>, Refusal>> {
        let email = match (self.email, self.phone) {
            (Some(email), _) => Some(email),
            (None, Some(phone)) => {
                let found = erasure::list_by_phone(tx, company, phone).await?;
                match found.as_slice() {
                    [_, _, ..] => return Ok(Err(Refusal::Several)),
                    found => found.first().copied(),
                }
            }
            (None, None) => None,
        };
        Ok(Ok(match email {
            Some(email) => erasure::find_person(tx, company, email, lock).await?,
            None => None,
        }))
    }

    /// All of them.
    fn each(&self) -> impl Iterator<Item = BlindIndex> {
        let all = [self.email, self.phone, self.number, self.age];
        all.into_iter().flatten()
    }

    /// Adds what a customer's own address and phone number lead to; nothing more without their key, and
    /// no sessions by a phone that is no mobile.
    ///
    /// # Errors
    /// A data key that does not open here: then what is linked cannot be found.
    fn add(
        &mut self,
        (ring, key): (&KeyRing, &IndexKey),
        company: &CompanyId,
        person: &Person,
    ) -> store::Result<()> {
        self.email = Some(person.email_index);
        self.phone = self.phone.or(person.phone_index);
        let Some(data_key) = person.key.as_ref() else {
            return Ok(());
        };
        let data_key = ring.unwrap(data_key).map_err(sealing)?;
        let open = |column, sealed: &[u8]| {
            let plain = data_key.open(customers::place(&person.email_index, column), sealed);
            let plain = plain.map_err(sealing)?;
            Ok::<_, store::Error>(String::from_utf8_lossy(&plain).into_owned())
        };
        let email = Zeroizing::new(open("email", &person.email)?);
        self.age = Some(ages::key(key, company, &email).index);
        if let (None, Some(phone)) = (self.number, &person.phone) {
            let phone = Zeroizing::new(open("phone", phone)?);
            let number = MobileNumber::parse(&phone).ok();
            self.number = number.map(|number| numbers::number_index(key, company, &number));
        }
        Ok(())
    }
}

/// Why somebody is not erased, held or told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// Nothing is known of them.
    Unknown,
    /// The number is that of more than one.
    Several,
    /// A legal hold.
    Held,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unknown => Self::new(Code::NotFound, "Nothing is known of this person."),
            Refusal::Several => Self::new(
                Code::Conflict,
                "Several customers have this phone number; name the e-mail address.",
            ),
            Refusal::Held => Self::new(Code::LegalHold, "The customer is under legal hold."),
        }
    }
}
