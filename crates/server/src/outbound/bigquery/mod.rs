//! BigQuery's interface, as far as we use it: two tables, made when they are missing, and rows added to
//! them (`tabledata.insertAll`).
//!
//! Guarantees: the access token goes to the configured address alone (no redirect is followed) and
//! reaches neither log nor error; a token that is refused is renewed once; no row goes to a table that
//! lacks columns or keeps its rows for too short a time; a request ends within its time and an answer
//! within its size. Must not: try again; whoever asked knows when to.

mod account;
mod wire;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use app::archive::{Archive, ArchiveProblem, Row, Sent, Table};
use domain::clock::Clock;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Method};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;
use url::Url;

use super::retry_after;
use crate::config::BigQuery;
use account::{METADATA, Tokens};

pub use account::{Account, AccountUnusable};

/// How this server names itself.
const USER_AGENT: &str = concat!("Bonafide/", env!("CARGO_PKG_VERSION"));

/// The longest wait for a connection.
const CONNECTION: Duration = Duration::from_secs(5);

/// The longest request: five hundred rows may take a while.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The largest answer, in bytes.
const LARGEST: usize = 16 * 1024 * 1024;

/// A dataset, asked over HTTP.
pub struct BigQueryClient {
    client: Client,
    /// With the version.
    base: Url,
    project: String,
    dataset: String,
    tokens: Tokens,
    /// Tables that were seen to be fit.
    fit: Mutex<BTreeSet<Table>>,
    clock: Arc<dyn Clock>,
}

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum BigQueryUnusable {
    /// The system's certificates cannot be used.
    #[error("no HTTP client can be made: {0}")]
    Client(#[from] reqwest::Error),
    /// The address cannot be appended to.
    #[error("BIGQUERY_API_URL is no address to ask at")]
    Address,
    /// The key file cannot be used.
    #[error("BIGQUERY_CREDENTIALS_FILE: {0}")]
    Account(#[from] AccountUnusable),
}

/// What was asked for, if it is there.
enum Answer {
    Found(Value),
    /// 404.
    Unknown,
    /// 409.
    Exists,
}

impl BigQueryClient {
    /// Nothing is asked yet.
    ///
    /// # Errors
    /// When the configuration or the system's certificates cannot be used.
    pub fn new(config: &BigQuery, clock: Arc<dyn Clock>) -> Result<Self, BigQueryUnusable> {
        let account = match &config.credentials_file {
            Some(path) => Account::of_file(path)?,
            None => Account::Machine(Url::parse(METADATA).map_err(|_| BigQueryUnusable::Address)?),
        };
        Self::with_account(config, account, clock)
    }

    /// The same, as an account.
    ///
    /// # Errors
    /// When the configuration or the system's certificates cannot be used.
    pub fn with_account(
        config: &BigQuery,
        account: Account,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, BigQueryUnusable> {
        let client = Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECTION)
            .timeout(TIMEOUT)
            .redirect(Policy::none())
            .build()?;
        let base = Url::parse(config.api_url.as_str()).map_err(|_| BigQueryUnusable::Address)?;
        if base.cannot_be_a_base() {
            return Err(BigQueryUnusable::Address);
        }
        Ok(Self {
            client,
            base,
            project: config.project.clone(),
            dataset: config.dataset.clone(),
            tokens: Tokens::new(account),
            fit: Mutex::default(),
            clock,
        })
    }

    /// Whether the dataset can be reached and the tables that are there are fit; nothing is made.
    /// Returns the tables that are not there yet.
    ///
    /// # Errors
    /// What is wrong.
    pub async fn check(&self) -> Result<Vec<Table>, ArchiveProblem> {
        match self.ask(&|| self.request(Method::GET, &[])).await? {
            Answer::Found(_) => {}
            Answer::Unknown => return Err(ArchiveProblem::Missing),
            Answer::Exists => return Err(ArchiveProblem::Garbled),
        }
        let mut missing = Vec::new();
        for table in Table::ALL {
            match self.find(table).await? {
                Some(found) => self.judge(table, &found)?,
                None => missing.push(table),
            }
        }
        Ok(missing)
    }

    /// A request at the dataset.
    fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        let mut url = self.base.clone();
        // An address that cannot be appended to was refused at the beginning.
        if let Ok(mut parts) = url.path_segments_mut() {
            let dataset = ["projects", &self.project, "datasets", &self.dataset];
            parts.pop_if_empty().extend(dataset).extend(path);
        }
        self.client.request(method, url)
    }

    /// Asks; a token that is refused is renewed once.
    async fn ask(
        &self,
        request: &(dyn Fn() -> RequestBuilder + Sync),
    ) -> Result<Answer, ArchiveProblem> {
        let now = self.clock.now();
        let token = self.tokens.get(&self.client, now).await?;
        let response = self
            .send(request().bearer_auth(token.secret.expose()))
            .await?;
        let response = if response.status().as_u16() == 401 {
            self.tokens.forget(&token).await;
            let token = self.tokens.get(&self.client, now).await?;
            self.send(request().bearer_auth(token.secret.expose()))
                .await?
        } else {
            response
        };
        self.read(response).await
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, ArchiveProblem> {
        // An error of the client could name the address; what matters is that there was no answer.
        request.send().await.map_err(|_| ArchiveProblem::Away(None))
    }

    async fn read(&self, response: Response) -> Result<Answer, ArchiveProblem> {
        let wish = self.wish(response.headers());
        match response.status().as_u16() {
            200..=299 => {
                let body = whole(response).await?;
                let answer = serde_json::from_slice(&body);
                answer
                    .map(Answer::Found)
                    .map_err(|_| ArchiveProblem::Garbled)
            }
            401 => Err(ArchiveProblem::Refused),
            403 => {
                let body = whole(response).await?;
                let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
                Err(match wire::is_quota(&answer) {
                    true => ArchiveProblem::Busy(wish),
                    false => ArchiveProblem::Forbidden,
                })
            }
            404 => Ok(Answer::Unknown),
            409 => Ok(Answer::Exists),
            413 => Err(ArchiveProblem::TooLarge),
            429 => Err(ArchiveProblem::Busy(wish)),
            400..=499 => Err(ArchiveProblem::Unacceptable),
            // A redirect too: whoever answers is not the interface.
            _ => Err(ArchiveProblem::Away(wish)),
        }
    }

    fn wish(&self, headers: &HeaderMap) -> Option<Duration> {
        retry_after::wish(headers, self.clock.now())
    }

    async fn find(&self, table: Table) -> Result<Option<Value>, ArchiveProblem> {
        let path = ["tables", table.name()];
        match self.ask(&|| self.request(Method::GET, &path)).await? {
            Answer::Found(found) => Ok(Some(found)),
            Answer::Unknown => Ok(None),
            Answer::Exists => Err(ArchiveProblem::Garbled),
        }
    }

    fn judge(&self, table: Table, found: &Value) -> Result<(), ArchiveProblem> {
        match wire::is_fit(table, found, self.clock.now()) {
            true => Ok(()),
            false => Err(ArchiveProblem::Unfit(table)),
        }
    }

    /// Sees to it that a table is there and fit.
    async fn prepare(&self, table: Table) -> Result<(), ArchiveProblem> {
        if self.known_fit().contains(&table) {
            return Ok(());
        }
        let found = match self.find(table).await? {
            Some(found) => found,
            None => self.make(table).await?,
        };
        self.judge(table, &found)?;
        self.known_fit().insert(table);
        Ok(())
    }

    /// Makes a table, and returns it, or the one that another instance has made meanwhile.
    async fn make(&self, table: Table) -> Result<Value, ArchiveProblem> {
        let body = wire::table(&self.project, &self.dataset, table);
        let request = || self.request(Method::POST, &["tables"]).json(&body);
        match self.ask(&request).await? {
            Answer::Found(made) => {
                tracing::info!(table = table.name(), "made a table of the archive");
                Ok(made)
            }
            Answer::Exists => self.find(table).await?.ok_or(ArchiveProblem::NotYet),
            Answer::Unknown => Err(ArchiveProblem::Missing),
        }
    }

    async fn add(&self, table: Table, rows: &[Row]) -> Sent {
        self.prepare(table).await?;
        let body = wire::insert(rows, self.clock.now());
        let path = ["tables", table.name(), "insertAll"];
        let request = || self.request(Method::POST, &path).json(&body);
        match self.ask(&request).await? {
            Answer::Found(answer) => {
                wire::verdicts(&answer, rows.len()).ok_or(ArchiveProblem::Garbled)
            }
            // It was just made, or somebody has deleted it: it is looked at again before the next rows.
            Answer::Unknown => {
                self.known_fit().remove(&table);
                Err(ArchiveProblem::NotYet)
            }
            Answer::Exists => Err(ArchiveProblem::Unacceptable),
        }
    }

    fn known_fit(&self) -> std::sync::MutexGuard<'_, BTreeSet<Table>> {
        self.fit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Archive for BigQueryClient {
    fn insert<'a>(&'a self, table: Table, rows: &'a [Row]) -> BoxFuture<'a, Sent> {
        self.add(table, rows).boxed()
    }
}

/// The whole body of an answer, if it is not too large.
async fn whole(mut response: Response) -> Result<Vec<u8>, ArchiveProblem> {
    let mut body = Vec::new();
    let cut_off = |_| ArchiveProblem::Away(None);
    while let Some(chunk) = response.chunk().await.map_err(cut_off)? {
        if body.len() + chunk.len() > LARGEST {
            return Err(ArchiveProblem::Garbled);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
