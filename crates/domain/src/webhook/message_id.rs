//! What a message is called: `webhook-id`, by which a receiver knows a repetition.
//!
//! It is the delivery's own id in other letters, so it is the same in every attempt and nobody
//! outside can choose it. It holds no full stop, which separates the parts of what is signed.

use uuid::Uuid;

const PREFIX: &str = "msg_";

/// The message id of a delivery: `msg_` and 32 hexadecimal digits.
#[must_use]
pub fn message_id(delivery: Uuid) -> String {
    format!("{PREFIX}{}", delivery.simple())
}

/// The delivery of a message id; `None` for any text that [`message_id`] does not write.
#[must_use]
pub fn delivery_of(message_id: &str) -> Option<Uuid> {
    let digits = message_id.strip_prefix(PREFIX)?;
    let delivery = Uuid::try_parse(digits).ok()?;
    // The parser knows other forms too, braces and hyphens for example.
    (delivery.simple().to_string() == digits).then_some(delivery)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn is_the_delivery_in_hexadecimal_digits() {
        let delivery = Uuid::from_u128(0x0190_a5e8_0000_7000_8000_0000_0000_00ff);
        assert_eq!(message_id(delivery), "msg_0190a5e80000700080000000000000ff");
    }

    #[test]
    fn other_texts_name_no_delivery() {
        for text in [
            "",
            "msg_",
            "0190a5e80000700080000000000000ff",
            "msg_0190a5e80000700080000000000000f",
            "msg_0190a5e80000700080000000000000fff",
            "msg_0190A5E80000700080000000000000FF",
            "msg_0190a5e8-0000-7000-8000-0000000000ff",
            "msg_{0190a5e8-0000-7000-8000-0000000000ff}",
            "msg_0190a5e80000700080000000000000fg",
            " msg_0190a5e80000700080000000000000ff",
        ] {
            assert_eq!(delivery_of(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn finds_the_way_back(number: u128) {
            let delivery = Uuid::from_u128(number);
            let id = message_id(delivery);
            prop_assert!(!id.contains('.'));
            prop_assert_eq!(delivery_of(&id), Some(delivery));
        }
    }
}
