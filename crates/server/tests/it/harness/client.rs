//! A client that speaks to the router directly.

use axum::Router;
use axum::body::Body;
use bonafide::http::listener::Peer;
use flate2::read::GzDecoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

/// A request on its way.
pub struct Call {
    router: Router,
    request: http::request::Builder,
    body: Body,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// All headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub bytes: Vec<u8>,
    /// The body, where it is JSON; null otherwise.
    pub json: Value,
}

impl Call {
    pub(super) fn new(router: Router, peer: Peer, method: &str, path: &str) -> Self {
        let request = Request::builder().method(method).uri(path).extension(peer);
        Self {
            router,
            request,
            body: Body::empty(),
        }
    }

    /// With this credential as a bearer.
    pub fn bearer(self, credential: &str) -> Self {
        self.header("authorization", &format!("Bearer {credential}"))
    }

    /// With an API key.
    pub fn key(self, key: &str) -> Self {
        self.header("x-api-key", key)
    }

    /// With one more header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::try_from(name).unwrap();
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        self.request = self.request.header(name, value);
        self
    }

    /// With a JSON body, declared as such.
    pub fn json(self, value: &Value) -> Self {
        self.body("application/json", value.to_string())
    }

    /// With a body of the given type.
    pub fn body(self, content_type: &str, body: impl Into<Body>) -> Self {
        self.header(CONTENT_TYPE.as_str(), content_type)
            .untyped(body)
    }

    /// With a body of no declared type.
    pub fn untyped(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends it and waits for the answer, which must be as documented.
    pub async fn send(self) -> Answer {
        let request = self.request.body(self.body).unwrap();
        let (method, path) = (request.method().to_string(), request.uri().to_string());
        let response = self.router.oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes().to_vec();
        let answer = Answer {
            status: parts.status,
            headers: parts.headers,
            json: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            bytes,
        };
        crate::openapi::check(&method, &path, &answer);
        answer
    }

    /// Sends it and expects the given status.
    pub async fn expect(self, status: u16) -> Answer {
        let answer = self.send().await;
        assert_eq!(answer.status.as_u16(), status, "{}", answer.text());
        answer
    }
}

impl Answer {
    /// A header that must be there, once.
    pub fn header(&self, name: &str) -> &str {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next().unwrap_or_else(|| panic!("no header {name}"));
        assert!(values.next().is_none(), "two headers {name}");
        value.to_str().unwrap()
    }

    /// The request id it carries.
    pub fn request_id(&self) -> &str {
        self.header("x-request-id")
    }

    /// The machine word of a failure, in the shape of any surface but that of tokens.
    pub fn code(&self) -> &str {
        self.failure()["code"].as_str().unwrap_or_default()
    }

    /// The fields a failure names, in order.
    pub fn fields(&self) -> Vec<&str> {
        self.failure()["details"]
            .as_array()
            .map(|details| {
                let fields = details.iter().filter_map(|detail| detail["field"].as_str());
                fields.collect()
            })
            .unwrap_or_default()
    }

    /// What tells of a failure: the envelope's inside, or with Ages the body itself.
    fn failure(&self) -> &Value {
        match &self.json["error"] {
            inner @ Value::Object(_) => inner,
            _ => &self.json,
        }
    }

    /// The answer as it goes over the wire, for snapshots: status, headers by name, body; without
    /// what differs from run to run, the request id and the seconds until a limit is fresh again.
    pub fn wire(&self) -> String {
        let mut headers: Vec<_> = self
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", steady(value.to_str().unwrap())))
            .collect();
        headers.sort();
        let body = serde_json::to_string_pretty(&self.json).unwrap();
        let wire = format!("{}\n{}\n\n{body}", self.status, headers.join("\n"));
        wire.replace(self.request_id(), "<request id>")
    }

    /// The body as text; unpacked, as a browser does.
    pub fn text(&self) -> String {
        let packed = self.headers.get(CONTENT_ENCODING);
        if packed.is_some_and(|encoding| encoding == "gzip") {
            return std::io::read_to_string(GzDecoder::new(&*self.bytes)).unwrap();
        }
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// A header's value without the seconds that pass in earnest.
fn steady(value: &str) -> &str {
    value.split(";t=").next().unwrap_or(value)
}
