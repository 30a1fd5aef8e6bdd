//! The one-time token of a link: 192 random bits, of which only a hash is stored.
//!
//! There is no dictionary to try against a hash of so many random bits, so a plain SHA-256 keeps
//! it. The token is shown once, in the link, and never reaches `Debug`.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

use crate::random::{self, Random};
use crate::secret_hash::SecretHash;

const RANDOM_BYTES: usize = 24;
/// Six bits a sign.
const SIGNS: usize = 32;

/// A token, to be put into one link.
#[derive(Clone)]
pub struct LinkToken(Zeroizing<String>);

impl LinkToken {
    /// Makes a token.
    #[must_use]
    pub fn generate(random: &dyn Random) -> Self {
        let bytes = Zeroizing::new(random::bytes::<RANDOM_BYTES>(random));
        let mut text = Zeroizing::new(String::with_capacity(SIGNS));
        BASE64URL_NOPAD.encode_append(bytes.as_slice(), &mut text);
        Self(text)
    }

    /// Whether a text could be a token at all.
    #[must_use]
    pub fn is_written(text: &str) -> bool {
        let sign = |sign: u8| sign.is_ascii_alphanumeric() || b"-_".contains(&sign);
        text.len() == SIGNS && text.bytes().all(sign)
    }

    /// The token, for the link.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is stored in its place.
    #[must_use]
    pub fn hash(&self) -> SecretHash {
        SecretHash::of(&self.0)
    }
}

impl fmt::Debug for LinkToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LinkToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::fixed::Counting;

    #[test]
    fn only_the_token_itself_matches() {
        let random = Counting::default();
        let (one, other) = (LinkToken::generate(&random), LinkToken::generate(&random));
        let stored = SecretHash::from_bytes(*one.hash().as_bytes());
        assert!(stored.matches(one.expose()));
        assert!(!stored.matches(other.expose()));
        assert!(!stored.matches(""));
        assert!(LinkToken::is_written(one.expose()));
        assert!(!LinkToken::is_written(&format!("{}=", one.expose())));
        assert!(!LinkToken::is_written("nothing of ours"));
    }

    #[test]
    fn says_nothing() {
        let token = LinkToken::generate(&Counting::default());
        assert_eq!(
            format!("{token:?}{:?}", token.hash()),
            "LinkToken(…)SecretHash(…)"
        );
    }
}
