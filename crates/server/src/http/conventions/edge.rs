//! The outermost layer: every request comes in and every answer leaves here.
//!
//! In: the request id, the origin, the audit exchange. Around: the guards against
//! panics and endless answers. Out: failures in the surface's shape, the limit
//! headers, and the audit record, without which no answer leaves. Only the CORS
//! headers are added further out; preflights are answered here (see `cors`).

use std::convert::Infallible;
use std::future::ready;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use app::quota::Permit;
use app::{Code, Error, exchange::Exchange};
use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::response::{IntoResponse as _, Response};
use domain::random::uuid_v7;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Either};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use ipnet::IpNet;
use tower::{Layer, Service};

use super::cors;
use super::failure::{Carried, Failure, Finished, of_status};
use super::origin::{self, Origin};
use super::surface::Surface;
use super::visit::{self, Unrecorded, Visit};
use crate::http::listener::Peer;
use crate::http::{Shared, pages};
use crate::metrics;
use crate::telemetry::traces;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The longest request id that is taken over.
const LONGEST_ID: usize = 128;

/// The longest user agent that is recorded, in bytes.
const LONGEST_AGENT: usize = 512;

/// How long an answer that says the database is away waits for its record: its caller has waited
/// long enough, and the record is written, if it can be, when the answer has left.
const RECORD_OF_OUTAGE: Duration = Duration::from_millis(250);

/// How the edge behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whose forwarded headers count.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether plain HTTP is refused.
    pub require_https: bool,
    /// Whose pages may read answers (`CORS_ORIGINS`).
    pub cors_origins: Vec<HeaderValue>,
    /// The longest time an answer may take.
    pub timeout: Duration,
}

/// The layer.
#[derive(Clone)]
pub struct Edge(pub Shared);

impl<S> Layer<S> for Edge {
    type Service = Edged<S>;

    fn layer(&self, inner: S) -> Edged<S> {
        let server = self.0.clone();
        Edged { server, inner }
    }
}

/// What stands behind the edge. A service of its own, for a middleware function would copy and box
/// what it calls with every request.
#[derive(Clone)]
pub struct Edged<S> {
    server: Shared,
    inner: S,
}

impl<S> Service<Request> for Edged<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let arrived = Arrived::of(&self.server, &mut request);
        // What is refused here is never begun.
        let handler = match arrived.turn {
            Turn::Served => Either::Left(self.inner.call(request)),
            Turn::Preflight => Either::Right(ready(Ok(StatusCode::OK.into_response()))),
            Turn::Refused => Either::Right(ready(Ok(https_required()))),
        };
        let server = self.server.clone();
        Box::pin(async move {
            // Lent to whoever waits for it: handed on, it would be copied at each step, and kept.
            let handler = pin!(handler);
            Ok(arrived.answer(&server, handler).await)
        })
    }
}

/// What becomes of a request at the edge.
#[derive(Clone, Copy)]
enum Turn {
    Served,
    Preflight,
    Refused,
}

/// A request that has come in.
struct Arrived {
    visit: Visit,
    turn: Turn,
    route: Option<MatchedPath>,
    /// Whether browsers are told to come encrypted only; a plain answer must not say so (RFC 6797
    /// §7.2).
    is_strict: bool,
}

impl Arrived {
    fn of(server: &Shared, request: &mut Request) -> Self {
        let settings = &server.edge;
        let peer = request.extensions_mut().remove::<Peer>();
        let origin = origin::of(peer, request.headers(), &settings.trusted_proxies);
        // Where no other site's pages may call, a preflight is only a wrong method.
        let preflight = !settings.cors_origins.is_empty() && cors::is_preflight(request);
        let mut visit = open(server, request, origin);
        if preflight {
            visit = visit.unaudited();
            visit.exchange().note_action("request.preflight");
        }
        let route = visit
            .trace()
            .and_then(|_| request.extensions().get::<MatchedPath>().cloned());
        request.extensions_mut().insert(visit.clone());
        let plain = settings.require_https && !origin.encrypted;
        let turn = if plain && !is_probe(request.uri().path()) {
            Turn::Refused
        } else if preflight {
            Turn::Preflight
        } else {
            Turn::Served
        };
        Self {
            visit,
            turn,
            route,
            is_strict: settings.require_https && origin.encrypted,
        }
    }

    async fn answer(
        self,
        server: &Shared,
        handler: Pin<&mut impl Future<Output = Result<Response, Infallible>>>,
    ) -> Response {
        let Self {
            visit,
            route,
            is_strict,
            ..
        } = self;
        let guard = Unfinished {
            server,
            visit: &visit,
            armed: true,
        };
        let answered = async {
            let answer = guarded(&server.edge, handler).await;
            let (answer, code) = finish(server, &visit, answer).await;
            end_trace(&visit, route.as_ref(), answer.status(), code);
            answer
        };
        let mut answer = visit::within(visit.clone(), answered).await;
        guard.disarm();
        if is_strict {
            answer.headers_mut().insert(
                header::STRICT_TRANSPORT_SECURITY,
                HeaderValue::from_static("max-age=31536000; includeSubDomains"),
            );
        }
        answer
    }
}

