//! Failures of a use case, in two halves.
//!
//! The public half is what a caller is told; it is made of sentences written
//! here. The internal half is what the operator needs; it goes to the log and
//! nowhere else. No method turns one into the other.

use std::time::Duration;

/// The result of every use case.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of a use case.
#[derive(Debug, Clone)]
pub struct Error {
    public: Problem,
    internal: Option<String>,
}

/// What a caller is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The stable machine word.
    pub code: Code,
    /// A sentence for people.
    pub message: String,
    /// Everything that is wrong with the request, field by field.
    pub details: Vec<FieldProblem>,
    /// When trying again may help.
    pub retry_after: Option<Duration>,
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldProblem {
    /// Path of the field: `metadata.occurred_at`, `emails[3]`.
    pub field: String,
    /// A sentence for people; it never repeats the value.
    pub message: String,
}

impl FieldProblem {
    /// The sentence about a field that was left out.
    pub const MISSING: &'static str = "is required";

    /// Whether the field was left out.
    pub fn is_missing(&self) -> bool {
        self.message == Self::MISSING
    }
}

macro_rules! codes {
    ($(#[doc = $meaning:literal] $name:ident = $word:literal, $status:literal;)*) => {
        /// The machine words of failures. They are part of the contract: words are
        /// added, never changed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $meaning] $name,)*
        }

        impl Code {
            /// Every code, for the documentation.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// The HTTP status it goes with (RFC 9110).
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// What it means, for the documentation.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }
        }
    };
}

codes! {
    #[doc = "The request is malformed, or a field is missing or not acceptable; `details` names each."]
    InvalidRequest = "invalid_request", 400;
    #[doc = "Token endpoint: the only `grant_type` is `client_credentials`."]
    UnsupportedGrantType = "unsupported_grant_type", 400;
    #[doc = "Token endpoint: a scope that does not exist or that the key does not have."]
    InvalidScope = "invalid_scope", 400;
    #[doc = "Numbers: not a possible mobile number in international form."]
    InvalidNumber = "invalid_number", 400;
    #[doc = "No credential, or one that is unknown, wrong, expired or revoked."]
    Unauthenticated = "unauthenticated", 401;
    #[doc = "The credential is good but lacks the scope that the message names."]
    Forbidden = "forbidden", 403;
    #[doc = "The server answers only over HTTPS."]
    HttpsRequired = "https_required", 403;
    #[doc = "There is no such path, or no such thing."]
    NotFound = "not_found", 404;
    #[doc = "The service that this needs is not configured here, or not for this company."]
    NotConfigured = "not_configured", 404;
    #[doc = "The path exists, but not with this method; `Allow` lists those that do."]
    MethodNotAllowed = "method_not_allowed", 405;
    #[doc = "The request contradicts the present state."]
    Conflict = "conflict", 409;
    #[doc = "The customer is under legal hold and cannot be erased."]
    LegalHold = "legal_hold", 409;
    #[doc = "The first request with this `Idempotency-Key` is still under way."]
    IdempotencyInProgress = "idempotency_in_progress", 409;
    #[doc = "Numbers: the session has been verified, or has failed; it takes no number any more."]
    SessionClosed = "session_closed", 409;
    #[doc = "Numbers: the time of the session is over."]
    SessionExpired = "session_expired", 410;
    #[doc = "What was asked for has ended."]
    Gone = "gone", 410;
    #[doc = "The body is larger than this path takes."]
    PayloadTooLarge = "payload_too_large", 413;
    #[doc = "The body must be JSON in UTF-8, declared by `Content-Type: application/json`."]
    UnsupportedMediaType = "unsupported_media_type", 415;
    #[doc = "This `Idempotency-Key` was used before with another request."]
    IdempotencyKeyReused = "idempotency_key_reused", 422;
    #[doc = "The limit is used up; `Retry-After` says for how long."]
    RateLimited = "rate_limited", 429;
    #[doc = "A fault of this server. It has been logged under the request id."]
    Internal = "internal", 500;
    #[doc = "The answer took too long. What only reads may be tried again, what changes something with the same `Idempotency-Key`."]
    Timeout = "timeout", 503;
    #[doc = "A part that the answer needs is away. After `Retry-After`, what only reads may be tried again, what changes something with the same `Idempotency-Key`."]
    Unavailable = "unavailable", 503;
}

impl Error {
    /// A failure with a sentence for the caller.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let public = Problem {
            code,
            message: message.into(),
            details: Vec::new(),
            retry_after: None,
        };
        Self {
            public,
            internal: None,
        }
    }

    /// A request with unacceptable fields.
    pub fn invalid(details: Vec<FieldProblem>) -> Self {
        let message = match details.as_slice() {
            [only] => format!("{}: {}", only.field, only.message),
            many => format!("{} fields are not acceptable", many.len()),
        };
        Self {
            public: Problem {
                details,
                ..Self::new(Code::InvalidRequest, message).public
            },
            internal: None,
        }
    }

    /// A request of which one field is unacceptable.
    pub fn invalid_field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid(vec![FieldProblem {
            field: field.into(),
            message: message.into(),
        }])
    }

    /// The same failure under another word.
    #[must_use]
    pub fn with_code(mut self, code: Code) -> Self {
        self.public.code = code;
        self
    }

    /// A fault of our own. `cause` is for the log.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        Self {
            internal: Some(cause.to_string()),
            ..Self::new(Code::Internal, "Something went wrong on our side.")
        }
    }

    /// A part that is away. `cause` is for the log.
    pub fn unavailable(cause: impl std::fmt::Display) -> Self {
        let mut error = Self::new(
            Code::Unavailable,
            "The service is temporarily unavailable. Please try again.",
        );
        error.public.retry_after = Some(Duration::from_secs(1));
        error.internal = Some(cause.to_string());
        error
    }

    /// The same failure with a hint when to try again.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.public.retry_after = Some(after);
        self
    }

    /// What the caller is told.
    pub fn problem(&self) -> &Problem {
        &self.public
    }

    /// What the caller is told, by value.
    pub fn into_problem(self) -> Problem {
        self.public
    }

    /// What the log is told.
    pub fn cause(&self) -> Option<&str> {
        self.internal.as_deref()
    }
}

/// Shows the public half alone, so that no accident of formatting prints the other.
impl std::fmt::Display for Error {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.public.message)
    }
}

impl std::error::Error for Error {}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        if error.is_transient() {
            Self::unavailable(error)
        } else {
            Self::internal(error)
        }
    }
}

impl From<domain::seal::SealError> for Error {
    fn from(error: domain::seal::SealError) -> Self {
        Self::internal(error)
    }
}

#[cfg(test)]
mod tests {
    use super::{Code, Error};

    #[test]
    fn the_internal_half_stays_inside() {
        let error = Error::internal("relation \"marker\" does not exist");
        assert!(!error.to_string().contains("marker"));
        assert!(!format!("{:?}", error.problem()).contains("marker"));
        assert!(error.cause().unwrap().contains("marker"));
    }

    #[test]
    fn every_code_has_its_own_word_and_a_meaning() {
        let words: std::collections::HashSet<_> =
            Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(words.len(), Code::ALL.len());
        assert!(Code::ALL.iter().all(|code| code.meaning().ends_with('.')));
    }
}
