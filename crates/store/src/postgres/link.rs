//! A connection that heals: whoever finds it broken connects anew.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use tokio::sync::RwLock;

use super::{Connection, Target};
use crate::{Error, PATIENCE, Result};

/// Pause between attempts while the database is away.
const RETRY: Duration = Duration::from_millis(50);

/// A shared connection for reading, on which reads are pipelined.
pub(crate) struct Link {
    target: Target,
    connection: RwLock<Option<Arc<Connection>>>,
}

impl Link {
    pub fn new(target: Target) -> Self {
        Self {
            target,
            connection: RwLock::default(),
        }
    }

    /// The live connection.
    pub async fn get(&self) -> Result<Arc<Connection>> {
        if let Some(live) = live(self.connection.read().await.as_ref()) {
            return Ok(live);
        }
        let mut slot = self.connection.write().await;
        if let Some(live) = live(slot.as_ref()) {
            return Ok(live);
        }
        // Boxed: every read would have room for what it hardly ever does.
        let fresh = Arc::new(Box::pin(Connection::open(&self.target)).await?);
        *slot = Some(fresh.clone());
        Ok(fresh)
    }

    /// Runs a read, again and again while the database is away, for as long as a
    /// caller's patience lasts.
    pub async fn read<T, F>(&self, read: F) -> Result<T>
    where
        F: for<'c> Fn(&'c Connection) -> BoxFuture<'c, Result<T>>,
    {
        let end = Instant::now() + PATIENCE;
        loop {
            let attempt = async { read(self.get().await?.as_ref()).await };
            let result = match tokio::time::timeout_at(end.into(), attempt).await {
                Ok(result) => result,
                Err(_) => {
                    self.give_up().await;
                    Err(Error::Unavailable("no answer in time".into()))
                }
            };
            match result {
                Err(error) if error.is_transient() && Instant::now() + RETRY < end => {
                    tracing::debug!(%error, "read failed, trying again");
                    tokio::time::sleep(RETRY).await;
                }
                result => return result,
            }
        }
    }

    /// Whether it is connected, as far as can be said without waiting.
    pub fn is_live(&self) -> bool {
        let connection = self.connection.try_read();
        connection.is_ok_and(|connection| live(connection.as_ref()).is_some())
    }

    /// Forgets a connection that hangs, so that the next caller has a new one.
    async fn give_up(&self) {
        if let Ok(mut slot) = self.connection.try_write() {
            *slot = None;
        }
    }
}

fn live(connection: Option<&Arc<Connection>>) -> Option<Arc<Connection>> {
    connection
        .filter(|connection| !connection.is_closed())
        .cloned()
}
