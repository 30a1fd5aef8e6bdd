//! Signing in: with an administrator's key or token, or by a link that is good once.
//!
//! GET of a link changes nothing and looks nothing up: whoever only follows links, as scanners do,
//! does not use it up.

use app::console::{self, Denied, Opened, Presented};
use app::credentials::Refusal;
use app::quota::{QuotaKey, Verdict};
use app::{Code, Error};
use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use domain::rate::Rate;
use http::{HeaderMap, header};
use minijinja::{Value, context};
use url::form_urlencoded::byte_serialize;

use super::cookie::Transport;
use super::door::{Visitor, is_own_page};
use super::frame::root;
use crate::http::Shared;
use crate::http::conventions::failure::Failure;
use crate::http::conventions::form::{Form, Parameters};
use crate::http::conventions::permit::refused;
use crate::http::conventions::visit::Visit;
use crate::http::pages::page;
use crate::in_words::counted;

/// How often somebody may try from one address.
const TRIES: &str = "10/1m";

/// The longest address that is led back to.
const LONGEST_WAY: usize = 512;

/// Where everybody is led who wanted nothing else.
const HOME: &str = "console";

/// The routes.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/console/sign-in", post(sign_in))
        .route("/console/enter/{token}", get(show_link).post(enter))
}

/// The page of somebody who is not signed in, in the place of the one they wanted.
pub fn ask(server: &Shared, visit: &Visit, refusal: Refusal, way: &str) -> Response {
    let note = match refusal {
        Refusal::Missing => "",
        _ => "You are signed out. Sign in again to go on.",
    };
    let failure = refused(visit, refusal);
    form(server, visit, failure, About::Credential(note), way)
}

/// The page of somebody whose connection others could read.
pub fn unencrypted(visit: &Visit) -> Response {
    let error = Error::new(Code::HttpsRequired, "The console is open over HTTPS only.");
    let shown = page("console/unencrypted.html", context! { root => root(visit) });
    shown.map_or_else(Failure::into_response, |page| {
        Failure::from(error).shown_as(page)
    })
}

