//! Quotas shared by all instances through Redis.
//!
//! Requests that wait together share a round trip: one task takes whatever waits, makes one script
//! call per key that asks for as many as wait on it, sends the calls of all keys at once, and hands
//! the grants out in the order of arrival. While one batch is under way the next fills; nobody
//! waits for a timer. Requests of a busy window may be granted [ahead](super::ahead) of that, and
//! come along to be counted.
//!
//! When Redis fails or takes too long, the requests at hand and all that follow are decided in this
//! process, and the task tries to reach Redis until it answers again. Callers never see an error,
//! and the log gets one line when it is lost and one when it is back.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use app::quota::{Quota, QuotaHealth, QuotaKey, Verdict, Verdicts, at_once};
use domain::rate::{Rate, Taken};
use futures_util::future::{Either, try_join_all};
use redis::{RedisError, RedisResult};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use super::Milliseconds;
use super::ahead::Ahead;
use super::link::{Link, TakeScript, Target};
use super::memory::MemoryQuota;

/// How long Redis is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// How long a batch may take before Redis counts as lost.
    pub answer: Duration,
    /// How long a connection may take to be made, and answer; the first holds up the start.
    pub connection: Duration,
}

impl Default for Patience {
    /// That of a server: a machine that is merely busy stalls for less.
    fn default() -> Self {
        Self {
            answer: Duration::from_millis(500),
            connection: Duration::from_secs(1),
        }
    }
}

/// The pause between attempts to reach Redis again.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(200);
/// How long requests that were granted ahead may gather before they are counted.
const BEFORE_COUNTING: Duration = Duration::from_millis(5);
/// The most requests in one batch.
const LARGEST_BATCH: usize = 1024;

/// A quota in Redis that falls back to this process.
pub struct RedisQuota {
    queue: mpsc::UnboundedSender<Message>,
    shared: Arc<Shared>,
}

struct Shared {
    fallback: MemoryQuota,
    ahead: Ahead,
    outage: Outage,
    clock: Milliseconds,
}

/// What the task is told.
enum Message {
    Ask(Ask),
    /// Requests of this window were granted ahead.
    Count(QuotaKey, Rate),
}

/// One waiting request. Dropped unanswered, it is decided by the fallback.
struct Ask {
    key: QuotaKey,
    rate: Rate,
    cost: u64,
    answer: oneshot::Sender<Verdict>,
}

impl RedisQuota {
    /// Connects to Redis and starts the task that talks to it, which ends with the last handle.
    /// If Redis does not answer in time, the quota starts in this process alone.
    ///
    /// # Errors
    /// When the URL cannot be understood. The error does not repeat it.
    pub async fn connect(
        url: &str,
        clock: Milliseconds,
        patience: Patience,
    ) -> Result<Self, RedisError> {
        let target = Target::parse(url, patience.connection)?;
        let fallback = MemoryQuota::new(Arc::clone(&clock));
        let shared = Arc::new(Shared {
            fallback,
            ahead: Ahead::default(),
            outage: Outage::new(Arc::clone(&clock)),
            clock,
        });
        let (queue, messages) = mpsc::unbounded_channel();
        let worker = Worker {
            target,
            patience,
            script: TakeScript::new(),
            shared: Arc::clone(&shared),
        };
        let link = worker.first_link().await;
        tokio::spawn(worker.run(link, messages));
        Ok(Self { queue, shared })
    }

    /// What Redis says; `None` when it is lost meanwhile.
    async fn ask(&self, key: &QuotaKey, rate: Rate, cost: u64) -> Option<Verdict> {
        let (answer, verdict) = oneshot::channel();
        let ask = Ask {
            key: key.clone(),
            rate,
            cost: cost.min(1),
            answer,
        };
        self.queue.send(Message::Ask(ask)).ok()?;
        verdict.await.ok()
    }

    fn grant_ahead(&self, key: &QuotaKey, rate: Rate, cost: u64) -> Option<Verdict> {
        let Shared { ahead, clock, .. } = self.shared.as_ref();
        let granted = ahead.grant(key, rate, cost, clock())?;
        if granted.must_count {
            let (queue, count) = (self.queue.clone(), Message::Count(key.clone(), rate));
            tokio::spawn(async move {
                sleep(BEFORE_COUNTING).await;
                // Without a task to count them, nobody asks any more.
                drop(queue.send(count));
            });
        }
        Some(granted.verdict)
    }
}

impl Quota for RedisQuota {
    fn take<'a>(&'a self, key: &'a QuotaKey, rate: Rate, cost: u64) -> Verdicts<'a> {
        let alone = move || self.shared.fallback.decide(key, rate, cost);
        if self.shared.outage.lasting().is_some() {
            return at_once(alone());
        }
        if let Some(verdict) = self.grant_ahead(key, rate, cost) {
            return at_once(verdict);
        }
        let asked = async move { self.ask(key, rate, cost).await.unwrap_or_else(alone) };
        Either::Right(Box::pin(asked))
    }

    fn health(&self) -> QuotaHealth {
        match self.shared.outage.lasting() {
            Some(lasting) => QuotaHealth::Degraded { lasting },
            None => QuotaHealth::Shared,
        }
    }
}

/// Whether Redis is lost, and since when.
struct Outage {
    clock: Milliseconds,
    /// One more than the time of the loss; zero while there is none.
    since: AtomicU64,
}

impl Outage {
    fn new(clock: Milliseconds) -> Self {
        Self {
            clock,
            since: AtomicU64::new(0),
        }
    }

