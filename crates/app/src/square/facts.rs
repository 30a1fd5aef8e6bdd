//! What is told, gathered by the customers of Square that it is about.

use std::collections::BTreeMap;

use domain::seal::{BlindIndex, IndexKey};
use domain::square::{Event, Merge};
use jiff::Timestamp;

use super::told::Told;
use super::{Profile, square_index};

/// What is told of one customer of Square.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub profile: Option<Profile>,
    pub events: Vec<Event>,
}

/// What is told of each.
pub(super) type ByCustomer = BTreeMap<BlindIndex, Facts>;

/// What an event says.
pub(super) fn of_event(key: &IndexKey, company: &str, told: &Told) -> ByCustomer {
    let mut facts = of_merges(key, company, told.at, &told.merges);
    let about = facts
        .entry(square_index(key, company, &told.id))
        .or_default();
    about.profile.clone_from(&told.profile);
    about.events.extend(told.event());
    facts
}

/// What merges say. Whoever holds what was merged is there as well, if only to stand still: who
/// changes the one and who changes the other at the same time could not see each other.
pub(super) fn of_merges(
    key: &IndexKey,
    company: &str,
    at: Timestamp,
    merges: &[(String, String)],
) -> ByCustomer {
    let mut facts = ByCustomer::new();
    for (from, into) in merges {
        let into = square_index(key, company, into);
        let from = facts.entry(square_index(key, company, from)).or_default();
        from.events.push(Event::Merged(Merge { at, into }));
        facts.entry(into).or_default();
    }
    facts
}

/// What a list of customers says. One that was brought back was so before it last changed.
pub(super) fn of_profiles(key: &IndexKey, company: &str, profiles: &[Profile]) -> ByCustomer {
    let mut facts = ByCustomer::new();
    for profile in profiles {
        let about = facts
            .entry(square_index(key, company, &profile.id))
            .or_default();
        let recovered = profile.edition.updated_at.filter(|_| profile.is_recovered);
        about.events.extend(recovered.map(Event::Recovered));
        about.profile = Some(profile.clone());
    }
    facts
}
