//! Telephone numbers in E.164 form.
//!
//! A number is accepted when it is written internationally and the numbering plan of its country
//! has room for it: *possible*, not *assigned*, because plans open new ranges faster than anyone
//! updates. Spaces, dots, dashes, slashes and brackets are only for the eye, in whichever way Unicode
//! writes them, and so are marks of direction, which phones copy along; digits may be those of another
//! script. Letters and extensions are refused, since they would be lost.

use std::borrow::Cow;
use std::fmt;

use rlibphonenumber::{NumberLengthType, PhoneNumber, PhoneNumberFormat};

use super::ContactError;

/// Longer than any number with its punctuation; keeps the parser from working on nonsense.
const LONGEST_TEXT: usize = 64;

/// A possible telephone number: `+`, country code and national number, digits only (ITU-T E.164).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct E164(Box<str>);

impl E164 {
    /// Checks a number and brings it to E.164 form.
    ///
    /// # Errors
    /// A [`ContactError`] that says what is wrong, without repeating the number.
    pub fn parse(text: &str) -> Result<Self, ContactError> {
        if is_plain_north_american(text.trim()) {
            return Ok(Self(text.trim().into()));
        }
        Self::read(text).map(|(number, _)| number)
    }

    /// The same, with what the numbering plans can be asked about: reading a number is dear.
    pub(crate) fn read(text: &str) -> Result<(Self, PhoneNumber), ContactError> {
        let text = plainly(text);
        let text = text.trim();
        let digits = text
            .strip_prefix('+')
            .ok_or(ContactError::PhoneNotInternational)?;
        if !digits.chars().all(is_dialled_or_spacing) {
            return Err(ContactError::PhoneCharacters);
        }
        if text.len() > LONGEST_TEXT {
            return Err(ContactError::PhoneImpossible);
        }
        let number = PhoneNumber::parse(text, None).map_err(|_| ContactError::PhoneImpossible)?;
        match number.is_possible_with_reason() {
            Ok(NumberLengthType::IsPossible) => {
                let written = Self(number.format_as(PhoneNumberFormat::E164).into());
                Ok((written, number))
            }
            Ok(NumberLengthType::IsPossibleLocalOnly) | Err(_) => {
                Err(ContactError::PhoneImpossible)
            }
        }
    }

    /// A number that was brought to this form before it was stored; `None` for any other text.
    #[must_use]
    pub fn stored(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('+')?;
        let written = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
        written.then(|| Self(text.into()))
    }

    /// The number as `+` and digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for E164 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("E164(…)")
    }
}

/// Whether a text is `+1`, an area code and seven digits, and nothing else: the form in which
/// programs keep most numbers of North America, and already E.164. Every plan under +1 has room for it
/// (NANPA: ten digits, the first of them 2 to 9).
fn is_plain_north_american(text: &str) -> bool {
    match text.as_bytes() {
        [b'+', b'1', b'2'..=b'9', rest @ ..] => {
            rest.len() == 9 && rest.iter().all(u8::is_ascii_digit)
        }
        _ => false,
    }
}

fn is_dialled_or_spacing(sign: char) -> bool {
    sign.is_ascii_digit() || matches!(sign, ' ' | '.' | '-' | '/' | '(' | ')')
}

/// The same number in ASCII, as far as it is one.
fn plainly(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().filter_map(plain_sign).collect())
}

