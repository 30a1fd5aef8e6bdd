//! Square's signature: base64 of the HMAC over the notification address and the body, one right
//! behind the other.
//!
//! The address is the one that the subscription was made with, letter by letter. It is never rebuilt
//! from a request: behind a proxy it would be another one, and a caller could choose it.

use data_encoding::BASE64;

use super::HookKey;

/// Whether the value of `x-square-hmacsha256-signature` was made of these bytes with one of the
/// keys; a body without bytes is never signed.
#[must_use]
pub fn is_signed(keys: &[HookKey], signature: Option<&str>, address: &str, body: &[u8]) -> bool {
    let Some(tag) = signature.and_then(|signature| BASE64.decode(signature.as_bytes()).ok()) else {
        return false;
    };
    if body.is_empty() || address.is_empty() {
        return false;
    }
    let message = [address.as_bytes(), body].concat();
    keys.iter().any(|key| key.made(&tag, &message))
}

/// The signature as the sender makes it.
#[must_use]
pub fn sign(key: &HookKey, address: &str, body: &[u8]) -> String {
    BASE64.encode(key.sign(&[address.as_bytes(), body]).as_ref())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ADDRESS: &str = "https://verify.example.com/hooks/square";

    fn key(secret: &str) -> HookKey {
        HookKey::new(secret).unwrap()
    }

    #[test]
    fn agrees_with_published_vectors() {
        for (secret, address, body, signature) in [
            (
                "Ibxx_5AKakO-3qeNVR61Dw",
                "https://webhook.site/679a4f3a-dcfa-49ee-bac5-9d0edad886b9",
                r#"{"merchant_id":"MLEFBHHSJGVHD","type":"webhooks.test_notification","event_id":"ac3ac95b-f97d-458c-a6e6-18981597e05f","created_at":"2022-07-13T20:30:59.037339943Z","data":{"type":"webhooks","id":"bc368e64-01aa-407e-b46e-3231809b1129"}}"#,
                "GF4YkrJgGBDZ9NIYbNXBnMzqb2HoL4RW/S6vkZ9/2N4=",
            ),
            (
                "signature-key",
                "https://webhook.site/webhooks",
                r#"{"data":{"type":"webhooks","id":">id<"}}"#,
                "Cxt7+aTi4rKgcA0bC4g9EHdVtLSDWdqccmL5MvihU4U=",
            ),
        ] {
            let key = key(secret);
            assert_eq!(sign(&key, address, body.as_bytes()), signature);
            assert!(is_signed(&[key], Some(signature), address, body.as_bytes()));
        }
    }

    #[test]
    fn without_signature_key_or_body_it_is_refused() {
        let key = [key("secret")];
        let signature = sign(&key[0], ADDRESS, b"{}");
        assert!(!is_signed(&key, None, ADDRESS, b"{}"));
        assert!(!is_signed(&[], Some(&signature), ADDRESS, b"{}"));
        let empty = sign(&key[0], ADDRESS, b"");
        assert!(!is_signed(&key, Some(&empty), ADDRESS, b""));
        let nowhere = sign(&key[0], "", b"{}");
        assert!(!is_signed(&key, Some(&nowhere), "", b"{}"));
    }

    #[test]
    fn either_key_counts_while_they_change() {
        let keys = [key("new"), key("old")];
        for each in &keys {
            let signature = sign(each, ADDRESS, b"{}");
            assert!(is_signed(&keys, Some(&signature), ADDRESS, b"{}"));
        }
        let signature = sign(&key("older"), ADDRESS, b"{}");
        assert!(!is_signed(&keys, Some(&signature), ADDRESS, b"{}"));
    }

    proptest! {
        #[test]
        fn any_flipped_bit_is_refused(body in proptest::collection::vec(any::<u8>(), 1..200), bit: prop::sample::Index) {
            let key = [key("secret")];
            let signature = sign(&key[0], ADDRESS, &body);
            prop_assert!(is_signed(&key, Some(&signature), ADDRESS, &body));
            let mut changed = body.clone();
            let at = bit.index(8 * body.len());
            changed[at / 8] ^= 1 << (at % 8);
            prop_assert!(!is_signed(&key, Some(&signature), ADDRESS, &changed));
            let mut tag = BASE64.decode(signature.as_bytes()).unwrap();
            let at = bit.index(8 * tag.len());
            tag[at / 8] ^= 1 << (at % 8);
            prop_assert!(!is_signed(&key, Some(&BASE64.encode(&tag)), ADDRESS, &body));
        }

        #[test]
        fn anything_shortened_is_refused(body in proptest::collection::vec(any::<u8>(), 1..200), cut: prop::sample::Index) {
            let key = [key("secret")];
            let signature = sign(&key[0], ADDRESS, &body);
            let shorter = &body[..cut.index(body.len())];
            prop_assert!(!is_signed(&key, Some(&signature), ADDRESS, shorter));
            let part = &signature[..cut.index(signature.len())];
            prop_assert!(!is_signed(&key, Some(part), ADDRESS, &body));
            prop_assert!(!is_signed(&key, Some(&signature), &ADDRESS[..cut.index(ADDRESS.len())], &body));
        }
    }
}
