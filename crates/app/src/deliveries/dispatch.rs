//! The worker: claims what is due, sends it, notes how it went.
//!
//! It looks whenever something was enqueued here, whenever something came to its end while more
//! may wait, and a few times a second for what others enqueued or what is due again.

use std::sync::Arc;
use std::time::Duration;

use domain::delivery::{Outcome, Schedule};
use domain::random::uuid_v7;
use domain::seal::Place;
use domain::webhook::{self, WebhookSecret};
use jiff::{SignedDuration, Timestamp};
use store::tables::deliveries::{self, Claimed, Status};
use store::tables::delivery_attempts::Attempt;
use store::tables::{webhook_endpoints, webhook_secrets};
use store::{Lane, Tx, Unit, Written};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::enqueue::company_of;
use super::lines::{Fared, Lines};
use super::place;
use super::sender::{Answer, Message, Sender};
use super::settle::{Endpoint, Settle};
use crate::{App, Result};

/// How often it looks of itself.
const LOOK: Duration = Duration::from_millis(250);
/// How long after the longest attempt a lease ends.
const MARGIN: SignedDuration = SignedDuration::from_secs(5);
/// How much of a lease is kept for noting how the attempt went.
const NOTING: SignedDuration = SignedDuration::from_secs(1);
/// How many lines one look serves.
const LINES: i64 = 64;
/// How long it waits before it tries again to note how something went.
const AGAIN: Duration = Duration::from_millis(500);

/// How deliveries are made.
#[derive(Debug, Clone)]
pub struct Settings {
    /// When a failed one is tried again.
    pub schedule: Schedule,
    /// The longest that an attempt takes.
    pub timeout: Duration,
}

/// Makes deliveries.
pub struct Dispatcher {
    shared: Arc<Shared>,
    lines: Lines,
    running: JoinSet<Ended>,
    /// Where the next look begins, so that every line has its turn.
    after: String,
}

struct Shared {
    app: Arc<App>,
    sender: Arc<dyn Sender>,
    settings: Settings,
}

/// A delivery's turn that came to its end.
struct Ended {
    receiver: String,
    fared: Fared,
}

impl Dispatcher {
    /// Over a sender.
    pub fn new(app: Arc<App>, sender: Arc<dyn Sender>, settings: Settings) -> Self {
        let shared = Shared {
            app,
            sender,
            settings,
        };
        Self {
            shared: Arc::new(shared),
            lines: Lines::default(),
            running: JoinSet::new(),
            after: String::new(),
        }
    }

    /// Makes deliveries until `stop`, then waits for those under way.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        self.reclaim().await;
        let mut failing = false;
        loop {
            let looked = self.look().await;
            if let (Err(error), false) = (&looked, failing) {
                tracing::warn!(cause = error.cause(), "deliveries are not made");
            }
            failing = looked.is_err();
            let more = looked.unwrap_or_default();
            let shared = self.shared.clone();
            tokio::select! {
                () = &mut stop => break,
                Some(ended) = self.running.join_next(), if more => self.end(ended),
                () = shared.app.outbox.woken() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        while let Some(ended) = self.running.join_next().await {
            self.end(ended);
        }
    }

    /// Makes every delivery that is due now, one look after the other.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn run_due(&mut self) -> Result<()> {
        loop {
            let more = self.look().await?;
            if !more && self.running.is_empty() {
                return Ok(());
            }
            if let Some(ended) = self.running.join_next().await {
                self.end(ended);
            }
        }
    }

    /// On a database that nobody else works on, nobody else holds a lease.
    async fn reclaim(&self) {
        let app = &self.shared.app;
        if app.store.engine() != "sqlite" {
            return;
        }
        if let Err(error) = app.store.write(Reclaim(app.clock.now())).await {
            tracing::warn!(%error, "leases of an earlier run end by themselves");
        }
    }

    fn end(&mut self, ended: std::result::Result<Ended, tokio::task::JoinError>) {
        match ended {
            Ok(Ended { receiver, fared }) => {
                let now = self.shared.app.clock.now();
                self.lines.end(&receiver, fared, now);
            }
            Err(error) => tracing::error!(%error, "a delivery's turn ended early"),
        }
    }

    /// Starts what is due and has room; returns whether more may be due than that.
    async fn look(&mut self) -> Result<bool> {
        while let Some(ended) = self.running.try_join_next() {
            self.end(ended);
        }
        // Those before the place where this look begins have their turn at the next.
        let mut more = !self.after.is_empty();
        while self.lines.room() > 0 {
            let claim = self.claim();
            let (lease, until, now) = (claim.lease, claim.until, claim.now);
            let claims = self.shared.app.store.write(claim).await?;
            more |= claims.more;
            for line in claims.lines {
                self.start(line, lease, until, now).await;
            }
            self.after = claims.next.unwrap_or_default();
            if self.after.is_empty() {
                return Ok(more);
            }
        }
        // The next look goes on where this one ran out of room.
        Ok(true)
    }

