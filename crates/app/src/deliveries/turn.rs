//! One delivery's turn: sent once, and noted how it went.

use std::sync::Arc;
use std::time::Duration;

use domain::delivery::{LONGEST_WISH, Outcome};
use domain::random::uuid_v7;
use domain::seal::Place;
use domain::webhook::{self, WebhookSecret};
use jiff::{SignedDuration, Timestamp};
use store::tables::deliveries::{Claimed, Status};
use store::tables::delivery_attempts::Attempt;
use uuid::Uuid;

use super::claim::ClaimedLine;
use super::dispatch::Shared;
use super::lines::Fared;
use super::place;
use super::sender::{Answer, Message};
use super::settle::{Endpoint, Settle};
use crate::{App, Result};

/// How much of a lease is kept for noting how the attempt went.
const NOTING: SignedDuration = SignedDuration::from_secs(1);
/// How long it waits before it tries again to note how something went.
const AGAIN: Duration = Duration::from_millis(500);

/// A turn that came to its end.
pub(super) struct Ended {
    pub receiver: String,
    pub fared: Fared,
}

/// A line's receiver, as it was when its deliveries were claimed.
pub(super) struct Line {
    pub receiver: String,
    pub company: String,
    /// Where to, or why to nobody.
    pub url: std::result::Result<String, &'static str>,
    pub secrets: Vec<WebhookSecret>,
    pub failing: bool,
}

impl Line {
    pub async fn open(
        app: &App,
        line: ClaimedLine,
        now: Timestamp,
    ) -> Result<(Self, Vec<Claimed>)> {
        let key = app.keys.of_company(&line.company, now).await?;
        let mut secrets = Vec::with_capacity(line.secrets.len());
        for stored in &line.secrets {
            let place = Place {
                table: "webhook_secrets",
                column: "secret",
                row: stored.id.as_bytes(),
            };
            let secret = key.open(place, &stored.secret)?;
            secrets.extend(WebhookSecret::from_bytes(&secret));
        }
        let url = match &line.endpoint {
            Some(endpoint) if endpoint.off.is_some() || !endpoint.is_active => Err("switched_off"),
            Some(endpoint) => endpoint.url.clone().ok_or("no_receiver"),
            None => Err("no_receiver"),
        };
        // Unsigned, a message could be anybody's.
        let url = url.and_then(|url| (!secrets.is_empty()).then_some(url).ok_or("no_secret"));
        let failing = line
            .endpoint
            .is_some_and(|endpoint| endpoint.failing_since.is_some());
        let opened = Self {
            receiver: line.receiver,
            company: line.company,
            url,
            secrets,
            failing,
        };
        Ok((opened, line.deliveries))
    }
}

/// One delivery's turn.
pub(super) struct Turn {
    pub shared: Arc<Shared>,
    pub line: Arc<Line>,
    pub delivery: Claimed,
    pub lease: Uuid,
    pub until: Timestamp,
}

impl Turn {
    pub async fn take(self) -> Ended {
        Ended {
            fared: self.fared().await,
            receiver: self.line.receiver.clone(),
        }
    }

    async fn fared(&self) -> Fared {
        let now = self.shared.app.clock.now();
        if self.is_too_late(now) {
            return Fared::Untold;
        }
        let (settle, fared) = match self.message(now) {
            Ok(message) => {
                let (settle, wish) = self.attempt(message).await;
                let fared = match settle.status {
                    Status::Delivered => Fared::Well,
                    Status::Waiting | Status::Exhausted => Fared::Badly(wish),
                };
                (settle, fared)
            }
            Err(word) => (self.give_up(word), Fared::Untold),
        };
        self.note(settle).await;
        fared
    }

    /// Whether the lease might end before the longest attempt is noted, as it does when this
    /// process was frozen after the claim. Whoever claims it next sends it.
    fn is_too_late(&self, now: Timestamp) -> bool {
        let timeout = SignedDuration::try_from(self.shared.settings.timeout);
        let left = self.until.duration_since(now);
        timeout.is_ok_and(|timeout| left < timeout.saturating_add(NOTING))
    }

