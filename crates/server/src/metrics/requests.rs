//! Every request that was answered: how often, and how long it took.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::{Method, StatusCode};
use metrics::{Counter, Histogram};

use super::families::{REQUEST_DURATION, REQUESTS};

/// The methods that are told apart.
const METHODS: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT",
];

/// Action, method and status: all from closed sets.
type Key = (&'static str, &'static str, u16);

#[derive(Clone)]
struct Handles {
    requests: Counter,
    duration: Histogram,
}

/// The handles of what has been answered so far: read without a lock, and copied as a whole the
/// few times that something is answered for the first time.
static HANDLES: LazyLock<ArcSwap<HashMap<Key, Handles>>> = LazyLock::new(ArcSwap::default);

/// A request was answered. The action is a name of ours, the method one of [`method`].
pub fn answered(action: &'static str, method: &'static str, status: StatusCode, latency: Duration) {
    let key = (action, method, status.as_u16());
    match HANDLES.load().get(&key) {
        Some(handles) => count(handles, latency),
        None => count(&register(key), latency),
    }
}

/// The method as it is counted: whatever is none of HTTP's own is `other`.
pub fn method(method: &Method) -> &'static str {
    METHODS
        .into_iter()
        .find(|known| *known == method.as_str())
        .unwrap_or("other")
}

fn count(handles: &Handles, latency: Duration) {
    handles.requests.increment(1);
    handles.duration.record(latency);
}

fn register(key: Key) -> Handles {
    let (action, method, status) = key;
    let handles = Handles {
        requests: REQUESTS.counter([action.into(), method.into(), status.to_string().into()]),
        duration: REQUEST_DURATION.histogram([action.into()]),
    };
    HANDLES.rcu(|known| {
        let mut known = HashMap::clone(known);
        known.insert(key, handles.clone());
        known
    });
    handles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_come_from_a_closed_set() {
        assert_eq!(method(&Method::PATCH), "PATCH");
        for invented in ["get", "BREW", "alice@example.com"] {
            let invented = Method::from_bytes(invented.replace('@', "-").as_bytes()).unwrap();
            assert_eq!(method(&invented), "other");
        }
    }
}