fn open(server: &Shared, request: &Request, origin: Origin) -> Visit {
    let at = server.app.clock.now();
    let id = request_id(request.headers())
        .unwrap_or_else(|| uuid_v7(at, server.app.random.as_ref()).to_string());
    let agent = request
        .headers()
        .get(header::USER_AGENT)
        .map(|value| String::from_utf8_lossy(shortened(value.as_bytes())).replace('\n', " "));
    let path = request.uri().path();
    let exchange = Exchange::new(id, at, origin.address, agent);
    if let Some(action) = Surface::public_action(path) {
        exchange.note_action(action);
    }
    let method = metrics::requests::method(request.method());
    let tracer = server.tracer.as_ref();
    let trace = tracer.and_then(|tracer| tracer.begin(request.headers(), at));
    Visit::new(exchange, origin, path, method, trace)
}

/// A well-formed incoming request id.
fn request_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    let well_formed = (1..=LONGEST_ID).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    well_formed.then(|| id.to_owned())
}

fn shortened(agent: &[u8]) -> &[u8] {
    agent.get(..LONGEST_AGENT).unwrap_or(agent)
}

/// Load balancers look at health from inside, without TLS.
fn is_probe(path: &str) -> bool {
    path == "/health" || path.starts_with("/health/")
}

fn https_required() -> Response {
    let error = Error::new(Code::HttpsRequired, "This server answers only over HTTPS.");
    Failure::from(error).into_response()
}

/// Runs the handler; a panic becomes 500, an endless answer 503.
async fn guarded(
    settings: &Settings,
    handler: impl Future<Output = Result<Response, Infallible>>,
) -> Response {
    let handler = AssertUnwindSafe(handler).catch_unwind();
    match tokio::time::timeout(settings.timeout, handler).await {
        Ok(Ok(Ok(response))) => response,
        Ok(Ok(Err(impossible))) => match impossible {},
        Ok(Err(_)) => Failure::from(Error::internal("a handler panicked")).into_response(),
        Err(_) => {
            let error = Error::new(Code::Timeout, "The answer took too long. Please try again.");
            Failure::from(error.retry_after(Duration::from_secs(1))).into_response()
        }
    }
}

/// Gives the answer its shape and its record; with the word for what became of it.
async fn finish(server: &Shared, visit: &Visit, response: Response) -> (Response, &'static str) {
    let (mut response, error) = split(response);
    let mut code = match &error {
        Some(error) => error.problem().code.as_str(),
        None => word(response.status()),
    };
    if let Some(error) = &error {
        log_cause(visit, error);
        if response.extensions().get::<Finished>().is_none() {
            shape(&mut response, visit, error);
        }
    }
    let missing = visit.is_audited()
        && !visit.exchange().is_recorded()
        && response.extensions().get::<Unrecorded>().is_none();
    // Boxed: most answers come with their record, and would have room for another.
    if missing
        && let Err(unrecorded) = Box::pin(record(server, visit, code, response.status())).await
    {
        // An answer without a record does not leave.
        log_cause(visit, &unrecorded);
        let error = Error::unavailable("the audit record could not be written");
        code = error.problem().code.as_str();
        response = Failure::from(error.clone()).into_response();
        shape(&mut response, visit, &error);
    }
    decorate(response.headers_mut(), visit);
    let latency = latency(server, visit);
    count(visit, response.status(), latency);
    log(visit, code, response.status(), latency);
    (response, code)
}

/// The audit log's word for an answer that is no failure but may be a refusal, given again from
/// memory for instance.
fn word(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => Code::NotFound.as_str(),
        StatusCode::TOO_MANY_REQUESTS => Code::RateLimited.as_str(),
        StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable.as_str(),
        status if status.is_client_error() => "refused",
        _ => "ok",
    }
}

async fn record(
    server: &Shared,
    visit: &Visit,
    code: &'static str,
    status: StatusCode,
) -> app::Result<()> {
    let (server, visit) = (server.clone(), visit.clone());
    let recorded = async move {
        let recorder = &server.app.recorder;
        let recorded = recorder.record(visit.exchange(), code, status.as_u16());
        recorded.await
    };
    if status != StatusCode::SERVICE_UNAVAILABLE {
        return recorded.await;
    }
    // A task of its own: it is seen through, and counted when it fails, whoever waits for it.
    match tokio::time::timeout(RECORD_OF_OUTAGE, tokio::spawn(recorded)).await {
        Ok(Ok(recorded)) => recorded,
        _ => Ok(()),
    }
}

