//! The last four digits of an ID number.
//!
//! There are only ten thousand of them, so whatever is stored must be sealed: a plain hash would be
//! found by trying them all. `Debug` never shows them.

use std::fmt;

/// Exactly four ASCII digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct IdDigits<'a>(&'a str);

impl<'a> IdDigits<'a> {
    /// Takes the text as it is: white space around it or digits of other scripts are refused.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let digits = text.bytes().all(|sign| sign.is_ascii_digit());
        (digits && text.len() == 4).then_some(Self(text))
    }

    /// The digits.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

impl fmt::Debug for IdDigits<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("IdDigits(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_everything_but_four_ascii_digits() {
        for text in [
            "",
            "123",
            "12345",
            " 1234",
            "1234 ",
            "12 4",
            "12a4",
            "-123",
            "+123",
            "1.23",
            "12\n4",
            "\u{FF11}\u{FF12}\u{FF13}\u{FF14}",
            "١٢٣٤",
            "١٢",
            "é12",
        ] {
            assert_eq!(IdDigits::parse(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_four_digits_will_do_and_stay_hidden(text in "[0-9]{4}") {
            let digits = IdDigits::parse(&text).unwrap();
            prop_assert_eq!(digits.as_str(), &text);
            prop_assert_eq!(format!("{digits:?}"), "IdDigits(…)");
        }

        #[test]
        fn any_text_gets_an_answer(text in any::<String>()) {
            let digits = text.chars().filter(char::is_ascii_digit).count();
            let expected = digits == 4 && text.chars().count() == 4;
            prop_assert_eq!(IdDigits::parse(&text).is_some(), expected);
        }
    }
}
