//! The public name of a session: `nv_` and 36 lower-case letters and digits.
//!
//! It is no secret, but nobody can guess one: 128 of its bits are random. The 48 before them are
//! the time in milliseconds, so that sessions made one after another lie side by side in an index.

use std::fmt;

use data_encoding::{Encoding, Specification};
use jiff::Timestamp;
use std::sync::LazyLock;

use crate::random::{self, Random};

const PREFIX: &str = "nv_";
/// 22 bytes, five bits a sign.
const SIGNS: usize = 36;
const TIME_BYTES: usize = 6;
const RANDOM_BYTES: usize = 16;

/// Base 32 whose signs sort as the bits do (RFC 4648 §7), in lower case.
static SORTED: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification
        .symbols
        .push_str("0123456789abcdefghijklmnopqrstuv");
    specification
        .encoding()
        .unwrap_or(data_encoding::BASE32HEX_NOPAD)
});

/// The public name of a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(Box<str>);

impl SessionId {
    /// Makes a name for a session that begins now; times before 1970 count as its beginning.
    #[must_use]
    pub fn generate(now: Timestamp, random: &dyn Random) -> Self {
        Self::made_of(now, random::bytes(random))
    }

    /// The least name of a session that begins at a moment: those of earlier ones are less.
    #[must_use]
    pub fn least(at: Timestamp) -> Self {
        Self::made_of(at, [0; RANDOM_BYTES])
    }

    fn made_of(at: Timestamp, random: [u8; RANDOM_BYTES]) -> Self {
        let milliseconds = u64::try_from(at.as_millisecond()).unwrap_or(0);
        let [_, _, time @ ..] = milliseconds.to_be_bytes();
        let mut bytes = [0; TIME_BYTES + RANDOM_BYTES];
        let (for_time, for_random) = bytes.split_at_mut(TIME_BYTES);
        for_time.copy_from_slice(&time);
        for_random.copy_from_slice(&random);
        let mut text = String::with_capacity(PREFIX.len() + SIGNS);
        text.push_str(PREFIX);
        SORTED.encode_append(&bytes, &mut text);
        Self(text.into())
    }

    /// Reads a name that [`SessionId::generate`] could have made; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let signs = text.strip_prefix(PREFIX)?;
        let ours = signs.len() == SIGNS && SORTED.decode(signs.as_bytes()).is_ok();
        ours.then(|| Self(text.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::fixed::Counting;
    use proptest::prelude::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(milliseconds).unwrap()
    }

    #[test]
    fn is_made_of_time_and_randomness() {
        let random = Counting::default();
        let made = [0, 1].map(|_| SessionId::generate(at(1_704_067_200_000), &random));
        assert_ne!(made[0], made[1]);
        for id in made {
            let (time, random) = id.as_str().split_at(PREFIX.len() + 9);
            assert_eq!(time, "nv_066c4kfk0");
            assert_eq!(random.len(), SIGNS - 9);
        }
    }

    proptest! {
        #[test]
        fn sorts_by_time_and_reads_back(one in 0..4_000_000_000_000_i64, later in 1..1_000_000_000_i64) {
            let random = Counting::default();
            let first = SessionId::generate(at(one), &random);
            let second = SessionId::generate(at(one + later), &random);
            prop_assert!(first < second);
            prop_assert_eq!(SessionId::parse(first.as_str()), Some(first));
        }

        #[test]
        fn other_texts_are_no_names(text in ".{0,40}") {
            prop_assert_eq!(SessionId::parse(&text), None);
        }
    }

    #[test]
    fn has_one_spelling() {
        let id = SessionId::generate(at(1), &Counting::default());
        let text = id.as_str();
        assert_eq!(SessionId::parse(&text.to_uppercase()), None);
        assert_eq!(SessionId::parse(&text[1..]), None);
        assert_eq!(SessionId::parse(&format!("{text}0")), None);
        // The last sign holds four spare bits, which are zero.
        assert_eq!(
            SessionId::parse(&format!("{}v", &text[..text.len() - 1])),
            None
        );
    }
}
