//! Signing in by an identity provider: on the way there, and on the way back.
//!
//! The way there is a link and no form, so that the policy of the page where keys are typed still lets
//! forms lead nowhere else. The way back ends on a page and not in a redirect: a browser that another
//! site has sent keeps the session's cookie and does not show it yet (`SameSite=Strict`); what that page
//! then opens by itself is opened by us.
//! Must not: believe anything of the way back before the browser has shown what it began here.

use std::time::Duration;

use app::console::{self, Denied, Opened, Person, Presented};
use app::credentials::Refusal;
use app::quota::{QuotaKey, Verdict};
use app::{Code, Error};
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use domain::access::SignInAttempt;
use domain::rate::Rate;
use http::{HeaderMap, header};
use minijinja::context;

use super::cookie::Transport;
use super::door::{Visitor, is_own_link};
use super::frame::root;
use super::sign_in::{About, foreign, form, sound, throttle, unencrypted};
use crate::http::Shared;
use crate::http::conventions::failure::{Failure, unknown_path};
use crate::http::conventions::fields::Fields;
use crate::http::conventions::page::Query;
use crate::http::conventions::permit::refused;
use crate::http::conventions::visit::Visit;
use crate::http::pages::page;
use crate::outbound::openid::Returned;
use crate::outbound::{OpenIdClient, ProviderProblem};

/// Where the provider sends people back to.
const BACK: &str = "/console/openid/callback";

/// How often one sign-in can be finished, while it can be.
const ONCE: Duration = Duration::from_secs(SignInAttempt::SECONDS.unsigned_abs());

/// When a provider that does not answer may answer again.
const PAUSE: Duration = Duration::from_secs(30);

/// The routes.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/console/openid", get(begin))
        .route(BACK, get(finish))
}

/// The address that the provider is to send people back to, at a server with that address.
pub fn address(base_url: &str) -> String {
    format!("{base_url}{BACK}")
}

async fn begin(
    State(server): State<Shared>,
    visitor: Visitor,
    headers: HeaderMap,
    query: Query,
) -> Result<Response, Failure> {
    let visit = &visitor.visit;
    visit.exchange().note_action("console.openid.begin");
    let Some(provider) = &server.openid else {
        return Err(unknown_path().await);
    };
    let Some(transport) = visitor.transport else {
        return Ok(unencrypted(visit));
    };
    let way = query.read(|query, fields| Some(text(query, fields, "way")))?;
    let way = sound(&way);
    if !is_own_link(&headers) {
        return Err(foreign());
    }
    if let Some(failure) = throttle(&server, visit).await {
        return Ok(too_many(&server, visit, failure, way));
    }
    let (now, key) = (visit.exchange().at, &server.app.index_key);
    let attempt = SignInAttempt::begin(server.app.random.as_ref(), now, way);
    let (state, nonce, challenge) = (
        attempt.state(key),
        attempt.nonce(key),
        attempt.challenge(key),
    );
    Ok(match provider.door(&state, &nonce, &challenge, now).await {
        Ok(door) => {
            let mut answer = Redirect::to(door.as_str()).into_response();
            keep(&mut answer, transport.keep_attempt(&attempt));
            answer
        }
        Err(problem) => unable(&server, visit, provider, problem, way),
    })
}

/// With what somebody comes back.
struct Back {
    state: String,
    /// Without one the provider says that nobody has signed in.
    code: Option<String>,
    issuer: Option<String>,
}

impl Back {
    fn read(query: &Query, fields: &mut Fields) -> Option<Self> {
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        Some(Self {
            state: text(query, fields, "state"),
            code: some(text(query, fields, "code")),
            issuer: query.text("iss", fields).map(str::to_owned),
        })
    }
}

fn text(query: &Query, fields: &mut Fields, name: &str) -> String {
    query.text(name, fields).unwrap_or_default().to_owned()
}

async fn finish(
    State(server): State<Shared>,
    visitor: Visitor,
    headers: HeaderMap,
    query: Query,
) -> Result<Response, Failure> {
    let visit = &visitor.visit;
    visit.exchange().note_action("console.openid.finish");
    let Some(provider) = &server.openid else {
        return Err(unknown_path().await);
    };
    let Some(transport) = visitor.transport else {
        return Ok(unencrypted(visit));
    };
    if let Some(failure) = throttle(&server, visit).await {
        return Ok(too_many(&server, visit, failure, ""));
    }
    let back = query.read(Back::read)?;
    let begun = transport.attempt(&headers).and_then(SignInAttempt::parse);
    let begun = begun.filter(|attempt| {
        attempt.has_state(&server.app.index_key, &back.state)
            && attempt.is_alive(visit.exchange().at)
    });
    let Some(attempt) = begun else {
        return Ok(lost(&server, visit));
    };
    let mut answer = match is_first(&server, &attempt).await {
        true => conclude(&server, visit, transport, provider, &attempt, &back).await?,
        false => lost(&server, visit),
    };
    keep(&mut answer, transport.forget_attempt());
    Ok(answer)
}

