//! Tokens (JWT, RFC 7519): checking the ones that are presented, signing our own.
//!
//! A key decides which algorithm is checked, never the token: `JWT_SECRET` checks
//! HS256 and nothing else, a public key of the identity provider the one
//! algorithm that it is made for. The header only says which key to try. Times
//! are checked against the time that the caller of this module gives.
//!
//! Whatever else is ever signed with `JWT_SECRET` would be a credential: sign
//! links and cookies with other keys.

mod id_token;
mod jwks;
mod payload;
mod pinned;

pub use id_token::{IdTokenFault, Sought, identify};
pub use jwks::{Jwks, Unfetched};
pub use payload::Expected;

use std::sync::Arc;

use app::credentials::{Claims, Refusal};
use jiff::Timestamp;
use jsonwebtoken::errors::Error;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, decode_header, encode};
use tokio_util::sync::CancellationToken;

use payload::Payload;
use pinned::PinnedKey;

/// The longest token that is looked at, in bytes.
const LONGEST: usize = 8 * 1024;

/// Checks and signs tokens.
pub struct Tokens {
    signing: EncodingKey,
    /// The key that signs, then those before it that are still accepted.
    own: Vec<PinnedKey>,
    provider: Option<Arc<Jwks>>,
    expected: Expected,
}

impl Tokens {
    /// With `JWT_SECRET`, and the keys of an identity provider if there is one.
    pub fn new(secret: &[u8], provider: Option<Jwks>, expected: Expected) -> Self {
        Self {
            signing: EncodingKey::from_secret(secret),
            own: vec![own_key(secret)],
            provider: provider.map(Arc::new),
            expected,
        }
    }

    /// The same, and tokens that were signed with the secret before are accepted too.
    #[must_use]
    pub fn with_previous(mut self, secret: &[u8]) -> Self {
        self.own.push(own_key(secret));
        self
    }

    /// What a presented token says, if its signature, its times, its issuer and
    /// its audience hold. Whether its company and its key are alive is for the
    /// directory to say, each time.
    ///
    /// # Errors
    /// Why it is not accepted.
    pub async fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, Refusal> {
        Ok(self.proven(token, now).await?.claims())
    }

    /// The same with the token's end, for what must not outlive it.
    ///
    /// # Errors
    /// Why it is not accepted.
    pub async fn verify_lasting(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<(Claims, Timestamp), Refusal> {
        let payload = self.proven(token, now).await?;
        Ok((payload.claims(), payload.ends_at()?))
    }

    async fn proven(&self, token: &str, now: Timestamp) -> Result<Arc<Payload>, Refusal> {
        if token.len() > LONGEST {
            return Err(Refusal::Malformed);
        }
        let header = decode_header(token).map_err(|_| Refusal::Malformed)?;
        if header.crit.is_some() {
            // RFC 7515 §4.1.11: whoever does not understand it refuses. We know none.
            return Err(Refusal::BadToken);
        }
        let payload = match header.alg {
            Algorithm::HS256 => self
                .own
                .iter()
                .find_map(|key| key.prove::<Payload>(token))
                .map(Arc::new),
            _ => self.proven_by_provider(token, &header, now).await,
        };
        let payload = payload.ok_or(Refusal::BadToken)?;
        payload.check(&self.expected, now)?;
        Ok(payload)
    }

    /// Only our own signature may say from which of our keys a token was made.
    async fn proven_by_provider(
        &self,
        token: &str,
        header: &Header,
        now: Timestamp,
    ) -> Option<Arc<Payload>> {
        let payload = self.provider.as_ref()?.prove(token, header, now).await?;
        (!payload.names_a_key()).then_some(payload)
    }

    /// A token with these claims, from `now` until `expires_at`, in whole
    /// seconds.
    ///
    /// # Errors
    /// Those of the library; none are known for HS256.
    pub fn sign(
        &self,
        claims: &Claims,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<String, Error> {
        let payload = Payload::new(claims, &self.expected, now, expires_at);
        encode(&Header::new(Algorithm::HS256), &payload, &self.signing)
    }

    /// Keeps the identity provider's keys fresh until `stop`.
    pub fn keep_fresh(&self, stop: CancellationToken) -> impl Future<Output = ()> + use<> {
        let provider = self.provider.clone();
        async move {
            if let Some(provider) = provider {
                provider.keep_fresh(stop).await;
            }
        }
    }
}

/// A secret of ours, for HS256 and nothing else.
fn own_key(secret: &[u8]) -> PinnedKey {
    PinnedKey::new(None, Algorithm::HS256, DecodingKey::from_secret(secret))
}
