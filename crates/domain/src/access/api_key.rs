//! API keys: `bf_<id>_<secret>`.
//!
//! The id is public: it finds the key's row and stands in the audit log. The secret is 256 random
//! bits, so a plain SHA-256 of the key can be stored: there is no dictionary to try, which is what a
//! slow hash defends against, and a slow one would only cost each request its milliseconds. The
//! whole key is shown once, compared in constant time, wiped from memory when dropped, and never
//! reaches `Debug`.

use std::fmt;

use data_encoding::HEXLOWER;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::secret_hash::SecretHash;

const PREFIX: &str = "bf_";
const ID_LENGTH: usize = 12;
const SECRET_BYTES: usize = 32;
const SECRET_LENGTH: usize = 2 * SECRET_BYTES;
/// 32 signs, so that five random bits choose one evenly; without the ones people confuse.
const ID_ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// The public part of a key: 12 lower-case letters and digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId([u8; ID_LENGTH]);

/// A text that is no key id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key id is 12 lower-case letters and digits")]
pub struct KeyIdError;

impl KeyId {
    /// Reads a key id.
    ///
    /// # Errors
    /// [`KeyIdError`] when the text is not 12 lower-case letters and digits.
    pub fn parse(text: &str) -> Result<Self, KeyIdError> {
        let id: [u8; ID_LENGTH] = text.as_bytes().try_into().map_err(|_| KeyIdError)?;
        let known = id
            .iter()
            .all(|sign| sign.is_ascii_lowercase() || sign.is_ascii_digit());
        known.then_some(Self(id)).ok_or(KeyIdError)
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Both ways to make an id leave only ASCII in it.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "KeyId({self})")
    }
}

/// A whole key, secret included.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct ApiKey {
    #[zeroize(skip)]
    id: KeyId,
    text: String,
}

impl ApiKey {
    /// How many random bytes make a key.
    pub const RANDOM_BYTES: usize = ID_LENGTH + SECRET_BYTES;

    /// Makes a key of random bytes, which must come from a cryptographic generator.
    #[must_use]
    pub fn generate(random: &[u8; Self::RANDOM_BYTES]) -> Self {
        let (for_id, for_secret) = random.split_at(ID_LENGTH);
        let mut id = [0; ID_LENGTH];
        for (sign, byte) in id.iter_mut().zip(for_id) {
            let choice = usize::from(byte % 32);
            *sign = ID_ALPHABET.get(choice).copied().unwrap_or_default();
        }
        let id = KeyId(id);
        // Room for the whole key at once: a buffer that grew would leave copies behind.
        let mut text = String::with_capacity(PREFIX.len() + ID_LENGTH + 1 + SECRET_LENGTH);
        text.push_str(PREFIX);
        text.push_str(id.as_str());
        text.push('_');
        HEXLOWER.encode_append(for_secret, &mut text);
        Self { id, text }
    }

    /// Takes a presented key apart into id and secret; `None` when it does not have a key's form.
    #[must_use]
    pub fn parse(text: &str) -> Option<(KeyId, &str)> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let id = KeyId::parse(id).ok()?;
        let written = |sign: u8| sign.is_ascii_digit() || (b'a'..=b'f').contains(&sign);
        (secret.len() == SECRET_LENGTH && secret.bytes().all(written)).then_some((id, secret))
    }

    /// The public part.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// The whole key, to be shown to its owner once.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// What is stored in place of the key.
    #[must_use]
    pub fn hash(&self) -> SecretHash {
        SecretHash::of(&self.text)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ApiKey({}, …)", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_made_key_is_recognised(random: [u8; 32], id: [u8; 12]) {
            let mut bytes = [0; ApiKey::RANDOM_BYTES];
            bytes[..12].copy_from_slice(&id);
            bytes[12..].copy_from_slice(&random);
            let key = ApiKey::generate(&bytes);
            let (id, secret) = ApiKey::parse(key.expose()).unwrap();
            prop_assert_eq!(id, key.id());
            prop_assert_eq!(KeyId::parse(id.as_str()), Ok(id));
            prop_assert_eq!(HEXLOWER.decode(secret.as_bytes()).unwrap(), random);
            prop_assert!(key.hash().matches(key.expose()));
            let stored = SecretHash::from_bytes(*key.hash().as_bytes());
            prop_assert!(!stored.matches(&key.expose()[1..]));
            let shown = format!("{key:?} {stored:?}");
            prop_assert!(!shown.contains(secret));
        }

        #[test]
        fn any_text_gets_an_answer(text in "\\PC*") {
            prop_assert!(ApiKey::parse(&text).is_none());
        }
    }

    #[test]
    fn every_bit_of_randomness_is_in_the_key() {
        let plain = ApiKey::generate(&[0; ApiKey::RANDOM_BYTES]);
        for byte in 0..ApiKey::RANDOM_BYTES {
            let mut random = [0; ApiKey::RANDOM_BYTES];
            random[byte] = 1;
            let other = ApiKey::generate(&random);
            assert_ne!(plain.expose(), other.expose());
            assert!(!plain.hash().matches(other.expose()));
        }
    }

    #[test]
    fn refuses_other_forms() {
        let secret = "0123456789abcdef".repeat(4);
        assert!(ApiKey::parse(&format!("bf_abcdefghij23_{secret}")).is_some());
        for key in [
            format!("bf_abcdefghij2_{secret}"),
            format!("bf_Abcdefghij23_{secret}"),
            format!("xx_abcdefghij23_{secret}"),
            format!("bf_abcdefghij23{secret}"),
            format!("bf_abcdefghij23_{secret}0"),
            format!("bf_abcdefghij23_{}", secret.to_uppercase()),
            format!(" bf_abcdefghij23_{secret}"),
            "bf_abcdefghij23_".to_owned(),
        ] {
            assert!(ApiKey::parse(&key).is_none(), "{key}");
        }
    }
}
