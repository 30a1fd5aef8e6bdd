//! The channel of webhooks: signed messages to the address that a company named.
//!
//! Guarantees: every message is signed with every secret that is valid now; an endpoint that is
//! switched off, or was never named, is sent nothing.

mod endpoint;
mod sender;

use std::sync::Arc;

use domain::delivery::{LONGEST_WISH, Outcome};
use domain::seal::Place;
use domain::webhook::{self, WebhookSecret};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use store::tables::webhook_endpoints::{self, Endpoint};
use store::tables::webhook_secrets;

use super::channel::{Channel, Fared, Fate, Line, Note, Parcel, Sent, Tried};
use crate::{App, Result};

use endpoint::{EndpointNote, Told};
pub use sender::{Answer, Message, Sender};

/// The name of the channel.
pub const WEBHOOK: &str = "webhook";

/// Webhooks over a sender.
pub struct Webhooks {
    app: Arc<App>,
    sender: Arc<dyn Sender>,
}

impl Webhooks {
    /// Over a sender.
    pub fn new(app: Arc<App>, sender: Arc<dyn Sender>) -> Self {
        Self { app, sender }
    }

    async fn line(&self, company: &str, now: Timestamp) -> Result<WebhookLine> {
        let (endpoint, secrets) = self.look_up(company, now).await?;
        let url = match &endpoint {
            Some(endpoint) if endpoint.off.is_some() || !endpoint.is_active => Err("switched_off"),
            Some(endpoint) => endpoint.url.clone().ok_or("no_receiver"),
            None => Err("no_receiver"),
        };
        Ok(WebhookLine {
            sender: self.sender.clone(),
            // Unsigned, a message could be anybody's.
            url: url.and_then(|url| (!secrets.is_empty()).then_some(url).ok_or("no_secret")),
            failing: endpoint.is_some_and(|endpoint| endpoint.failing_since.is_some()),
            secrets,
        })
    }

    /// The endpoint as it is now, and the secrets to sign with.
    async fn look_up(
        &self,
        company: &str,
        now: Timestamp,
    ) -> Result<(Option<Endpoint>, Vec<WebhookSecret>)> {
        let key = self.app.keys.of_company(company, now).await?;
        let company = company.to_owned();
        let found = self.app.store.read(move |mut tx| {
            let company = company.clone();
            async move {
                let endpoint = webhook_endpoints::find(&mut tx, &company).await?;
                let secrets = webhook_secrets::list_valid(&mut tx, &company, now).await?;
                Ok((endpoint, secrets))
            }
            .boxed()
        });
        let (endpoint, stored) = found.await?;
        let mut secrets = Vec::with_capacity(stored.len());
        for stored in &stored {
            let place = Place {
                table: "webhook_secrets",
                column: "secret",
                row: stored.id.as_bytes(),
            };
            let secret = key.open(place, &stored.secret)?;
            secrets.extend(WebhookSecret::from_bytes(&secret));
        }
        Ok((endpoint, secrets))
    }
}

impl Channel for Webhooks {
    fn open<'a>(
        &'a self,
        company: &'a str,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Arc<dyn Line>>> {
        async move { Ok(Arc::new(self.line(company, now).await?) as Arc<dyn Line>) }.boxed()
    }
}

/// A company's endpoint, as it was when its deliveries were claimed.
struct WebhookLine {
    sender: Arc<dyn Sender>,
    /// Where to, or why to nobody.
    url: std::result::Result<String, &'static str>,
    secrets: Vec<WebhookSecret>,
    failing: bool,
}

impl Line for WebhookLine {
    fn send<'a>(&'a self, parcel: &'a Parcel) -> BoxFuture<'a, Sent> {
        async move {
            match self.message(parcel) {
                Ok(message) => {
                    let answer = self.sender.send(&message).await;
                    Sent::Tried(self.tried(parcel, message.url, answer))
                }
                Err(sent) => sent,
            }
        }
        .boxed()
    }
}

impl WebhookLine {
    /// The message to send, or what becomes of the parcel without one.
    fn message(&self, parcel: &Parcel) -> std::result::Result<Message, Sent> {
        let url = self.url.clone().map_err(Sent::Withheld)?;
        let body = parcel.open()?;
        let id = webhook::message_id(parcel.id());
        Ok(Message {
            signature: webhook::sign(&self.secrets, &id, parcel.at, &body),
            body: body.to_vec(),
            url,
            id,
            at: parcel.at,
        })
    }

    fn tried(&self, parcel: &Parcel, url: String, answer: Answer) -> Tried {
        let Answer {
            outcome,
            retry_after,
        } = answer;
        let wish = retry_after.map(|wish| wish.min(LONGEST_WISH));
        let wish = wish.and_then(|wish| SignedDuration::try_from(wish).ok());
        let (fate, line) = match outcome {
            Outcome::Delivered { .. } => (Fate::Delivered, Fared::Well),
            Outcome::Gone => (Fate::Never, Fared::Badly(wish)),
            _ => (Fate::Again(retry_after), Fared::Badly(wish)),
        };
        let note = self.told(outcome).map(|told| EndpointNote {
            company: parcel.company().to_owned(),
            url,
            told,
            longest_silence: parcel.longest_silence,
        });
        Tried {
            word: outcome.word(),
            status: outcome.status(),
            fate,
            line,
            note: note.map(|note| Arc::new(note) as Arc<dyn Note>),
        }
    }

    /// What an outcome tells of the endpoint that was not known.
    fn told(&self, outcome: Outcome) -> Option<Told> {
        match outcome {
            Outcome::Gone => Some(Told::Gone),
            outcome if !outcome.is_delivered() => Some(Told::Failed),
            _ if self.failing => Some(Told::Works),
            _ => None,
        }
    }
}
