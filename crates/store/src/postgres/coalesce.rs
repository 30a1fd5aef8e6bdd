//! Concurrent look-ups of one kind share a round trip.
//!
//! A caller hands in one key and waits; whatever keys wait together go out as one
//! set-based statement. While one statement is under way the next fills; nobody
//! waits for a timer.

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::BoxFuture;
use tokio::sync::{Mutex, mpsc, oneshot};

use super::{Connection, Link};
use crate::watch::Watched;
use crate::{Error, Occupation, PATIENCE, Result};

/// How many keys one statement takes along at most.
const BATCH: usize = 512;

/// Look-ups that may wait; beyond that the database is hopelessly behind.
const WAITING: usize = 16_384;

/// Finds the values of many keys, in their order.
pub(crate) type Lookup<K, V> =
    for<'c> fn(&'c Connection, &'c [K]) -> BoxFuture<'c, Result<Vec<Option<V>>>>;

struct Asked<K, V> {
    key: K,
    since: Instant,
    reply: oneshot::Sender<Result<Option<V>>>,
}

/// Look-ups from `K` to `V`.
pub(crate) struct Coalescer<K, V>(mpsc::Sender<Asked<K, V>>);

impl<K: Send + Sync + 'static, V: Send + 'static> Coalescer<K, V> {
    /// Starts one task per link; each has at most one statement under way.
    pub fn start(links: &[Arc<Link>], watched: &Watched, lookup: Lookup<K, V>) -> Self {
        let (ask, asked) = mpsc::channel(WAITING);
        let asked = Arc::new(Mutex::new(asked));
        for link in links {
            tokio::spawn(answer_all(
                link.clone(),
                watched.clone(),
                asked.clone(),
                lookup,
            ));
        }
        Self(ask)
    }

    /// How many keys wait for their statement.
    pub fn waiting(&self) -> usize {
        self.0.max_capacity() - self.0.capacity()
    }

    /// The value of one key.
    pub async fn find(&self, key: K) -> Result<Option<V>> {
        let (reply, answer) = oneshot::channel();
        self.0
            .try_send(Asked {
                key,
                since: Instant::now(),
                reply,
            })
            .map_err(|_| Error::Unavailable("too many look-ups are waiting".into()))?;
        // The reader gives up in time, for all that wait together: no timer here.
        answer
            .await
            .map_err(|_| Error::Unavailable("the reader has stopped".into()))?
    }
}

async fn answer_all<K: Send + Sync + 'static, V: Send + 'static>(
    link: Arc<Link>,
    watched: Watched,
    asked: Arc<Mutex<mpsc::Receiver<Asked<K, V>>>>,
    lookup: Lookup<K, V>,
) {
    let mut waiting = Vec::with_capacity(BATCH);
    while asked.lock().await.recv_many(&mut waiting, BATCH).await > 0 {
        // Whoever stopped waiting is not looked up.
        waiting.retain(|asked: &Asked<K, V>| !asked.reply.is_closed());
        let Some(since) = waiting.first().map(|asked| asked.since) else {
            continue;
        };
        let (keys, replies): (Vec<K>, Vec<_>) = waiting
            .drain(..)
            .map(|asked| (asked.key, asked.reply))
            .unzip();
        let keys = Arc::new(keys);
        let busy = watched.begin(Occupation::Reading);
        let found = link
            .read_until(since + PATIENCE, |connection| {
                let keys = keys.clone();
                Box::pin(async move { lookup(connection, &keys).await })
            })
            .await;
        drop(busy);
        match found {
            Ok(values) => {
                for (reply, value) in replies.into_iter().zip(values) {
                    drop(reply.send(Ok(value)));
                }
            }
            Err(error) => {
                for reply in replies {
                    drop(reply.send(Err(error.clone())));
                }
            }
        }
    }
}
