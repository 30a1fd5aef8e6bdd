//! An identity provider, asked by OpenID Connect: where people sign in, and who it was.
//!
//! Guarantees: one sign-in costs the provider's patience at most, however many requests it takes; no
//! redirect is followed; what is read of an answer is bounded; the client secret goes to the provider's
//! token endpoint alone, and neither it nor a code nor a token reaches an error or the log. Where the
//! provider is, the operator says; another host that its document names is reached only if it is a
//! public one.
//! Must not: decide who is an administrator.

mod wire;

use std::sync::Arc;
use std::time::Duration;

use app::console::Person;
use jiff::{SignedDuration, Timestamp};
use reqwest::dns::Resolve;
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use tokio::sync::Mutex;
use url::Url;

use self::wire::{Document, ErrorAnswer, TokenAnswer};
use super::failure;
use super::resolver::{Lookup, NotPublic, PublicOnly, SystemLookup, Unguarded, may_reach};
use crate::config::{Issuer, OpenId, Secret};
use crate::tokens::{IdTokenFault, Jwks, Sought, identify};

/// How this server names itself.
const USER_AGENT: &str = concat!("Bonafide/", env!("CARGO_PKG_VERSION"));

/// The longest that one step of a sign-in may take, with all that is asked for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the provider's document and keys are believed before they are fetched again.
const FRESH: SignedDuration = SignedDuration::from_mins(10);

/// The largest answer, in bytes.
const LARGEST: usize = 128 * 1024;

/// What the person is asked to let us know.
const SCOPE: &str = "openid email";

/// How a provider is asked.
pub struct Settings {
    /// The longest that one step of a sign-in may take.
    pub patience: Duration,
    /// Whether the provider's document may name hosts that are not public.
    pub allow_private: bool,
    /// What finds the addresses of a name.
    pub lookup: Arc<dyn Lookup>,
}

impl Settings {
    /// Those of the product.
    #[must_use]
    pub fn usual(allow_private: bool) -> Self {
        Self {
            patience: PATIENCE,
            allow_private,
            lookup: Arc::new(SystemLookup),
        }
    }
}

/// A client of an identity provider.
pub struct OpenIdClient {
    issuer: Issuer,
    client_id: String,
    client_secret: Option<Secret>,
    /// Where the provider sends people back to.
    back: String,
    patience: Duration,
    allow_private: bool,
    /// For the issuer's own host, which the operator named.
    own: Client,
    /// For hosts that only the provider names.
    others: Client,
    /// What the provider said of itself, and when.
    known: Mutex<Option<(Arc<Provider>, Timestamp)>>,
}

/// What a provider says of itself, as far as it was checked.
struct Provider {
    authorization: Url,
    token: Url,
    keys: Arc<Jwks>,
    /// Whether it names itself to whoever is sent back (RFC 9207).
    names_itself: bool,
    /// Whether the client's secret goes into a header; otherwise into the form.
    takes_basic: bool,
}

/// Whom the provider has sent back, and with what.
pub struct Returned<'a> {
    /// What is exchanged for the ID token.
    pub code: &'a str,
    /// Who sends them, if they say so (RFC 9207).
    pub issuer: Option<&'a str>,
    /// What proves that the code was asked for here.
    pub verifier: &'a str,
    /// What the ID token must carry.
    pub nonce: &'a str,
}

/// Why somebody cannot be signed in. The words are for the operator; they hold no secret, and nothing
/// that the provider said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProviderProblem {
    /// No whole answer in time.
    #[error("the identity provider does not answer")]
    Away,
    /// A status that means nothing here, a redirect for example.
    #[error("the identity provider answers with status {0}")]
    Status(u16),
    /// An answer that is something else, or does not end.
    #[error("the identity provider's answer cannot be read")]
    Garbled,
    /// The document is another provider's.
    #[error("the identity provider calls itself something else than OIDC_ISSUER")]
    OtherIssuer,
    /// An address in the document that is not HTTPS, or no address.
    #[error("the identity provider's document names an address that is not HTTPS")]
    Insecure,
    /// An address in the document that is within a private network.
    #[error("the identity provider's document leads to a private address")]
    Private,
    /// The document takes neither our proof of the code (`S256`) nor our way to show the secret.
    #[error("the identity provider takes neither PKCE with S256 nor a client secret")]
    Unfit,
    /// The provider refuses us: our name, our secret, or the address of the callback.
    #[error("the identity provider refuses OIDC_CLIENT_ID or OIDC_CLIENT_SECRET")]
    Refused,
    /// The provider refuses the code: it was used, is too old, or was asked for by somebody else.
    #[error("the identity provider refuses the code")]
    BadCode,
    /// Whoever comes back was sent by another provider.
    #[error("sent back by another identity provider")]
    MixedUp,
    /// The ID token is not believed.
    #[error("{0}")]
    IdToken(IdTokenFault),
}

