//! Traces as OpenTelemetry has them: one span for a request, one below it for each visit to the database.
//!
//! Who is traced is decided when a request arrives: by the caller's `traceparent` (W3C Trace Context), or
//! by chance. Guarantees: a request that is not traced costs one comparison; nobody waits for a span to
//! be sent; at most [`WAITING`] spans are kept; a span names routes, words and numbers, and nobody.

use std::sync::Arc;
use std::time::Instant;

use domain::random::{self, Random};
use http::HeaderMap;
use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::http::conventions::visit;
use crate::metrics::telemetry::{Kind, lost};

/// Spans that may wait to be sent.
const WAITING: usize = 4_096;

/// What a span has to say beside its name and times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
}

/// Something that took time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The trace that it is part of.
    pub trace: [u8; 16],
    /// Its own name in that trace.
    pub id: [u8; 8],
    /// What it is part of, unless the trace begins with it.
    pub parent: Option<[u8; 8]>,
    /// Whether it is a request that was answered, or work that was asked of the database.
    pub is_request: bool,
    /// What was done.
    pub name: String,
    /// When it began, in nanoseconds since the beginning of 1970, UTC.
    pub began: i128,
    /// When it ended.
    pub ended: i128,
    /// What else there is to say.
    pub attributes: Vec<(&'static str, Value)>,
    /// Whether it failed by the server's fault.
    pub failed: bool,
}

/// Decides who is traced, and takes in their spans.
#[derive(Clone)]
pub struct Tracer {
    queue: mpsc::Sender<Span>,
    random: Arc<dyn Random>,
    /// Of 2^64 requests without `traceparent`, so many are traced.
    share: u64,
}

/// A tracer of this share of requests (0 to 1), and where its spans come out.
pub fn tracer(share: f64, random: Arc<dyn Random>) -> (Tracer, mpsc::Receiver<Span>) {
    let (queue, spans) = mpsc::channel(WAITING);
    let share = (share * u64::MAX as f64) as u64;
    let tracer = Tracer {
        queue,
        random,
        share,
    };
    (tracer, spans)
}

impl Tracer {
    /// The trace of a request that has just arrived, if it is traced.
    pub fn begin(&self, headers: &HeaderMap, at: Timestamp) -> Option<Trace> {
        let (id, parent) = match parent(headers) {
            Some(parent) if parent.sampled => (parent.trace, Some(parent.span)),
            Some(_) => return None,
            None if self.chosen() => (random::bytes(self.random.as_ref()), None),
            None => return None,
        };
        Some(Trace {
            tracer: self.clone(),
            id,
            span: random::bytes(self.random.as_ref()),
            parent,
            at,
            began: Instant::now(),
        })
    }

    fn chosen(&self) -> bool {
        match self.share {
            0 => false,
            u64::MAX => true,
            share => u64::from_ne_bytes(random::bytes(self.random.as_ref())) < share,
        }
    }

    fn take(&self, span: Span) {
        if self.queue.try_send(span).is_err() {
            lost(Kind::Span, 1);
        }
    }
}

/// The trace of one request.
pub struct Trace {
    tracer: Tracer,
    id: [u8; 16],
    span: [u8; 8],
    parent: Option<[u8; 8]>,
    at: Timestamp,
    began: Instant,
}

impl Trace {
    /// Nanoseconds since the beginning of 1970: the clock's time of arrival, and what has passed since.
    fn now(&self) -> i128 {
        self.at.as_nanosecond()
            + i128::try_from(self.began.elapsed().as_nanos()).unwrap_or_default()
    }

