//! The tokens in the links of a mail: whoever follows one shows that we sent it.
//!
//! A token is made of what it says and a tag over that (HMAC-SHA-256 under the index key, of which
//! 128 bits are kept), in the alphabet of URLs. Guarantees: nobody without the key makes one or
//! changes one; it is good for one purpose, one company and until one moment; any text at all is
//! either read in full or refused. It says nothing that names a person.
//! Must not: be kept anywhere: it is made anew whenever it is needed.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use uuid::Uuid;

use crate::access::CompanyId;
use crate::seal::IndexKey;

/// Length of the tag, in bytes.
const TAG: usize = 16;
/// Length of the end of its time: seconds since 1970.
const END: usize = 8;
/// Length of the name of what it is about.
const SUBJECT: usize = 16;
/// The longest token, in letters: with the longest name of a company.
const LONGEST: usize = (TAG + END + SUBJECT + 64) * 4 / 3 + 1;

/// What a link is for; a token for one purpose is nothing for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// It opens the customer's page.
    Verify,
    /// It stops the reminders.
    Stop,
}

impl Purpose {
    /// What its tags are made for; must not change, or links that are out are dead.
    const fn kind(self) -> &'static str {
        match self {
            Self::Verify => "link.verify",
            Self::Stop => "link.stop",
        }
    }
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// What it is for.
    pub purpose: Purpose,
    /// Whose customer it was sent to.
    pub company: CompanyId,
    /// What it is about: our name of an order.
    pub subject: Uuid,
    /// When its time is over; whole seconds are kept.
    pub expires_at: Timestamp,
}

impl Ticket {
    /// The token.
    #[must_use]
    pub fn token(&self, key: &IndexKey) -> String {
        let signed = self.signed();
        let tag = tag(key, self.purpose, self.company.as_str(), &signed);
        let parts = [&tag[..], &signed, self.company.as_str().as_bytes()];
        BASE64URL_NOPAD.encode(&parts.concat())
    }

    /// Reads a token that was made for this purpose and whose time is not over; `None` for any
    /// other text.
    #[must_use]
    pub fn read(key: &IndexKey, purpose: Purpose, token: &str, now: Timestamp) -> Option<Self> {
        if token.len() > LONGEST {
            return None;
        }
        let bytes = BASE64URL_NOPAD.decode(token.as_bytes()).ok()?;
        let (given, rest) = bytes.split_first_chunk::<TAG>()?;
        let (signed, company) = rest.split_first_chunk::<{ END + SUBJECT }>()?;
        let company = std::str::from_utf8(company).ok()?;
        let company = CompanyId::parse(company).ok()?;
        verify_slices_are_equal(given, &tag(key, purpose, company.as_str(), signed)).ok()?;
        let (end, subject) = signed.split_first_chunk::<END>()?;
        let expires_at = Timestamp::from_second(i64::from_be_bytes(*end)).ok()?;
        (now < expires_at).then_some(Self {
            purpose,
            company,
            subject: Uuid::from_slice(subject).ok()?,
            expires_at,
        })
    }

    fn signed(&self) -> [u8; END + SUBJECT] {
        let mut signed = [0; END + SUBJECT];
        let end = self.expires_at.as_second().to_be_bytes();
        let bytes = end.iter().chain(self.subject.as_bytes());
        for (to, from) in signed.iter_mut().zip(bytes) {
            *to = *from;
        }
        signed
    }
}

fn tag(key: &IndexKey, purpose: Purpose, company: &str, signed: &[u8]) -> [u8; TAG] {
    let whole = key.fingerprint(purpose.kind(), company, signed);
    let mut tag = [0; TAG];
    for (to, from) in tag.iter_mut().zip(whole) {
        *to = from;
    }
    tag
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_735_689_600;

    fn key() -> IndexKey {
        IndexKey::new(b"an index key of thirty-two bytes")
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn ticket(purpose: Purpose, company: &str, subject: u128, second: i64) -> Ticket {
        Ticket {
            purpose,
            company: CompanyId::parse(company).unwrap(),
            subject: Uuid::from_u128(subject),
            expires_at: at(second),
        }
    }

    #[test]
    fn a_token_never_changes() {
        let ticket = ticket(Purpose::Stop, "default", 7, NOW);
        let token = ticket.token(&key());
        // Links that were sent have to stay good.
        assert_eq!(
            token,
            "Tyj5jmUBM0D-O9OyjmLLvAAAAABndIWAAAAAAAAAAAAAAAAAAAAAB2RlZmF1bHQ"
        );
    }

    #[test]
    fn its_time_ends() {
        let token = ticket(Purpose::Verify, "acme", 7, NOW).token(&key());
        let read = |second| Ticket::read(&key(), Purpose::Verify, &token, at(second));
        assert!(read(NOW - 1).is_some());
        assert!(read(NOW).is_none());
    }

    #[test]
    fn the_longest_name_of_a_company_fits() {
        let ticket = ticket(Purpose::Verify, &"a".repeat(64), u128::MAX, NOW);
        let read = Ticket::read(&key(), Purpose::Verify, &ticket.token(&key()), at(0));
        assert_eq!(read, Some(ticket));
    }

    proptest! {
        #[test]
        fn what_was_made_is_read(
            company in "[a-z0-9][a-z0-9_-]{0,63}",
            subject: u128,
            second in NOW + 1..253_402_207_200_i64,
            stops: bool,
        ) {
            let (purpose, other) = if stops {
                (Purpose::Stop, Purpose::Verify)
            } else {
                (Purpose::Verify, Purpose::Stop)
            };
            let ticket = ticket(purpose, &company, subject, second);
            let token = ticket.token(&key());
            prop_assert!(token.bytes().all(|sign| sign.is_ascii_alphanumeric() || b"-_".contains(&sign)));
            prop_assert_eq!(Ticket::read(&key(), purpose, &token, at(NOW)), Some(ticket));
            prop_assert_eq!(Ticket::read(&key(), other, &token, at(NOW)), None);
            let strange = IndexKey::new(b"another index key of 32 bytes...");
            prop_assert_eq!(Ticket::read(&strange, purpose, &token, at(NOW)), None);
        }

        #[test]
        fn a_changed_token_is_refused(place: prop::sample::Index, sign in "[A-Za-z0-9_-]") {
            let token = ticket(Purpose::Verify, "default", 7, NOW + 1).token(&key());
            let place = place.index(token.len());
            let mut changed = token.clone();
            changed.replace_range(place..=place, &sign);
            prop_assume!(changed != token);
            prop_assert_eq!(Ticket::read(&key(), Purpose::Verify, &changed, at(NOW)), None);
            prop_assert_eq!(Ticket::read(&key(), Purpose::Verify, &token[..place], at(NOW)), None);
        }

        #[test]
        fn any_text_is_refused(text: String) {
            prop_assert_eq!(Ticket::read(&key(), Purpose::Stop, &text, at(NOW)), None);
        }
    }
}
