//! Sessions of number verification: how they end.

use std::sync::LazyLock;

use domain::number::Status;
use metrics::Counter;

use super::families::NUMBER_SESSIONS;

/// How a session may end.
const ENDS: [Status; 3] = [Status::Verified, Status::Failed, Status::Expired];

static COUNTERS: LazyLock<[(Status, Counter); 3]> =
    LazyLock::new(|| ENDS.map(|end| (end, NUMBER_SESSIONS.counter([end.as_str().into()]))));

/// So many sessions have ended like this.
pub fn count(end: Status, sessions: u64) {
    let mut counters = COUNTERS.iter();
    if let Some((_, counter)) = counters.find(|(counted, _)| *counted == end) {
        counter.increment(sessions);
    }
}

/// Makes the series exist before any session has ended.
pub(super) fn begin() {
    LazyLock::force(&COUNTERS);
}