/// The failure that a response stands for, if it stands for one.
fn split(mut response: Response) -> (Response, Option<Arc<Error>>) {
    let status = response.status();
    let error = match response.extensions_mut().remove::<Carried>() {
        Some(Carried(error)) => Some(error),
        None if response.extensions().get::<Finished>().is_some() => None,
        None if status.is_client_error() || status.is_server_error() => {
            Some(Arc::new(of_status(status)))
        }
        None => None,
    };
    (response, error)
}

fn shape(response: &mut Response, visit: &Visit, error: &Error) {
    let (surface, request_id) = (visit.surface(), &visit.exchange().request_id);
    let body = surface.render(error.problem(), request_id, &visit.root());
    *response.body_mut() = Body::from(body);
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, surface.media_type());
}

fn decorate(headers: &mut HeaderMap, visit: &Visit) {
    if let Ok(id) = HeaderValue::from_str(&visit.exchange().request_id) {
        headers.insert(REQUEST_ID, id);
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    match visit.surface() {
        // RFC 6749 §5.1 asks for it, for the sake of caches older than Cache-Control.
        Surface::Tokens => {
            headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
        }
        Surface::Pages | Surface::Console => pages::secure(headers),
        _ => {}
    }
    if let Some((name, verdict)) = visit.verdict() {
        let Permit {
            rate,
            remaining,
            reset,
        } = verdict.permit();
        let seconds = reset.as_secs() + u64::from(reset.subsec_nanos() > 0);
        let (limit, window) = (rate.limit(), rate.window().as_secs().max(1));
        let policy = format!("\"{name}\";q={limit};w={window}");
        let state = format!("\"{name}\";r={remaining};t={seconds}");
        for (name, value) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, state)] {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
    }
}

fn log_cause(visit: &Visit, error: &Error) {
    if let Some(cause) = error.cause() {
        let request_id = visit.exchange().request_id.as_ref();
        let action = visit.exchange().action();
        let code = error.problem().code;
        let word = code.as_str();
        match code {
            Code::Internal => {
                tracing::error!(request_id, action, code = word, cause, "request failed");
            }
            _ => tracing::warn!(request_id, action, code = word, cause, "request failed"),
        }
    }
}

/// How long the answer has taken until now.
fn latency(server: &Shared, visit: &Visit) -> Duration {
    let since = server.app.clock.now().duration_since(visit.exchange().at);
    Duration::try_from(since).unwrap_or_default()
}

fn count(visit: &Visit, status: StatusCode, latency: Duration) {
    metrics::requests::answered(visit.exchange().action(), visit.method(), status, latency);
}

/// One line a request, of documented fields that name nobody.
fn log(visit: &Visit, code: &str, status: StatusCode, latency: Duration) {
    if !tracing::enabled!(tracing::Level::INFO) {
        return;
    }
    let exchange = visit.exchange();
    tracing::info!(
        request_id = exchange.request_id.as_ref(),
        action = exchange.action(),
        company = exchange.caller().map_or("", |caller| caller.company()),
        status = status.as_u16(),
        code,
        latency_us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX),
        "answered"
    );
}

/// The span of a traced request. Its path is not told, which may name somebody, but its route.
fn end_trace(visit: &Visit, route: Option<&MatchedPath>, status: StatusCode, code: &str) {
    let Some(trace) = visit.trace() else { return };
    let (exchange, method) = (visit.exchange(), visit.method());
    let text = |text: &str| traces::Value::Text(text.to_owned());
    let mut attributes = vec![
        ("http.request.method", text(method)),
        (
            "http.response.status_code",
            traces::Value::Number(status.as_u16().into()),
        ),
        ("bonafide.action", text(exchange.action())),
        ("bonafide.code", text(code)),
        ("bonafide.request_id", text(&exchange.request_id)),
    ];
    let mut name = method.to_owned();
    if let Some(route) = route {
        attributes.push(("http.route", text(route.as_str())));
        name = format!("{method} {}", route.as_str());
    }
    trace.end(name, attributes, status.is_server_error());
}

/// How a request counts whose caller went away: HTTP has no status for it, this one is customary.
const ABANDONED: u16 = 499;

/// Records a request whose caller went away before its answer was ready.
struct Unfinished<'a> {
    server: &'a Shared,
    visit: &'a Visit,
    armed: bool,
}

impl Unfinished<'_> {
    fn disarm(mut self) {
        self.armed = false;
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        if let Ok(status) = StatusCode::from_u16(ABANDONED) {
            count(self.visit, status, latency(self.server, self.visit));
        }
        if !self.visit.is_audited() {
            return;
        }
        let (server, visit) = (self.server.clone(), self.visit.clone());
        tokio::spawn(async move {
            let recorded = server
                .app
                .recorder
                .record(visit.exchange(), "abandoned", ABANDONED)
                .await;
            if let Err(error) = recorded {
                log_cause(&visit, &error);
            }
        });
    }
}
