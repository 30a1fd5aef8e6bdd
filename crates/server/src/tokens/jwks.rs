//! The public keys of an identity provider (a JWK Set, RFC 7517), fetched and kept.
//!
//! They are fetched at the start, every few minutes, and when a token names a key
//! that is not among them: one fetch at a time, and at most one in ten seconds
//! however many such tokens come. A provider that is away takes no key from us.
//! No request waits for a fetch whose key is known.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use aws_lc_rs::digest::{SHA256, digest};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::Header;
use jsonwebtoken::jwk::Jwk;
use reqwest::redirect::Policy;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;

use super::payload::Payload;
use super::pinned::PinnedKey;

/// How often the keys are fetched anew.
const PERIOD: Duration = Duration::from_secs(300);

/// How soon a failed fetch is tried again.
const RETRY: Duration = Duration::from_secs(10);

/// The shortest time between two fetches that unknown keys ask for.
const PAUSE: SignedDuration = SignedDuration::from_secs(10);

/// How long a fetch may take, unless told otherwise.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The largest set that is read, in bytes.
const LARGEST: usize = 256 * 1024;

/// How many tokens are remembered whose signature has been checked.
const REMEMBERED: usize = 4096;

/// The keys of an identity provider.
pub struct Jwks {
    /// What named the address, for the log.
    named_by: &'static str,
    url: String,
    client: reqwest::Client,
    keys: ArcSwap<KeySet>,
    /// When an unknown key last asked for a fetch; whoever fetches holds the lock.
    asked: tokio::sync::Mutex<Option<Timestamp>>,
    well: AtomicBool,
}

/// Why no keys were fetched.
#[derive(Debug, thiserror::Error)]
pub enum Unfetched {
    /// No whole answer came.
    #[error("{0}")]
    Away(reqwest::Error),
    /// Something else than the set was answered, a redirect for example.
    #[error("answered with status {0}")]
    Status(u16),
    /// The answer does not end.
    #[error("the answer is larger than {LARGEST} bytes")]
    TooLarge,
    /// The answer is something else.
    #[error("the answer is no JWK Set")]
    Malformed,
}

impl From<reqwest::Error> for Unfetched {
    fn from(error: reqwest::Error) -> Self {
        Self::Away(error.without_url())
    }
}

