//! The form that asks for a token, and the answer (RFC 6749 §4.4.2, §5.1).

use std::collections::BTreeMap;

use app::credentials::Grant;
use app::{Code, Error};
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use data_encoding::HEXLOWER_PERMISSIVE;
use http::{HeaderMap, header};
use jiff::Timestamp;
use serde::Serialize;
use url::form_urlencoded;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use crate::http::conventions::body::{SMALL, collect};
use crate::http::conventions::failure::Failure;

/// A body that claims to be a form.
pub struct Form(Bytes);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let bytes = collect(body, SMALL).await?;
        if is_form(&parts.headers) {
            return Ok(Self(bytes));
        }
        let message = "The body must be sent as Content-Type: application/x-www-form-urlencoded.";
        Err(Error::new(Code::UnsupportedMediaType, message).into())
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|media| {
            media
                .trim()
                .eq_ignore_ascii_case("application/x-www-form-urlencoded")
        })
}

/// The parameters, for the documentation.
#[derive(ToSchema)]
#[schema(as = TokenRequest)]
#[allow(dead_code, reason = "describes what `TokenRequest` reads")]
pub struct TokenForm {
    /// Always `client_credentials`.
    #[schema(pattern = "^client_credentials$", examples("client_credentials"))]
    grant_type: String,
    /// The id of the API key; not beside HTTP Basic.
    #[schema(examples("k7m2p9w4x3qa"))]
    client_id: Option<String>,
    /// The whole API key; not beside HTTP Basic.
    #[schema(format = Password)]
    client_secret: Option<String>,
    /// Fewer scopes than the key's, separated by spaces.
    #[schema(examples("customers:read"))]
    scope: Option<String>,
}

/// The parameters of a request.
pub struct TokenRequest(BTreeMap<String, Zeroizing<String>>);

impl Form {
    /// The parameters, each of which may be named once (§3.2).
    ///
    /// # Errors
    /// When the form is malformed.
    pub fn read(&self) -> Result<TokenRequest, Failure> {
        if !is_well_formed(&self.0) {
            return Err(invalid_request("The body must be a form in UTF-8."));
        }
        let mut parameters = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(&self.0) {
            let value = Zeroizing::new(value.into_owned());
            if parameters.insert(name.into_owned(), value).is_some() {
                return Err(invalid_request("Each parameter may be sent once."));
            }
        }
        Ok(TokenRequest(parameters))
    }
}

/// Whether names and values are UTF-8 and every `%` begins an encoded byte. The
/// parser itself would make something of anything.
fn is_well_formed(form: &[u8]) -> bool {
    form.split(|byte| b"&=".contains(byte))
        .all(|part| percent_decoded(part).is_some_and(|bytes| String::from_utf8(bytes).is_ok()))
}

fn percent_decoded(part: &[u8]) -> Option<Vec<u8>> {
    let mut pieces = part.split(|byte| *byte == b'%');
    let mut decoded = pieces.next()?.to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2)?;
        decoded.extend(HEXLOWER_PERMISSIVE.decode(digits).ok()?);
        decoded.extend_from_slice(rest);
    }
    Some(decoded)
}

impl TokenRequest {
    /// A parameter without a value counts as absent (§3.2).
    fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name)?.as_str();
        (!value.is_empty()).then_some(value)
    }

    /// The id of the API key.
    pub fn client_id(&self) -> Option<&str> {
        self.get("client_id")
    }

    /// The API key.
    pub fn client_secret(&self) -> Option<&str> {
        self.get("client_secret")
    }

    /// The scopes that are asked for.
    pub fn scope(&self) -> Option<&str> {
        self.get("scope")
    }

    /// Whether it asks for what we give.
    ///
    /// # Errors
    /// When it asks for something else, or does not say for what.
    pub fn check_grant_type(&self) -> Result<(), Failure> {
        match self.get("grant_type") {
            Some("client_credentials") => Ok(()),
            Some(_) => Err(Error::new(
                Code::UnsupportedGrantType,
                "The only grant_type is client_credentials.",
            )
            .into()),
            None => Err(invalid_request("grant_type is required.")),
        }
    }
}

fn invalid_request(message: &str) -> Failure {
    Error::new(Code::InvalidRequest, message).into()
}

/// A token.
#[derive(Serialize, ToSchema)]
#[schema(as = TokenAnswer)]
pub struct Issued<'a> {
    /// The token: a JSON Web Token.
    access_token: &'a str,
    /// Always `Bearer`.
    #[schema(examples("Bearer"))]
    token_type: &'static str,
    /// For how many seconds it is good.
    #[schema(examples(900))]
    expires_in: i64,
    /// What it may do, separated by spaces.
    #[schema(examples("customers:read"))]
    scope: String,
}

/// The answer.
pub fn issued(token: &str, grant: &Grant, now: Timestamp) -> Vec<u8> {
    let left = grant.expires_at.as_second() - now.as_second();
    // Texts and numbers always serialise.
    serde_json::to_vec(&Issued {
        access_token: token,
        token_type: "Bearer",
        expires_in: left.max(0),
        scope: grant.scopes.to_string(),
    })
    .unwrap_or_default()
}
