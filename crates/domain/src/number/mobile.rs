//! Mobile numbers.
//!
//! A number is taken when it may be a mobile's: its plan has room for it, and does not say that it
//! belongs to a fixed line or a service. Where the plan does not tell mobile from fixed (+1), it
//! passes. What a number is may change; whether somebody holds it is what a session finds out.

use std::fmt;

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber, PhoneNumberType};

use crate::contact::E164;

/// The most digits that a masked number shows at its end.
const SHOWN: usize = 4;

/// A number that may be a mobile's.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct MobileNumber(E164);

/// A text that is no such number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a possible mobile number, with + and the country code first")]
pub struct MobileError;

impl MobileNumber {
    /// Checks a number and brings it to E.164 form.
    ///
    /// # Errors
    /// [`MobileError`], which does not repeat the number.
    pub fn parse(text: &str) -> Result<Self, MobileError> {
        let (number, read) = E164::read(text).map_err(|_| MobileError)?;
        may_be_mobile(&read)
            .then_some(Self(number))
            .ok_or(MobileError)
    }

    /// A number that was checked before, when it was stored; `None` for what cannot be one.
    #[must_use]
    pub fn stored(text: &str) -> Option<Self> {
        E164::stored(text).map(Self)
    }

    /// The number as `+` and digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Enough of the number for its holder to know it again: the country code and the last digits,
    /// at most four and never more than half of the rest. `+14155550123` is `+1******0123`.
    #[must_use]
    pub fn masked(&self) -> String {
        masked(&self.0)
    }
}

/// Enough of a number for its holder to know it again, as of a [`MobileNumber`].
#[must_use]
pub fn masked(number: &E164) -> String {
    let text = number.as_str();
    let country = country_code_length(text);
    let national = text.len().saturating_sub(country);
    let hidden = national - SHOWN.min(national / 2);
    text.char_indices()
        .map(|(at, sign)| {
            let is_hidden = (country..country + hidden).contains(&at);
            if is_hidden { '*' } else { sign }
        })
        .collect()
}

impl fmt::Debug for MobileNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MobileNumber(…)")
    }
}

fn may_be_mobile(number: &PhoneNumber) -> bool {
    match PHONE_NUMBER_UTIL.get_number_type(number) {
        PhoneNumberType::Mobile | PhoneNumberType::FixedLineOrMobile => true,
        // Plans open new ranges faster than anyone updates: the length has to do.
        PhoneNumberType::Unknown => {
            PHONE_NUMBER_UTIL.is_possible_number_for_type(number, PhoneNumberType::Mobile)
        }
        _ => false,
    }
}