    fn claim(&self) -> Claim {
        let app = &self.shared.app;
        let now = app.clock.now();
        let timeout = SignedDuration::try_from(self.shared.settings.timeout);
        let length = timeout.unwrap_or(SignedDuration::from_secs(30)) + MARGIN;
        Claim {
            lines: self.lines.clone(),
            after: self.after.clone(),
            lease: uuid_v7(now, &*app.random),
            now,
            until: now.saturating_add(length).unwrap_or(now),
        }
    }

    async fn start(&mut self, line: ClaimedLine, lease: Uuid, until: Timestamp, now: Timestamp) {
        let (receiver, count) = (line.receiver.clone(), line.deliveries.len());
        let (line, deliveries) = match Line::open(&self.shared.app, line, now).await {
            Ok(opened) => opened,
            Err(error) => {
                // They are due again when the lease ends; other lines are not concerned.
                let cause = error.cause();
                tracing::warn!(receiver, cause, "a line of deliveries cannot be served");
                for _ in 0..count {
                    self.lines.begin(&receiver);
                    self.lines.end(&receiver, Fared::Badly, now);
                }
                return;
            }
        };
        let line = Arc::new(line);
        for delivery in deliveries {
            self.lines.begin(&line.receiver);
            let turn = Turn {
                shared: self.shared.clone(),
                line: line.clone(),
                delivery,
                lease,
                until,
            };
            self.running.spawn(turn.take());
        }
    }
}

/// A line's receiver, as it was when its deliveries were claimed.
struct Line {
    receiver: String,
    company: String,
    /// Where to, or why to nobody.
    url: std::result::Result<String, &'static str>,
    secrets: Vec<WebhookSecret>,
    failing: bool,
}

impl Line {
    async fn open(app: &App, line: ClaimedLine, now: Timestamp) -> Result<(Self, Vec<Claimed>)> {
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
struct Turn {
    shared: Arc<Shared>,
    line: Arc<Line>,
    delivery: Claimed,
    lease: Uuid,
    until: Timestamp,
}

impl Turn {
    async fn take(self) -> Ended {
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
                let settle = self.attempt(message).await;
                let fared = match settle.status {
                    Status::Delivered => Fared::Well,
                    Status::Waiting | Status::Exhausted => Fared::Badly,
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

    async fn attempt(&self, message: Message) -> Settle {
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
            return settle;
        }
        self.postpone(&mut settle, &answer, now);
        settle
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

/// What was claimed at one look.
struct Claims {
    lines: Vec<ClaimedLine>,
    /// Where the next look is to begin.
    next: Option<String>,
    /// Whether there may have been too little room for what is due.
    more: bool,
}

struct ClaimedLine {
    receiver: String,
    company: String,
    endpoint: Option<webhook_endpoints::Endpoint>,
    secrets: Vec<webhook_secrets::WebhookSecret>,
    deliveries: Vec<Claimed>,
}

struct Claim {
    lines: Lines,
    after: String,
    lease: Uuid,
    now: Timestamp,
    until: Timestamp,
}

impl Unit for Claim {
    type Output = Claims;

    fn lane(&self) -> Lane {
        Lane::of(b"deliveries")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Claims>> {
        let due = deliveries::list_receivers_due(tx, self.now, &self.after, LINES).await?;
        let is_last = due.len() < usize::try_from(LINES).unwrap_or(usize::MAX);
        let mut claims = Claims {
            next: due.last().filter(|_| !is_last).cloned(),
            lines: Vec::new(),
            more: false,
        };
        let mut room = self.lines.room();
        let mut last = None;
        for receiver in due {
            if room == 0 {
                // Who found none has the next that there is, however long the lines before.
                claims.more = true;
                claims.next = last;
                break;
            }
            last = Some(receiver.clone());
            if self.lines.rests(&receiver, self.now) {
                continue;
            }
            let count = self.lines.room_of(&receiver).min(room);
            claims.more |= count == 0;
            if let Some(company) = company_of(&receiver).filter(|_| count > 0) {
                let line = self.claim(tx, &receiver, company, count).await?;
                claims.more |= line.deliveries.len() >= count;
                room = room.saturating_sub(line.deliveries.len());
                claims.lines.push(line);
            }
        }
        Ok(Written {
            output: claims,
            records: Vec::new(),
        })
    }
}

impl Claim {
    async fn claim(
        &self,
        tx: &mut Tx<'_>,
        receiver: &str,
        company: &str,
        count: usize,
    ) -> store::Result<ClaimedLine> {
        let limit = i64::try_from(count).unwrap_or(i64::MAX);
        let claimed =
            deliveries::claim(tx, receiver, self.now, self.lease, self.until, limit).await?;
        Ok(ClaimedLine {
            endpoint: webhook_endpoints::find(tx, company).await?,
            secrets: webhook_secrets::list_valid(tx, company, self.now).await?,
            deliveries: claimed,
            receiver: receiver.to_owned(),
            company: company.to_owned(),
        })
    }
}

/// Ends the leases of a process that is gone.
struct Reclaim(Timestamp);

impl Unit for Reclaim {
    type Output = u64;

    fn lane(&self) -> Lane {
        Lane::of(b"deliveries")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<u64>> {
        Ok(Written {
            output: deliveries::reclaim_all(tx, self.0).await?,
            records: Vec::new(),
        })
    }
}
