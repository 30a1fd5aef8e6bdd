//! The worker: claims what is due and hands it to the handler of its source.
//!
//! Every source has places of its own, so that a sender whose interface hangs delays no other's
//! events. It looks whenever an event was stored here, whenever one came to its end, and a few times
//! a second for what others stored or what is due again. Events of a source without a handler wait.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use domain::delivery::Schedule;
use domain::hook::Source;
use domain::random::uuid_v7;
use futures_util::FutureExt as _;
use jiff::SignedDuration;
use tokio::task::{JoinError, JoinSet};

use super::handler::Handler;
use super::settle::{Claim, Reclaim};
use super::turn::Turn;
use crate::{App, Error, Result};

/// How often it looks of itself.
const LOOK: Duration = Duration::from_millis(250);
/// How long after the longest attempt a lease ends.
const MARGIN: SignedDuration = SignedDuration::from_secs(5);
/// How many events of one source are processed at once.
const PLACES: usize = 16;

/// How events are processed.
#[derive(Debug, Clone)]
pub struct Settings {
    /// When one that failed is tried again; after the last time it is parked.
    pub schedule: Schedule,
    /// The longest that processing one may take.
    pub timeout: Duration,
}

/// The pauses of the product: nine attempts in about a day and a half.
#[must_use]
pub fn schedule() -> Schedule {
    let seconds = [5, 30, 120, 600, 3_600, 4 * 3_600, 8 * 3_600, 24 * 3_600];
    Schedule::new(seconds.map(Duration::from_secs).to_vec())
}

/// Processes events.
pub struct Worker {
    shared: Arc<Shared>,
    handlers: BTreeMap<Source, Arc<dyn Handler>>,
    running: JoinSet<Source>,
    busy: BTreeMap<Source, usize>,
}

/// What all turns work with.
pub(super) struct Shared {
    pub app: Arc<App>,
    pub settings: Settings,
}

impl Worker {
    /// Without a handler yet.
    pub fn new(app: Arc<App>, settings: Settings) -> Self {
        Self {
            shared: Arc::new(Shared { app, settings }),
            handlers: BTreeMap::new(),
            running: JoinSet::new(),
            busy: BTreeMap::new(),
        }
    }

    /// With the handler of a source.
    #[must_use]
    pub fn with(mut self, source: Source, handler: Arc<dyn Handler>) -> Self {
        self.handlers.insert(source, handler);
        self
    }

    /// Processes events until `stop`, then waits for those under way.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        self.reclaim().await;
        let mut failing = false;
        loop {
            let looked = self.look_unharmed().await;
            if let (Err(error), false) = (&looked, failing) {
                tracing::warn!(cause = error.cause(), "events are not processed");
            }
            failing = looked.is_err();
            let shared = self.shared.clone();
            tokio::select! {
                () = &mut stop => break,
                Some(ended) = self.running.join_next() => self.end(ended),
                () = shared.app.inbox.woken() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        while let Some(ended) = self.running.join_next().await {
            self.end(ended);
        }
    }

    /// Processes every event that is due now.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn run_due(&mut self) -> Result<()> {
        loop {
            self.look().await?;
            match self.running.join_next().await {
                Some(ended) => self.end(ended),
                None => return Ok(()),
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

    fn end(&mut self, ended: std::result::Result<Source, JoinError>) {
        match ended {
            Ok(source) => {
                let busy = self.busy.entry(source).or_default();
                *busy = busy.saturating_sub(1);
            }
            Err(error) => tracing::error!(%error, "an event's turn ended early"),
        }
    }

    /// One look. A panic in it is told, and ends nothing but this look: what was claimed is due again
    /// when its lease ends.
    async fn look_unharmed(&mut self) -> Result<()> {
        let looked = AssertUnwindSafe(self.look()).catch_unwind().await;
        looked.unwrap_or_else(|_| {
            tracing::error!("a look at the inbox panicked");
            Err(Error::internal("it panicked; the log says where"))
        })
    }

    /// Starts what is due and has room.
    async fn look(&mut self) -> Result<()> {
        while let Some(ended) = self.running.try_join_next() {
            self.end(ended);
        }
        for (source, handler) in self.handlers.clone() {
            let busy = self.busy.get(&source).copied().unwrap_or_default();
            let room = PLACES.saturating_sub(busy);
            if room > 0 {
                self.start(source, &handler, room).await?;
            }
        }
        Ok(())
    }

    async fn start(
        &mut self,
        source: Source,
        handler: &Arc<dyn Handler>,
        room: usize,
    ) -> Result<()> {
        let app = &self.shared.app;
        let now = app.clock.now();
        let timeout = SignedDuration::try_from(self.shared.settings.timeout);
        let length = timeout.unwrap_or(SignedDuration::from_secs(30)) + MARGIN;
        let (lease, until) = (
            uuid_v7(now, &*app.random),
            now.saturating_add(length).unwrap_or(now),
        );
        let claim = Claim {
            source,
            room: i64::try_from(room).unwrap_or(i64::MAX),
            lease,
            now,
            until,
        };
        let claimed = app.store.write(claim).await?;
        app.store.note_spoilt(&claimed.spoilt);
        for claimed in claimed.rows {
            let turn = Turn {
                shared: self.shared.clone(),
                source,
                handler: handler.clone(),
                claimed,
                lease,
                until,
            };
            *self.busy.entry(source).or_default() += 1;
            self.running.spawn(async move {
                if AssertUnwindSafe(turn.take()).catch_unwind().await.is_err() {
                    // Its place must not be lost with it; the lease ends by itself.
                    tracing::error!("an event's turn panicked");
                }
                source
            });
        }
        Ok(())
    }
}
