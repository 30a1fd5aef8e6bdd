//! What an identity provider answers, as far as we read it.

use serde::Deserialize;
use url::Url;
use url::form_urlencoded::byte_serialize;

use crate::config::kinds::is_confidential;

/// What a provider says of itself (OpenID Connect Discovery §3).
#[derive(Deserialize)]
pub struct Document {
    pub issuer: String,
    pub authorization_endpoint: String,
    pub token_endpoint: String,
    pub jwks_uri: String,
    #[serde(default)]
    code_challenge_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// RFC 9207 §3.
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
}

impl Document {
    /// Whether it takes what proves that a code was asked for here. Some do and do not say so; those that
    /// list what they take must list it.
    pub fn proves_codes(&self) -> bool {
        let listed = self.code_challenge_methods_supported.as_ref();
        listed.is_none_or(|listed| listed.iter().any(|one| one == "S256"))
    }

    /// Whether it takes the client's secret in that way; who lists none takes the first.
    pub fn takes(&self, way: &str) -> bool {
        match &self.token_endpoint_auth_methods_supported {
            Some(listed) => listed.iter().any(|one| one == way),
            None => way == "client_secret_basic",
        }
    }
}

/// What comes for a code (OpenID Connect Core §3.1.3.3).
#[derive(Deserialize)]
pub struct TokenAnswer {
    pub id_token: String,
}

/// What comes instead (RFC 6749 §5.2).
#[derive(Deserialize)]
pub struct ErrorAnswer {
    pub error: String,
}

/// An address that a browser or this server may be sent to, with what it is sent.
pub fn address(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let has_user = !url.username().is_empty() || url.password().is_some();
    (is_confidential(&url) && !has_user && url.fragment().is_none()).then_some(url)
}

/// A text as forms encode it.
pub fn encoded(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(more: &str) -> Document {
        let text = format!(
            "{{\"issuer\":\"i\",\"authorization_endpoint\":\"a\",\"token_endpoint\":\"t\",\
             \"jwks_uri\":\"k\"{more}}}"
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn what_is_not_listed_is_what_the_standards_say() {
        let silent = document("");
        assert!(silent.proves_codes());
        assert!(silent.takes("client_secret_basic") && !silent.takes("client_secret_post"));
        assert!(!silent.authorization_response_iss_parameter_supported);
        let plain = document(",\"code_challenge_methods_supported\":[\"plain\"]");
        assert!(!plain.proves_codes());
        let form = document(",\"token_endpoint_auth_methods_supported\":[\"client_secret_post\"]");
        assert!(form.takes("client_secret_post") && !form.takes("client_secret_basic"));
    }

    #[test]
    fn nobody_is_sent_anywhere_but_to_https_or_this_machine() {
        for text in [
            "https://id.example.com/authorize?p=login",
            "http://localhost:8080/token",
            "http://127.0.0.1:8080/token",
        ] {
            assert!(address(text).is_some(), "{text}");
        }
        for text in [
            "",
            "/authorize",
            "http://id.example.com/authorize",
            "javascript:alert(1)",
            "data:text/html,x",
            "ftp://localhost/x",
            "https://ann:secret@id.example.com/authorize",
            "https://id.example.com/authorize#x",
        ] {
            assert!(address(text).is_none(), "{text}");
        }
    }

    #[test]
    fn secrets_are_encoded_as_in_a_form() {
        assert_eq!(encoded("a b:c+ä%"), "a+b%3Ac%2B%C3%A4%25");
    }
}
