//! The OpenTelemetry protocol (OTLP 1.x over HTTP, JSON), as far as we use it: batches of spans.
//!
//! Guarantees: what cannot be delivered is dropped and counted, never kept or tried again; a collector
//! that is down, slow or busy is left alone for a while; a request ends within its time, follows no
//! redirect and reads no answer; its headers, which may hold a key, reach neither log nor error.

use std::time::Duration;

use data_encoding::HEXLOWER;
use domain::clock::Clock as _;
use http::{HeaderMap, HeaderName, HeaderValue};
use reqwest::Client;
use reqwest::redirect::Policy;
use serde_json::{Value as Json, json};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::retry_after;
use crate::ambient::SystemClock;
use crate::config::Secret;
use crate::metrics::telemetry::{Kind, lost};
use crate::telemetry::traces::{Span, Value};

/// The longest request.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How long the collector is left alone after a failure, unless it says how long.
const PAUSE: Duration = Duration::from_secs(10);

/// How long spans are gathered before they are sent.
const GATHERING: Duration = Duration::from_secs(1);

/// The most spans in one request.
const BATCH: usize = 512;

/// `SPAN_KIND_SERVER` and `SPAN_KIND_CLIENT`.
const KINDS: (u8, u8) = (2, 3);

/// `STATUS_CODE_UNSET` and `STATUS_CODE_ERROR`.
const UNSET: u8 = 0;
const ERROR: u8 = 2;

/// Where spans go.
pub struct OtlpClient {
    client: Client,
    url: String,
}

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum OtlpUnusable {
    /// The system's certificates cannot be used.
    #[error("no HTTP client can be made: {0}")]
    Client(#[from] reqwest::Error),
    /// They are no headers.
    #[error("OTEL_EXPORTER_OTLP_HEADERS is not of the form name=value,name=value")]
    Headers,
}

impl OtlpClient {
    /// Nothing is sent yet. `base` is the collector's address without `/v1/traces`.
    ///
    /// # Errors
    /// When the headers or the system's certificates cannot be used.
    pub fn new(base: &str, headers: Option<&Secret>) -> Result<Self, OtlpUnusable> {
        let headers = parse(headers.map_or("", Secret::expose)).ok_or(OtlpUnusable::Headers)?;
        let client = Client::builder()
            .default_headers(headers)
            .timeout(TIMEOUT)
            .redirect(Policy::none())
            .build()?;
        let url = format!("{}/v1/traces", base.trim_end_matches('/'));
        Ok(Self { client, url })
    }

    /// Sends spans as they come, and at `stop` what is left.
    pub async fn run(self, mut spans: mpsc::Receiver<Span>, stop: CancellationToken) {
        let (mut batch, mut alone_until) = (Vec::new(), Instant::now());
        while let Some(1..) = stop
            .run_until_cancelled(spans.recv_many(&mut batch, BATCH))
            .await
        {
            stop.run_until_cancelled(gather(&mut spans, &mut batch))
                .await;
            self.pass_on(&mut batch, &mut alone_until).await;
        }
        while !spans.is_empty() {
            spans.recv_many(&mut batch, BATCH).await;
            self.pass_on(&mut batch, &mut alone_until).await;
        }
    }

    async fn pass_on(&self, batch: &mut Vec<Span>, alone_until: &mut Instant) {
        let spans = std::mem::take(batch);
        if Instant::now() < *alone_until {
            return lost(Kind::Span, spans.len());
        }
        if let Err(pause) = self.send(&spans).await {
            lost(Kind::Span, spans.len());
            *alone_until = Instant::now() + pause;
        }
    }

    /// Sends some; otherwise, for how long the collector is to be left alone.
    async fn send(&self, spans: &[Span]) -> Result<(), Duration> {
        let request = self.client.post(&self.url).json(&document(spans));
        let answer = request.send().await.map_err(|_| PAUSE)?;
        if answer.status().is_success() {
            return Ok(());
        }
        Err(retry_after::wish(answer.headers(), SystemClock.now()).unwrap_or(PAUSE))
    }
}

/// Waits a little for more, up to a full batch.
async fn gather(spans: &mut mpsc::Receiver<Span>, batch: &mut Vec<Span>) {
    let more = async {
        while batch.len() < BATCH && spans.recv_many(batch, BATCH - batch.len()).await > 0 {}
    };
    let _ = tokio::time::timeout(GATHERING, more).await;
}

/// `name=value,name=value`, percent-encoded (W3C Baggage), as the specification has it.
fn parse(text: &str) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
        let (name, value) = pair.split_once('=')?;
        let value = percent_encoding::percent_decode_str(value.trim())
            .decode_utf8()
            .ok()?;
        let mut value = HeaderValue::from_str(&value).ok()?;
        value.set_sensitive(true);
        headers.insert(HeaderName::try_from(name.trim()).ok()?, value);
    }
    Some(headers)
}

/// An `ExportTraceServiceRequest`.
fn document(spans: &[Span]) -> Json {
    let resource = [
        ("service.name", Value::Text("bonafide".to_owned())),
        (
            "service.version",
            Value::Text(env!("CARGO_PKG_VERSION").to_owned()),
        ),
    ];
    let spans: Vec<Json> = spans.iter().map(span).collect();
    json!({"resourceSpans": [{
        "resource": {"attributes": attributes(&resource)},
        "scopeSpans": [{"scope": {"name": "bonafide"}, "spans": spans}],
    }]})
}

fn span(span: &Span) -> Json {
    json!({
        "traceId": HEXLOWER.encode(&span.trace),
        "spanId": HEXLOWER.encode(&span.id),
        "parentSpanId": span.parent.map(|parent| HEXLOWER.encode(&parent)),
        "name": span.name,
        "kind": if span.is_request { KINDS.0 } else { KINDS.1 },
        // 64-bit numbers are texts in this mapping of protocol buffers to JSON.
        "startTimeUnixNano": span.began.to_string(),
        "endTimeUnixNano": span.ended.to_string(),
        "attributes": attributes(&span.attributes),
        "status": {"code": if span.failed { ERROR } else { UNSET }},
    })
}

fn attributes(pairs: &[(&'static str, Value)]) -> Vec<Json> {
    let attribute = |(key, value): &(&str, Value)| {
        let value = match value {
            Value::Text(text) => json!({"stringValue": text}),
            Value::Number(number) => json!({"intValue": number.to_string()}),
        };
        json!({"key": key, "value": value})
    };
    pairs.iter().map(attribute).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_the_specification_has_them() {
        let headers = parse("x-key=a%20b, x-team=shop").unwrap();
        assert_eq!(headers["x-key"], "a b");
        assert!(headers["x-team"] == "shop" && headers["x-team"].is_sensitive());
        assert!(parse("").unwrap().is_empty());
        assert!(parse("no pair").is_none() && parse("bad name=x").is_none());
    }
}
