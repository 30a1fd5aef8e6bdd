//! The signature of a message: HMAC-SHA-256 over `id.timestamp.body`, version `v1`.

use aws_lc_rs::hmac;
use data_encoding::BASE64;
use jiff::Timestamp;

use super::WebhookSecret;

/// The value of `webhook-signature`: a signature by each secret, in the order given, separated by
/// spaces. While secrets rotate there are two, the newest first.
///
/// `at` is the attempt's own time, of which whole seconds count; `body` must be sent exactly so.
#[must_use]
pub fn sign(secrets: &[WebhookSecret], id: &str, at: Timestamp, body: &[u8]) -> String {
    let head = format!("{id}.{}.", at.as_second());
    let signatures = secrets
        .iter()
        .map(|secret| signature(secret, head.as_bytes(), body));
    signatures.collect::<Vec<_>>().join(" ")
}

fn signature(secret: &WebhookSecret, head: &[u8], body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(head);
    context.update(body);
    format!("v1,{}", BASE64.encode(context.sign().as_ref()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
    const SECOND: i64 = 1_649_367_553;
    const BODY: &[u8] = br#"{"email":"test@example.com","username":"test_user"}"#;
    /// The signature that the reference implementations give.
    const SIGNATURE: &str = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";

    fn secret() -> WebhookSecret {
        WebhookSecret::parse("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").unwrap()
    }

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn agrees_with_the_reference() {
        assert_eq!(sign(&[secret()], ID, second(SECOND), BODY), SIGNATURE);
    }

    #[test]
    fn each_secret_signs_in_the_order_given() {
        let newer = WebhookSecret::from_bytes(&[7; 32]).unwrap();
        let alone = sign(std::slice::from_ref(&newer), ID, second(SECOND), BODY);
        assert_ne!(alone, SIGNATURE);
        assert_eq!(
            sign(&[newer, secret()], ID, second(SECOND), BODY),
            format!("{alone} {SIGNATURE}")
        );
        assert_eq!(sign(&[], ID, second(SECOND), BODY), "");
    }

    #[test]
    fn parts_of_a_second_do_not_count() {
        let late = Timestamp::from_microsecond(SECOND * 1_000_000 + 999_999).unwrap();
        assert_eq!(sign(&[secret()], ID, late, BODY), SIGNATURE);
    }

    proptest! {
        #[test]
        fn covers_id_second_body_and_secret(
            id in "msg_[0-9a-f]{32}",
            at in 0_i64..4_000_000_000,
            body in proptest::collection::vec(any::<u8>(), 1..200),
            at_byte: prop::sample::Index,
            key in any::<[u8; 32]>(),
        ) {
            let secret = [WebhookSecret::from_bytes(&key).unwrap()];
            let signature = sign(&secret, &id, second(at), &body);
            prop_assert_eq!(&signature, &sign(&secret, &id, second(at), &body));
            let mut changed = body.clone();
            changed[at_byte.index(body.len())] ^= 1;
            prop_assert_ne!(&signature, &sign(&secret, &id, second(at), &changed));
            prop_assert_ne!(&signature, &sign(&secret, &id, second(at + 1), &body));
            prop_assert_ne!(&signature, &sign(&secret, &format!("{id}0"), second(at), &body));
            let mut other = key;
            other[at_byte.index(key.len())] ^= 1;
            let other = [WebhookSecret::from_bytes(&other).unwrap()];
            prop_assert_ne!(&signature, &sign(&other, &id, second(at), &body));
        }
    }
}