impl ProviderProblem {
    /// Whether it is the provider that has to be put right, or waited for; otherwise this one sign-in
    /// has failed.
    #[must_use]
    pub fn is_of_provider(self) -> bool {
        match self {
            Self::BadCode | Self::MixedUp => false,
            Self::IdToken(fault) => fault == IdTokenFault::NoKeys,
            _ => true,
        }
    }
}

impl OpenIdClient {
    /// Nothing is asked yet. `back` is where the provider sends people back to.
    ///
    /// # Errors
    /// When the system's certificates cannot be used.
    pub fn new(config: &OpenId, back: String, settings: Settings) -> reqwest::Result<Self> {
        let Settings {
            patience,
            allow_private,
            lookup,
        } = settings;
        let guard: Arc<dyn Resolve> = match allow_private {
            true => Arc::new(Unguarded(lookup)),
            false => Arc::new(PublicOnly(lookup)),
        };
        let builder = || {
            Client::builder()
                .user_agent(USER_AGENT)
                .timeout(patience)
                .redirect(Policy::none())
        };
        Ok(Self {
            issuer: config.issuer.clone(),
            client_id: config.client_id.clone(),
            client_secret: config.client_secret.clone(),
            back,
            patience,
            allow_private,
            own: builder().build()?,
            // A proxy would resolve names by itself, past our guard.
            others: builder().no_proxy().dns_resolver(guard).build()?,
            known: Mutex::default(),
        })
    }

    /// What people call the provider.
    #[must_use]
    pub fn name(&self) -> &str {
        self.issuer.name()
    }

    /// Where the provider sends people back to.
    #[must_use]
    pub fn back(&self) -> &str {
        &self.back
    }

