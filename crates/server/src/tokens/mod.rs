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

/// Why nothing is proven by a token.
enum Unproven {
    /// It is not accepted.
    Refused(Refusal),
    /// Nobody can tell, for the identity provider gives no keys.
    NoKeys,
}

impl From<Refusal> for Unproven {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

fn settled<T>(proven: Result<T, Unproven>) -> app::Result<Result<T, Refusal>> {
    match proven {
        Ok(proven) => Ok(Ok(proven)),
        Err(Unproven::Refused(refusal)) => Ok(Err(refusal)),
        Err(Unproven::NoKeys) => {
            let cause = "the identity provider gives no keys";
            Err(app::Error::unavailable(cause))
        }
    }
}

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
    /// its audience hold; otherwise why it is not accepted. Whether its company and
    /// its key are alive is for the directory to say, each time.
    ///
    /// # Errors
    /// When its key is not known and the identity provider is away.
    pub async fn verify(
        &self,
        token: &str,
        now: Timestamp,
    ) -> app::Result<Result<Claims, Refusal>> {
        let proven = self.proven(token, now).await;
        settled(proven.map(|payload| payload.claims()))
    }

    /// The same with the token's end, for what must not outlive it.
    ///
    /// # Errors
    /// When its key is not known and the identity provider is away.
    pub async fn verify_lasting(
        &self,
        token: &str,
        now: Timestamp,
    ) -> app::Result<Result<(Claims, Timestamp), Refusal>> {
        let proven = self.proven(token, now).await;
        settled(proven.and_then(|payload| Ok((payload.claims(), payload.ends_at()?))))
    }

    async fn proven(&self, token: &str, now: Timestamp) -> Result<Arc<Payload>, Unproven> {
        if token.len() > LONGEST {
            return Err(Refusal::Malformed.into());
        }
        let header = decode_header(token).map_err(|_| Refusal::Malformed)?;
        if header.crit.is_some() {
            // RFC 7515 §4.1.11: whoever does not understand it refuses. We know none.
            return Err(Refusal::BadToken.into());
        }
        let payload = match header.alg {
            Algorithm::HS256 => self.proven_by_us(token).ok_or(Refusal::BadToken)?,
            Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA => {
                self.proven_by_provider(token, &header, now).await?
            }
            _ => return Err(Refusal::BadToken.into()),
        };
        payload.check(&self.expected, now)?;
        Ok(payload)
    }

    fn proven_by_us(&self, token: &str) -> Option<Arc<Payload>> {
        let mut own = self.own.iter();
        own.find_map(|key| key.prove::<Payload>(token))
            .map(Arc::new)
    }

    /// Only our own signature may say from which of our keys a token was made.
    async fn proven_by_provider(
        &self,
        token: &str,
        header: &Header,
        now: Timestamp,
    ) -> Result<Arc<Payload>, Unproven> {
        let provider = self.provider.as_ref().ok_or(Refusal::BadToken)?;
        match provider.prove(token, header, now).await {
            Some(payload) if !payload.names_a_key() => Ok(payload),
            // A good token of a key that we could not have learnt is not to be thrown away.
            None if !provider.is_well() && !provider.knows(header) => Err(Unproven::NoKeys),
            _ => Err(Refusal::BadToken.into()),
        }
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
