//! Deliveries: attempts as they are made, and how much waits.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use app::deliveries::{Answer, Depth, Message, Sender, WEBHOOK};
use app::mail::{Letter, MAIL, Mailer};
use domain::{delivery, mail};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use metrics::{Counter, Gauge, Histogram};

use super::families::{
    DELIVERY_ATTEMPTS, DELIVERY_DURATION, ENDPOINTS_OFF, QUEUE_AGE, QUEUE_DEPTH,
};

struct Handles {
    webhooks: Attempts,
    mails: Attempts,
}

/// Told by instances that work, and by no other.
struct Queue {
    waiting: Gauge,
    overdue: Gauge,
    endpoints_off: Gauge,
}

/// The attempts of one channel.
struct Attempts {
    by_outcome: Vec<(&'static str, Counter)>,
    duration: Histogram,
}

static HANDLES: LazyLock<Handles> = LazyLock::new(|| Handles {
    webhooks: Attempts::of(WEBHOOK, &delivery::Outcome::WORDS),
    mails: Attempts::of(MAIL, &mail::Outcome::WORDS),
});

static QUEUE: LazyLock<Queue> = LazyLock::new(|| Queue {
    waiting: QUEUE_DEPTH.gauge([]),
    overdue: QUEUE_AGE.gauge([]),
    endpoints_off: ENDPOINTS_OFF.gauge([]),
});

impl Attempts {
    fn of(channel: &'static str, words: &[&'static str]) -> Self {
        let counter = |word: &'static str| {
            let labels = [channel.into(), word.into()];
            (word, DELIVERY_ATTEMPTS.counter(labels))
        };
        Self {
            by_outcome: words.iter().copied().map(counter).collect(),
            duration: DELIVERY_DURATION.histogram([channel.into()]),
        }
    }

    fn note(&self, word: &str, took: Duration) {
        self.duration.record(took.as_secs_f64());
        let mut counters = self.by_outcome.iter();
        if let Some((_, counter)) = counters.find(|(known, _)| *known == word) {
            counter.increment(1);
        }
    }
}

/// A sender or mailer whose attempts are counted.
pub struct Counted<S>(pub S);

impl<S: Sender> Sender for Counted<S> {
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            let began = Instant::now();
            let answer = self.0.send(message).await;
            HANDLES
                .webhooks
                .note(answer.outcome.word(), began.elapsed());
            answer
        })
    }
}

impl<M: Mailer> Mailer for Counted<M> {
    fn send<'a>(&'a self, letter: &'a Letter) -> BoxFuture<'a, mail::Outcome> {
        Box::pin(async move {
            let began = Instant::now();
            let outcome = self.0.send(letter).await;
            HANDLES.mails.note(outcome.word(), began.elapsed());
            outcome
        })
    }
}

/// Notes how much waits, how long the longest overdue delivery has been due, and how many receivers
/// were given up.
pub fn note_depth(depth: Depth, now: Timestamp) {
    let overdue = depth
        .oldest_due
        .map_or(0.0, |due| now.duration_since(due).as_secs_f64());
    QUEUE.waiting.set(depth.waiting as f64);
    QUEUE.overdue.set(overdue.max(0.0));
    QUEUE.endpoints_off.set(depth.endpoints_off as f64);
}

/// Makes the series of attempts exist before any was made; how much waits is told by those that
/// look.
pub(super) fn begin() {
    LazyLock::force(&HANDLES);
}
