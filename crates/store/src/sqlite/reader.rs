//! Readers: for what is not looked up at the writer (bulk checks, lists, reports). Nobody queues.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Connection;
use crate::{Error, Result};

/// A few read connections; readers never wait for the writer (WAL).
#[derive(Clone)]
pub(crate) struct Readers {
    connections: Arc<[Mutex<Connection>]>,
    next: Arc<AtomicUsize>,
}

impl Readers {
    pub fn open(path: &Path, count: usize) -> Result<Self> {
        let connections = (0..count)
            .map(|_| Connection::open_reader(path).map(Mutex::new))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            connections: connections.into(),
            next: Arc::default(),
        })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.connections.len()
    }

    /// Runs a read that is known to be short on the calling thread.
    pub fn read<T>(&self, read: impl FnOnce(&mut Connection) -> Result<T>) -> Result<T> {
        read(&mut *self.free()?)
    }

    fn free(&self) -> Result<MutexGuard<'_, Connection>> {
        if let Some(free) = self
            .connections
            .iter()
            .find_map(|connection| connection.try_lock().ok())
        {
            return Ok(free);
        }
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.connections.len().max(1);
        self.connections
            .get(turn)
            // A panic while reading leaves a connection as good as it was.
            .map(|connection| connection.lock().unwrap_or_else(PoisonError::into_inner))
            .ok_or_else(|| Error::Refused("no read connection".into()))
    }
}