/// What a sign of a number stands for; `None` for what shows nothing. Others stay as they are.
fn plain_sign(sign: char) -> Option<char> {
    /// The zeros of decimal digits that phones write: Arabic, Persian, Devanagari, Bengali, full-width.
    const ZEROS: [u32; 5] = [0x660, 0x6F0, 0x966, 0x9E6, 0xFF10];
    let digit = |zero| char::from_digit(u32::from(sign).checked_sub(zero)?, 10);
    Some(match sign {
        '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' => return None,
        '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}' => return None,
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{FF0D}' => '-',
        '\u{FF0B}' => '+',
        '\u{FF08}' => '(',
        '\u{FF09}' => ')',
        _ if sign.is_whitespace() && !sign.is_ascii() => ' ',
        _ => ZEROS.into_iter().find_map(digit).unwrap_or(sign),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &str) -> Result<String, ContactError> {
        E164::parse(text).map(|number| number.as_str().to_owned())
    }

    #[test]
    fn brings_numbers_to_one_form() {
        for (given, expected) in [
            ("+12345678900", "+12345678900"),
            ("+14155550123", "+14155550123"),
            (" +1 (415) 555-0123 ", "+14155550123"),
            ("+1.415.555.0123", "+14155550123"),
            ("+1\u{a0}415\u{a0}555\u{a0}0123", "+14155550123"),
            ("+49 (0) 30 901820", "+4930901820"),
            ("+44 20 7946 0018", "+442079460018"),
            ("+39 06 6982", "+39066982"),
            ("+1 415 555\u{2013}0123", "+14155550123"),
            ("+1 415 555\u{2212}0123", "+14155550123"),
            ("\u{202A}+1 415-555-0123\u{202C}", "+14155550123"),
            (
                "+33\u{202F}6\u{202F}12\u{202F}34\u{202F}56\u{202F}78",
                "+33612345678",
            ),
            ("+966 ٥٥ ١٢٣ ٤٥٦٧", "+966551234567"),
            ("＋８１ ９０（１２３４）５６７８", "+819012345678"),
        ] {
            assert_eq!(parsed(given).as_deref(), Ok(expected), "{given}");
        }
    }

    #[test]
    fn refuses_what_cannot_be_dialled() {
        use ContactError::*;
        for (given, expected) in [
            ("", PhoneNotInternational),
            ("4155550123", PhoneNotInternational),
            ("0014155550123", PhoneNotInternational),
            ("tel:+14155550123", PhoneNotInternational),
            ("+1 800 FLOWERS", PhoneCharacters),
            ("+14155550123 ext. 7", PhoneCharacters),
            ("+14155550123;ext=7", PhoneCharacters),
            ("++14155550123", PhoneCharacters),
            ("+1415555\u{0}0123", PhoneCharacters),
            ("+1415555\n0123", PhoneCharacters),
            ("+141555501②③", PhoneCharacters),
            ("+1\u{2B0}4155550123", PhoneCharacters),
            ("+", PhoneImpossible),
            ("+1", PhoneImpossible),
            ("+1415555", PhoneImpossible),
            ("+5550123", PhoneImpossible),
            ("+141555501234567", PhoneImpossible),
            ("+99912345678", PhoneImpossible),
        ] {
            assert_eq!(parsed(given), Err(expected), "{given}");
        }
        assert_eq!(
            parsed(&format!("+{}", "1".repeat(1 << 20))),
            Err(PhoneImpossible)
        );
    }

    #[test]
    fn says_nothing_about_the_person() {
        let number = E164::parse("+14155550123").unwrap();
        assert_eq!(format!("{number:?}"), "E164(…)");
    }

    proptest! {
        #[test]
        fn what_is_plainly_north_american_is_what_the_plans_say(
            text in "\\+1[0-9]{9,11}|\\+1[2-9][0-9]{9}| \\+1[2-9][0-9]{9} ?",
        ) {
            let read = E164::read(&text).map(|(number, _)| number);
            prop_assert_eq!(E164::parse(&text), read);
        }

        #[test]
        fn canonical_form_is_a_fixed_point(text in "\\+[0-9 ()-]{7,18}") {
            if let Ok(number) = E164::parse(&text) {
                prop_assert!(number.as_str().len() <= 17);
                prop_assert_eq!(E164::stored(number.as_str()), Some(number.clone()));
                prop_assert_eq!(E164::parse(number.as_str()), Ok(number));
            }
        }
    }
}
