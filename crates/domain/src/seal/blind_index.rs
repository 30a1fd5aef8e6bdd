//! Looking up what is stored only sealed.
//!
//! A plain hash of an e-mail address or a phone number falls to a dictionary in
//! seconds; a hash under a secret key does not.

use aws_lc_rs::hmac;

/// The secret under which values are hashed for look-ups (`INDEX_KEY`).
pub struct IndexKey(hmac::Key);

/// The first 128 bits of HMAC-SHA-256 over what a value is, whose it is, and the
/// value: equal values of one company meet, those of two companies never do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlindIndex([u8; Self::LENGTH]);

impl BlindIndex {
    /// Length in bytes.
    pub const LENGTH: usize = 16;

    /// The index as it is stored.
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// Reads a stored index back; `None` when the length is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl IndexKey {
    /// `secret` is used as it is; at least 32 bytes are expected of the caller.
    pub fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The index of `value`, which is a `kind` of thing (`"email"`, `"phone"`)
    /// and belongs to `company`. Neither may contain a NUL byte.
    pub fn index(&self, kind: &str, company: &str, value: &str) -> BlindIndex {
        let tag = self.tag(kind, company, value.as_bytes());
        let mut index = [0; BlindIndex::LENGTH];
        for (to, from) in index.iter_mut().zip(tag.as_ref()) {
            *to = *from;
        }
        BlindIndex(index)
    }

    /// The whole HMAC-SHA-256 of the same, for values that are compared and never looked up.
    pub fn fingerprint(&self, kind: &str, company: &str, value: &[u8]) -> [u8; 32] {
        let tag = self.tag(kind, company, value);
        let mut fingerprint = [0; 32];
        for (to, from) in fingerprint.iter_mut().zip(tag.as_ref()) {
            *to = *from;
        }
        fingerprint
    }

    fn tag(&self, kind: &str, company: &str, value: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.0);
        for part in [kind, company] {
            context.update(part.as_bytes());
            context.update(&[0]);
        }
        context.update(value);
        context.sign()
    }
}

#[cfg(test)]
mod tests {
    use super::IndexKey;

    #[test]
    fn depends_on_key_kind_company_and_value() {
        let key = IndexKey::new(b"an index key of thirty-two bytes");
        let index = key.index("email", "default", "a@example.com");
        assert_eq!(index, key.index("email", "default", "a@example.com"));
        let other = IndexKey::new(b"another index key of 32 bytes...");
        for different in [
            other.index("email", "default", "a@example.com"),
            key.index("phone", "default", "a@example.com"),
            key.index("email", "acme", "a@example.com"),
            key.index("email", "default", "b@example.com"),
        ] {
            assert_ne!(index, different);
        }
        let fingerprint = key.fingerprint("email", "default", b"a@example.com");
        assert!(fingerprint.starts_with(index.as_bytes()));
        assert_ne!(fingerprint[16..], [0; 16]);
    }
}
