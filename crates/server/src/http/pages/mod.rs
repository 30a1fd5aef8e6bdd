//! Pages for people: one layout, one style sheet, one small script, all part of the program.
//!
//! Guarantees: every value is escaped wherever a template puts it, unless it is markup that we drew
//! ourselves; a browser asks nobody but this server, runs no script but ours, and tells nobody from
//! where it came.
//! Must not: know what a page is about; surfaces bring the values.

mod assets;
mod qr_code;

use std::sync::LazyLock;

use app::{Code, Error, Problem};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value, context};

use super::conventions::failure::Failure;

pub use assets::routes;
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

macro_rules! templates {
    ($($name:literal),+ $(,)?) => {
        /// By their names.
        const TEMPLATES: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("templates/", $name)))),+
        ];
    };
}

templates!(
    "layout.html",
    "failure.html",
    "number/code_form.html",
    "number/start.html",
    "number/refused.html",
    "number/open.html",
    "number/over.html",
    "stop/ask.html",
    "stop/done.html",
    "stop/refused.html",
    "verify/order.html",
    "verify/identity.html",
    "verify/age.html",
    "console/layout.html",
    "console/parts.html",
    "console/sign_in.html",
    "console/enter.html",
    "console/entered.html",
    "console/unencrypted.html",
    "console/overview.html",
    "console/charts.html",
    "console/guide.html",
    "console/orders.html",
    "console/order.html",
    "console/customers.html",
    "console/customer.html",
    "console/erased.html",
    "console/deliveries.html",
    "console/delivery.html",
    "console/inbox.html",
    "console/event.html",
    "console/integrations.html",
    "console/health.html",
    "console/companies.html",
    "console/company.html",
    "console/secret.html",
    "console/audit.html",
    "console/audit_record.html",
    "console/audit_check.html",
    "console/keys.html",
    "console/key.html",
    "console/numbers.html",
    "console/ages.html",
    "console/sessions.html",
);

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_function("asset", |name: &str| {
        let unknown = || minijinja::Error::new(ErrorKind::UndefinedError, "no such asset");
        let address = assets::address(name).map(Value::from_safe_string);
        address.ok_or_else(unknown)
    });
    environment.set_loader(|name| {
        let found = TEMPLATES.iter().find(|(known, _)| *known == name);
        Ok(found.map(|(_, source)| *source))
    });
    environment
});

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

/// What leads from a page of this depth to the root of the server: nothing else knows under which path
/// a proxy serves it.
pub fn root(depth: usize) -> String {
    "../".repeat(depth.saturating_sub(1))
}

/// How deep a path lies.
pub fn depth(path: &str) -> usize {
    path.bytes().filter(|sign| *sign == b'/').count()
}

/// The page of a failure that has none of its own, at this distance from the root.
pub fn failure(problem: &Problem, request_id: &str, root: &str) -> Vec<u8> {
    let values = context! {
        root => Value::from_safe_string(root.to_owned()),
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
        let page = String::from_utf8(failure(error.problem(), "<id>", "../")).unwrap();
        assert!(
            page.contains("<title>There is nothing here</title>"),
            "{page}"
        );
        assert!(!page.contains("<b>") && !page.contains("<id>"), "{page}");
        assert!(page.contains("&lt;b&gt;&quot;no&quot; &amp;"), "{page}");
    }

    #[test]
    fn every_path_leads_to_the_root() {
        for (path, way) in [
            ("/console", ""),
            ("/v/a", "../"),
            ("/console/orders/a%2Fb", "../../"),
        ] {
            assert_eq!(root(depth(path)), way);
        }
    }

    #[test]
    fn every_failure_has_a_title() {
        for code in Code::ALL {
            let error = Error::new(*code, "why");
            let page = String::from_utf8(failure(error.problem(), "id", "")).unwrap();
            assert!(
                page.contains("why") && !page.contains("<h1></h1>"),
                "{page}"
            );
        }
    }
}
