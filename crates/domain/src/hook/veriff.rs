//! Veriff's signature: the HMAC in hexadecimal digits, of either case, over the body of a hook or of
//! a request; where there is no body (GET, DELETE), over the session's id.
//!
//! A hook also names the integration it belongs to by its API key. The scheme has neither a time nor
//! a message id: what makes a decision another one is what it says, so its name is made of that.

use std::fmt::Write as _;

use aws_lc_rs::{constant_time, digest};
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};

use super::HookKey;

/// Whether the value of `x-hmac-signature` was made of this payload (a body, or a session's id)
/// with one of the keys; nothing is no payload.
#[must_use]
pub fn is_signed(keys: &[HookKey], signature: Option<&str>, payload: &[u8]) -> bool {
    let decode = |text: &str| HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok();
    match signature.and_then(decode) {
        Some(tag) if !payload.is_empty() => keys.iter().any(|key| key.made(&tag, payload)),
        _ => false,
    }
}

/// Whether the value of `x-auth-client` is our API key; how long that takes tells nothing of where
/// they differ.
#[must_use]
pub fn is_for(api_key: &str, client: Option<&str>) -> bool {
    let hash = |text: &str| digest::digest(&digest::SHA256, text.as_bytes());
    client.is_some_and(|client| {
        let (ours, theirs) = (hash(api_key), hash(client));
        let equal = constant_time::verify_slices_are_equal(ours.as_ref(), theirs.as_ref());
        !api_key.is_empty() && equal.is_ok()
    })
}

/// The signature of a payload, as both sides make it.
#[must_use]
pub fn sign(key: &HookKey, payload: &[u8]) -> String {
    HEXLOWER.encode(key.sign(&[payload]).as_ref())
}

/// What makes a decision another one than any before.
#[derive(Debug, Clone, Copy)]
pub struct Decision<'a> {
    /// `verification.id`: the session.
    pub session: &'a str,
    /// `verification.attemptId`.
    pub attempt: &'a str,
    /// `verification.status`.
    pub status: &'a str,
    /// `verification.decisionTime`, as it was written.
    pub decided_at: &'a str,
}

impl Decision<'_> {
    /// A name that only an equal decision has: each part stands behind its length.
    #[must_use]
    pub fn name(&self) -> String {
        let parts = [self.session, self.attempt, self.status, self.decided_at];
        parts.iter().fold(String::new(), |mut name, part| {
            // Writing to a text does not fail.
            let _ = write!(name, "{}:{part}", part.len());
            name
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The shared secret of the published vectors.
    const SECRET: &str = "abcdef12-abcd-abcd-abcd-abcdef012345";

    fn key() -> HookKey {
        HookKey::new(SECRET).unwrap()
    }

    #[test]
    fn agrees_with_published_vectors() {
        for (payload, signature) in [
            (
                r#"{"verification":{"callback":"https://veriff.com","person":{"firstName":"John","lastName":"Smith"},"document":{"type":"PASSPORT","country":"EE"},"vendorData":"unique id of a user","timestamp":"2016-05-19T08:30:25.597Z"}}"#,
                "6af6d95822e19e9cc707aec55395d8d363ba2c7bc4625bc04ebeca0c7bf8cd67",
            ),
            (
                "aea9ba6d-1b47-47fc-a4fc-f72b6d3584a7",
                "895cb3fd31139d89aeb7b263682e15479ab57651e70591256ad2c14fde4950dd",
            ),
            (
                r#"{"verification":{"callback":"https://veriff.com","person":{"firstName":"John","lastName":"Smith"},"document":{"type":"PASSPORT","country":"EE"},"vendorData":"unique id of the end-user","timestamp":"2016-05-19T08:30:25.597Z"}}"#,
                "0dcab73ddd20062616d104231c7439657546a5c24e4691977da93bb854c31e25",
            ),
        ] {
            let payload = payload.as_bytes();
            assert_eq!(sign(&key(), payload), signature);
            assert!(is_signed(&[key()], Some(signature), payload));
            let upper = signature.to_uppercase();
            assert!(is_signed(&[key()], Some(&upper), payload), "either case");
        }
    }

    #[test]
    fn without_signature_key_or_payload_it_is_refused() {
        let signature = sign(&key(), b"{}");
        assert!(!is_signed(&[key()], None, b"{}"));
        assert!(!is_signed(&[key()], Some(""), b"{}"));
        assert!(!is_signed(&[], Some(&signature), b"{}"));
        assert!(!is_signed(&[key()], Some(&sign(&key(), b"")), b""));
    }

    #[test]
    fn a_plain_hash_is_no_signature() {
        let legacy = digest::digest(&digest::SHA256, format!("{{}}{SECRET}").as_bytes());
        let legacy = HEXLOWER.encode(legacy.as_ref());
        assert!(!is_signed(&[key()], Some(&legacy), b"{}"));
    }

    #[test]
    fn it_is_for_us_if_it_names_our_key() {
        assert!(is_for("our-key", Some("our-key")));
        for other in [
            None,
            Some(""),
            Some("our-ke"),
            Some("our-keys"),
            Some("OUR-KEY"),
        ] {
            assert!(!is_for("our-key", other), "{other:?}");
        }
        assert!(!is_for("", Some("")));
    }

    #[test]
    fn parts_of_a_name_do_not_run_into_each_other() {
        let decision = |session, attempt| Decision {
            session,
            attempt,
            status: "approved",
            decided_at: "2019-11-06T07:18:36.916Z",
        };
        assert_eq!(decision("a", "b").name(), decision("a", "b").name());
        assert_ne!(decision("ab", "c").name(), decision("a", "bc").name());
        assert_ne!(decision("a", "1:b").name(), decision("a1:", "b").name());
    }

    proptest! {
        #[test]
        fn any_flipped_bit_is_refused(payload in proptest::collection::vec(any::<u8>(), 1..200), bit: prop::sample::Index) {
            let signature = sign(&key(), &payload);
            prop_assert!(is_signed(&[key()], Some(&signature), &payload));
            let mut changed = payload.clone();
            let at = bit.index(8 * payload.len());
            changed[at / 8] ^= 1 << (at % 8);
            prop_assert!(!is_signed(&[key()], Some(&signature), &changed));
            let mut tag = HEXLOWER.decode(signature.as_bytes()).unwrap();
            let at = bit.index(8 * tag.len());
            tag[at / 8] ^= 1 << (at % 8);
            prop_assert!(!is_signed(&[key()], Some(&HEXLOWER.encode(&tag)), &payload));
        }

        #[test]
        fn anything_shortened_is_refused(payload in proptest::collection::vec(any::<u8>(), 1..200), cut: prop::sample::Index) {
            let signature = sign(&key(), &payload);
            let shorter = &payload[..cut.index(payload.len())];
            prop_assert!(!is_signed(&[key()], Some(&signature), shorter));
            let part = &signature[..cut.index(signature.len())];
            prop_assert!(!is_signed(&[key()], Some(part), &payload));
        }

        #[test]
        fn a_name_is_that_of_one_decision(a in any::<[String; 4]>(), b in any::<[String; 4]>()) {
            let name = |parts: &[String; 4]| {
                let [session, attempt, status, decided_at] = parts.each_ref().map(String::as_str);
                Decision { session, attempt, status, decided_at }.name()
            };
            prop_assert_eq!(name(&a) == name(&b), a == b);
        }
    }
}