/// What is to be said of the last try.
#[derive(Debug, Clone, Copy)]
pub enum About<'a> {
    /// It was with a key or a token.
    Credential(&'a str),
    /// It was by the identity provider.
    Provider(&'a str),
}

/// The form, with what is to be said of the last try; and the way to the identity provider, if there is
/// one.
pub fn form(
    server: &Shared,
    visit: &Visit,
    failure: Failure,
    about: About<'_>,
    way: &str,
) -> Response {
    let (note, objection) = match about {
        About::Credential(note) => (note, ""),
        About::Provider(note) => ("", note),
    };
    let provider = server.openid.as_ref().map(|provider| {
        let way: String = byte_serialize(way.as_bytes()).collect();
        let path = Value::from_safe_string(format!("console/openid?way={way}"));
        context! { name => provider.name(), path, objection }
    });
    let values = context! { root => root(visit), note, provider, way };
    page("console/sign_in.html", values)
        .map_or_else(Failure::into_response, |page| failure.shown_as(page))
}

async fn sign_in(
    State(server): State<Shared>,
    visitor: Visitor,
    headers: HeaderMap,
    typed: Result<Form, Failure>,
) -> Result<Response, Failure> {
    let visit = &visitor.visit;
    visit.exchange().note_action("console.sign_in");
    let typed = typed?.read()?;
    let Some(transport) = visitor.transport else {
        return Ok(unencrypted(visit));
    };
    let way = typed.get("way").unwrap_or_default();
    if !is_own_page(&headers) {
        return Err(foreign());
    }
    if let Some(failure) = throttle(&server, visit).await {
        let note = About::Credential("Too many tries. Wait for a minute.");
        return Ok(form(&server, visit, failure, note, way));
    }
    Ok(match present(&server, visit, &typed).await? {
        Ok(opened) => welcome(visit, transport, &opened, way),
        Err(denied) => turn_away(&server, visit, denied, way),
    })
}

async fn present(
    server: &Shared,
    visit: &Visit,
    typed: &Parameters,
) -> Result<Result<Opened, Denied>, Failure> {
    let (app, exchange) = (&server.app, visit.exchange());
    let credential = typed.get("credential").unwrap_or_default().trim();
    let presented = if credential.is_empty() {
        return Ok(Err(Denied::Refused(Refusal::Missing)));
    } else if credential.starts_with("bf_") {
        Presented::Key(credential)
    } else {
        let verified = server.tokens.verify_lasting(credential, exchange.at);
        match verified.await? {
            Ok((claims, ends_at)) => Presented::Token(claims, ends_at),
            Err(refusal) => return Ok(Err(Denied::Refused(refusal))),
        }
    };
    Ok(console::sign_in(app, exchange, presented).await?)
}

fn welcome(visit: &Visit, transport: Transport, opened: &Opened, way: &str) -> Response {
    let way = sound(way);
    let mut answer = Redirect::to(&format!("{}{way}", visit.root())).into_response();
    if let Some(cookie) = transport.keep(opened.token.expose()) {
        answer.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    answer
}

/// Where somebody is led who wanted to go there.
pub fn sound(way: &str) -> &str {
    if is_way(way) { way } else { HOME }
}

/// Whether an address leads to a page of the console and nowhere else.
fn is_way(way: &str) -> bool {
    let is_plain = way
        .bytes()
        .all(|sign| sign.is_ascii_graphic() && sign != b'\\');
    let is_here = way == HOME || way.starts_with("console/") || way.starts_with("console?");
    is_plain && is_here && way.len() <= LONGEST_WAY && !way.contains("//") && !way.contains("..")
}

fn turn_away(server: &Shared, visit: &Visit, denied: Denied, way: &str) -> Response {
    match denied {
        Denied::Refused(refusal) => {
            let note = match refusal {
                Refusal::Missing => "Enter a key or a token.",
                Refusal::Expired | Refusal::ExpiredToken => "The time of this credential is over.",
                _ => "This credential is not accepted.",
            };
            let failure = refused(visit, refusal);
            form(server, visit, failure, About::Credential(note), way)
        }
        Denied::NotAdministrator => {
            let note =
                "This credential is good, but not an administrator's: it lacks the scope admin.";
            let failure = Error::new(Code::Forbidden, note).into();
            form(server, visit, failure, About::Credential(note), way)
        }
    }
}

/// What another site has sent.
pub fn foreign() -> Failure {
    let message = "Another site sent this. Open the console yourself, and sign in there.";
    Error::new(Code::Forbidden, message).into()
}

/// Counts a try of whoever is at that address; the failure of one too many.
pub async fn throttle(server: &Shared, visit: &Visit) -> Option<Failure> {
    let address = visit.exchange().address?;
    let rate = Rate::parse(TRIES).ok()?;
    let key = QuotaKey::new("console", &console::nameless(&server.app, address));
    match server.limiter.quota().take(&key, rate, 1).await {
        Verdict::Granted(_) => None,
        Verdict::Refused { retry_after, .. } => {
            let seconds = i64::try_from(retry_after.as_secs()).unwrap_or(i64::MAX);
            let message = format!(
                "Too many tries; wait {}.",
                counted(seconds, "second", "seconds")
            );
            Some(Failure::from(
                Error::new(Code::RateLimited, message).retry_after(retry_after),
            ))
        }
    }
}

async fn show_link(visitor: Visitor) -> Result<Response, Failure> {
    let visit = &visitor.visit;
    visit.exchange().note_action("console.link");
    if visitor.transport.is_none() {
        return Ok(unencrypted(visit));
    }
    page("console/enter.html", context! { root => root(visit) })
}

async fn enter(
    State(server): State<Shared>,
    visitor: Visitor,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let visit = &visitor.visit;
    visit.exchange().note_action("console.enter");
    let Some(transport) = visitor.transport else {
        return Ok(unencrypted(visit));
    };
    if !is_own_page(&headers) {
        return Err(foreign());
    }
    if let Some(failure) = throttle(&server, visit).await {
        return Err(failure);
    }
    Ok(
        match console::enter(&server.app, visit.exchange(), &token).await? {
            Ok(opened) => welcome(visit, transport, &opened, HOME),
            Err(Denied::Refused(refusal)) => {
                let note = "This link was used, or is too old. Sign in with your key instead.";
                let failure = refused(visit, refusal);
                form(&server, visit, failure, About::Credential(note), HOME)
            }
            Err(denied) => turn_away(&server, visit, denied, HOME),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_anywhere_but_into_the_console() {
        for way in [
            "console",
            "console/orders?status=held",
            "console?figures=7d",
        ] {
            assert!(is_way(way), "{way}");
        }
        for way in [
            "",
            "consolex",
            "//evil.example",
            "https://evil.example/console",
            "console//evil.example",
            "console/../v/x",
            "console\\evil",
            "console/\r\nx: y",
            "docs",
        ] {
            assert!(!is_way(way), "{way}");
        }
        assert!(!is_way(&format!("console/{}", "x".repeat(LONGEST_WAY))));
    }

    #[test]
    fn tries_are_a_rate() {
        assert!(Rate::parse(TRIES).is_ok());
    }
}