    /// The request is answered.
    pub fn end(&self, name: String, attributes: Vec<(&'static str, Value)>, failed: bool) {
        self.tracer.take(Span {
            trace: self.id,
            id: self.span,
            parent: self.parent,
            is_request: true,
            name,
            began: self.at.as_nanosecond(),
            ended: self.now(),
            attributes,
            failed,
        });
    }
}

/// Work that is part of the request that this task is answering, until it is dropped; nothing unless
/// that request is traced.
pub fn work(name: &'static str) -> Option<Work> {
    visit::current(|visit| {
        let trace = visit.trace()?;
        let (trace, began) = (trace.clone(), trace.now());
        Some(Work { trace, name, began })
    })?
}

/// Work under way.
pub struct Work {
    trace: Arc<Trace>,
    name: &'static str,
    began: i128,
}

impl Drop for Work {
    fn drop(&mut self) {
        let Trace {
            tracer, id, span, ..
        } = self.trace.as_ref();
        tracer.take(Span {
            trace: *id,
            id: random::bytes(tracer.random.as_ref()),
            parent: Some(*span),
            is_request: false,
            name: self.name.to_owned(),
            began: self.began,
            ended: self.trace.now(),
            attributes: Vec::new(),
            failed: false,
        });
    }
}

/// Who called, as `traceparent` names it.
#[derive(Debug, PartialEq, Eq)]
struct Parent {
    trace: [u8; 16],
    span: [u8; 8],
    sampled: bool,
}

/// `00-<trace>-<span>-<flags>`: W3C Trace Context, level 1, §3.2. Of a later version only what this one
/// knows counts; what is malformed counts as absent, as does a header that is sent twice.
fn parent(headers: &HeaderMap) -> Option<Parent> {
    let mut values = headers.get_all("traceparent").iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() {
        return None;
    }
    let mut parts = value.split('-');
    let [version] = hex(parts.next()?)?;
    let trace = hex(parts.next()?)?;
    let span = hex(parts.next()?)?;
    let [flags] = hex(parts.next()?)?;
    let well_formed = version != 0xff && (version != 0 || parts.next().is_none());
    let named = trace != [0; 16] && span != [0; 8];
    (well_formed && named).then_some(Parent {
        trace,
        span,
        sampled: flags & 1 == 1,
    })
}

/// `N` bytes in lower-case hexadecimal, and nothing else.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).ok()?;
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::ambient::SystemRandom;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("traceparent", HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn a_caller_decides_for_its_own_requests() {
        let (tracer, _spans) = tracer(0.0, Arc::new(SystemRandom));
        let begun = |value: String| tracer.begin(&headers(&[&value]), Timestamp::UNIX_EPOCH);
        let trace = begun(format!("00-{TRACE}-{SPAN}-01")).unwrap();
        assert_eq!(trace.id, hex(TRACE).unwrap());
        assert_eq!(trace.parent, hex(SPAN));
        assert!(begun(format!("00-{TRACE}-{SPAN}-00")).is_none());
        assert!(
            tracer
                .begin(&HeaderMap::new(), Timestamp::UNIX_EPOCH)
                .is_none()
        );
    }

    #[test]
    fn what_is_malformed_counts_as_absent() {
        let zeros = "0".repeat(32);
        for value in [
            String::new(),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("00-{zeros}-{SPAN}-01"),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{TRACE}0-{SPAN}-01"),
            format!("0-{TRACE}-{SPAN}-01"),
        ] {
            assert_eq!(parent(&headers(&[&value])), None, "{value}");
        }
        let good = format!("00-{TRACE}-{SPAN}-01");
        assert_eq!(parent(&headers(&[&good, &good])), None);
        assert!(parent(&headers(&[&format!("cc-{TRACE}-{SPAN}-01-more")])).is_some());
    }

    #[test]
    fn chance_keeps_to_its_share() {
        for (share, expected) in [(0.0, 0..=0), (1.0, 1_000..=1_000), (0.5, 400..=600)] {
            let (tracer, _spans) = tracer(share, Arc::new(SystemRandom));
            let traced = (0..1_000).filter(|_| tracer.chosen()).count();
            assert!(expected.contains(&traced), "{traced} of {share}");
        }
    }

    #[test]
    fn spans_that_nobody_fetches_are_dropped() {
        let (tracer, mut spans) = tracer(1.0, Arc::new(SystemRandom));
        let trace = tracer
            .begin(&HeaderMap::new(), Timestamp::UNIX_EPOCH)
            .unwrap();
        for _ in 0..WAITING + 10 {
            trace.end("GET".to_owned(), Vec::new(), false);
        }
        let kept = std::iter::from_fn(|| spans.try_recv().ok()).count();
        assert_eq!(kept, WAITING);
    }
}
