//! Copying the write-ahead log back into the file, beside the writer.
//!
//! Left to itself the writer would copy the whole log in the middle of a commit, and everybody
//! would wait. A thread of its own copies what is committed while the writer goes on; the writer
//! finds little left to do when the log is to begin anew.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use super::Connection;
use crate::{Error, Result};

/// How often the log is looked at. Nothing is copied twice, and an idle log costs nothing.
const PERIOD: Duration = Duration::from_millis(200);

/// The thread, until dropped.
pub(crate) struct Checkpointer {
    stop: Option<Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Checkpointer {
    /// Starts the thread over the database at this path.
    pub(crate) fn start(path: &Path) -> Result<Self> {
        let mut connection = Connection::open(path)?;
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new()
            .name("sqlite-checkpointer".into())
            .spawn(move || copy_until(&stopped, &mut connection))
            .map_err(|error| Error::Unavailable(error.to_string()))?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

fn copy_until(stopped: &Receiver<()>, connection: &mut Connection) {
    while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(PERIOD) {
        // Passive: waits for nobody, and nobody waits for it. What fails now is done next time.
        if let Err(error) = connection.query("PRAGMA wal_checkpoint(PASSIVE)", &[]) {
            tracing::debug!(%error, "the write-ahead log is not copied back");
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::warn!("the checkpointer did not end in order");
        }
    }
}
