//! Veriff's interface, as far as we use it: making sessions, and asking for decisions.
//!
//! Guarantees: the API key goes to the configured address alone (no redirect is followed) and reaches
//! neither log nor error; the shared secret never leaves; a decision is believed only if Veriff has
//! signed it, byte for byte; a request ends within its time and an answer within its size.
//! Must not: try again: each session that is made is paid for.

use std::sync::Arc;
use std::time::Duration;

use app::veriff::{Message, Opened, VeriffApi, VeriffProblem};
use domain::clock::Clock;
use domain::hook::HookKey;
use domain::hook::veriff::{is_signed, sign};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, StatusCode, header};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use super::retry_after;
use crate::config::{Secret, Veriff};

/// How this server names itself.
const USER_AGENT: &str = concat!("Bonafide/", env!("CARGO_PKG_VERSION"));

/// The longest wait for a connection.
const CONNECTION: Duration = Duration::from_secs(3);

/// The longest request.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The largest answer, in bytes.
const LARGEST: usize = 1024 * 1024;

/// How long it is left alone when it wants that and does not say how long.
const UNTOLD: Duration = Duration::from_secs(30);

const CLIENT: HeaderName = HeaderName::from_static("x-auth-client");
const SIGNATURE: HeaderName = HeaderName::from_static("x-hmac-signature");
/// Where the signature stands in newer messages.
const NEWER_SIGNATURE: HeaderName = HeaderName::from_static("vrf-hmac-signature");

/// An integration of Veriff, asked over HTTP.
pub struct VeriffClient {
    client: Client,
    /// Scheme and host.
    base: Url,
    api_key: Secret,
    key: HookKey,
    /// By what Veriff may sign: the same, or the secret before it.
    keys: Vec<HookKey>,
    clock: Arc<dyn Clock>,
}

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum VeriffUnusable {
    /// The system's certificates cannot be used.
    #[error("no HTTP client can be made: {0}")]
    Client(#[from] reqwest::Error),
    /// The address cannot be appended to, or there is no secret to sign with.
    #[error("VERIFF_API_URL or VERIFF_SHARED_SECRET cannot be used")]
    Settings,
}

impl VeriffClient {
    /// Nothing is asked yet.
    ///
    /// # Errors
    /// When the configuration or the system's certificates cannot be used.
    pub fn new(config: &Veriff, clock: Arc<dyn Clock>) -> Result<Self, VeriffUnusable> {
        let client = Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECTION)
            .timeout(TIMEOUT)
            .redirect(Policy::none())
            .build()?;
        let base = Url::parse(config.api_url.as_str()).map_err(|_| VeriffUnusable::Settings)?;
        Ok(Self {
            client,
            base,
            api_key: config.api_key.clone(),
            key: HookKey::new(config.shared_secret.expose()).ok_or(VeriffUnusable::Settings)?,
            keys: [Some(&config.shared_secret), config.previous_secret.as_ref()]
                .into_iter()
                .flatten()
                .filter_map(|secret| HookKey::new(secret.expose()))
                .collect(),
            clock,
        })
    }

    /// Whether Veriff takes the key and the signature: it is asked for the decision on a session that
    /// does not exist.
    ///
    /// # Errors
    /// Why not.
    pub async fn check(&self) -> Result<(), VeriffProblem> {
        match self.ask_decision(&Uuid::nil().to_string()).await {
            Ok(_) | Err(VeriffProblem::Unacceptable) => Ok(()),
            Err(problem) => Err(problem),
        }
    }

    fn url(&self, parts: &[&str]) -> Result<Url, VeriffProblem> {
        let mut url = self.base.clone();
        let mut path = url
            .path_segments_mut()
            .map_err(|()| VeriffProblem::Unacceptable)?;
        path.pop_if_empty().extend(parts);
        drop(path);
        Ok(url)
    }

    async fn make(&self, reference: Uuid, back: Option<&str>) -> Result<Opened, VeriffProblem> {
        let body = asked(reference, back).to_string();
        let request = self
            .client
            .post(self.url(&["v1", "sessions"])?)
            .header(CLIENT, self.api_key.expose())
            .header(SIGNATURE, sign(&self.key, body.as_bytes()))
            .header(header::CONTENT_TYPE, "application/json")
            .body(body);
        let response = request.send().await.map_err(|error| unanswered(&error))?;
        self.object(response.status(), response.headers())?;
        let body = whole(response).await?;
        opened(&body, reference).ok_or(VeriffProblem::Garbled)
    }

    async fn ask_decision(&self, session: &str) -> Result<Option<Vec<u8>>, VeriffProblem> {
        if !is_name(session) {
            return Err(VeriffProblem::Unacceptable);
        }
        let request = self
            .client
            .get(self.url(&["v1", "sessions", session, "decision"])?)
            .header(CLIENT, self.api_key.expose())
            .header(SIGNATURE, sign(&self.key, session.as_bytes()));
        let response = request.send().await.map_err(|error| unanswered(&error))?;
        self.object(response.status(), response.headers())?;
        let headers = response.headers();
        let signature = headers.get(SIGNATURE).or(headers.get(NEWER_SIGNATURE));
        let signature = signature.and_then(|value| value.to_str().ok());
        let signature = signature.map(str::to_owned);
        let body = whole(response).await?;
        if !is_signed(&self.keys, signature.as_deref(), &body) {
            return Err(VeriffProblem::Unsigned);
        }
        decision_on(session, body)
    }

    /// What a status says against the request.
    fn object(&self, status: StatusCode, headers: &HeaderMap) -> Result<(), VeriffProblem> {
        match status.as_u16() {
            200..=299 => Ok(()),
            401 | 403 => Err(VeriffProblem::Refused),
            429 => {
                let wish = retry_after::wish(headers, self.clock.now());
                Err(VeriffProblem::Busy(wish.unwrap_or(UNTOLD)))
            }
            400..=499 => Err(VeriffProblem::Unacceptable),
            // A redirect too: whoever answers is not the interface.
            _ => Err(VeriffProblem::Silent),
        }
    }
}

