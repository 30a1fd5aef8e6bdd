//! The name of a verification: `av_<Unix milliseconds>_<16 lower-case letters and digits>`.
//!
//! It is no secret and says nothing of the customer. The random part, some 82 bits, keeps two
//! verifications of one millisecond apart and lets nobody guess another's.

use std::fmt;

use jiff::Timestamp;

use crate::random::{self, Random};

const PREFIX: &str = "av_";
const SIGNS: usize = 16;
const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// The name of a verification.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VerificationId(String);

impl VerificationId {
    /// Makes a name for a verification at `now`; times before 1970 count as its beginning.
    #[must_use]
    pub fn generate(now: Timestamp, random: &dyn Random) -> Self {
        let milliseconds = now.as_millisecond().max(0);
        let signs = std::iter::repeat_with(|| random::bytes::<SIGNS>(random))
            .flatten()
            .filter_map(sign)
            .take(SIGNS);
        let mut text = format!("{PREFIX}{milliseconds}_");
        text.extend(signs);
        Self(text)
    }

    /// What is less than the name of every verification from a moment on, and more than that of
    /// every one before; times have as many digits from 2001 to 2286.
    #[must_use]
    pub fn bound(at: Timestamp) -> String {
        format!("{PREFIX}{}", at.as_millisecond().max(0))
    }

    /// Reads a name that [`VerificationId::generate`] could have made; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (time, signs) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let random = signs.len() == SIGNS && signs.bytes().all(|sign| ALPHABET.contains(&sign));
        (random && is_time(time)).then(|| Self(text.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The sign that a random byte chooses. The few bytes left over after the alphabet has been dealt
/// out evenly choose none, so that no sign comes up more often than another.
fn sign(byte: u8) -> Option<char> {
    const EVEN: usize = 256 - 256 % ALPHABET.len();
    let byte = usize::from(byte);
    let sign = ALPHABET.get(byte % ALPHABET.len()).copied();
    sign.filter(|_| byte < EVEN).map(char::from)
}

/// Whether these are the milliseconds of a moment from 1970 on, as they are written.
fn is_time(text: &str) -> bool {
    text.parse::<i64>().is_ok_and(|milliseconds| {
        (0..=Timestamp::MAX.as_millisecond()).contains(&milliseconds)
            && milliseconds.to_string() == text
    })
}

impl fmt::Display for VerificationId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::fixed::Counting;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn every_sign_comes_up_equally_often() {
        let mut chosen = BTreeMap::new();
        for byte in 0..=255 {
            *chosen.entry(sign(byte)).or_insert(0) += 1;
        }
        assert_eq!(chosen.remove(&None), Some(4));
        let signs: String = chosen.keys().flatten().collect();
        assert_eq!(signs.as_bytes(), ALPHABET);
        assert!(chosen.values().all(|times| *times == 7));
    }

    #[test]
    fn is_made_of_time_and_randomness() {
        let random = Counting::default();
        let now = "2024-01-01T00:00:00.0009Z".parse().unwrap();
        let made: Vec<String> = (0..2)
            .map(|_| VerificationId::generate(now, &random).to_string())
            .collect();
        assert_eq!(
            made,
            [
                "av_1704067200000_0123456789abcdef",
                "av_1704067200000_ghijklmnopqrstuv"
            ]
        );
        let early = VerificationId::generate(Timestamp::MIN, &random);
        assert!(early.as_str().starts_with("av_0_"));
        let late = VerificationId::generate(Timestamp::MAX, &random);
        assert!(late.as_str().starts_with("av_253402207200999_"));
        assert_eq!(VerificationId::parse(late.as_str()), Some(late));
    }

    #[test]
    fn draws_again_until_there_are_enough_signs() {
        let random = Counting::default();
        // What comes next are twelve bytes that choose a sign and the four that choose none.
        random::bytes::<240>(&random);
        let id = VerificationId::generate(Timestamp::UNIX_EPOCH, &random);
        assert_eq!(id.as_str(), "av_0_opqrstuvwxyz0123");
    }

    #[test]
    fn refuses_other_texts() {
        assert!(VerificationId::parse("av_1704067200000_a1b2c3d4e5f6g7h8").is_some());
        for text in [
            "",
            "av_",
            "av__a1b2c3d4e5f6g7h8",
            "av_1704067200000",
            "av_1704067200000_",
            "av_1704067200000_a1b2c3d4e5f6g7h",
            "av_1704067200000_a1b2c3d4e5f6g7h89",
            "av_1704067200000_A1b2c3d4e5f6g7h8",
            "av_1704067200000_a1b2c3d4e5f6g7h_",
            "av_1704067200000_a1b2c3d4e5f6g7é",
            "AV_1704067200000_a1b2c3d4e5f6g7h8",
            "ov_1704067200000_a1b2c3d4e5f6g7h8",
            "av_-1_a1b2c3d4e5f6g7h8",
            "av_+1_a1b2c3d4e5f6g7h8",
            "av_01_a1b2c3d4e5f6g7h8",
            "av_1x_a1b2c3d4e5f6g7h8",
            "av_253402207201000_a1b2c3d4e5f6g7h8",
            "av_99999999999999999999_a1b2c3d4e5f6g7h8",
            " av_1704067200000_a1b2c3d4e5f6g7h8",
            "av_1704067200000_a1b2c3d4e5f6g7h8\n",
        ] {
            assert_eq!(VerificationId::parse(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn reads_what_it_makes(milliseconds in 0..=Timestamp::MAX.as_millisecond(), skipped in 0..256) {
            let random = Counting::default();
            for _ in 0..skipped {
                random::bytes::<1>(&random);
            }
            let now = Timestamp::from_millisecond(milliseconds).unwrap();
            let id = VerificationId::generate(now, &random);
            prop_assert_eq!(VerificationId::parse(id.as_str()), Some(id));
        }

        #[test]
        fn any_text_gets_an_answer(text in "av_[0-9]{1,16}_[0-9a-z]{15,17}|(av_)?\\PC*") {
            prop_assert!(VerificationId::parse(&text).is_none_or(|id| id.as_str() == text));
        }
    }
}
