//! Lightspeed eCom's signature: base64 of the HMAC over `eventCreated.eventId`, keyed with the
//! app's client secret.
//!
//! It covers nothing else. Store, type, entity and data of an event are whatever the caller says,
//! and whoever has seen one signed event can send it again for ever, with any body. So an event is
//! taken once by its id, and it says no more than "look at this order": what the order is comes from
//! the shop itself.

use data_encoding::BASE64;

use super::HookKey;

/// What is signed of an event.
#[derive(Debug, Clone, Copy)]
pub struct Stamp<'a> {
    /// `eventCreated`, in the digits in which it was sent. Retries carry the first one.
    pub created: &'a str,
    /// `eventId`, which is the event's name for good.
    pub event_id: &'a str,
}

impl Stamp<'_> {
    /// Digits hold no full stop, so only one stamp makes each message.
    fn message(&self) -> Option<String> {
        let Self { created, event_id } = self;
        let is_number = !created.is_empty() && created.bytes().all(|byte| byte.is_ascii_digit());
        (is_number && !event_id.is_empty()).then(|| format!("{created}.{event_id}"))
    }
}

/// Whether the value of `X-Ecwid-Webhook-Signature` was made of this stamp with one of the keys.
#[must_use]
pub fn is_signed(keys: &[HookKey], signature: Option<&str>, stamp: Stamp<'_>) -> bool {
    let tag = signature.and_then(|signature| BASE64.decode(signature.as_bytes()).ok());
    let (Some(tag), Some(message)) = (tag, stamp.message()) else {
        return false;
    };
    keys.iter().any(|key| key.made(&tag, message.as_bytes()))
}

/// The signature as the sender makes it.
#[must_use]
pub fn sign(key: &HookKey, stamp: Stamp<'_>) -> String {
    let parts = [stamp.created, ".", stamp.event_id].map(str::as_bytes);
    BASE64.encode(key.sign(&parts).as_ref())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(secret: &str) -> HookKey {
        HookKey::new(secret).unwrap()
    }

    fn stamp<'a>(created: &'a str, event_id: &'a str) -> Stamp<'a> {
        Stamp { created, event_id }
    }

    #[test]
    fn agrees_with_published_vectors() {
        for (secret, created, event_id, signature) in [
            (
                "test_client_secret",
                "1234567",
                "80aece08-40e8-4145-8764-6c2f0d38678",
                "ekmGPQc/IpCwO6woAiM+L8uvY6chew4n6JVQCiDrEVw=",
            ),
            (
                "test_client_secret_1234567890",
                "1720000000",
                "80aece08-40e8-4145-8764-6c2f0d38678b",
                "hdC04lr24W8LXVcXrsPpO0wk1pej8ocHjc5wwC8HpR4=",
            ),
        ] {
            let (key, stamp) = (key(secret), stamp(created, event_id));
            assert_eq!(sign(&key, stamp), signature);
            assert!(is_signed(&[key], Some(signature), stamp));
        }
    }

    #[test]
    fn without_signature_or_key_it_is_refused() {
        let (key, stamp) = (key("secret"), stamp("1", "event"));
        let signature = sign(&key, stamp);
        assert!(!is_signed(std::slice::from_ref(&key), None, stamp));
        assert!(!is_signed(std::slice::from_ref(&key), Some(""), stamp));
        assert!(!is_signed(&[], Some(&signature), stamp));
    }

    #[test]
    fn a_stamp_cannot_be_cut_elsewhere() {
        let key = key("secret");
        let signature = sign(&key, stamp("1", "2.event"));
        let keys = [key];
        assert!(is_signed(&keys, Some(&signature), stamp("1", "2.event")));
        assert!(!is_signed(&keys, Some(&signature), stamp("1.2", "event")));
        let nothing = sign(&keys[0], stamp("", ""));
        assert!(!is_signed(&keys, Some(&nothing), stamp("", "")));
    }

    #[test]
    fn either_key_counts_while_they_change() {
        let (old, new) = (key("old"), key("new"));
        let stamp = stamp("1", "event");
        let signature = sign(&old, stamp);
        assert!(is_signed(&[new.clone(), old], Some(&signature), stamp));
        assert!(!is_signed(&[new], Some(&signature), stamp));
    }

    proptest! {
        #[test]
        fn any_flipped_bit_is_refused(created in 0_u64..4_000_000_000, event_id in "[a-f0-9-]{8,40}", bit in 0_usize..256) {
            let (key, created) = (key("secret"), created.to_string());
            let stamp = stamp(&created, &event_id);
            let signature = sign(&key, stamp);
            let mut tag = BASE64.decode(signature.as_bytes()).unwrap();
            tag[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!is_signed(std::slice::from_ref(&key), Some(&BASE64.encode(&tag)), stamp));
            let mut text = signature.into_bytes();
            let at = bit % text.len();
            text[at] ^= 1 << (bit / text.len() % 7);
            if let Ok(text) = String::from_utf8(text) {
                prop_assert!(!is_signed(&[key], Some(&text), stamp));
            }
        }

        #[test]
        fn any_shortened_signature_or_other_stamp_is_refused(event_id in "[a-f0-9-]{8,40}", length in 0_usize..44) {
            let key = [key("secret")];
            let signature = sign(&key[0], stamp("1720000000", &event_id));
            prop_assert!(!is_signed(&key, Some(&signature[..length]), stamp("1720000000", &event_id)));
            prop_assert!(!is_signed(&key, Some(&signature), stamp("1720000001", &event_id)));
            prop_assert!(!is_signed(&key, Some(&signature), stamp("1720000000", &event_id[1..])));
        }
    }
}