impl VeriffApi for VeriffClient {
    fn open<'a>(
        &'a self,
        reference: Uuid,
        back: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Opened, VeriffProblem>> {
        self.make(reference, back).boxed()
    }

    fn decision<'a>(
        &'a self,
        session: &'a str,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, VeriffProblem>> {
        self.ask_decision(session).boxed()
    }
}

/// What is asked for: nothing but the reference, for whom it is about, Veriff learns from the document;
/// and the way back. Veriff takes none that is not HTTPS.
fn asked(reference: Uuid, back: Option<&str>) -> Value {
    let mut session = json!({"vendorData": reference.to_string()});
    if let Some(back) = back.filter(|back| back.starts_with("https://"))
        && let Some(fields) = session.as_object_mut()
    {
        fields.insert("callback".to_owned(), back.into());
    }
    json!({ "verification": session })
}

/// An error of the client could name the address; what matters is whether Veriff heard anything.
fn unanswered(error: &reqwest::Error) -> VeriffProblem {
    match error.is_connect() {
        true => VeriffProblem::Unreachable,
        false => VeriffProblem::Silent,
    }
}

/// Whether a text can be a session's name, and nothing else in a path.
fn is_name(text: &str) -> bool {
    let sign = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(sign)
}

/// Reads what was made; customers are only ever sent to an HTTPS address.
fn opened(body: &[u8], reference: Uuid) -> Option<Opened> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let session = answer.get("verification")?;
    let text = |name| session.get(name).and_then(Value::as_str);
    let echoed = text("vendorData").is_none_or(|echo| echo == reference.to_string());
    let url = text("url")
        .filter(|url| Url::parse(url).is_ok_and(|url| url.scheme() == "https" && url.has_host()))?;
    let id = text("id").filter(|id| is_name(id) && echoed)?;
    Some(Opened {
        id: id.to_owned(),
        url: url.to_owned(),
    })
}

/// `verification: null` says that nothing is decided yet; another session's decision is none of
/// ours.
fn decision_on(session: &str, body: Vec<u8>) -> Result<Option<Vec<u8>>, VeriffProblem> {
    let answer: Value = serde_json::from_slice(&body).map_err(|_| VeriffProblem::Garbled)?;
    if answer.get("verification").is_some_and(Value::is_null) {
        return Ok(None);
    }
    let message = Message::read(&body).filter(|message| message.session == session);
    message.ok_or(VeriffProblem::Garbled)?;
    Ok(Some(body))
}

/// The whole body of an answer, if it is not too large.
async fn whole(mut response: Response) -> Result<Vec<u8>, VeriffProblem> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| VeriffProblem::Silent)? {
        if body.len() + chunk.len() > LARGEST {
            return Err(VeriffProblem::Garbled);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_never_another_place() {
        assert!(is_name("aea9ba6d-1b47-47fc-a4fc-f72b6d3584a7"));
        for text in ["", ".", "..", "a/b", "a?b", "a b", "ä", &"a".repeat(65)] {
            assert!(!is_name(text), "{text}");
        }
    }

    #[test]
    fn the_way_back_is_https_or_left_out() {
        let reference = Uuid::nil();
        let way = |back| asked(reference, back)["verification"]["callback"].clone();
        let back = "https://verify.example.com/verify/token?from=veriff";
        assert_eq!(way(Some(back)), back);
        for none in [None, Some("http://localhost:3000/verify/token"), Some("")] {
            assert_eq!(way(none), Value::Null, "{none:?}");
        }
    }

    #[test]
    fn customers_are_sent_to_https_only() {
        let reference = Uuid::nil();
        let answer = |url: &str, echo: &str| {
            let session = json!({"id": "a", "url": url, "vendorData": echo});
            json!({"status": "success", "verification": session}).to_string()
        };
        let echo = reference.to_string();
        let good = answer("https://magic.veriff.me/v/token", &echo);
        assert_eq!(opened(good.as_bytes(), reference).unwrap().id, "a");
        for bad in [
            answer("http://magic.veriff.me/v/token", &echo),
            answer("javascript:alert(1)", &echo),
            answer("", &echo),
            answer("https://magic.veriff.me/v/token", "another"),
            "{}".to_owned(),
        ] {
            assert!(opened(bad.as_bytes(), reference).is_none(), "{bad}");
        }
    }
}
