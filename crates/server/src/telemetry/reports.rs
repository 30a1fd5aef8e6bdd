//! What is reported to Sentry: lines of our own log that tell of a defect, and of each outage one.
//!
//! A line of level `ERROR` is a defect, and reported once until it has not been seen for a while. A line
//! of level `WARN` that names a `cause` is trouble that heals: the first one is reported, and all that
//! follow it, whatever they say, belong to the same outage until it has been quiet for as long.
//!
//! Guarantees: whoever logs never waits; at most [`WAITING`] reports are kept; only the fields named here
//! are told, none of which names anybody.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::clock::Clock as _;
use domain::random;
use jiff::Timestamp;
use tokio::sync::mpsc;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use crate::ambient::{SystemClock, SystemRandom};
use crate::metrics::telemetry::{Kind, lost};

/// Reports that may wait to be sent.
const WAITING: usize = 32;

/// How long something must not have been seen to be news again.
const QUIET: Duration = Duration::from_secs(5 * 60);

/// Defects that are told apart; of more, the one not seen for longest is forgotten.
const REMEMBERED: usize = 64;

/// The fields that are told.
const FIELDS: [&str; 5] = ["action", "cause", "code", "place", "request_id"];

/// The longest text of a field, in bytes.
const LONGEST: usize = 1_000;

/// One report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Its name.
    pub id: [u8; 16],
    /// When it was logged.
    pub at: Timestamp,
    /// `error` or `warning`.
    pub level: &'static str,
    /// The part of the program that logged it.
    pub logger: String,
    /// What has happened.
    pub message: String,
    /// The fields that were logged with it, of those that are told.
    pub fields: BTreeMap<&'static str, String>,
}

/// Listens to the log.
pub struct Reporter {
    queue: mpsc::Sender<Report>,
    memory: Mutex<Memory>,
}

/// A listener, and where its reports come out.
pub fn reporter() -> (Reporter, mpsc::Receiver<Report>) {
    let (queue, reports) = mpsc::channel(WAITING);
    let memory = Mutex::default();
    (Reporter { queue, memory }, reports)
}

impl<S: Subscriber> Layer<S> for Reporter {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let ours = metadata.target().starts_with("bonafide");
        if !ours || *metadata.level() > Level::WARN {
            return;
        }
        let mut line = Line::default();
        event.record(&mut line);
        let Some(sort) = sort(*metadata.level(), &line) else {
            return;
        };
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if !memory.is_news(sort, line.fields.get("request_id"), Instant::now()) {
            return;
        }
        drop(memory);
        let level = match *metadata.level() {
            Level::ERROR => "error",
            _ => "warning",
        };
        let report = Report {
            id: random::bytes(&SystemRandom),
            at: SystemClock.now(),
            level,
            logger: metadata.target().to_owned(),
            message: line.message,
            fields: line.fields,
        };
        if self.queue.try_send(report).is_err() {
            lost(Kind::Report, 1);
        }
    }
}

/// What makes two lines the same news.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Sort {
    Outage,
    Defect(String),
}

fn sort(level: Level, line: &Line) -> Option<Sort> {
    let field = |name| line.fields.get(name).map_or("", String::as_str);
    match level {
        Level::ERROR => {
            let (action, place) = (field("action"), field("place"));
            Some(Sort::Defect(format!("{} {action} {place}", line.message)))
        }
        _ if !field("cause").is_empty() => Some(Sort::Outage),
        _ => None,
    }
}

/// What was seen lately.
#[derive(Default)]
struct Memory {
    seen: VecDeque<(Sort, Instant)>,
    /// Requests that were reported: what a panic says of one, and what its failure says, is one thing.
    requests: VecDeque<String>,
}

impl Memory {
    /// Whether this is news; it has been seen in any case.
    fn is_news(&mut self, sort: Sort, request: Option<&String>, now: Instant) -> bool {
        let known = self.seen.iter().position(|(known, _)| *known == sort);
        let last = known.and_then(|place| self.seen.remove(place));
        keep(&mut self.seen, (sort, now));
        let quiet = last.is_none_or(|(_, last)| now.saturating_duration_since(last) >= QUIET);
        let request = request.filter(|id| !id.is_empty());
        quiet && request.is_none_or(|id| self.is_first_of(id))
    }