    fn begin(&self) {
        self.since
            .store((self.clock)().saturating_add(1), Ordering::Release);
    }

    fn end(&self) {
        self.since.store(0, Ordering::Release);
    }

    fn lasting(&self) -> Option<Duration> {
        let since = self.since.load(Ordering::Acquire).checked_sub(1)?;
        Some(Duration::from_millis((self.clock)().saturating_sub(since)))
    }
}

/// The task that talks to Redis.
struct Worker {
    target: Target,
    patience: Patience,
    script: TakeScript,
    shared: Arc<Shared>,
}

impl Worker {
    async fn run(self, mut link: Option<Link>, mut messages: mpsc::UnboundedReceiver<Message>) {
        let mut batch = Vec::with_capacity(LARGEST_BATCH);
        loop {
            let Some(connected) = &link else {
                match self.reconnect(&mut messages).await {
                    Some(new) => link = Some(new),
                    None => return,
                }
                continue;
            };
            if messages.recv_many(&mut batch, LARGEST_BATCH).await == 0 {
                return;
            }
            let mut groups = group(batch.drain(..));
            for group in &mut groups {
                group.ahead = self.shared.ahead.collect(&group.key, group.rate);
            }
            let now = (self.shared.clock)();
            match within(self.patience.answer, self.take(connected, &groups)).await {
                Ok(taken) => {
                    for (group, taken) in groups.into_iter().zip(taken) {
                        let (key, rate, waited) = (&group.key, group.rate, group.asks.len());
                        self.shared.ahead.learn(key, rate, taken, waited, now);
                        group.answer(taken);
                    }
                }
                Err(error) => {
                    // Noted before those who ask are sent to the fallback: whoever was decided
                    // there finds the loss reported.
                    self.lose(&error);
                    drop(groups);
                    link = None;
                }
            }
        }
    }

    /// What Redis grants each group, in their order.
    async fn take(&self, link: &Link, groups: &[Group]) -> RedisResult<Vec<Taken>> {
        let calls = groups.iter().map(|group| {
            let asked: u64 = group.asks.iter().map(|ask| ask.cost).sum();
            let wanted = group.ahead + asked;
            self.script
                .take(link, group.key.as_str(), group.rate, wanted)
        });
        try_join_all(calls).await
    }

    async fn first_link(&self) -> Option<Link> {
        within(self.patience.connection, self.reach())
            .await
            .map_err(|error| self.lose(&error))
            .ok()
    }

    fn lose(&self, error: &RedisError) {
        self.shared.outage.begin();
        self.shared.ahead.clear();
        tracing::warn!(
            cause = error.category(),
            "Redis is lost: limits hold per instance"
        );
    }

    /// Tries until Redis answers; `None` when nobody is left to ask. What was sent before the
    /// senders knew of the outage goes to the fallback.
    async fn reconnect(&self, messages: &mut mpsc::UnboundedReceiver<Message>) -> Option<Link> {
        let attempts = async {
            loop {
                sleep(BETWEEN_ATTEMPTS).await;
                if let Ok(link) = within(self.patience.connection, self.reach()).await {
                    return link;
                }
            }
        };
        tokio::pin!(attempts);
        loop {
            tokio::select! {
                message = messages.recv() => drop(message?),
                link = &mut attempts => {
                    self.shared.outage.end();
                    tracing::info!("Redis is back: limits are shared again");
                    return Some(link);
                }
            }
        }
    }

    /// A connection over which the script runs: a server that only accepts connections, or still
    /// loads its data, does not count as back. Loads the script on the way.
    async fn reach(&self) -> RedisResult<Link> {
        let link = self.target.connect().await?;
        let rate = Rate::new(1, Duration::from_secs(1)).map_err(|_| too_late())?;
        self.script.take(&link, "probe", rate, 1).await?;
        Ok(link)
    }
}

/// The requests of one batch that share a window.
struct Group {
    key: QuotaKey,
    rate: Rate,
    /// How many were granted ahead, and are to be counted.
    ahead: u64,
    asks: Vec<Ask>,
}

impl Group {
    /// Hands the grants to the first, each told what was left after its own.
    fn answer(self, taken: Taken) {
        let mut left = taken.granted.saturating_sub(self.ahead);
        for ask in self.asks {
            let granted = ask.cost.min(left);
            left -= granted;
            let own = Taken {
                granted,
                remaining: taken.remaining + left,
                ..taken
            };
            // Who no longer waits for the answer was counted all the same.
            let _ = ask.answer.send(Verdict::of(self.rate, ask.cost, own));
        }
    }
}

/// Gathers the requests by window, in order of arrival.
fn group(batch: impl Iterator<Item = Message>) -> Vec<Group> {
    let mut places = HashMap::new();
    let mut groups: Vec<Group> = Vec::new();
    for message in batch {
        let (key, rate, ask) = match message {
            Message::Ask(ask) => (ask.key.clone(), ask.rate, Some(ask)),
            Message::Count(key, rate) => (key, rate, None),
        };
        let next = groups.len();
        let place = *places.entry((key.clone(), rate)).or_insert(next);
        if place == next {
            groups.push(Group {
                key,
                rate,
                ahead: 0,
                asks: Vec::new(),
            });
        }
        if let Some(group) = groups.get_mut(place) {
            group.asks.extend(ask);
        }
    }
    groups
}

async fn within<T>(limit: Duration, work: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    timeout(limit, work)
        .await
        .unwrap_or_else(|_| Err(too_late()))
}

fn too_late() -> RedisError {
    RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut))
}
