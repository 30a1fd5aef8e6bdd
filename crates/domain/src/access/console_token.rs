//! What a browser holds that is signed in to the console, or a link that signs it in.
//!
//! 256 random bits, shown once to whom they are for; kept by the server only as a hash under a key.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

use crate::random::{self, Random};
use crate::seal::IndexKey;

const RANDOM_BYTES: usize = 32;
/// Six bits a sign.
const SIGNS: usize = 43;

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsoleUse {
    /// A session.
    Session,
    /// A link that begins one.
    Link,
}

impl ConsoleUse {
    const fn kind(self) -> &'static str {
        match self {
            Self::Session => "console session",
            Self::Link => "console link",
        }
    }
}

/// A token of the console.
#[derive(Clone)]
pub struct ConsoleToken(Zeroizing<String>);

impl ConsoleToken {
    /// Makes a token.
    #[must_use]
    pub fn generate(random: &dyn Random) -> Self {
        let bytes = Zeroizing::new(random::bytes::<RANDOM_BYTES>(random));
        let mut text = Zeroizing::new(String::with_capacity(SIGNS));
        BASE64URL_NOPAD.encode_append(bytes.as_slice(), &mut text);
        Self(text)
    }

    /// Reads a token; `None` for what cannot be one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let sign = |sign: u8| sign.is_ascii_alphanumeric() || b"-_".contains(&sign);
        let is_written = text.len() == SIGNS && text.bytes().all(sign);
        is_written.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The token, for whom it is.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is stored in its place.
    #[must_use]
    pub fn hash(&self, key: &IndexKey, good_for: ConsoleUse) -> [u8; 32] {
        key.fingerprint(good_for.kind(), "", self.0.as_bytes())
    }

    /// What the forms of a session carry, so that no other site can send one: whoever does not hold
    /// the token cannot make it, and it does not lead back to the token.
    #[must_use]
    pub fn form_mark(&self, key: &IndexKey) -> String {
        let mark = key.fingerprint("console form", "", self.0.as_bytes());
        BASE64URL_NOPAD.encode(&mark)
    }
}

impl fmt::Debug for ConsoleToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ConsoleToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::fixed::Counting;

    #[test]
    fn what_is_stored_depends_on_key_token_and_use() {
        let random = Counting::default();
        let (one, other) = (
            ConsoleToken::generate(&random),
            ConsoleToken::generate(&random),
        );
        let key = IndexKey::new(b"an index key of thirty-two bytes");
        let another = IndexKey::new(b"another index key of 32 bytes...");
        let stored = one.hash(&key, ConsoleUse::Session);
        let again = ConsoleToken::parse(one.expose()).unwrap();
        assert_eq!(again.hash(&key, ConsoleUse::Session), stored);
        assert_ne!(other.hash(&key, ConsoleUse::Session), stored);
        assert_ne!(one.hash(&another, ConsoleUse::Session), stored);
        assert_ne!(one.hash(&key, ConsoleUse::Link), stored);
        assert_eq!(one.form_mark(&key), again.form_mark(&key));
        assert_ne!(one.form_mark(&key), other.form_mark(&key));
        assert_ne!(one.form_mark(&key), one.form_mark(&another));
    }

    #[test]
    fn nothing_else_is_a_token_and_none_is_shown() {
        let token = ConsoleToken::generate(&Counting::default());
        for text in ["", "abc", &format!("{}=", token.expose()), &"ä".repeat(43)] {
            assert!(ConsoleToken::parse(text).is_none(), "{text}");
        }
        assert_eq!(format!("{token:?}"), "ConsoleToken(…)");
    }
}
