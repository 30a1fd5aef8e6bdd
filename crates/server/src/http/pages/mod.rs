//! Pages for people: one layout, one style sheet, one small script, all part of the program.
//!
//! Guarantees: every value is escaped wherever a template puts it, unless it is markup that we drew
//! ourselves; a browser asks nobody but this server, runs no script but ours, and tells nobody from
//! where it came.
//! Must not: know what a page is about; surfaces bring the values.

mod qr_code;

use std::sync::LazyLock;

use app::{Code, Error, Problem};
use axum::Router;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};

use super::Shared;
use super::conventions::failure::Failure;

pub use qr_code::qr_code;

/// The media type of pages.
pub const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// What a browser may do on a page.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
);

/// The same for a page whose form leads elsewhere in the end: browsers hold a form's redirects to its
/// policy too, and the host is known only when it is asked.
const ELSEWHERE: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     form-action 'self' https:; frame-ancestors 'none'; base-uri 'none'",
);

/// By their names.
const TEMPLATES: [(&str, &str); 13] = [
    ("layout.html", include_str!("templates/layout.html")),
    ("failure.html", include_str!("templates/failure.html")),
    (
        "number/code_form.html",
        include_str!("templates/number/code_form.html"),
    ),
    (
        "number/start.html",
        include_str!("templates/number/start.html"),
    ),
    (
        "number/refused.html",
        include_str!("templates/number/refused.html"),
    ),
    (
        "number/open.html",
        include_str!("templates/number/open.html"),
    ),
    (
        "number/over.html",
        include_str!("templates/number/over.html"),
    ),
    ("stop/ask.html", include_str!("templates/stop/ask.html")),
    ("stop/done.html", include_str!("templates/stop/done.html")),
    (
        "stop/refused.html",
        include_str!("templates/stop/refused.html"),
    ),
    (
        "verify/order.html",
        include_str!("templates/verify/order.html"),
    ),
    (
        "verify/identity.html",
        include_str!("templates/verify/identity.html"),
    ),
    ("verify/age.html", include_str!("templates/verify/age.html")),
];

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_loader(|name| {
        let found = TEMPLATES.iter().find(|(known, _)| *known == name);
        Ok(found.map(|(_, source)| *source))
    });
    environment
});

/// The files that pages need, under `/assets`.
pub fn routes() -> Router<Shared> {
    let css = include_str!("assets/page.css");
    let script = include_str!("assets/page.js");
    let icon = include_str!("assets/icon.svg");
    Router::new()
        .route("/assets/page.css", get(asset("text/css", css)))
        .route("/assets/page.js", get(asset("text/javascript", script)))
        .route("/assets/icon.svg", get(asset("image/svg+xml", icon)))
}

fn asset(
    media_type: &'static str,
    content: &'static str,
) -> impl Fn() -> std::future::Ready<Response> + Clone + Send + Sync + 'static {
    // Long enough for the pages of one visit, and over soon after an update.
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CACHE_CONTROL, "public, max-age=300"),
    ];
    move || std::future::ready((headers.clone(), content).into_response())
}

/// A page. Values must not be kept in a cache, and the edge says so.
///
/// # Errors
/// When the template does not go with the values, a fault of ours.
pub fn page(template: &str, values: Value) -> Result<Response, Failure> {
    let body = render(template, values).map_err(Error::internal)?;
    Ok(([(header::CONTENT_TYPE, HTML)], body).into_response())
}

fn render(template: &str, values: Value) -> Result<String, minijinja::Error> {
    ENVIRONMENT.get_template(template)?.render(values)
}

/// The page, as one whose form may lead to any HTTPS address by a redirect of ours.
pub fn leading_elsewhere(mut page: Response) -> Response {
    let headers = page.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, ELSEWHERE);
    page
}

/// The page of a failure that has none of its own.
pub fn failure(problem: &Problem, request_id: &str) -> Vec<u8> {
    let values = context! {
        title => title(problem.code),
        message => problem.message.as_str(),
        request_id,
    };
    render("failure.html", values)
        .unwrap_or_default()
        .into_bytes()
}

fn title(code: Code) -> &'static str {
    let status = StatusCode::from_u16(code.status());
    match status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR) {
        StatusCode::NOT_FOUND => "There is nothing here",
        status if status.is_server_error() => "Something went wrong",
        _ => "That did not work",
    }
}

/// The headers of pages; the edge adds `nosniff` and `no-store` to every answer.
pub fn secure(headers: &mut HeaderMap) {
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(POLICY);
    for (name, value) in [
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_well_formed() {
        for (name, _) in TEMPLATES {
            ENVIRONMENT.get_template(name).unwrap();
        }
        assert!(ENVIRONMENT.get_template("other.html").is_err());
    }

    #[test]
    fn a_failure_has_a_page_that_escapes_what_it_shows() {
        let error = Error::new(Code::NotFound, "<b>\"no\" & 'none'");
        let page = String::from_utf8(failure(error.problem(), "<id>")).unwrap();
        assert!(
            page.contains("<title>There is nothing here</title>"),
            "{page}"
        );
        assert!(!page.contains("<b>") && !page.contains("<id>"), "{page}");
        assert!(page.contains("&lt;b&gt;&quot;no&quot; &amp;"), "{page}");
    }

    #[test]
    fn every_failure_has_a_title() {
        for code in Code::ALL {
            let error = Error::new(*code, "why");
            let page = String::from_utf8(failure(error.problem(), "id")).unwrap();
            assert!(
                page.contains("why") && !page.contains("<h1></h1>"),
                "{page}"
            );
        }
    }
}
