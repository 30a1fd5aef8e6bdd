//! Values that must never be seen.
//!
//! They are wiped from memory when dropped, and `Debug` shows that there is one, not what it is.

use std::fmt;

use zeroize::{Zeroize, Zeroizing};

/// A secret text: a password, a token, an address with a password in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text over.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The secret itself, for the one place that uses it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// One of the keys that personal data is sealed under (AES-256).
#[derive(Clone, PartialEq, Eq)]
pub struct EncryptionKey {
    /// The name that is stored beside what the key sealed: `[A-Za-z0-9_-]`, 1 to 32 characters.
    pub id: String,
    /// 256 bits.
    pub key: [u8; 32],
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "EncryptionKey({})", self.id)
    }
}

impl Drop for EncryptionKey {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}
