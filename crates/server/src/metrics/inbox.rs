//! The inbox: events as they are processed, and how many wait.

use std::sync::{Arc, LazyLock};

use app::inbox::{Depth, Event, Handled, Handler, Trouble};
use domain::hook::Source;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use metrics::{Counter, Gauge};

use super::families::{INBOX_AGE, INBOX_DEPTH, INBOX_EVENTS, INBOX_PARKED};

/// What can become of an event that is processed.
const OUTCOMES: [&str; 3] = ["done", "ignored", "failed"];

struct Handles {
    events: Vec<(Source, [(&'static str, Counter); 3])>,
}

/// Told by instances that work, and by no other.
struct Queue {
    waiting: Gauge,
    overdue: Gauge,
    parked: Gauge,
}

static HANDLES: LazyLock<Handles> = LazyLock::new(|| {
    let counter = |source: Source, outcome: &'static str| {
        INBOX_EVENTS.counter([source.as_str().into(), outcome.into()])
    };
    let counters = |source| {
        (
            source,
            OUTCOMES.map(|outcome| (outcome, counter(source, outcome))),
        )
    };
    Handles {
        events: Source::ALL.map(counters).to_vec(),
    }
});

static QUEUE: LazyLock<Queue> = LazyLock::new(|| Queue {
    waiting: INBOX_DEPTH.gauge([]),
    overdue: INBOX_AGE.gauge([]),
    parked: INBOX_PARKED.gauge([]),
});

/// A handler whose events are counted.
pub struct Counted {
    source: Source,
    handler: Arc<dyn Handler>,
}

impl Counted {
    /// The handler of a source.
    pub fn new(source: Source, handler: Arc<dyn Handler>) -> Self {
        Self { source, handler }
    }
}

impl Handler for Counted {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, Trouble>> {
        Box::pin(async move {
            let handled = self.handler.handle(event).await;
            count(
                self.source,
                match handled {
                    Ok(Handled::Done { .. }) => "done",
                    Ok(Handled::Ignored(_)) => "ignored",
                    Err(_) => "failed",
                },
            );
            handled
        })
    }
}

fn count(source: Source, outcome: &str) {
    let mut sources = HANDLES.events.iter();
    let counters = sources.find(|(known, _)| *known == source);
    let counter = counters.and_then(|(_, counters)| {
        let mut outcomes = counters.iter();
        outcomes.find(|(known, _)| *known == outcome)
    });
    if let Some((_, counter)) = counter {
        counter.increment(1);
    }
}

/// Notes how much waits, and how long the longest overdue event has been due.
pub fn note_depth(depth: Depth, now: Timestamp) {
    let overdue = depth
        .oldest_due
        .map_or(0.0, |due| now.duration_since(due).as_secs_f64());
    QUEUE.waiting.set(depth.waiting as f64);
    QUEUE.overdue.set(overdue.max(0.0));
    QUEUE.parked.set(depth.parked as f64);
}

/// Makes the series of events exist before any came; how much waits is told by those that look.
pub(super) fn begin() {
    LazyLock::force(&HANDLES);
}
