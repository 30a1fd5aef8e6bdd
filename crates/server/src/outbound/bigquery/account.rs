//! Access to Google's interfaces: a service account's key, or the account of the machine.
//!
//! With a key, an assertion signed by it (RS256, RFC 7523) is exchanged for an access token; without
//! one, the metadata server of Google's machines hands one out. A token is kept until a minute before it
//! ends. Guarantees: the key never leaves; neither it nor a token reaches log or error.

use std::io;
use std::path::Path;
use std::time::Duration;

use app::archive::ArchiveProblem;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use data_encoding::BASE64URL_NOPAD;
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use reqwest::{Client, RequestBuilder};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;
use url::Url;
use zeroize::Zeroizing;

use super::super::retry_after;
use crate::config::{BaseUrl, Secret, kinds};

/// What the token is good for.
const SCOPE: &str = "https://www.googleapis.com/auth/bigquery";

/// What the assertion is exchanged by.
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// How long an assertion holds.
const ASSERTION: SignedDuration = SignedDuration::from_mins(60);

/// How long before its end a token is renewed.
const MARGIN: SignedDuration = SignedDuration::from_secs(60);

/// Where a machine of Google's asks for the token of its account.
pub const METADATA: &str =
    "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token";

/// Whose access it is.
pub enum Account {
    /// That of a service account, by its key.
    Service(Box<ServiceAccount>),
    /// That of the machine; asked for at this address.
    Machine(Url),
}

/// A service account.
pub struct ServiceAccount {
    email: String,
    key: RsaKeyPair,
    key_id: Option<String>,
    token_uri: Url,
}

/// Why an account cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AccountUnusable {
    /// The file cannot be read.
    #[error("the file cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// It is no key file of a service account.
    #[error("it is not the key file (JSON) of a service account")]
    NotAKeyFile,
    /// The key in it cannot be used.
    #[error("the private key in it is no RSA key that can be used")]
    Key,
    /// The assertion would travel in the clear.
    #[error("the token_uri in it must begin with https://")]
    TokenUri,
}

/// A key file, as Google makes it.
#[derive(Deserialize)]
struct KeyFile {
    r#type: String,
    client_email: String,
    private_key: String,
    private_key_id: Option<String>,
    token_uri: String,
}

impl Account {
    /// The account of a key file.
    ///
    /// # Errors
    /// Why it cannot be used; nothing of the file is in it.
    pub fn of_file(path: &Path) -> Result<Self, AccountUnusable> {
        let text = Zeroizing::new(std::fs::read(path)?);
        Self::of_key_file(&text)
    }

    fn of_key_file(text: &[u8]) -> Result<Self, AccountUnusable> {
        let file: KeyFile =
            serde_json::from_slice(text).map_err(|_| AccountUnusable::NotAKeyFile)?;
        let pem = Zeroizing::new(file.private_key);
        if file.r#type != "service_account" {
            return Err(AccountUnusable::NotAKeyFile);
        }
        let token_uri: BaseUrl =
            (kinds::BASE_URL.parse)(&file.token_uri).map_err(|_| AccountUnusable::TokenUri)?;
        if !token_uri.is_confidential() {
            return Err(AccountUnusable::TokenUri);
        }
        Ok(Self::Service(Box::new(ServiceAccount {
            email: file.client_email,
            key: key(&pem)?,
            key_id: file.private_key_id,
            token_uri: Url::parse(&file.token_uri).map_err(|_| AccountUnusable::TokenUri)?,
        })))
    }

    /// The request for a token.
    fn request(&self, client: &Client, now: Timestamp) -> Result<RequestBuilder, ArchiveProblem> {
        match self {
            Self::Service(account) => {
                let assertion = account.assertion(now).ok_or(ArchiveProblem::Refused)?;
                let form = [("grant_type", GRANT), ("assertion", &assertion)];
                Ok(client.post(account.token_uri.clone()).form(&form))
            }
            Self::Machine(url) => {
                let request = client.get(url.clone()).query(&[("scopes", SCOPE)]);
                Ok(request.header("metadata-flavor", "Google"))
            }
        }
    }
}

fn key(pem: &str) -> Result<RsaKeyPair, AccountUnusable> {
    let der = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| AccountUnusable::Key)?;
    let key = match &der {
        PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
        PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
        _ => return Err(AccountUnusable::Key),
    };
    key.map_err(|_| AccountUnusable::Key)
}

