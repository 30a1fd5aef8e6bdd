//! E-mail addresses in one canonical form.
//!
//! Trimmed, lower-cased, the domain in ASCII (international names by IDNA), at most 254 characters,
//! syntax checked by the `email_address` library. Display names, quoted mailboxes, domain literals
//! and hosts without a dot are refused: no customer can be reached there. Parsing the canonical
//! form again gives the same address. The plain ASCII address, which is nearly every one, costs a
//! scan and one allocation.

use std::borrow::Cow;
use std::fmt;

use email_address::EmailAddress;
use unicode_normalization::UnicodeNormalization;

use super::ContactError;

/// The longest address that fits the path of an SMTP command (RFC 5321).
const LONGEST: usize = 254;

/// A deliverable e-mail address in canonical form.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Email(Box<str>);

impl Email {
    /// Checks an address and brings it to canonical form.
    ///
    /// # Errors
    /// A [`ContactError`] that says which part is wrong, without repeating it.
    pub fn parse(text: &str) -> Result<Self, ContactError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(ContactError::EmailEmpty);
        }
        // Case mapping and normalisation can shorten a text, but never by this much; and nobody
        // should make us normalise a megabyte.
        if text.len() > 8 * LONGEST {
            return Err(ContactError::EmailTooLong);
        }
        let address = canonical(text)?;
        if address.chars().count() > LONGEST {
            return Err(ContactError::EmailTooLong);
        }
        check(&address)?;
        Ok(Self(address.into_boxed_str()))
    }

    /// The canonical address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address with all of the mailbox's name hidden but its first letter: `a***@example.com`.
    /// The stars are always three, so that they do not tell its length.
    #[must_use]
    pub fn masked(&self) -> String {
        let (mailbox, domain) = self.0.rsplit_once('@').unwrap_or_default();
        let first: String = mailbox.chars().take(1).collect();
        format!("{first}***@{domain}")
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Email(…)")
    }
}

fn canonical(text: &str) -> Result<String, ContactError> {
    if text.is_ascii() {
        let mut address = text.to_owned();
        address.make_ascii_lowercase();
        // A punycode label has rules of its own, which only the IDNA library knows.
        if !address.contains("xn--") {
            return Ok(address);
        }
        return with_ascii_domain(&address);
    }
    // Lower-casing can take a text out of NFC, so normalisation comes last.
    let address: String = text.to_lowercase().nfc().collect();
    with_ascii_domain(&address)
}

fn with_ascii_domain(address: &str) -> Result<String, ContactError> {
    let (mailbox, domain) = split(address)?;
    let domain = if domain.is_ascii() && !domain.contains("xn--") {
        Cow::Borrowed(domain)
    } else {
        let ascii = idna::domain_to_ascii_strict(domain).map_err(|_| ContactError::EmailDomain)?;
        Cow::Owned(ascii)
    };
    Ok(format!("{mailbox}@{domain}"))
}

fn check(address: &str) -> Result<(), ContactError> {
    let (mailbox, domain) = split(address)?;
    if mailbox.starts_with('"') || !EmailAddress::is_valid_local_part(mailbox) {
        return Err(ContactError::EmailMailbox);
    }
    if !is_host(domain) || !EmailAddress::is_valid_domain(domain) {
        return Err(ContactError::EmailDomain);
    }
    Ok(())
}

fn split(address: &str) -> Result<(&str, &str), ContactError> {
    address.rsplit_once('@').ok_or(ContactError::EmailWithoutAt)
}

