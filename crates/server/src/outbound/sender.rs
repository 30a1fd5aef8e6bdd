//! One attempt over HTTP: a `POST` of the signed bytes, and what came back.
//!
//! The status decides, as soon as it is here. Of the body a bounded part is read and dropped, so
//! that the connection can serve the next message; a body that stalls or does not end changes
//! nothing.

use std::sync::Arc;
use std::time::Duration;

use app::deliveries::{Answer, Message, Sender};
use domain::clock::Clock;
use domain::delivery::Outcome;
use domain::link::WebhookUrl;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::header::CONTENT_TYPE;
use reqwest::dns::Resolve;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Response};
use url::Url;

use super::resolver::{Lookup, PublicOnly, SystemLookup, Unguarded, may_reach};
use super::{failure, retry_after};
use crate::config::Webhooks;

/// How this server names itself.
const USER_AGENT: &str = concat!("Bonafide/", env!("CARGO_PKG_VERSION"));

/// Connections that are kept for the next message, to each receiver.
const IDLE_CONNECTIONS: usize = 64;

/// How much of an answer's body is read, in bytes.
const LARGEST_BODY: usize = 64 * 1024;

/// How deliveries leave.
pub struct Settings {
    /// The longest attempt, from the look-up of the name to the end of the answer.
    pub timeout: Duration,
    /// Whether loopback and private addresses may be reached.
    pub allow_private_receivers: bool,
    /// What finds the addresses of a name.
    pub lookup: Arc<dyn Lookup>,
    /// Certificates to trust beside the system's.
    pub extra_roots: Vec<Certificate>,
}

impl From<&Webhooks> for Settings {
    fn from(configured: &Webhooks) -> Self {
        Self {
            timeout: configured.timeout,
            allow_private_receivers: configured.allow_private_receivers,
            lookup: Arc::new(SystemLookup),
            extra_roots: Vec::new(),
        }
    }
}

/// Sends over HTTP/1.1, or HTTP/2 where a receiver offers it over TLS.
pub struct HttpSender {
    client: Client,
    allow_private_receivers: bool,
    clock: Arc<dyn Clock>,
}

impl HttpSender {
    /// A sender without a connection yet. The clock is for receivers that name a date.
    ///
    /// # Errors
    /// When the system's certificates cannot be used.
    pub fn new(settings: Settings, clock: Arc<dyn Clock>) -> reqwest::Result<Self> {
        let resolver: Arc<dyn Resolve> = if settings.allow_private_receivers {
            Arc::new(Unguarded(settings.lookup))
        } else {
            Arc::new(PublicOnly(settings.lookup))
        };
        let client = Client::builder()
            .user_agent(USER_AGENT)
            .timeout(settings.timeout)
            .redirect(Policy::none())
            // A proxy would resolve names by itself, past our guard.
            .no_proxy()
            .dns_resolver(resolver)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .tls_certs_merge(settings.extra_roots)
            .build()?;
        Ok(Self {
            client,
            allow_private_receivers: settings.allow_private_receivers,
            clock,
        })
    }

    async fn attempt(&self, message: &Message) -> Answer {
        let url = match self.receiver(&message.url) {
            Ok(url) => url,
            Err(outcome) => return Answer::of(outcome),
        };
        let mut request = self
            .client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", &message.id)
            .header("webhook-timestamp", message.at.as_second())
            .body(message.body.clone());
        if !message.signature.is_empty() {
            request = request.header("webhook-signature", &message.signature);
        }
        match request.send().await {
            Ok(response) => self.answer(response).await,
            Err(error) => Answer::of(failure::outcome(&error)),
        }
    }

    /// The URL, if anything may be sent to it.
    fn receiver(&self, text: &str) -> Result<Url, Outcome> {
        let url = WebhookUrl::parse(text).map_err(|_| Outcome::Unsendable)?;
        let url = Url::parse(url.as_str()).map_err(|_| Outcome::Unsendable)?;
        if self.allow_private_receivers || may_reach(&url) {
            Ok(url)
        } else {
            Err(Outcome::PrivateAddress)
        }
    }

    async fn answer(&self, response: Response) -> Answer {
        let answer = Answer {
            outcome: Outcome::of_status(response.status().as_u16()),
            retry_after: retry_after::wish(response.headers(), self.clock.now()),
        };
        drain(response).await;
        answer
    }
}

impl Sender for HttpSender {
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Answer> {
        self.attempt(message).boxed()
    }
}

/// Reads what is left of a body, if it is little. Of a larger one, or one that fails, the connection
/// is given up with the response.
async fn drain(mut response: Response) {
    let mut read = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        read += chunk.len();
        if read > LARGEST_BODY {
            return;
        }
    }
}