impl ServiceAccount {
    /// A signed assertion that the account asks; `None` when the key does not sign.
    fn assertion(&self, now: Timestamp) -> Option<String> {
        let mut header = json!({"alg": "RS256", "typ": "JWT"});
        if let (Some(id), Some(header)) = (&self.key_id, header.as_object_mut()) {
            header.insert("kid".to_owned(), json!(id));
        }
        let begins = now.as_second();
        let claims = json!({
            "iss": self.email,
            "scope": SCOPE,
            "aud": self.token_uri.as_str(),
            "iat": begins,
            "exp": begins.saturating_add(ASSERTION.as_secs()),
        });
        let part = |value: serde_json::Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let signed = format!("{}.{}", part(header), part(claims));
        let mut signature = vec![0; self.key.public_key().modulus_len()];
        let random = SystemRandom::new();
        let made = self.key.sign(
            &RSA_PKCS1_SHA256,
            &random,
            signed.as_bytes(),
            &mut signature,
        );
        made.ok()?;
        Some(format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature)))
    }
}

/// A token, and until when it is used.
#[derive(Clone)]
pub struct Token {
    /// It.
    pub secret: Secret,
    good_until: Timestamp,
}

/// The token of an account, got when it is needed.
pub struct Tokens {
    account: Account,
    /// Whoever gets one keeps others from getting one too.
    known: Mutex<Option<Token>>,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: i64,
}

impl Tokens {
    /// None was got yet.
    pub fn new(account: Account) -> Self {
        Self {
            account,
            known: Mutex::default(),
        }
    }

    /// A token that holds.
    pub async fn get(&self, client: &Client, now: Timestamp) -> Result<Token, ArchiveProblem> {
        let mut known = self.known.lock().await;
        if let Some(token) = known.as_ref().filter(|token| now < token.good_until) {
            return Ok(token.clone());
        }
        let token = self.fetch(client, now).await?;
        *known = Some(token.clone());
        Ok(token)
    }

    /// Gives a token up that was refused, unless there is another already.
    pub async fn forget(&self, refused: &Token) {
        let mut known = self.known.lock().await;
        if known
            .as_ref()
            .is_some_and(|token| token.secret.expose() == refused.secret.expose())
        {
            *known = None;
        }
    }

    async fn fetch(&self, client: &Client, now: Timestamp) -> Result<Token, ArchiveProblem> {
        let request = self.account.request(client, now)?;
        let response = request.send().await;
        let response = response.map_err(|_| ArchiveProblem::Away(None))?;
        match response.status().as_u16() {
            200 => {}
            429 => return Err(ArchiveProblem::Busy(wish(response.headers(), now))),
            400..=499 => return Err(ArchiveProblem::Refused),
            _ => return Err(ArchiveProblem::Away(wish(response.headers(), now))),
        }
        let body = super::whole(response).await?;
        let granted: Granted =
            serde_json::from_slice(&body).map_err(|_| ArchiveProblem::Garbled)?;
        let lasts = SignedDuration::from_secs(granted.expires_in).saturating_sub(MARGIN);
        Ok(Token {
            secret: Secret::new(granted.access_token),
            good_until: now.saturating_add(lasts).unwrap_or(now),
        })
    }
}

fn wish(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    retry_after::wish(headers, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_key_file_is_refused_without_showing_it() {
        let file = |kind: &str, key: &str, uri: &str| {
            let file = json!({"type": kind, "client_email": "a@b", "private_key": key,
                "token_uri": uri});
            match Account::of_key_file(file.to_string().as_bytes()) {
                Ok(_) => panic!("it was taken"),
                Err(unusable) => unusable.to_string(),
            }
        };
        let https = "https://oauth2.example.com/token";
        assert!(file("authorized_user", "hunter2", https).contains("not the key file"));
        assert!(file("service_account", "hunter2", https).contains("no RSA key"));
        let clear = file(
            "service_account",
            "hunter2",
            "http://oauth2.example.com/token",
        );
        assert!(clear.contains("https://"), "{clear}");
        assert!(matches!(
            Account::of_key_file(b"hunter2"),
            Err(AccountUnusable::NotAKeyFile)
        ));
    }
}
