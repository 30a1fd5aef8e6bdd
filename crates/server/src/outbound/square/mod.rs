//! Square's interface, as far as we use it: customers, and a custom attribute of theirs.
//!
//! Guarantees: the access token goes to the configured address alone (no redirect is followed) and
//! reaches neither log nor error; the version of the interface is pinned; a request ends within its
//! time and an answer within its size; a Square that wants to be left alone is, longer each time.
//! Must not: try again; whoever asked knows when to.

mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use app::square::{Page, Profile, Shown, SquareApi, SquareProblem, Wanted};
use domain::clock::Clock;
use domain::delivery::Schedule;
use domain::random::{Random, uuid_v7};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Method, StatusCode};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

use super::retry_after;
use crate::config::{Secret, Square};

/// How this server names itself.
const USER_AGENT: &str = concat!("Bonafide/", env!("CARGO_PKG_VERSION"));

/// The version of the interface that is spoken here.
const VERSION: &str = "2025-08-20";

/// The longest wait for a connection.
const CONNECTION: Duration = Duration::from_secs(3);

/// The longest request.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The largest answer, in bytes: a page of customers with all their groups.
const LARGEST: usize = 16 * 1024 * 1024;

/// The pauses after refusals for want of room, in seconds. Square does not say what its limits are.
const PAUSES: [u64; 7] = [1, 2, 4, 8, 16, 32, 60];

