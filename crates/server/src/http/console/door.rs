//! Who comes in: a session, and for whatever changes something a form of our own, as types in the
//! handler's signature.
//!
//! A [`Staff`] exists only for an administrator whose session and whose credential are good at this
//! moment; an [`Act`] only if the request came from a page of this console, which its mark proves.
//! Whoever is not signed in is shown the door, and where they wanted to go is kept.

use std::marker::PhantomData;

use app::console::{self, Session};
use app::credentials::Refusal;
use app::{Code, Ctx, Error};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::request::Parts;
use http::{HeaderMap, Method, header};
use minijinja::Value;

use super::cookie::Transport;
use super::frame::{self, Section};
use super::sign_in;
use crate::http::Shared;
use crate::http::conventions::failure::Failure;
use crate::http::conventions::form::{Form, Parameters};
use crate::http::conventions::visit::Visit;

/// What a page or a form of the console is for.
pub trait Task: Send + Sync + 'static {
    /// As the audit log names it.
    const ACTION: &'static str;
}

/// An administrator who is signed in, at task `T`.
pub struct Staff<T> {
    /// For the use cases.
    pub ctx: Ctx,
    /// The session.
    pub session: Session,
    /// How its cookie travels.
    pub transport: Transport,
    visit: Visit,
    task: PhantomData<T>,
}

impl<T: Task> FromRequestParts<Shared> for Staff<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, server: &Shared) -> Result<Self, Response> {
        let visitor = Visitor::of(parts, server).map_err(Failure::into_response)?;
        visitor.visit.exchange().note_action(T::ACTION);
        let Some(transport) = visitor.transport else {
            return Err(sign_in::unencrypted(&visitor.visit));
        };
        match resume(server, transport, &parts.headers).await {
            Ok(Ok(session)) => {
                let exchange = visitor.visit.exchange().clone();
                exchange.note_caller(session.caller.clone());
                let caller = session.caller.clone();
                Ok(Self {
                    ctx: Ctx { caller, exchange },
                    session,
                    transport,
                    visit: visitor.visit,
                    task: PhantomData,
                })
            }
            Ok(Err(refusal)) => Err(sign_in::ask(
                server,
                &visitor.visit,
                refusal,
                &wanted(parts),
            )),
            Err(failure) => Err(failure.into_response()),
        }
    }
}

/// Somebody at the door.
pub struct Visitor {
    /// The request.
    pub visit: Visit,
    /// How a cookie would travel; `None` when others could read along.
    pub transport: Option<Transport>,
}

impl Visitor {
    fn of(parts: &Parts, server: &Shared) -> Result<Self, Failure> {
        let outside = || Error::internal("a route stands outside the edge");
        let visit = parts.extensions.get::<Visit>().ok_or_else(outside)?;
        Ok(Self {
            visit: visit.clone(),
            transport: Transport::of(server, visit.origin()),
        })
    }
}

impl FromRequestParts<Shared> for Visitor {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, server: &Shared) -> Result<Self, Failure> {
        Self::of(parts, server)
    }
}

async fn resume(
    server: &Shared,
    transport: Transport,
    headers: &HeaderMap,
) -> Result<Result<Session, Refusal>, Failure> {
    match transport.token(headers) {
        Some(token) => Ok(console::resume(&server.app, token).await?),
        None => Ok(Err(Refusal::Missing)),
    }
}

/// Where somebody wanted to go, from the root of the server; what a form would have done is not
/// done later.
fn wanted(parts: &Parts) -> String {
    let path = parts
        .uri
        .path_and_query()
        .filter(|_| parts.method == Method::GET);
    let path = path.map_or("", |path| path.as_str());
    path.trim_start_matches('/').to_owned()
}

impl<T: Task> Staff<T> {
    /// A page of a section.
    ///
    /// # Errors
    /// When the template does not go with the values, a fault of ours.
    pub fn page(
        &self,
        section: Section,
        template: &str,
        values: Value,
    ) -> Result<Response, Failure> {
        frame::page(&self.session, &self.visit, section, template, values)
    }

    /// Leads to another page of the console, by its path from the root of the server.
    pub fn lead_to(&self, path: &str) -> Response {
        Redirect::to(&format!("{}{path}", self.visit.root())).into_response()
    }
}

/// Something that an administrator does, with what the form says.
pub struct Act<T> {
    /// Who does it.
    pub staff: Staff<T>,
    /// The form.
    pub form: Parameters,
}

impl<T: Task> FromRequest<Shared> for Act<T> {
    type Rejection = Response;

    async fn from_request(request: Request, server: &Shared) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let staff = Staff::<T>::from_request_parts(&mut parts, server).await?;
        let is_ours = is_own_page(&parts.headers);
        let form = Form::from_request(Request::from_parts(parts, body), server).await;
        let form = form.and_then(|form| form.read());
        let form = form.map_err(Failure::into_response)?;
        let mark = form.get(frame::MARK).unwrap_or_default();
        let is_marked = is_same(mark, &staff.session.form_mark);
        if is_ours && is_marked {
            return Ok(Self { staff, form });
        }
        staff.ctx.exchange.note_detail("not a form of this session");
        let message =
            "This form is not one of your session's. Open the page again, and send it from there.";
        Err(Failure::from(Error::new(Code::Forbidden, message)).into_response())
    }
}

/// Compares in the same time whatever the texts of one length are.
fn is_same(one: &str, other: &str) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}

/// Whether the browser says that a page of ours sends this; one that says nothing is believed, as
/// the form's mark proves it.
pub fn is_own_page(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin";
    }
    let Some(origin) = text("origin") else {
        return true;
    };
    let host = text(header::HOST.as_str()).unwrap_or_default();
    origin
        .split_once("://")
        .is_some_and(|(_, from)| from == host)
}

/// Whether the browser says that a page of ours, or the person themself, leads here.
pub fn is_own_link(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site");
    site.is_none_or(|site| site == "same-origin" || site == "none")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_ours_send_forms() {
        let sent = |lines: &[(&'static str, &str)]| {
            let lines = lines
                .iter()
                .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
            is_own_page(&lines.collect())
        };
        assert!(sent(&[]));
        assert!(sent(&[("sec-fetch-site", "same-origin")]));
        for site in ["cross-site", "same-site", "none", ""] {
            assert!(!sent(&[("sec-fetch-site", site)]), "{site}");
        }
        let host = ("host", "verify.example:8443");
        assert!(sent(&[host, ("origin", "https://verify.example:8443")]));
        for origin in ["https://verify.example", "https://evil.example", "null"] {
            assert!(!sent(&[host, ("origin", origin)]), "{origin}");
        }
    }
}
