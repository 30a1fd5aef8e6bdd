//! ID tokens (OpenID Connect Core §2): whom an identity provider names to us.
//!
//! Guarantees: a name is believed only if a public key of the provider has signed it, if it was said to
//! us and to nobody else, about the sign-in that was begun here, and just now (§3.1.3.7).
//! Must not: be taken for a credential of the API. What stands here about rights is not read.

use std::sync::Arc;

use app::console::Person;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, decode_header};
use serde::Deserialize;
use serde_json::Number;

use super::jwks::Jwks;
use super::payload::{Audience, LEEWAY, seconds};

/// The longest token that is looked at, in bytes: some providers write every group into it.
const LONGEST: usize = 32 * 1024;

/// The longest `sub` (§2), and the longest address that is shown.
const LONGEST_NAME: usize = 255;

/// What an ID token has to say.
pub struct Sought<'a> {
    /// Who says it.
    pub issuer: &'a str,
    /// To whom: what the provider calls us.
    pub client_id: &'a str,
    /// About which sign-in.
    pub nonce: &'a str,
}

/// Why nobody is believed to be anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdTokenFault {
    /// It is no token, or its header says what we do not understand.
    #[error("malformed ID token")]
    Malformed,
    /// It is signed with an algorithm that no public key of ours checks, or not at all.
    #[error("ID token of another algorithm")]
    Algorithm,
    /// No key that the provider publishes has signed it, or a claim has another type.
    #[error("unsigned ID token")]
    Unsigned,
    /// The key may exist, but the provider does not give its keys.
    #[error("no keys for the ID token")]
    NoKeys,
    /// Another issuer.
    #[error("ID token of another issuer")]
    Issuer,
    /// It was said to somebody else, or to somebody else as well.
    #[error("ID token for another audience")]
    Audience,
    /// It is about another sign-in.
    #[error("ID token with another nonce")]
    Nonce,
    /// Its time is over, or has not come.
    #[error("ID token of another time")]
    Time,
    /// It names nobody.
    #[error("ID token without a subject")]
    Subject,
}

/// What stands in it, as far as we ask.
#[derive(Deserialize)]
struct IdToken {
    iss: String,
    sub: String,
    aud: Audience,
    exp: Number,
    iat: Number,
    nbf: Option<Number>,
    azp: Option<String>,
    nonce: Option<String>,
    email: Option<String>,
    email_verified: Option<Verified>,
}

/// Some providers write the truth as a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Verified {
    Flag(bool),
    Text(String),
}

impl Verified {
    fn is_true(&self) -> bool {
        match self {
            Self::Flag(flag) => *flag,
            Self::Text(text) => text == "true",
        }
    }
}

/// Whom an ID token names, if one of the provider's `keys` has signed it and it says what is `sought`.
///
/// # Errors
/// Why it is not believed.
pub async fn identify(
    keys: &Arc<Jwks>,
    token: &str,
    sought: &Sought<'_>,
    now: Timestamp,
) -> Result<Person, IdTokenFault> {
    if token.len() > LONGEST {
        return Err(IdTokenFault::Malformed);
    }
    let header = decode_header(token).map_err(|_| IdTokenFault::Malformed)?;
    if header.crit.is_some() {
        return Err(IdTokenFault::Malformed);
    }
    // A secret signs nothing that we believe here, whoever knows it; nobody need be asked for keys.
    let is_public = matches!(
        header.alg,
        Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA
    );
    if !is_public {
        return Err(IdTokenFault::Algorithm);
    }
    match keys.prove_once::<IdToken>(token, &header, now).await {
        Some(said) => said.check(sought, now),
        None if keys.is_well() => Err(IdTokenFault::Unsigned),
        None => Err(IdTokenFault::NoKeys),
    }
}

impl IdToken {
    fn check(self, sought: &Sought<'_>, now: Timestamp) -> Result<Person, IdTokenFault> {
        if self.iss != sought.issuer {
            return Err(IdTokenFault::Issuer);
        }
        if !self.is_for(sought.client_id) {
            return Err(IdTokenFault::Audience);
        }
        // The nonce is no secret to whoever holds the token; there is nothing to find out by the time
        // that comparing takes.
        if self.nonce.as_deref() != Some(sought.nonce) {
            return Err(IdTokenFault::Nonce);
        }
        if !self.is_of(now) {
            return Err(IdTokenFault::Time);
        }
        if self.sub.is_empty() || self.sub.len() > LONGEST_NAME {
            return Err(IdTokenFault::Subject);
        }
        Ok(Person {
            email: self.verified_email(),
            issuer: self.iss,
            subject: self.sub,
        })
    }

    /// Among several for whom it is, it must say which of them asked for it.
    fn is_for(&self, client_id: &str) -> bool {
        let asked = match &self.azp {
            Some(asked) => asked == client_id,
            None => self.aud.is_single(),
        };
        asked && self.aud.names(client_id)
    }

    fn is_of(&self, now: Timestamp) -> bool {
        let now = now.as_duration().as_secs_f64();
        let has_begun = |date: &Number| seconds(date).is_ok_and(|start| start - LEEWAY <= now);
        seconds(&self.exp).is_ok_and(|end| now < end + LEEWAY)
            && has_begun(&self.iat)
            && self.nbf.as_ref().is_none_or(has_begun)
    }

    fn verified_email(&self) -> Option<String> {
        let is_verified = self.email_verified.as_ref().is_some_and(Verified::is_true);
        let email = self.email.as_ref().filter(|_| is_verified)?;
        (email.len() <= LONGEST_NAME).then(|| email.clone())
    }
}
