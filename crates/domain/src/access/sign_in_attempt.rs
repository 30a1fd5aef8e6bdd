//! A sign-in by an identity provider, between its beginning here and the return from there.
//!
//! The browser keeps it, in a cookie. What the provider is told, and tells back, is derived from it
//! under a key, so that nothing has to be kept here: whoever comes back is believed only with what was
//! begun in the same browser, and what the cookie says cannot be changed without changing the state.
//! Must not: be a credential. It signs nobody in by itself.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE64URL_NOPAD;
use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

use super::ConsoleToken;
use crate::random::Random;
use crate::seal::IndexKey;

/// How long somebody may take to sign in at the provider.
const LIFE: SignedDuration = SignedDuration::from_mins(10);

/// The longest text that is looked at, in bytes.
const LONGEST: usize = 1024;

/// A sign-in that was begun.
pub struct SignInAttempt {
    /// A token, the second it began in and the way, with dots between them.
    text: Zeroizing<String>,
    began_at: Timestamp,
    way: String,
}

impl SignInAttempt {
    /// How long it can be finished, in seconds.
    pub const SECONDS: i64 = LIFE.as_secs();

    /// Begins one; `way` is where somebody wanted to go.
    #[must_use]
    pub fn begin(random: &dyn Random, now: Timestamp, way: &str) -> Self {
        let token = ConsoleToken::generate(random);
        let (second, encoded) = (now.as_second(), BASE64URL_NOPAD.encode(way.as_bytes()));
        let text = format!("{}.{second}.{encoded}", token.expose());
        Self {
            text: Zeroizing::new(text),
            began_at: now,
            way: way.to_owned(),
        }
    }

    /// Reads what a browser kept; `None` for what cannot be one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let (token, rest) = text.split_once('.')?;
        ConsoleToken::parse(token)?;
        let (second, way) = rest.split_once('.')?;
        let way = BASE64URL_NOPAD.decode(way.as_bytes()).ok()?;
        Some(Self {
            text: Zeroizing::new(text.to_owned()),
            began_at: Timestamp::from_second(second.parse().ok()?).ok()?,
            way: String::from_utf8(way).ok()?,
        })
    }

    /// What the browser keeps.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// Where somebody wanted to go.
    #[must_use]
    pub fn way(&self) -> &str {
        &self.way
    }

    /// Whether there is still time to finish it.
    #[must_use]
    pub fn is_alive(&self, now: Timestamp) -> bool {
        now.duration_since(self.began_at) < LIFE
    }

    /// What the provider hands back as it is (RFC 6749 §4.1.1).
    #[must_use]
    pub fn state(&self, key: &IndexKey) -> String {
        self.derived(key, "console openid state")
    }

    /// Whether that was handed back.
    #[must_use]
    pub fn has_state(&self, key: &IndexKey, state: &str) -> bool {
        verify_slices_are_equal(self.state(key).as_bytes(), state.as_bytes()).is_ok()
    }

    /// What the provider writes into the ID token (OpenID Connect Core §3.1.2.1).
    #[must_use]
    pub fn nonce(&self, key: &IndexKey) -> String {
        self.derived(key, "console openid nonce")
    }

    /// What proves to the provider that whoever redeems the code asked for it (RFC 7636 §4.1).
    #[must_use]
    pub fn verifier(&self, key: &IndexKey) -> Zeroizing<String> {
        Zeroizing::new(self.derived(key, "console openid verifier"))
    }

    /// What the provider is shown of that before (RFC 7636 §4.2, `S256`).
    #[must_use]
    pub fn challenge(&self, key: &IndexKey) -> String {
        let verifier = self.verifier(key);
        BASE64URL_NOPAD.encode(digest(&SHA256, verifier.as_bytes()).as_ref())
    }

    fn derived(&self, key: &IndexKey, kind: &str) -> String {
        BASE64URL_NOPAD.encode(&key.fingerprint(kind, "", self.text.as_bytes()))
    }
}

impl fmt::Debug for SignInAttempt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SignInAttempt(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::fixed::Counting;

    fn key() -> IndexKey {
        IndexKey::new(b"an index key of thirty-two bytes")
    }

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn what_a_browser_kept_is_the_attempt_again() {
        let way = "console/orders?status=held;x=ä";
        let begun = SignInAttempt::begin(&Counting::default(), second(1_000), way);
        let kept = SignInAttempt::parse(begun.expose()).unwrap();
        assert_eq!(kept.way(), way);
        assert_eq!(kept.state(&key()), begun.state(&key()));
        assert!(kept.has_state(&key(), &begun.state(&key())));
        assert!(kept.is_alive(second(1_599)) && !kept.is_alive(second(1_600)));
        // It goes into a cookie as it is.
        let fits = |sign: u8| sign.is_ascii_alphanumeric() || b"-_.".contains(&sign);
        assert!(begun.expose().bytes().all(fits), "{}", begun.expose());
    }

    #[test]
    fn whatever_is_changed_in_it_changes_the_state() {
        let begun = SignInAttempt::begin(&Counting::default(), second(1_000), "console");
        let state = begun.state(&key());
        let way = |way: &str| BASE64URL_NOPAD.encode(way.as_bytes());
        for (part, other) in [
            (".1000.".to_owned(), ".9000.".to_owned()),
            (way("console"), way("console/keys")),
        ] {
            let changed = begun.expose().replace(&part, &other);
            assert_ne!(changed, begun.expose());
            let changed = SignInAttempt::parse(&changed).unwrap();
            assert!(!changed.has_state(&key(), &state));
        }
        let another = IndexKey::new(b"another index key of 32 bytes...");
        assert!(!begun.has_state(&another, &state));
        assert!(!begun.has_state(&key(), ""));
    }

    #[test]
    fn what_is_told_does_not_lead_to_what_is_not() {
        let begun = SignInAttempt::begin(&Counting::default(), second(1_000), "console");
        let key = key();
        let told = [
            begun.state(&key),
            begun.nonce(&key),
            begun.verifier(&key).to_string(),
            begun.challenge(&key),
        ];
        for (at, one) in told.iter().enumerate() {
            assert_eq!(one.len(), 43, "as long as RFC 7636 wants it");
            assert!(told.iter().skip(at + 1).all(|other| other != one));
        }
        let verifier = digest(&SHA256, begun.verifier(&key).as_bytes());
        assert_eq!(
            begun.challenge(&key),
            BASE64URL_NOPAD.encode(verifier.as_ref())
        );
    }

    #[test]
    fn nothing_else_is_an_attempt_and_none_is_shown() {
        let begun = SignInAttempt::begin(&Counting::default(), second(1_000), "console");
        let token = begun.expose().split('.').next().unwrap();
        for text in [
            "",
            "..",
            token,
            &format!("{token}.1000"),
            &format!("{token}.x."),
            &format!("{token}.1000.!"),
            &format!("{token}.1000._w"),
            &format!("{token}.99999999999999999.eA"),
            &format!("x{token}.1000.eA"),
            &format!("{token}.1000.{}", "e".repeat(LONGEST)),
        ] {
            assert!(SignInAttempt::parse(text).is_none(), "{text}");
        }
        assert_eq!(format!("{begun:?}"), "SignInAttempt(…)");
    }
}
