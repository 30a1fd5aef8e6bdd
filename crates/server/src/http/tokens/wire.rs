//! The form that asks for a token, and the answer (RFC 6749 §4.4.2, §5.1).

use app::credentials::Grant;
use app::{Code, Error};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::conventions::failure::Failure;
use crate::http::conventions::form::Parameters;

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

/// What a request asks for.
pub struct TokenRequest(pub Parameters);

impl TokenRequest {
    /// The id of the API key.
    pub fn client_id(&self) -> Option<&str> {
        self.0.get("client_id")
    }

    /// The API key.
    pub fn client_secret(&self) -> Option<&str> {
        self.0.get("client_secret")
    }

    /// The scopes that are asked for.
    pub fn scope(&self) -> Option<&str> {
        self.0.get("scope")
    }

    /// Whether it asks for what we give.
    ///
    /// # Errors
    /// When it asks for something else, or does not say for what.
    pub fn check_grant_type(&self) -> Result<(), Failure> {
        match self.0.get("grant_type") {
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
