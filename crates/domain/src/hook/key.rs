//! The key that a sender signs its hooks with.

use std::fmt;

use aws_lc_rs::hmac;

/// A signing key that a sender and this installation share.
#[derive(Clone)]
pub struct HookKey(hmac::Key);

impl HookKey {
    /// The key as the sender shows it, whose bytes are used as they are; `None` for an empty text,
    /// with which anybody could sign.
    #[must_use]
    pub fn new(secret: &str) -> Option<Self> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        (!secret.is_empty()).then_some(Self(key))
    }

    /// HMAC-SHA-256 over the parts, one right behind the other.
    pub(super) fn sign(&self, parts: &[&[u8]]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(part);
        }
        context.sign()
    }

    /// Whether `tag` is, to the last bit, what this key makes of the message. How long that takes
    /// tells nothing of where they differ.
    pub(super) fn made(&self, tag: &[u8], message: &[u8]) -> bool {
        hmac::verify(&self.0, message, tag).is_ok()
    }
}

impl fmt::Debug for HookKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("HookKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::HookKey;

    #[test]
    fn nobody_signs_with_nothing() {
        assert!(HookKey::new("").is_none());
    }

    #[test]
    fn shows_nothing() {
        let key = HookKey::new("shared").unwrap();
        assert_eq!(format!("{key:?}"), "HookKey(…)");
    }
}