/// The length of `+` and the country code. No code is the beginning of another, and the lists of
/// ITU-T E.164 tell how long each is.
fn country_code_length(text: &str) -> usize {
    let digits = text.as_bytes().get(1..).unwrap_or_default();
    match digits {
        [b'1' | b'7', ..] => 2,
        [b'2', b'0' | b'7', ..]
        | [b'3', b'0'..=b'4' | b'6' | b'9', ..]
        | [b'4', b'0' | b'1' | b'3'..=b'9', ..]
        | [b'5', b'1'..=b'8', ..]
        | [b'6', b'0'..=b'6', ..]
        | [b'8', b'1' | b'2' | b'4' | b'6', ..]
        | [b'9', b'0'..=b'5' | b'8', ..] => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rlibphonenumber::PhoneNumberFormat;

    #[test]
    fn mobiles_pass_and_known_others_do_not() {
        for mobile in [
            "+14155550123",
            "+1 (415) 555-0123",
            "+447911123456",
            "+4915123456789",
            "+33612345678",
            "+919876543210",
            "+5511961234567",
            "+61412345678",
        ] {
            assert!(MobileNumber::parse(mobile).is_ok(), "{mobile}");
        }
        for other in [
            "",
            "4155550123",
            "+1415555",
            "+18005550123",
            "+19005550123",
            "+442079460018",
            "+493012345678",
            "+33123456789",
            "+80012345678",
            "+14155550123 ext 5",
        ] {
            assert_eq!(MobileNumber::parse(other), Err(MobileError), "{other}");
        }
    }

    #[test]
    fn masks_show_country_and_end() {
        for (number, masked) in [
            ("+14155550123", "+1******0123"),
            ("+447911123456", "+44******3456"),
            ("+4915123456789", "+49*******6789"),
            ("+37255512345", "+372****2345"),
        ] {
            assert_eq!(MobileNumber::parse(number).unwrap().masked(), masked);
        }
    }

    proptest! {
        #[test]
        fn a_mask_hides_half_of_the_national_number(text in "\\+[1-9][0-9]{6,14}") {
            if let Ok(number) = MobileNumber::parse(&text) {
                let masked = number.masked();
                let hidden = masked.matches('*').count();
                prop_assert_eq!(masked.len(), number.as_str().len());
                prop_assert!(hidden * 2 >= masked.trim_start_matches(|sign| sign != '*').len());
                prop_assert!(masked.len() - masked.trim_end_matches(|sign: char| sign.is_ascii_digit()).len() <= 4);
                let parsed = PhoneNumber::parse(number.as_str(), None).unwrap();
                let country = parsed.country_code.to_string().len();
                prop_assert_eq!(country_code_length(number.as_str()), 1 + country);
                prop_assert_eq!(MobileNumber::stored(number.as_str()), Some(number));
            }
        }
    }

    /// The example that each region's plan gives of a kind of number, and what kinds the plan says
    /// it may be of.
    fn examples(kind: PhoneNumberType) -> Vec<(String, PhoneNumberType)> {
        let regions = PHONE_NUMBER_UTIL.get_supported_regions();
        let numbers = regions.filter_map(|region| {
            PHONE_NUMBER_UTIL
                .get_example_number_for_type_and_region(region, kind)
                .ok()
        });
        numbers
            .map(|number| {
                let text = number.format_as(PhoneNumberFormat::E164).into_owned();
                (text, PHONE_NUMBER_UTIL.get_number_type(&number))
            })
            .collect()
    }

    #[test]
    fn a_mobile_of_every_region_passes() {
        let mobiles = examples(PhoneNumberType::Mobile);
        assert!(mobiles.len() > 230, "{} regions", mobiles.len());
        for (mobile, kind) in mobiles {
            let number = MobileNumber::parse(&mobile);
            assert_eq!(
                number.as_ref().map(MobileNumber::as_str),
                Ok(&*mobile),
                "{kind:?}"
            );
        }
    }

    #[test]
    fn what_a_plan_gives_to_others_is_refused_in_every_region() {
        let mut refused = 0;
        for given in [
            PhoneNumberType::FixedLine,
            PhoneNumberType::TollFree,
            PhoneNumberType::PremiumRate,
            PhoneNumberType::SharedCost,
            PhoneNumberType::VoIP,
            PhoneNumberType::UAN,
        ] {
            for (other, kind) in examples(given) {
                let parsed = MobileNumber::parse(&other);
                // Where mobiles and fixed lines share their ranges, nobody can tell.
                let shared = kind == PhoneNumberType::FixedLineOrMobile;
                assert_eq!(parsed.is_ok(), shared, "{other} is {kind:?}");
                refused += usize::from(!shared);
            }
        }
        assert!(refused > 500, "{refused} numbers");
    }

    #[test]
    fn a_mask_hides_enough_in_every_region() {
        for (mobile, _) in examples(PhoneNumberType::Mobile) {
            let masked = MobileNumber::parse(&mobile).unwrap().masked();
            let hidden = masked.matches('*').count();
            let national = masked.trim_start_matches(|sign| sign != '*').len();
            let shown = national - hidden;
            assert!(hidden >= 2 && hidden >= shown && shown <= SHOWN, "{masked}");
            assert!(
                mobile.starts_with(
                    masked
                        .trim_end_matches(|sign| sign != '*')
                        .trim_end_matches('*')
                )
            );
        }
    }

    #[test]
    fn says_nothing_about_the_person() {
        let number = MobileNumber::parse("+14155550123").unwrap();
        assert_eq!(format!("{number:?}"), "MobileNumber(…)");
    }
}