    fn is_first_of(&mut self, request: &str) -> bool {
        if self.requests.iter().any(|known| known == request) {
            return false;
        }
        keep(&mut self.requests, request.to_owned());
        true
    }
}

/// Keeps the newest [`REMEMBERED`].
fn keep<T>(kept: &mut VecDeque<T>, newest: T) {
    if kept.len() >= REMEMBERED {
        kept.pop_front();
    }
    kept.push_back(newest);
}

/// What a line says.
#[derive(Default)]
struct Line {
    message: String,
    fields: BTreeMap<&'static str, String>,
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        let value = value.get(..value.floor_char_boundary(LONGEST));
        let value = value.unwrap_or_default().to_owned();
        match field.name() {
            "message" => self.message = value,
            name if FIELDS.contains(&name) => {
                self.fields.insert(name, value);
            }
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    /// The messages reported while `work` logs.
    fn reported(work: impl FnOnce()) -> Vec<Report> {
        let (reporter, mut reports) = reporter();
        let subscriber = tracing_subscriber::registry().with(reporter);
        tracing::subscriber::with_default(subscriber, work);
        std::iter::from_fn(|| reports.try_recv().ok()).collect()
    }

    #[test]
    fn an_outage_is_one_report_however_it_shows() {
        let reports = reported(|| {
            for request in 0..1_000 {
                let request_id = format!("r{request}");
                tracing::warn!(request_id, cause = "connection refused", "request failed");
            }
            tracing::warn!(cause = "connection closed", "held orders are not swept");
        });
        assert_eq!(reports.len(), 1);
        assert_eq!(reports[0].level, "warning");
        assert_eq!(reports[0].message, "request failed");
        assert_eq!(reports[0].fields["request_id"], "r0");
    }

    #[test]
    fn each_defect_is_told_once() {
        let reports = reported(|| {
            for request_id in ["a", "b", "c"] {
                for action in ["customer.check", "order.place"] {
                    let request_id = format!("{request_id}-{action}");
                    tracing::error!(request_id, action, cause = "a row", "request failed");
                }
            }
        });
        let told: Vec<_> = reports
            .iter()
            .map(|report| &report.fields["request_id"])
            .collect();
        assert_eq!(told, ["a-customer.check", "a-order.place"]);
    }

    #[test]
    fn a_panic_and_the_failure_it_ends_in_are_one() {
        let reports = reported(|| {
            tracing::error!(request_id = "r", place = "a.rs:1:1", "a task panicked");
            tracing::error!(
                request_id = "r",
                cause = "a handler panicked",
                "request failed"
            );
            tracing::error!(request_id = "", place = "b.rs:1:1", "a task panicked");
        });
        assert_eq!(reports.len(), 2);
        assert_eq!(reports[0].fields["place"], "a.rs:1:1");
    }

    #[test]
    fn news_and_strangers_are_not_told_nor_fields_that_nobody_named() {
        let reports = reported(|| {
            tracing::info!(cause = "none", "answered");
            tracing::warn!("the clock was set back");
            tracing::error!(target: "somebody_else", "trouble");
            tracing::error!(email = "ann@example.com", status = 7, "a defect");
        });
        assert_eq!(reports.len(), 1);
        assert_eq!(reports[0].message, "a defect");
        assert!(reports[0].fields.is_empty());
    }

    #[test]
    fn what_is_not_fetched_is_dropped_and_long_texts_are_cut() {
        let reports = reported(|| {
            for place in 0..100 {
                tracing::error!(place, cause = "ä".repeat(2_000), "a defect");
            }
        });
        assert_eq!(reports.len(), WAITING);
        assert_eq!(reports[0].fields["cause"].len(), LONGEST);
    }

    #[test]
    fn what_was_quiet_for_long_is_news_again() {
        let (mut memory, start) = (Memory::default(), Instant::now());
        let mut at =
            |seconds| memory.is_news(Sort::Outage, None, start + Duration::from_secs(seconds));
        assert!(at(0));
        // As long as it shows again and again it is the same one.
        assert!(!at(299) && !at(598) && !at(897));
        assert!(at(1_197));
    }

    #[test]
    fn memory_is_bounded() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        for number in 0..1_000 {
            let id = number.to_string();
            assert!(memory.is_news(Sort::Defect(id.clone()), Some(&id), now));
        }
        assert_eq!(
            (memory.seen.len(), memory.requests.len()),
            (REMEMBERED, REMEMBERED)
        );
    }
}