/// A seller's account, asked over HTTP.
pub struct SquareClient {
    client: Client,
    /// Scheme and host.
    base: Url,
    token: Secret,
    /// The key of our custom attribute, if there is to be one.
    attribute: Option<String>,
    /// Whether the attribute's definition was seen. Whoever looks keeps others from making it too.
    is_defined: Mutex<bool>,
    /// How often in a row we were told to wait.
    refusals: AtomicU32,
    pauses: Schedule,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SquareUnusable {
    /// The system's certificates cannot be used.
    #[error("no HTTP client can be made: {0}")]
    Client(#[from] reqwest::Error),
    /// The address cannot be appended to.
    #[error("SQUARE_API_URL is no address to ask at")]
    Address,
}

impl SquareClient {
    /// Nothing is asked yet.
    ///
    /// # Errors
    /// When the configuration or the system's certificates cannot be used.
    pub fn new(
        config: &Square,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, SquareUnusable> {
        let client = Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECTION)
            .timeout(TIMEOUT)
            .redirect(Policy::none())
            .build()?;
        Ok(Self {
            client,
            base: Url::parse(config.api_url.as_str()).map_err(|_| SquareUnusable::Address)?,
            token: config.access_token.clone(),
            attribute: config.attribute.clone(),
            is_defined: Mutex::default(),
            refusals: AtomicU32::new(0),
            pauses: Schedule::new(PAUSES.map(Duration::from_secs).to_vec()),
            clock,
            random,
        })
    }

    /// Whether customers can be read, and, where Square is to show something, the definition of the
    /// attribute.
    ///
    /// # Errors
    /// Why not.
    pub async fn check(&self) -> Result<(), SquareProblem> {
        let request = self.request(Method::GET, &["customers"])?;
        self.ask_list(request.query(&[("limit", "1")])).await?;
        match &self.attribute {
            Some(attribute) => self.has_definition(attribute).await.map(drop),
            None => Ok(()),
        }
    }

    fn request(&self, method: Method, path: &[&str]) -> Result<RequestBuilder, SquareProblem> {
        let mut url = self.base.clone();
        {
            let parts = url.path_segments_mut();
            let mut parts = parts.map_err(|()| SquareProblem::Unacceptable)?;
            parts.pop_if_empty().push("v2").extend(path);
        }
        Ok(self
            .client
            .request(method, url)
            .bearer_auth(self.token.expose())
            .header("square-version", VERSION))
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Value, SquareProblem> {
        // An error of the client could name the address; what matters is that there was no answer.
        let response = request.send().await.map_err(|_| SquareProblem::Away)?;
        if let Some(problem) = self.objection(response.status(), response.headers()) {
            return Err(problem);
        }
        self.refusals.store(0, Ordering::Relaxed);
        let body = whole(response).await?;
        serde_json::from_slice(&body).map_err(|_| SquareProblem::Garbled)
    }

    /// What a status says against the request.
    fn objection(&self, status: StatusCode, headers: &HeaderMap) -> Option<SquareProblem> {
        match status.as_u16() {
            200..=299 => None,
            401 => Some(SquareProblem::Refused),
            403 => Some(SquareProblem::Forbidden),
            404 => Some(SquareProblem::Unknown),
            429 => Some(SquareProblem::Busy(self.pause(headers))),
            400..=499 => Some(SquareProblem::Unacceptable),
            // A redirect too: whoever answers is not the interface.
            _ => Some(SquareProblem::Away),
        }
    }

    /// How long it is left alone: as long as it wants, and longer each time in a row.
    fn pause(&self, headers: &HeaderMap) -> Duration {
        let before = self.refusals.fetch_add(1, Ordering::Relaxed);
        let most = u32::try_from(PAUSES.len()).unwrap_or(1);
        let times = before.saturating_add(1).min(most);
        let wish = retry_after::wish(headers, self.clock.now());
        let pause = self.pauses.after(times, wish, &*self.random);
        pause.unwrap_or(Duration::from_secs(60))
    }

    async fn list(&self, wanted: Wanted, cursor: Option<&str>) -> Result<Page, SquareProblem> {
        let request = match wanted {
            Wanted::All => self
                .request(Method::GET, &["customers"])?
                .query(&[("limit", "100"), ("count", "true")])
                .query(&cursor.map(|cursor| [("cursor", cursor)])),
            Wanted::ChangedSince(since) => self
                .request(Method::POST, &["customers", "search"])?
                .json(&wire::search(since, cursor)),
        };
        self.ask_list(request).await
    }

    async fn ask_list(&self, request: RequestBuilder) -> Result<Page, SquareProblem> {
        let page = self.ask(request).await.map_err(|problem| match problem {
            // There always is a list.
            SquareProblem::Unknown => SquareProblem::Unacceptable,
            problem => problem,
        })?;
        wire::page(&page).ok_or(SquareProblem::Garbled)
    }

    async fn find(&self, id: &str) -> Result<Option<Profile>, SquareProblem> {
        let request = self.request(Method::GET, &["customers", id])?;
        match self.ask(request).await {
            Ok(answer) => {
                let read = answer.get("customer").and_then(Profile::read);
                let meant = read.filter(|profile| profile.id == id);
                meant.ok_or(SquareProblem::Garbled).map(Some)
            }
            Err(SquareProblem::Unknown) => Ok(None),
            Err(problem) => Err(problem),
        }
    }

    async fn put(&self, id: &str, shown: &Shown<'_>) -> Result<(), SquareProblem> {
        let attribute = self.attribute.as_deref();
        let attribute = attribute.ok_or(SquareProblem::Unacceptable)?;
        self.define(attribute).await?;
        let path = ["customers", id, "custom-attributes", attribute];
        let request = self.request(Method::POST, &path)?;
        match self.ask(request.json(&wire::value(shown))).await {
            Ok(_) => Ok(()),
            Err(SquareProblem::Unknown) => Err(self.what_is_missing(attribute).await?),
            Err(problem) => Err(problem),
        }
    }

    /// Whether it is the customer that is missing, or the definition that somebody has deleted since
    /// we saw it.
    async fn what_is_missing(&self, attribute: &str) -> Result<SquareProblem, SquareProblem> {
        if self.has_definition(attribute).await? {
            return Ok(SquareProblem::Unknown);
        }
        *self.is_defined.lock().await = false;
        Ok(SquareProblem::Away)
    }

    /// Makes the definition of the attribute, unless there is one.
    async fn define(&self, attribute: &str) -> Result<(), SquareProblem> {
        let mut is_defined = self.is_defined.lock().await;
        if *is_defined {
            return Ok(());
        }
        if !self.has_definition(attribute).await? {
            let name = uuid_v7(self.clock.now(), &*self.random);
            let path = ["customers", "custom-attribute-definitions"];
            let request = self.request(Method::POST, &path)?;
            let made = self.ask(request.json(&wire::definition(attribute, name)));
            if let Err(problem) = made.await {
                // Another instance may have been faster.
                let is_there = problem == SquareProblem::Unacceptable
                    && self.has_definition(attribute).await?;
                if !is_there {
                    return Err(problem);
                }
            }
        }
        *is_defined = true;
        Ok(())
    }

    async fn has_definition(&self, attribute: &str) -> Result<bool, SquareProblem> {
        let path = ["customers", "custom-attribute-definitions", attribute];
        match self.ask(self.request(Method::GET, &path)?).await {
            Ok(_) => Ok(true),
            Err(SquareProblem::Unknown) => Ok(false),
            Err(problem) => Err(problem),
        }
    }
}

impl SquareApi for SquareClient {
    fn page<'a>(
        &'a self,
        wanted: Wanted,
        cursor: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Page, SquareProblem>> {
        self.list(wanted, cursor).boxed()
    }

    fn customer<'a>(
        &'a self,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Option<Profile>, SquareProblem>> {
        self.find(id).boxed()
    }

    fn show<'a>(
        &'a self,
        id: &'a str,
        shown: Shown<'a>,
    ) -> BoxFuture<'a, Result<(), SquareProblem>> {
        async move { self.put(id, &shown).await }.boxed()
    }
}

/// The whole body of an answer, if it is not too large.
async fn whole(mut response: Response) -> Result<Vec<u8>, SquareProblem> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| SquareProblem::Away)? {
        if body.len() + chunk.len() > LARGEST {
            return Err(SquareProblem::Garbled);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
