//! The surfaces and the shape of their failures.

use app::{Code, FieldProblem, Problem};
use http::HeaderValue;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::pages;

/// Which dialect a path speaks, and whether its requests are audited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    /// Customers, administration and hooks: snake_case.
    Customers,
    /// Ages: camelCase, and `success` in every answer.
    Ages,
    /// Numbers: camelCase.
    Numbers,
    /// The token endpoint: failures as in RFC 6749 §5.2.
    Tokens,
    /// The pages behind links: HTML for people.
    Pages,
    /// The console: HTML for administrators.
    Console,
    /// Health, documentation: no surface of customer data, not audited.
    Public,
}

/// Where the pages for customers are.
const PAGES: [&str; 3] = ["/v/", "/stop/", "/verify/"];

impl Surface {
    /// The surface of a path, known or unknown.
    pub fn of(path: &str) -> Self {
        match path {
            "/api/v1/auth/token" => Self::Tokens,
            "/metrics" => Self::Customers,
            _ if path.starts_with("/api/age-verification") => Self::Ages,
            _ if path.starts_with("/api/v1/verification") => Self::Numbers,
            _ if path.starts_with("/api/") || path.starts_with("/hooks/") => Self::Customers,
            "/console" => Self::Console,
            _ if path.starts_with("/console/") => Self::Console,
            _ if PAGES.iter().any(|page| path.starts_with(page)) => Self::Pages,
            _ => Self::Public,
        }
    }

    /// What is asked of a public path, for logs and metrics; others say it themselves.
    pub fn public_action(path: &str) -> Option<&'static str> {
        Some(match path {
            "/health" => "health.show",
            "/health/age-verification" => "health.ages",
            "/health/live" => "health.live",
            "/health/ready" => "health.ready",
            "/openapi.json" => "docs.document",
            "/docs" => "docs.page",
            _ if path.starts_with("/assets/") => "pages.asset",
            _ if path.starts_with("/docs/") => "docs.page",
            _ => return None,
        })
    }

    /// Whether each request leaves an audit record.
    pub fn is_audited(self) -> bool {
        !matches!(self, Self::Public)
    }

    /// The media type of a failure.
    pub fn media_type(self) -> HeaderValue {
        match self {
            Self::Pages | Self::Console => pages::HTML,
            _ => HeaderValue::from_static("application/json"),
        }
    }

    /// The body of a failure; `root` leads from its path to the root of the server.
    pub fn render(self, problem: &Problem, request_id: &str, root: &str) -> Vec<u8> {
        let body = match self {
            Self::Pages | Self::Console => return pages::failure(problem, request_id, root),
            Self::Tokens => serde_json::to_vec(&TokenFailure {
                error: token_error(problem.code),
                error_description: &problem.message,
            }),
            Self::Ages => serde_json::to_vec(&AgeFailure::of(problem, request_id)),
            Self::Numbers => serde_json::to_vec(&NumberFailure {
                error: NumberInner {
                    code: problem.code.as_str(),
                    message: &problem.message,
                    request_id,
                    details: details(problem),
                },
            }),
            Self::Customers | Self::Public => serde_json::to_vec(&Envelope {
                error: Inner {
                    code: problem.code.as_str(),
                    message: &problem.message,
                    request_id,
                    details: details(problem),
                },
            }),
        };
        // Texts always serialise.
        body.unwrap_or_default()
    }
}

/// Why a request failed.
#[derive(Serialize, ToSchema)]
#[schema(as = Failure)]
pub struct Envelope<'a> {
    error: Inner<'a>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = FailureBody)]
struct Inner<'a> {
    /// A stable machine word. Words are added, never changed.
    code: &'a str,
    /// A sentence for people.
    message: &'a str,
    /// As in `X-Request-Id`.
    request_id: &'a str,
    /// Everything that is not acceptable, field by field; otherwise empty.
    details: Vec<Detail<'a>>,
}

/// Why a request about numbers failed.
#[derive(Serialize, ToSchema)]
pub struct NumberFailure<'a> {
    error: NumberInner<'a>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NumberFailureBody)]
struct NumberInner<'a> {
    /// A stable machine word. Words are added, never changed.
    code: &'a str,
    /// A sentence for people.
    message: &'a str,
    /// As in `X-Request-Id`.
    request_id: &'a str,
    /// Everything that is not acceptable, field by field; otherwise empty.
    details: Vec<Detail<'a>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = FailureDetail)]
struct Detail<'a> {
    /// The field's path: `metadata.occurred_at`, `emails[3]`.
    field: &'a str,
    /// A sentence for people; it never repeats what was sent.
    message: &'a str,
}

fn details(problem: &Problem) -> Vec<Detail<'_>> {
    problem.details.iter().map(Detail::of).collect()
}

impl<'a> Detail<'a> {
    fn of(problem: &'a FieldProblem) -> Self {
        Self {
            field: &problem.field,
            message: &problem.message,
        }
    }
}

/// Why a request about ages failed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgeFailure<'a> {
    /// Always false.
    #[schema(examples(false))]
    success: bool,
    /// A few words for people.
    error: String,
    /// A sentence for people.
    message: &'a str,
    /// A stable machine word. Words are added, never changed.
    code: &'a str,
    /// As in `X-Request-Id`.
    request_id: &'a str,
    /// The required fields that are missing, if that is what is wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<&'a str>,
    /// Everything that is not acceptable, field by field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<Detail<'a>>,
}

impl<'a> AgeFailure<'a> {
    fn of(problem: &'a Problem, request_id: &'a str) -> Self {
        let missing: Vec<&str> = problem
            .details
            .iter()
            .filter(|detail| detail.is_missing())
            .map(|detail| detail.field.as_str())
            .collect();
        let error = if missing.is_empty() {
            in_words(problem.code)
        } else {
            format!("Missing required fields: {}", missing.join(", "))
        };
        Self {
            success: false,
            error,
            message: &problem.message,
            code: problem.code.as_str(),
            request_id,
            missing,
            details: details(problem),
        }
    }
}

/// `not_found` as `Not found`.
fn in_words(code: Code) -> String {
    let mut words = code.as_str().replace('_', " ");
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words
}

/// Why no token was issued (RFC 6749).
#[derive(Serialize, ToSchema)]
pub struct TokenFailure<'a> {
    /// A word of RFC 6749, section 5.2.
    error: &'a str,
    /// A sentence for people.
    error_description: &'a str,
}

/// The error word of RFC 6749 §5.2; for faults of the server those of §4.1.2.1,
/// the only ones that the standard has for them.
fn token_error(code: Code) -> &'static str {
    match code {
        Code::Unauthenticated => "invalid_client",
        Code::UnsupportedGrantType | Code::InvalidScope => code.as_str(),
        Code::Unavailable | Code::Timeout => "temporarily_unavailable",
        Code::Internal => "server_error",
        _ => "invalid_request",
    }
}
