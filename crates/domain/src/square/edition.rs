//! Which of two texts of one customer is the newer one.

use jiff::Timestamp;

/// The edition of what Square says of a customer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edition {
    /// Counts the changes; older interfaces do not send it.
    pub version: Option<i64>,
    /// When it last changed.
    pub updated_at: Option<Timestamp>,
}

impl Edition {
    /// Whether it is newer than what is known. The version decides; where one of the two lacks it,
    /// the time does, and at one time the one that has a version.
    #[must_use]
    pub fn supersedes(&self, known: &Self) -> bool {
        match (self.version, known.version) {
            (Some(version), Some(known)) => version > known,
            (version, known_version) => {
                let (at, known_at) = (self.updated_at, known.updated_at);
                (at, version.is_some()) > (known_at, known_version.is_some())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn edition(version: Option<i64>, second: Option<i64>) -> Edition {
        Edition {
            version,
            updated_at: second.map(|second| Timestamp::from_second(second).unwrap()),
        }
    }

    #[test]
    fn the_version_decides_and_the_time_without_it() {
        for (new, known, expected) in [
            (edition(Some(2), Some(1)), edition(Some(1), Some(9)), true),
            (edition(Some(1), Some(9)), edition(Some(1), Some(1)), false),
            (edition(None, Some(2)), edition(Some(7), Some(1)), true),
            (edition(Some(7), Some(1)), edition(None, Some(2)), false),
            (edition(Some(0), Some(1)), edition(None, Some(1)), true),
            (edition(None, Some(1)), edition(Some(0), Some(1)), false),
            (edition(None, Some(1)), edition(None, Some(1)), false),
            (edition(None, Some(1)), edition(None, None), true),
        ] {
            assert_eq!(new.supersedes(&known), expected, "{new:?} over {known:?}");
        }
    }

    proptest! {
        /// Editions as one customer has them: the time grows with the version.
        #[test]
        fn the_newest_stands_in_any_order(
            (sorted, shuffled) in proptest::collection::vec(any::<bool>(), 1..8).prop_flat_map(|said| {
                let editions: Vec<_> = (0..).zip(said).map(|(number, says)| {
                    edition(says.then_some(number), Some(number))
                }).collect();
                (Just(editions.clone()), Just(editions).prop_shuffle())
            })
        ) {
            let mut stands = Edition::default();
            for edition in &shuffled {
                if edition.supersedes(&stands) {
                    stands = *edition;
                }
            }
            prop_assert_eq!(Some(&stands), sorted.last());
        }
    }
}
