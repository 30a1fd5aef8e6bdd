//! Copying the write-ahead log back into the file, beside the writer.
//!
//! Left to itself the writer would copy the whole log in the middle of a commit, and everybody
//! would wait. A thread of its own copies what is committed while the writer goes on; the writer
//! finds little left to do when the log is to begin anew.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use tokio::sync::oneshot;

use super::Connection;
use crate::{Error, Result};

/// How often the log is looked at. Nothing is copied twice, and an idle log costs nothing.
const PERIOD: Duration = Duration::from_millis(200);

/// How often it is tried to empty the log, which waits for readers and writers each time.
const EMPTYING: usize = 3;

/// Somebody wants the log emptied, and to hear whether it was.
type Wish = oneshot::Sender<bool>;

/// The thread, until dropped.
pub(crate) struct Checkpointer {
    wishes: Option<Sender<Wish>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Checkpointer {
    /// Starts the thread over the database at this path.
    pub(crate) fn start(path: &Path) -> Result<Self> {
        let mut connection = Connection::open(path)?;
        let (wishes, wished) = channel();
        let thread = std::thread::Builder::new()
            .name("sqlite-checkpointer".into())
            .spawn(move || copy_until_dropped(&wished, &mut connection))
            .map_err(|error| Error::Unavailable(error.to_string()))?;
        Ok(Self {
            wishes: Some(wishes),
            thread: Some(thread),
        })
    }

    /// Has the log emptied, so that nothing is left of what was overwritten; tells whether it was.
    pub(crate) async fn empty(&self) -> bool {
        let (wish, answer) = oneshot::channel();
        let sent = self.wishes.as_ref().map(|wishes| wishes.send(wish));
        matches!(sent, Some(Ok(()))) && answer.await.unwrap_or(false)
    }
}

fn copy_until_dropped(wished: &Receiver<Wish>, connection: &mut Connection) {
    loop {
        match wished.recv_timeout(PERIOD) {
            Err(RecvTimeoutError::Disconnected) => return,
            // Passive: waits for nobody, and nobody waits for it. What fails now is done next time.
            Err(RecvTimeoutError::Timeout) => {
                if let Err(error) = connection.query("PRAGMA wal_checkpoint(PASSIVE)", &[]) {
                    tracing::debug!(%error, "the write-ahead log is not copied back");
                }
            }
            // Whoever stopped waiting needs no answer.
            Ok(wish) => drop(wish.send((0..EMPTYING).any(|_| is_emptied(connection)))),
        }
    }
}

/// Copies everything back and cuts the log off; `false` while somebody reads or writes for too long.
fn is_emptied(connection: &mut Connection) -> bool {
    let answer = connection.query("PRAGMA wal_checkpoint(TRUNCATE)", &[]);
    let busy = answer.and_then(|rows| match rows.first() {
        Some(row) => row.int(0, "wal_checkpoint.busy"),
        None => Ok(1),
    });
    matches!(busy, Ok(0))
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        drop(self.wishes.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::warn!("the checkpointer did not end in order");
        }
    }
}