/// Whether the domain is written with the letters host names have (RFC 1123), has a dot, and is
/// not an IP address: no top-level domain begins with a digit.
fn is_host(domain: &str) -> bool {
    let written = domain
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte));
    let top = domain.rsplit_once('.').map(|(_, top)| top);
    written && top.is_some_and(|top| top.starts_with(|first: char| first.is_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &str) -> Result<String, ContactError> {
        Email::parse(text).map(|email| email.as_str().to_owned())
    }

    #[test]
    fn brings_addresses_to_one_form() {
        for (given, expected) in [
            ("ann@example.com", "ann@example.com"),
            ("  Ann.Lee+Shop@Example.COM\n", "ann.lee+shop@example.com"),
            ("o'brien@sub.example.co.uk", "o'brien@sub.example.co.uk"),
            ("ann@bücher.example", "ann@xn--bcher-kva.example"),
            ("ann@XN--BCHER-KVA.example", "ann@xn--bcher-kva.example"),
            ("ann@bücher。example", "ann@xn--bcher-kva.example"),
            ("MÜLLER@example.com", "müller@example.com"),
            ("mu\u{308}ller@example.com", "müller@example.com"),
            ("ÄNN@BÜCHER.example", "änn@xn--bcher-kva.example"),
            ("xn--ann@example.com", "xn--ann@example.com"),
            ("1@2.example", "1@2.example"),
        ] {
            assert_eq!(parsed(given).as_deref(), Ok(expected), "{given}");
        }
    }

    #[test]
    fn refuses_what_cannot_be_delivered() {
        use ContactError::*;
        for (given, expected) in [
            ("", EmailEmpty),
            ("  ", EmailEmpty),
            ("ann", EmailWithoutAt),
            ("Ann <ann@example.com>", EmailMailbox),
            ("\"ann lee\"@example.com", EmailMailbox),
            ("\"a@b\"@example.com", EmailMailbox),
            ("@example.com", EmailMailbox),
            ("ann..lee@example.com", EmailMailbox),
            (".ann@example.com", EmailMailbox),
            ("ann lee@example.com", EmailMailbox),
            ("a@b@example.com", EmailMailbox),
            ("ann\0@example.com", EmailMailbox),
            ("ann@b", EmailDomain),
            ("ann@", EmailDomain),
            ("ann@example.com.", EmailDomain),
            ("ann@exa mple.com", EmailDomain),
            ("ann@exa_mple.com", EmailDomain),
            ("ann@-example.com", EmailDomain),
            ("ann@example..com", EmailDomain),
            ("ann@[192.0.2.1]", EmailDomain),
            ("ann@192.0.2.1", EmailDomain),
            ("ann@xn--a.example", EmailDomain),
            ("ann@exam\u{200b}ple\u{ffff}.com", EmailDomain),
        ] {
            assert_eq!(parsed(given), Err(expected), "{given}");
        }
    }

    #[test]
    fn counts_to_254() {
        let domain = [&"d".repeat(63)[..], &"e".repeat(63), &"f".repeat(59)].join(".");
        let address = |mailbox: usize| format!("{}@{domain}.x", "m".repeat(mailbox));
        let fits = address(254 - domain.len() - 3);
        assert_eq!(fits.len(), 254);
        assert!(Email::parse(&fits).is_ok());
        assert_eq!(parsed(&format!("m{fits}")), Err(ContactError::EmailTooLong));
        assert_eq!(
            parsed(&"m".repeat(1 << 20)),
            Err(ContactError::EmailTooLong)
        );
    }

    #[test]
    fn a_mask_leaves_the_first_letter_and_the_domain() {
        for (address, masked) in [
            ("ada@example.com", "a***@example.com"),
            ("a@example.com", "a***@example.com"),
            ("änne.long-name@example.com", "ä***@example.com"),
        ] {
            assert_eq!(Email::parse(address).unwrap().masked(), masked);
        }
    }

    #[test]
    fn says_nothing_about_the_person() {
        let email = Email::parse("ann@example.com").unwrap();
        assert_eq!(format!("{email:?}"), "Email(…)");
        let error = Email::parse("secret..ann@example.com").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("ann"));
    }

    proptest! {
        #[test]
        fn canonical_form_is_a_fixed_point(text in "\\PC{1,12}@\\PC{1,12}\\.[a-zÀ-ÿ]{2,5}") {
            if let Ok(email) = Email::parse(&text) {
                prop_assert_eq!(Email::parse(email.as_str()), Ok(email));
            }
        }

        #[test]
        fn case_and_space_do_not_matter(text in " {0,2}[a-z0-9.+]{1,9}@[a-z0-9-]{1,9}\\.[a-z]{2,4} {0,2}") {
            prop_assert_eq!(Email::parse(&text), Email::parse(&text.to_uppercase()));
            prop_assert_eq!(Email::parse(&text), Email::parse(text.trim()));
        }

        #[test]
        fn any_text_gets_an_answer(text in "\\PC*") {
            let _ = Email::parse(&text);
        }
    }
}
