//! What is stored in place of a secret of ours.
//!
//! Our secrets are many random bits: there is no dictionary to try against a hash of one, so a
//! plain SHA-256 keeps it. Comparing takes equally long for any text of the same length, and the
//! hash never shows itself in `Debug`.

use std::fmt;

use aws_lc_rs::{constant_time, digest};

/// SHA-256 of a secret: of a whole API key, or of a link's token.
#[derive(Clone, Copy)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// The hash of a secret.
    #[must_use]
    pub fn of(secret: &str) -> Self {
        let digest = digest::digest(&digest::SHA256, secret.as_bytes());
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest.as_ref());
        Self(bytes)
    }

    /// A hash as it was stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether the presented text is the secret that this hash was made of.
    #[must_use]
    pub fn matches(&self, presented: &str) -> bool {
        let presented = Self::of(presented);
        constant_time::verify_slices_are_equal(&self.0, &presented.0).is_ok()
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretHash(…)")
    }
}
