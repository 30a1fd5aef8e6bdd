//! Deliveries: attempts as they are made, and how much waits.

use std::sync::LazyLock;
use std::time::Instant;

use app::deliveries::{Answer, Depth, Message, Sender};
use domain::delivery::Outcome;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use metrics::{Counter, Gauge, Histogram};

use super::families::{DELIVERY_ATTEMPTS, DELIVERY_DURATION, QUEUE_AGE, QUEUE_DEPTH};

struct Handles {
    attempts: [(&'static str, Counter); 8],
    duration: Histogram,
    waiting: Gauge,
    overdue: Gauge,
}

static HANDLES: LazyLock<Handles> = LazyLock::new(|| Handles {
    attempts: Outcome::WORDS.map(|word| (word, DELIVERY_ATTEMPTS.counter([word.into()]))),
    duration: DELIVERY_DURATION.histogram([]),
    waiting: QUEUE_DEPTH.gauge([]),
    overdue: QUEUE_AGE.gauge([]),
});

/// A sender whose attempts are counted.
pub struct Counted<S>(pub S);

impl<S: Sender> Sender for Counted<S> {
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            let began = Instant::now();
            let answer = self.0.send(message).await;
            HANDLES.duration.record(began.elapsed().as_secs_f64());
            let mut attempts = HANDLES.attempts.iter();
            if let Some((_, counter)) = attempts.find(|(word, _)| *word == answer.outcome.word()) {
                counter.increment(1);
            }
            answer
        })
    }
}

/// Notes how much waits, and how long the longest overdue delivery has been due.
pub fn note_depth(depth: Depth, now: Timestamp) {
    let overdue = depth
        .oldest_due
        .map_or(0.0, |due| now.duration_since(due).as_secs_f64());
    HANDLES.waiting.set(depth.waiting as f64);
    HANDLES.overdue.set(overdue.max(0.0));
}

/// Makes the series of attempts exist before any was made; how much waits is told by those that
/// look.
pub(super) fn begin() {
    LazyLock::force(&HANDLES);
}