    /// Where somebody signs in at the provider.
    ///
    /// # Errors
    /// Why that is not known.
    pub async fn door(
        &self,
        state: &str,
        nonce: &str,
        challenge: &str,
        now: Timestamp,
    ) -> Result<Url, ProviderProblem> {
        let provider = self.in_time(self.provider(now)).await?;
        let mut door = provider.authorization.clone();
        door.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", self.client_id.as_str()),
            ("redirect_uri", self.back.as_str()),
            ("scope", SCOPE),
            ("state", state),
            ("nonce", nonce),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256"),
        ]);
        Ok(door)
    }

    /// Who it is whom the provider has sent back.
    ///
    /// # Errors
    /// Why that is not known.
    pub async fn identify(
        &self,
        returned: &Returned<'_>,
        now: Timestamp,
    ) -> Result<Person, ProviderProblem> {
        self.in_time(async {
            let provider = self.provider(now).await?;
            match returned.issuer {
                Some(issuer) if issuer != self.issuer.as_str() => {
                    return Err(ProviderProblem::MixedUp);
                }
                None if provider.names_itself => return Err(ProviderProblem::MixedUp),
                _ => {}
            }
            let token = self.exchange(&provider, returned).await?;
            let sought = Sought {
                issuer: self.issuer.as_str(),
                client_id: &self.client_id,
                nonce: returned.nonce,
            };
            let person = identify(&provider.keys, token.expose(), &sought, now).await;
            person.map_err(ProviderProblem::IdToken)
        })
        .await
    }

    /// Looks whether people could sign in, as far as that can be told without anybody doing so; returns
    /// how many of the provider's keys can be used.
    ///
    /// # Errors
    /// What is in the way.
    pub async fn check(&self, now: Timestamp) -> Result<usize, ProviderProblem> {
        self.in_time(async {
            let provider = self.provider(now).await?;
            let keys = provider.keys.look().await;
            keys.map_err(|_| ProviderProblem::IdToken(IdTokenFault::NoKeys))
        })
        .await
    }

    /// The whole step, or the end of our patience.
    async fn in_time<T>(
        &self,
        step: impl Future<Output = Result<T, ProviderProblem>>,
    ) -> Result<T, ProviderProblem> {
        let done = tokio::time::timeout(self.patience, step).await;
        done.unwrap_or(Err(ProviderProblem::Away))
    }

    /// What the provider says of itself; asked anew when that was some time ago. One asks for all.
    async fn provider(&self, now: Timestamp) -> Result<Arc<Provider>, ProviderProblem> {
        let mut known = self.known.lock().await;
        if let Some((provider, at)) = known.as_ref()
            && now.duration_since(*at).abs() < FRESH
        {
            return Ok(provider.clone());
        }
        let answer = self.own.get(self.issuer.document()).send().await;
        let answer = read(answer.map_err(|error| problem(&error))?).await?;
        if answer.status != StatusCode::OK {
            return Err(ProviderProblem::Status(answer.status.as_u16()));
        }
        let document: Document = answer.json()?;
        let provider = Arc::new(self.accept(&document)?);
        *known = Some((provider.clone(), now));
        Ok(provider)
    }

    /// Checks what a provider says of itself.
    fn accept(&self, document: &Document) -> Result<Provider, ProviderProblem> {
        if document.issuer != self.issuer.as_str() {
            return Err(ProviderProblem::OtherIssuer);
        }
        let takes_basic = document.takes("client_secret_basic");
        let takes_secret = takes_basic || document.takes("client_secret_post");
        if !document.proves_codes() || (self.client_secret.is_some() && !takes_secret) {
            return Err(ProviderProblem::Unfit);
        }
        let keys = wire::address(&document.jwks_uri).ok_or(ProviderProblem::Insecure)?;
        let client = self.client_for(&keys)?.clone();
        Ok(Provider {
            authorization: wire::address(&document.authorization_endpoint)
                .ok_or(ProviderProblem::Insecure)?,
            token: wire::address(&document.token_endpoint).ok_or(ProviderProblem::Insecure)?,
            keys: Arc::new(Jwks::over(client, keys.as_str(), "OIDC_ISSUER")),
            names_itself: document.authorization_response_iss_parameter_supported,
            takes_basic,
        })
    }

    /// Exchanges the code for the ID token.
    async fn exchange(
        &self,
        provider: &Provider,
        returned: &Returned<'_>,
    ) -> Result<Secret, ProviderProblem> {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", returned.code),
            ("redirect_uri", self.back.as_str()),
            ("code_verifier", returned.verifier),
        ];
        let mut request = self
            .client_for(&provider.token)?
            .post(provider.token.clone());
        match &self.client_secret {
            Some(secret) if provider.takes_basic => {
                // RFC 6749 §2.3.1: both are encoded as in a form first.
                let (name, secret) = (
                    wire::encoded(&self.client_id),
                    wire::encoded(secret.expose()),
                );
                request = request.basic_auth(name, Some(secret));
            }
            Some(secret) => {
                form.push(("client_id", self.client_id.as_str()));
                form.push(("client_secret", secret.expose()));
            }
            None => form.push(("client_id", self.client_id.as_str())),
        }
        let answer = request.form(&form).send().await;
        let answer = read(answer.map_err(|error| problem(&error))?).await?;
        match answer.status.as_u16() {
            200 => Ok(Secret::new(answer.json::<TokenAnswer>()?.id_token)),
            400 | 401 => Err(match answer.json::<ErrorAnswer>()?.error.as_str() {
                "invalid_grant" => ProviderProblem::BadCode,
                _ => ProviderProblem::Refused,
            }),
            status => Err(ProviderProblem::Status(status)),
        }
    }

    /// What reaches an address: the issuer's host wherever it is, others only if they are public.
    fn client_for(&self, url: &Url) -> Result<&Client, ProviderProblem> {
        let own = self.issuer.host().map(|host| host.to_owned());
        if own == url.host().map(|host| host.to_owned()) {
            return Ok(&self.own);
        }
        match self.allow_private || may_reach(url) {
            true => Ok(&self.others),
            false => Err(ProviderProblem::Private),
        }
    }
}

/// A whole answer.
struct Answer {
    status: StatusCode,
    body: Vec<u8>,
}

impl Answer {
    fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, ProviderProblem> {
        serde_json::from_slice(&self.body).map_err(|_| ProviderProblem::Garbled)
    }
}

async fn read(mut response: Response) -> Result<Answer, ProviderProblem> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| problem(&error))? {
        if body.len() + chunk.len() > LARGEST {
            return Err(ProviderProblem::Garbled);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer {
        status: response.status(),
        body,
    })
}

/// An error of the client could name the address; what matters is whether we may go there.
fn problem(error: &reqwest::Error) -> ProviderProblem {
    match failure::is_caused_by::<NotPublic>(error) {
        true => ProviderProblem::Private,
        false => ProviderProblem::Away,
    }
}
