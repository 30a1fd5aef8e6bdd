//! Requests that were turned away: by a limit, or because of their credential.

use std::sync::LazyLock;

use app::credentials::Refusal;
use app::limits::LimitName;
use app::quota::QuotaHealth;
use metrics::{Counter, Gauge};

use super::families::{CREDENTIAL_REFUSALS, LIMIT_REFUSALS, LIMITS_DEGRADED, LIMITS_SHARED};

static BY_LIMIT: LazyLock<[(LimitName, Counter); 4]> = LazyLock::new(|| {
    LimitName::ALL.map(|name| (name, LIMIT_REFUSALS.counter([name.as_str().into()])))
});

static BY_REASON: LazyLock<[(Refusal, Counter); 9]> = LazyLock::new(|| {
    Refusal::ALL.map(|reason| {
        (
            reason,
            CREDENTIAL_REFUSALS.counter([reason.as_str().into()]),
        )
    })
});

static SHARED: LazyLock<Gauge> = LazyLock::new(|| LIMITS_SHARED.gauge([]));
static DEGRADED: LazyLock<Gauge> = LazyLock::new(|| LIMITS_DEGRADED.gauge([]));

/// A request was refused because this limit was used up.
pub fn limited(limit: LimitName) {
    count(BY_LIMIT.as_slice(), limit);
}

/// A credential was not accepted.
pub fn unauthenticated(reason: Refusal) {
    count(BY_REASON.as_slice(), reason);
}

/// Where requests are counted now.
pub fn note_health(health: QuotaHealth) {
    let (shared, degraded) = flags(health);
    SHARED.set(shared);
    DEGRADED.set(degraded);
}

/// Whether limits are shared, and whether they should be and are not.
const fn flags(health: QuotaHealth) -> (f64, f64) {
    match health {
        QuotaHealth::Memory => (0.0, 0.0),
        QuotaHealth::Shared => (1.0, 0.0),
        QuotaHealth::Degraded { .. } => (0.0, 1.0),
    }
}

/// Makes the series exist before anything was refused: a rate needs something to rise from.
pub(super) fn begin() {
    LazyLock::force(&BY_LIMIT);
    LazyLock::force(&BY_REASON);
}

fn count<K: Copy + PartialEq>(counters: &[(K, Counter)], key: K) {
    if let Some((_, counter)) = counters.iter().find(|(known, _)| *known == key) {
        counter.increment(1);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn to_count_in_memory_by_choice_is_no_degradation() {
        let lasting = Duration::from_secs(9);
        assert_eq!(flags(QuotaHealth::Memory), (0.0, 0.0));
        assert_eq!(flags(QuotaHealth::Shared), (1.0, 0.0));
        assert_eq!(flags(QuotaHealth::Degraded { lasting }), (0.0, 1.0));
    }
}
