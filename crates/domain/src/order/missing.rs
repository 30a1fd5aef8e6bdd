//! Which proofs a customer has not given.

use std::fmt;

use crate::standing::{Proof, Standing};

/// A set of proofs that are not given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Missing([bool; Proof::ALL.len()]);

impl Missing {
    /// Everything.
    pub const ALL: Self = Self([true; Proof::ALL.len()]);
    /// Nothing.
    pub const NONE: Self = Self([false; Proof::ALL.len()]);

    /// What a customer has not proven; with `identity_by_age` a valid age verification stands in
    /// for the ID check.
    #[must_use]
    pub fn of(standing: &Standing, identity_by_age: bool) -> Self {
        Self::collect(standing.missing(identity_by_age))
    }

    fn collect(proofs: impl Iterator<Item = Proof>) -> Self {
        let proofs: Vec<Proof> = proofs.collect();
        Self(Proof::ALL.map(|proof| proofs.contains(&proof)))
    }

    /// The proofs, in the order they are shown.
    pub fn proofs(self) -> impl Iterator<Item = Proof> {
        let named = Proof::ALL.into_iter().zip(self.0);
        named.filter_map(|(proof, is_missing)| is_missing.then_some(proof))
    }

    /// Whether everything is proven.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::NONE
    }

    /// Whether one of these is given when only those of `after` are missing.
    #[must_use]
    pub fn lost_any(self, after: Self) -> bool {
        let mut both = self.0.into_iter().zip(after.0);
        both.any(|(before, after)| before && !after)
    }

    /// Reads what `Display` wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let words = text.split(',').filter(|word| !word.is_empty());
        let proofs: Result<Vec<_>, _> = words.map(Proof::parse).collect();
        Some(Self::collect(proofs.ok()?.into_iter()))
    }
}

/// `veriff,membership`; empty when nothing is missing.
impl fmt::Display for Missing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, proof) in self.proofs().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(formatter, "{comma}{}", proof.as_str())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Missing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Missing({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::standing::Change;
    use jiff::Timestamp;
    use proptest::prelude::*;

    fn any_missing() -> impl Strategy<Value = Missing> {
        any::<[bool; 3]>().prop_map(Missing)
    }

    #[test]
    fn it_is_what_the_standing_lacks() {
        let mut standing = Standing::default();
        assert_eq!(Missing::of(&standing, false), Missing::ALL);
        let rest = Missing::of(&standing, true);
        assert_eq!(rest.to_string(), "membership,email_optin");
        for proof in Proof::ALL {
            let change = Change {
                status: true,
                occurred_at: Timestamp::UNIX_EPOCH,
            };
            standing.apply(proof, change);
        }
        assert!(Missing::of(&standing, false).is_empty());
        assert_eq!(Missing::NONE.to_string(), "");
        assert_eq!(Missing::parse("veriff,age"), None);
    }

    proptest! {
        #[test]
        fn reads_what_it_writes(missing in any_missing()) {
            prop_assert_eq!(Missing::parse(&missing.to_string()), Some(missing));
        }

        #[test]
        fn a_proof_is_lost_exactly_when_fewer_of_the_same_are_left(
            before in any_missing(), after in any_missing()
        ) {
            let left = before.proofs().filter(|proof| after.proofs().any(|other| other == *proof));
            prop_assert_eq!(before.lost_any(after), left.count() < before.proofs().count());
        }
    }
}