    /// The message to send, or why there is none.
    fn message(&self, at: Timestamp) -> std::result::Result<Message, &'static str> {
        let url = self.line.url.clone()?;
        let wrapped = self.delivery.data_key.as_ref().ok_or("erased")?;
        let key_ring = &self.shared.app.key_ring;
        let body = key_ring
            .unwrap(wrapped)
            .and_then(|key| key.open(place(&self.delivery.id), &self.delivery.payload))
            .map_err(|_| "unreadable")?;
        let id = webhook::message_id(self.delivery.id);
        Ok(Message {
            signature: webhook::sign(&self.line.secrets, &id, at, &body),
            body: body.to_vec(),
            url,
            id,
            at,
        })
    }

    /// Sends it, and tells how that went and how long the receiver wants to be left alone.
    async fn attempt(&self, message: Message) -> (Settle, Option<SignedDuration>) {
        let app = &self.shared.app;
        let answer = self.shared.sender.send(&message).await;
        let now = app.clock.now();
        let took = now.duration_since(message.at).as_micros();
        let number = self.delivery.attempts + 1;
        let mut settle = self.settled(answer.outcome.word(), now);
        settle.attempts = number;
        settle.attempt = Some(Attempt {
            number,
            started_at: message.at,
            took: i64::try_from(took).unwrap_or(i64::MAX).max(0),
            outcome: answer.outcome.word().to_owned(),
            status: answer.outcome.status().map(i64::from),
        });
        settle.endpoint = self.endpoint_after(answer.outcome);
        if answer.outcome.is_delivered() {
            settle.status = Status::Delivered;
            return (settle, None);
        }
        self.postpone(&mut settle, &answer, now);
        let wish = answer.retry_after.map(|wish| wish.min(LONGEST_WISH));
        (
            settle,
            wish.and_then(|wish| SignedDuration::try_from(wish).ok()),
        )
    }

    /// Puts a failed attempt back into the line, or gives it up.
    fn postpone(&self, settle: &mut Settle, answer: &Answer, now: Timestamp) {
        settle.step = self.delivery.step + 1;
        let made = u32::try_from(settle.step).unwrap_or(u32::MAX);
        let schedule = &self.shared.settings.schedule;
        let pause = match answer.outcome {
            Outcome::Gone => None,
            _ => schedule.after(made, answer.retry_after, &*self.shared.app.random),
        };
        let due_at = pause
            .and_then(|pause| SignedDuration::try_from(pause).ok())
            .and_then(|pause| now.checked_add(pause).ok());
        match due_at {
            Some(due_at) => {
                settle.status = Status::Waiting;
                settle.due_at = due_at;
            }
            None => settle.status = Status::Exhausted,
        }
    }

    fn endpoint_after(&self, outcome: Outcome) -> Endpoint {
        match outcome {
            Outcome::Gone => Endpoint::Gone,
            outcome if !outcome.is_delivered() => Endpoint::Failed,
            _ if self.line.failing => Endpoint::Works,
            _ => Endpoint::Same,
        }
    }

    /// Without an attempt: there is nothing to send, or nobody to send it to.
    fn give_up(&self, word: &'static str) -> Settle {
        let now = self.shared.app.clock.now();
        Settle {
            status: Status::Exhausted,
            ..self.settled(word, now)
        }
    }

    fn settled(&self, word: &'static str, at: Timestamp) -> Settle {
        Settle {
            id: self.delivery.id,
            company: self.line.company.clone(),
            lease: self.lease,
            status: Status::Waiting,
            attempts: self.delivery.attempts,
            step: self.delivery.step,
            due_at: at,
            word,
            attempt: None,
            endpoint: Endpoint::Same,
            url: self.line.url.clone().unwrap_or_default(),
            at,
            request_id: uuid_v7(at, &*self.shared.app.random).to_string(),
        }
    }

    /// Notes how it went. While the lease lasts nobody else will, so it is tried until then.
    async fn note(&self, settle: Settle) {
        let app = &self.shared.app;
        loop {
            match app.store.write(settle.clone()).await {
                Ok(None) => return,
                Ok(Some(reason)) => {
                    let company = &self.line.company;
                    tracing::warn!(company, reason, "a webhook endpoint is switched off");
                    return;
                }
                Err(error) if error.is_transient() && app.clock.now() < self.until => {
                    tokio::time::sleep(AGAIN).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "it is not noted how a delivery went");
                    return;
                }
            }
        }
    }
}
