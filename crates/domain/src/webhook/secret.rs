//! The secret that a receiver shares with us: random bytes, shown as `whsec_` and their base64.

use data_encoding::BASE64;
use zeroize::Zeroizing;

use crate::random::{self, Random};

const PREFIX: &str = "whsec_";

/// A secret of 24 to 64 bytes. It leaves no copy in freed memory and never shows itself in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSecret(Zeroizing<Vec<u8>>);

/// Why something is no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Too short to be one, or too long.
    #[error("a webhook secret has 24 to 64 bytes")]
    Length,
    /// Written differently.
    #[error("a webhook secret is written as whsec_ and base64")]
    Form,
}

impl WebhookSecret {
    /// Length of a new secret in bytes: as much as the digest of its signatures has.
    const LENGTH: usize = 32;

    /// A fresh secret.
    #[must_use]
    pub fn generate(random: &dyn Random) -> Self {
        let bytes = Zeroizing::new(random::bytes::<{ Self::LENGTH }>(random));
        Self(Zeroizing::new(bytes.to_vec()))
    }

    /// Takes the bytes of a secret.
    ///
    /// # Errors
    /// [`SecretError::Length`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SecretError> {
        if (24..=64).contains(&bytes.len()) {
            Ok(Self(Zeroizing::new(bytes.to_vec())))
        } else {
            Err(SecretError::Length)
        }
    }

    /// Reads a secret as it is shown.
    ///
    /// # Errors
    /// [`SecretError::Form`] or [`SecretError::Length`]; neither repeats the text.
    pub fn parse(shown: &str) -> Result<Self, SecretError> {
        let encoded = shown.strip_prefix(PREFIX).ok_or(SecretError::Form)?;
        let bytes = BASE64.decode(encoded.as_bytes()).map(Zeroizing::new);
        Self::from_bytes(&bytes.map_err(|_| SecretError::Form)?)
    }

    /// The secret as its receiver gets it: `whsec_…`.
    #[must_use]
    pub fn shown(&self) -> Zeroizing<String> {
        // Reserved as a whole: a string that grows leaves its beginning in freed memory.
        let length = PREFIX.len() + BASE64.encode_len(self.0.len());
        let mut shown = Zeroizing::new(String::with_capacity(length));
        shown.push_str(PREFIX);
        BASE64.encode_append(&self.0, &mut shown);
        shown
    }

    /// The bytes, to be sealed or to sign with.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for WebhookSecret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("WebhookSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::random::fixed::Counting;

    #[test]
    fn is_shown_once_and_read_back() {
        let secret = WebhookSecret::generate(&Counting::default());
        assert_eq!(
            secret.shown().as_str(),
            "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
        );
        assert_eq!(WebhookSecret::parse(&secret.shown()), Ok(secret));
    }

    #[test]
    fn has_24_to_64_bytes() {
        for length in [0, 1, 23, 65, 1000] {
            assert_eq!(
                WebhookSecret::from_bytes(&vec![7; length]),
                Err(SecretError::Length)
            );
        }
        for length in [24, 32, 64] {
            assert!(WebhookSecret::from_bytes(&vec![7; length]).is_ok());
        }
    }

    #[test]
    fn other_texts_are_none() {
        for (text, error) in [
            ("", SecretError::Form),
            ("C2FVsBQIhrscChlQIMV+b5sSYspob7oD", SecretError::Form),
            ("WHSEC_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", SecretError::Form),
            ("whsec_C2FVsBQIhrscChlQIMV-b5sSYspob7oD", SecretError::Form),
            ("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7o", SecretError::Form),
            ("whsec_", SecretError::Length),
            ("whsec_C2FVsBQIhrscChlQIMV+b5s=", SecretError::Length),
        ] {
            assert_eq!(WebhookSecret::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn debug_shows_no_byte() {
        let secret = WebhookSecret::from_bytes(&[7; 24]).unwrap();
        assert_eq!(format!("{secret:?}"), "WebhookSecret(…)");
    }

    proptest! {
        #[test]
        fn every_secret_is_read_back(bytes in proptest::collection::vec(any::<u8>(), 24..=64)) {
            let secret = WebhookSecret::from_bytes(&bytes).unwrap();
            prop_assert_eq!(secret.as_bytes(), &bytes[..]);
            prop_assert_eq!(WebhookSecret::parse(&secret.shown()), Ok(secret));
        }

        #[test]
        fn any_text_gets_an_answer(text in "(whsec_)?\\PC*") {
            let _ = WebhookSecret::parse(&text);
        }
    }
}
