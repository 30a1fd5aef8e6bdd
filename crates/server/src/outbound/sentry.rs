//! Sentry's interface, as far as we use it: one event in one envelope.
//!
//! Guarantees: what cannot be delivered is dropped and counted, never kept or tried again; a Sentry that
//! is down, slow or busy is left alone for a while; a request ends within its time, follows no redirect
//! and reads no answer; the key of the DSN reaches neither log nor error.
//! Must not: log with a cause, which would be reported.

use std::collections::BTreeMap;
use std::time::Duration;

use data_encoding::HEXLOWER;
use domain::clock::Clock as _;
use http::{HeaderName, StatusCode, header};
use reqwest::Client;
use reqwest::redirect::Policy;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::retry_after;
use crate::ambient::SystemClock;
use crate::config::Secret;
use crate::metrics::telemetry::{Kind, lost};
use crate::telemetry::reports::Report;

/// What is running, as Sentry groups by it.
const RELEASE: &str = concat!("bonafide@", env!("CARGO_PKG_VERSION"));

/// How this client names itself.
const CLIENT: &str = concat!("bonafide/", env!("CARGO_PKG_VERSION"));

/// The longest request.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How long Sentry is left alone after a failure, unless it says how long.
const PAUSE: Duration = Duration::from_secs(60);

const AUTH: HeaderName = HeaderName::from_static("x-sentry-auth");

/// Where reports go, from `https://KEY@HOST/PROJECT`.
pub struct SentryClient {
    client: Client,
    endpoint: Url,
    auth: Secret,
}

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SentryUnusable {
    /// The system's certificates cannot be used.
    #[error("no HTTP client can be made: {0}")]
    Client(#[from] reqwest::Error),
    /// It is no DSN.
    #[error("SENTRY_DSN is not of the form https://KEY@HOST/PROJECT")]
    Dsn,
}

impl SentryClient {
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// When the DSN or the system's certificates cannot be used.
    pub fn new(dsn: &Secret) -> Result<Self, SentryUnusable> {
        let (endpoint, key) = parse(dsn.expose()).ok_or(SentryUnusable::Dsn)?;
        let client = Client::builder()
            .user_agent(CLIENT)
            .timeout(TIMEOUT)
            .redirect(Policy::none())
            .build()?;
        let auth = format!("Sentry sentry_version=7, sentry_client={CLIENT}, sentry_key={key}");
        Ok(Self {
            client,
            endpoint,
            auth: Secret::new(auth),
        })
    }

    /// Sends reports as they come, and at `stop` what is left.
    pub async fn run(self, mut reports: mpsc::Receiver<Report>, stop: CancellationToken) {
        let mut alone_until = Instant::now();
        while let Some(Some(report)) = stop.run_until_cancelled(reports.recv()).await {
            self.pass_on(&report, &mut alone_until).await;
        }
        while let Ok(report) = reports.try_recv() {
            self.pass_on(&report, &mut alone_until).await;
        }
    }

    async fn pass_on(&self, report: &Report, alone_until: &mut Instant) {
        if Instant::now() < *alone_until {
            return lost(Kind::Report, 1);
        }
        if let Err(pause) = self.send(report).await {
            lost(Kind::Report, 1);
            *alone_until = Instant::now() + pause;
        }
    }

    /// Sends one; otherwise, for how long Sentry is to be left alone.
    async fn send(&self, report: &Report) -> Result<(), Duration> {
        let request = self
            .client
            .post(self.endpoint.clone())
            .header(AUTH, self.auth.expose())
            .header(header::CONTENT_TYPE, "application/x-sentry-envelope")
            .body(envelope(report));
        let answer = request.send().await.map_err(|_| PAUSE)?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            // What it does not like about one event says nothing about the next.
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => Err(Duration::ZERO),
            _ => Err(retry_after::wish(answer.headers(), SystemClock.now()).unwrap_or(PAUSE)),
        }
    }
}

/// The address of the project's envelopes, and the key.
fn parse(dsn: &str) -> Option<(Url, String)> {
    let mut url = Url::parse(dsn).ok()?;
    let key = url.username().to_owned();
    let (before, project) = url.path().rsplit_once('/')?;
    let is_word =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !is_word(&key) || !is_word(project) {
        return None;
    }
    let path = format!("{before}/api/{project}/envelope/");
    url.set_path(&path);
    url.set_query(None);
    url.set_fragment(None);
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    Some((url, key))
}

/// An envelope with one event: a line for the envelope, one for the item, one for the event.
fn envelope(report: &Report) -> String {
    let id = HEXLOWER.encode(&report.id);
    let some = |names: &[&str]| {
        let fields = report
            .fields
            .iter()
            .filter(|(name, _)| names.contains(name));
        fields.collect::<BTreeMap<_, _>>()
    };
    let event = json!({
        "event_id": id,
        "timestamp": report.at.as_duration().as_secs_f64(),
        "platform": "other",
        "level": report.level,
        "logger": report.logger,
        "release": RELEASE,
        "message": {"formatted": report.message},
        // What events are searched by; texts of any length are no tags.
        "tags": some(&["action", "code", "request_id"]),
        "extra": some(&["cause", "place"]),
    });
    let event = event.to_string();
    let head = json!({"event_id": id, "sent_at": SystemClock.now().to_string()});
    let item = json!({"type": "event", "length": event.len()});
    format!("{head}\n{item}\n{event}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dsn_names_the_address_of_envelopes_and_a_key() {
        for (dsn, expected) in [
            (
                "https://k3y@o1.ingest.sentry.io/42",
                "https://o1.ingest.sentry.io/api/42/envelope/",
            ),
            (
                "http://k3y@127.0.0.1:9000/1",
                "http://127.0.0.1:9000/api/1/envelope/",
            ),
            (
                "https://k3y:old@host/in/here/7",
                "https://host/in/here/api/7/envelope/",
            ),
        ] {
            let (url, key) = parse(dsn).unwrap();
            assert_eq!((url.as_str(), key.as_str()), (expected, "k3y"));
        }
        for wrong in [
            "https://host/42",
            "https://k@host/",
            "https://k@host",
            "k@host/1",
        ] {
            assert!(parse(wrong).is_none(), "{wrong}");
        }
    }
}
