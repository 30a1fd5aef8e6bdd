//! Failures on their way out.
//!
//! A handler returns a [`Failure`]; as a response it is only a status and the
//! public half of the error in an extension. The edge renders that in the
//! surface's shape, so that no failure, the framework's own included, can leave in
//! any other.

use std::sync::Arc;

use app::{Code, Error};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

/// A failed request.
#[derive(Debug)]
pub struct Failure {
    error: Arc<Error>,
    authenticate: Option<HeaderValue>,
}

/// The failure that a response stands for, for the edge.
#[derive(Clone)]
pub struct Carried(pub Arc<Error>);

/// Marks an answer that has its shape already, whatever its status.
#[derive(Clone)]
pub struct Finished;

/// The answer, as one that has its shape already: a refusal that is no failure.
pub fn finished(mut response: Response) -> Response {
    response.extensions_mut().insert(Finished);
    response
}

impl Failure {
    /// The same with a `WWW-Authenticate` challenge.
    #[must_use]
    pub fn challenge(mut self, challenge: &str) -> Self {
        self.authenticate = HeaderValue::from_str(challenge).ok();
        self
    }

    /// Its machine word.
    pub fn code(&self) -> Code {
        self.error.problem().code
    }

    /// The same failure with a page of its own, which the edge leaves as it is.
    pub fn shown_as(self, page: Response) -> Response {
        let (page, body) = page.into_parts();
        let mut response = self.into_response();
        response.headers_mut().extend(page.headers);
        *response.body_mut() = body;
        finished(response)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            error: Arc::new(error),
            authenticate: None,
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let problem = self.error.problem();
        let status = StatusCode::from_u16(problem.code.status())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        if let Some(after) = problem.retry_after {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, seconds.max(1).into());
        }
        if let Some(challenge) = self.authenticate {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, challenge);
        }
        response.extensions_mut().insert(Carried(self.error));
        response
    }
}

/// For paths that do not exist.
pub async fn unknown_path() -> Failure {
    Error::new(Code::NotFound, "There is no such path.").into()
}

/// For paths that exist with another method.
pub async fn wrong_method() -> Failure {
    Error::new(
        Code::MethodNotAllowed,
        "This path does not take this method.",
    )
    .into()
}

/// The failure behind an error status that the framework made by itself.
pub fn of_status(status: StatusCode) -> Error {
    match status {
        StatusCode::NOT_FOUND => Error::new(Code::NotFound, "There is no such path."),
        StatusCode::METHOD_NOT_ALLOWED => Error::new(
            Code::MethodNotAllowed,
            "This path does not take this method.",
        ),
        StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => wrong_media_type(),
        status if status.is_client_error() => {
            Error::new(Code::InvalidRequest, "The request is malformed.")
        }
        status => Error::internal(format!("the framework answered {status}")),
    }
}

/// A body that is too large.
pub fn too_large() -> Error {
    Error::new(Code::PayloadTooLarge, "The body is too large.")
}

/// A body that is not a form.
pub fn no_form() -> Error {
    Error::new(
        Code::UnsupportedMediaType,
        "The body must be sent as Content-Type: application/x-www-form-urlencoded.",
    )
}

/// A body that is not JSON.
pub fn wrong_media_type() -> Error {
    Error::new(
        Code::UnsupportedMediaType,
        "The body must be sent as Content-Type: application/json.",
    )
}