impl Jwks {
    /// The set at `url`; nothing is fetched yet.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(url: &str) -> Result<Self, Unfetched> {
        Self::with_timeout(url, TIMEOUT)
    }

    /// The same with another patience for a whole fetch.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn with_timeout(url: &str, timeout: Duration) -> Result<Self, Unfetched> {
        let client = reqwest::Client::builder()
            .redirect(Policy::none())
            .timeout(timeout)
            .build()?;
        Ok(Self::over(client, url, "JWT_JWKS_URL"))
    }

    /// The set at `url`, which `named_by` named, fetched by a client that follows no redirect and has an
    /// end to its patience; nothing is fetched yet.
    pub fn over(client: reqwest::Client, url: &str, named_by: &'static str) -> Self {
        Self {
            named_by,
            url: url.to_owned(),
            client,
            keys: ArcSwap::default(),
            asked: tokio::sync::Mutex::default(),
            well: AtomicBool::new(true),
        }
    }

    /// Whether the last fetch brought the set, if there was one.
    pub fn is_well(&self) -> bool {
        self.well.load(Ordering::Relaxed)
    }

    /// Whether the key is here that a header names.
    pub fn knows(&self, header: &Header) -> bool {
        self.keys.load().find(header).is_some()
    }

    /// What a token says, if the key that its header names has signed it. A key
    /// that is not known is looked for once more at the provider.
    pub async fn prove(
        self: &Arc<Self>,
        token: &str,
        header: &Header,
        now: Timestamp,
    ) -> Option<Arc<Payload>> {
        let keys = self.having(header, now).await?;
        keys.prove(token, keys.find(header)?)
    }

    /// The same for a token that is shown once, whatever it says.
    pub async fn prove_once<Claims: DeserializeOwned>(
        self: &Arc<Self>,
        token: &str,
        header: &Header,
        now: Timestamp,
    ) -> Option<Claims> {
        let keys = self.having(header, now).await?;
        keys.find(header)?.prove(token)
    }

    /// The keys, which are fetched anew if the one is not among them that a header names.
    async fn having(self: &Arc<Self>, header: &Header, now: Timestamp) -> Option<Arc<KeySet>> {
        let keys = self.keys.load_full();
        match keys.find(header) {
            Some(_) => Some(keys),
            None => self.newer_than(keys, now).await,
        }
    }

    /// Fetches the keys now; says how many can be used.
    ///
    /// # Errors
    /// Why none came.
    pub async fn look(&self) -> Result<usize, Unfetched> {
        Ok(self.fetch().await?.keys.len())
    }

    /// Other keys than `seen`, if they have been fetched meanwhile or may be now.
    async fn newer_than(
        self: &Arc<Self>,
        seen: Arc<KeySet>,
        now: Timestamp,
    ) -> Option<Arc<KeySet>> {
        let jwks = self.clone();
        // A task of its own: a caller that goes away must not end what others wait for.
        let fetched = tokio::spawn(async move {
            let mut asked = jwks.asked.lock().await;
            let is_new = !Arc::ptr_eq(&jwks.keys.load(), &seen);
            let too_soon = asked.is_some_and(|last| now.duration_since(last).abs() < PAUSE);
            if !is_new && !too_soon {
                *asked = Some(now);
                jwks.refresh().await;
            }
            jwks.keys.load_full()
        });
        fetched.await.ok()
    }

    /// Fetches the keys again and again until `stop`.
    pub async fn keep_fresh(&self, stop: CancellationToken) {
        loop {
            let fetched = async {
                let _one_at_a_time = self.asked.lock().await;
                self.refresh().await
            };
            let pause = tokio::select! {
                () = stop.cancelled() => return,
                well = fetched => if well { PERIOD } else { RETRY },
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Takes the provider's keys in place of those known; says whether they came.
    async fn refresh(&self) -> bool {
        let fetched = self.fetch().await;
        let well = fetched.is_ok();
        let was_well = self.well.swap(well, Ordering::Relaxed);
        match fetched {
            Ok(keys) => {
                tracing::debug!(
                    keys = keys.keys.len(),
                    "the identity provider's keys are here"
                );
                self.keys.store(Arc::new(keys));
            }
            // One line when it begins to fail, not one every time.
            Err(cause) if was_well => {
                let named_by = self.named_by;
                tracing::warn!(%cause, "{named_by} gives no keys; the known ones stay in force");
            }
            Err(_) => {}
        }
        well
    }

    async fn fetch(&self) -> Result<KeySet, Unfetched> {
        let mut response = self.client.get(&self.url).send().await?;
        if response.status() != http::StatusCode::OK {
            return Err(Unfetched::Status(response.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > LARGEST {
                return Err(Unfetched::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        KeySet::parse(&body).ok_or(Unfetched::Malformed)
    }
}

/// Keys that were fetched together, with the tokens they have proven: when the
/// keys go, so does what was believed because of them.
#[derive(Default)]
struct KeySet {
    keys: Vec<PinnedKey>,
    proven: Mutex<HashMap<[u8; 32], Arc<Payload>>>,
}

impl KeySet {
    /// The usable keys of a set; others, and members we do not know, are ignored
    /// (RFC 7517 §5).
    fn parse(body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Set<'a> {
            #[serde(borrow)]
            keys: Vec<&'a RawValue>,
        }
        let set: Set<'_> = serde_json::from_slice(body).ok()?;
        let jwks = set
            .keys
            .iter()
            .filter_map(|key| serde_json::from_str::<Jwk>(key.get()).ok());
        Some(Self {
            keys: jwks.filter_map(PinnedKey::from_jwk).collect(),
            proven: Mutex::default(),
        })
    }

    /// The key that a header names; a header that names none means the only key
    /// for its algorithm.
    fn find(&self, header: &Header) -> Option<&PinnedKey> {
        let mut fitting = self.keys.iter().filter(|key| {
            key.algorithm() == header.alg
                && (header.kid.is_none() || key.id() == header.kid.as_deref())
        });
        match (fitting.next(), fitting.next()) {
            (Some(_), Some(_)) if header.kid.is_none() => None,
            (key, _) => key,
        }
    }

    /// Checks a signature, or remembers that it was checked. Times are not part
    /// of it: they are checked each time.
    fn prove(&self, token: &str, key: &PinnedKey) -> Option<Arc<Payload>> {
        let name = name(token);
        if let Some(payload) = self.remembered().get(&name) {
            return Some(payload.clone());
        }
        let payload: Arc<Payload> = Arc::new(key.prove(token)?);
        let mut remembered = self.remembered();
        if remembered.len() >= REMEMBERED {
            remembered.clear();
        }
        remembered.insert(name, payload.clone());
        Some(payload)
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], Arc<Payload>>> {
        self.proven.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn name(token: &str) -> [u8; 32] {
    let mut name = [0; 32];
    for (to, from) in name
        .iter_mut()
        .zip(digest(&SHA256, token.as_bytes()).as_ref())
    {
        *to = *from;
    }
    name
}
