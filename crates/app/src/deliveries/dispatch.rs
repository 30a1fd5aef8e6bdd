//! The worker: claims what is due, sends it, notes how it went.
//!
//! It looks whenever something was enqueued here, whenever something came to its end while more
//! may wait, and a few times a second for what others enqueued or what is due again.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use domain::delivery::Schedule;
use domain::random::uuid_v7;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::channel::{Channels, Line};
use super::claim::{Claim, ClaimedLine, Reclaim};
use super::lines::{Fared, Lines};
use super::turn::{Ended, Turn};
use crate::{App, Error, Result};

/// How often it looks of itself.
const LOOK: Duration = Duration::from_millis(250);
/// How long after the longest attempt a lease ends.
const MARGIN: SignedDuration = SignedDuration::from_secs(5);

/// How much later than on schedule an attempt may be made when lines rest, or nobody works.
const LATENESS: Duration = Duration::from_secs(60 * 60);

/// Why a line, or all of them, cannot be served for now.
const PANICKED: &str = "it panicked; the log says where";

/// How deliveries are made.
#[derive(Debug, Clone)]
pub struct Settings {
    /// When a failed one is tried again.
    pub schedule: Schedule,
    /// The longest that an attempt takes.
    pub timeout: Duration,
}

impl Settings {
    /// The longest between the beginnings of two attempts at a receiver, while anything that failed
    /// there is tried again: a day at least.
    pub(super) fn longest_silence(&self) -> SignedDuration {
        let pause = self.schedule.longest_pause();
        let longest = pause.saturating_add(self.timeout).saturating_add(LATENESS);
        SignedDuration::try_from(longest).unwrap_or(SignedDuration::MAX)
    }
}

/// Makes deliveries.
pub struct Dispatcher {
    shared: Arc<Shared>,
    lines: Lines,
    running: JoinSet<Ended>,
    /// Where the next look begins, so that every line has its turn.
    after: String,
}

/// What all turns work with.
pub(super) struct Shared {
    pub app: Arc<App>,
    pub channels: Channels,
    pub settings: Settings,
}

impl Dispatcher {
    /// Over these channels.
    pub fn new(app: Arc<App>, channels: Channels, settings: Settings) -> Self {
        let shared = Shared {
            app,
            channels,
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
            let looked = self.look_unharmed().await;
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

    /// One look. A panic in it is told, and ends nothing but this look: what was claimed is due again
    /// when its lease ends.
    async fn look_unharmed(&mut self) -> Result<bool> {
        let looked = AssertUnwindSafe(self.look()).catch_unwind().await;
        looked.unwrap_or_else(|_| {
            tracing::error!("a look at the deliveries panicked");
            // What is known of the lines may be half written.
            self.lines = Lines::default();
            self.after.clear();
            Err(Error::internal(PANICKED))
        })
    }

    /// Starts what is due and has room; returns whether more may be due than that.
    async fn look(&mut self) -> Result<bool> {
        while let Some(ended) = self.running.try_join_next() {
            self.end(ended);
        }
        self.lines.forget(self.shared.app.clock.now());
        // Those before the place where this look begins have their turn at the next.
        let mut more = !self.after.is_empty();
        while self.lines.room() > 0 {
            let claim = self.claim();
            let (lease, until, now) = (claim.lease, claim.until, claim.now);
            let claims = self.shared.app.store.write(claim).await?;
            more |= claims.more;
            self.shared.app.store.note_spoilt(&claims.spoilt);
            let shared = self.shared.clone();
            let opening = claims.lines.iter().map(|line| shared.open(line, now));
            let opened = join_all(opening).await;
            for (line, opened) in claims.lines.into_iter().zip(opened) {
                self.start(line, opened, lease, until);
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
            channels: self.shared.channels.clone(),
            lines: self.lines.clone(),
            after: self.after.clone(),
            lease: uuid_v7(now, &*app.random),
            now,
            until: now.saturating_add(length).unwrap_or(now),
        }
    }

    /// Begins the turns of a line, unless it could not be opened.
    fn start(
        &mut self,
        line: ClaimedLine,
        opened: Result<Arc<dyn Line>>,
        lease: Uuid,
        until: Timestamp,
    ) {
        match opened {
            Ok(opened) => {
                let receiver: Arc<str> = line.receiver.into();
                for delivery in line.deliveries {
                    self.spawn(Turn {
                        shared: self.shared.clone(),
                        receiver: receiver.clone(),
                        line: opened.clone(),
                        delivery,
                        lease,
                        until,
                    });
                }
            }
            Err(error) => {
                // They are due again when the lease ends; other lines are not concerned.
                let (receiver, cause) = (&line.receiver, error.cause());
                tracing::warn!(receiver, cause, "a line of deliveries cannot be served");
                let now = self.shared.app.clock.now();
                for _ in &line.deliveries {
                    self.lines.begin(receiver);
                    self.lines.end(receiver, Fared::Badly(None), now);
                }
            }
        }
    }

    fn spawn(&mut self, turn: Turn) {
        self.lines.begin(&turn.receiver);
        let receiver = turn.receiver.to_string();
        self.running.spawn(async move {
            let taken = AssertUnwindSafe(turn.take()).catch_unwind().await;
            taken.unwrap_or_else(|_| {
                // Its place must not be lost with it; the lease ends by itself.
                tracing::error!("a delivery's turn panicked");
                let fared = Fared::Badly(None);
                Ended { receiver, fared }
            })
        });
    }
}

impl Shared {
    /// Looks how a line is served now.
    async fn open(&self, line: &ClaimedLine, now: Timestamp) -> Result<Arc<dyn Line>> {
        let Some((channel, company)) = self.channels.of(&line.receiver) else {
            return Err(Error::internal("a line of no channel was claimed"));
        };
        // A channel that panics ends its own line, and no other.
        let opened = AssertUnwindSafe(async { channel.open(company, now).await });
        let opened = opened.catch_unwind().await;
        opened.unwrap_or_else(|_| Err(Error::internal(PANICKED)))
    }
}