/// Whether a sign-in is being finished for the first time. A provider that keeps to its standard takes a
/// code once, too; this does not lean on it.
async fn is_first(server: &Shared, attempt: &SignInAttempt) -> bool {
    let Ok(once) = Rate::new(1, ONCE) else {
        return false;
    };
    let key = QuotaKey::new("openid", &attempt.state(&server.app.index_key));
    let verdict = server.limiter.quota().take(&key, once, 1).await;
    matches!(verdict, Verdict::Granted(_))
}

/// Asks the provider who it is, and signs them in if they are an administrator.
async fn conclude(
    server: &Shared,
    visit: &Visit,
    transport: Transport,
    provider: &OpenIdClient,
    attempt: &SignInAttempt,
    back: &Back,
) -> Result<Response, Failure> {
    let (exchange, way) = (visit.exchange(), attempt.way());
    let key = &server.app.index_key;
    let Some(code) = &back.code else {
        exchange.note_detail("not signed in at the identity provider");
        let note = format!("Nobody signed in at {}.", provider.name());
        let failure = refused(visit, Refusal::Missing);
        return Ok(form(server, visit, failure, About::Provider(&note), way));
    };
    let returned = Returned {
        code,
        issuer: back.issuer.as_deref(),
        verifier: &attempt.verifier(key),
        nonce: &attempt.nonce(key),
    };
    let person = match provider.identify(&returned, exchange.at).await {
        Ok(person) => person,
        Err(problem) => return Ok(unable(server, visit, provider, problem, way)),
    };
    let name = name(&person);
    let presented = Presented::Person(person);
    Ok(
        match console::sign_in(&server.app, exchange, presented).await? {
            Ok(opened) => welcome(visit, transport, &opened, way)?,
            Err(denied) => turn_away(server, visit, denied, &name, way),
        },
    )
}

/// How somebody would have to be listed to be an administrator.
fn name(person: &Person) -> String {
    match &person.email {
        Some(email) => format!("{email}, or {}", person.subject),
        None => person.subject.clone(),
    }
}

/// A page that opens the console by itself.
fn welcome(
    visit: &Visit,
    transport: Transport,
    opened: &Opened,
    way: &str,
) -> Result<Response, Failure> {
    let values = context! { root => root(visit), way => sound(way) };
    let mut answer = page("console/entered.html", values)?;
    keep(&mut answer, transport.keep(opened.token.expose()));
    Ok(answer)
}

fn turn_away(server: &Shared, visit: &Visit, denied: Denied, name: &str, way: &str) -> Response {
    let (failure, note) = match denied {
        Denied::NotAdministrator => {
            let message = "Whoever signed in is not among the administrators.";
            visit.exchange().note_detail("not listed");
            (
                Error::new(Code::Forbidden, message).into(),
                format!(
                    "You are not among the administrators of this console. Whoever runs the server can \
                     list you in OIDC_ADMINS, as {name}."
                ),
            )
        }
        Denied::Refused(refusal) => (
            refused(visit, refusal),
            "The company that this console would show you is switched off.".to_owned(),
        ),
    };
    form(server, visit, failure, About::Provider(&note), way)
}

/// Whoever comes back without what was begun in their browser, too late, or again.
fn lost(server: &Shared, visit: &Visit) -> Response {
    visit.exchange().note_detail("no such sign-in");
    let home = &server.app.orders.base_url;
    let note = format!(
        "This was not begun in this browser, took too long, or is over already. Begin again, at \
         {home}/console."
    );
    let failure = refused(visit, Refusal::BadToken);
    form(server, visit, failure, About::Provider(&note), "")
}

/// Whoever cannot be signed in because of the provider, or of what it says.
fn unable(
    server: &Shared,
    visit: &Visit,
    provider: &OpenIdClient,
    problem: ProviderProblem,
    way: &str,
) -> Response {
    let name = provider.name();
    visit.exchange().note_detail(problem.to_string());
    let (failure, note) = match problem.is_of_provider() {
        true => (
            Error::unavailable(problem).retry_after(PAUSE).into(),
            format!(
                "{name} cannot be asked who you are. Try again in a minute, or sign in with a key. What is \
                 in the way stands in the log of the server."
            ),
        ),
        false => (
            refused(visit, Refusal::BadToken),
            format!("{name} did not confirm who you are. Try again."),
        ),
    };
    form(server, visit, failure, About::Provider(&note), way)
}

fn too_many(server: &Shared, visit: &Visit, failure: Failure, way: &str) -> Response {
    let note = "Too many tries. Wait for a minute.";
    form(server, visit, failure, About::Provider(note), way)
}

fn keep(answer: &mut Response, cookie: Option<http::HeaderValue>) {
    if let Some(cookie) = cookie {
        answer.headers_mut().append(header::SET_COOKIE, cookie);
    }
}
