//! Copying the write-ahead log back into the file, beside the writer.
//!
//! Left to itself the writer would copy the whole log in the middle of a commit, and everybody
//! would wait. A thread of its own copies what is committed while the writer goes on. The log can
//! only begin anew while nobody writes: once it is long, and little of it is left to copy and to
//! have the disk take, the writer is asked to do the rest between two transactions.

use std::fs::File;
use std::mem::ManuallyDrop;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use tokio::sync::oneshot;

use super::Connection;
use crate::{Error, Result};

/// How often the log is looked at. Nothing is copied twice, and an idle log costs nothing.
const PERIOD: Duration = Duration::from_millis(100);

/// How many pages a long log has (64 MiB): a page that changes often is copied back once, and the
/// writer is seldom interrupted.
const LONG: i64 = 16_384;

/// How many pages a log has that grows too fast for the disk to take any before it begins anew
/// (80 MiB).
const TOO_LONG: i64 = LONG + LONG / 4;

/// How many pages the writer copies in a moment.
const FEW: i64 = 512;

/// How often a long log is copied in a row, to have few pages left of it.
const ROUNDS: usize = 8;

/// How often it is tried to empty the log, which waits for readers and writers each time.
const EMPTYING: usize = 3;

/// Somebody wants the log emptied, and to hear whether it was.
type Wish = oneshot::Sender<bool>;

/// Whether the writer is to copy the rest of the log.
#[derive(Clone, Default)]
pub(crate) struct LogEnd(Arc<AtomicBool>);

impl LogEnd {
    fn is_near(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the writer was asked and has not been at it: it has written nothing since.
    fn is_awaited(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Copies the rest of the log, if that was asked for; called by the writer when it has nothing
    /// open.
    pub(super) fn reach(&self, connection: &mut Connection) {
        if self.0.swap(false, Ordering::Relaxed) {
            copy(connection);
        }
    }
}

/// The thread, until dropped.
pub(crate) struct Checkpointer {
    wishes: Option<Sender<Wish>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Checkpointer {
    /// Starts the thread over the database at this path.
    pub(crate) fn start(path: &Path, log_end: LogEnd) -> Result<Self> {
        let mut connection = Connection::open(path)?;
        let database = DatabaseFile::open(path)?;
        let (wishes, wished) = channel();
        let thread = std::thread::Builder::new()
            .name("sqlite-checkpointer".into())
            .spawn(move || copy_until_dropped(&wished, &mut connection, &database, &log_end))
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

fn copy_until_dropped(
    wished: &Receiver<Wish>,
    connection: &mut Connection,
    database: &DatabaseFile,
    log_end: &LogEnd,
) {
    loop {
        match wished.recv_timeout(PERIOD) {
            Err(RecvTimeoutError::Disconnected) => return,
            // What is left of the log waits for the writer to begin it anew, but not to be copied.
            Err(RecvTimeoutError::Timeout) if log_end.is_awaited() => drop(copy(connection)),
            Err(RecvTimeoutError::Timeout) => {
                if is_near_its_end(connection, database) {
                    log_end.is_near();
                }
            }
            // Whoever stopped waiting needs no answer.
            Ok(wish) => drop(wish.send((0..EMPTYING).any(|_| is_emptied(connection)))),
        }
    }
}

/// Copies what is there; when the log is long, also what was written meanwhile, until almost all of it
/// is copied and on the disk. Whether it is long.
fn is_near_its_end(connection: &mut Connection, database: &DatabaseFile) -> bool {
    // A short one has been begun anew by somebody else, or is being copied.
    let mut copy_long = || copy(connection).filter(|log| log.pages >= LONG);
    let Some(mut log) = copy_long() else {
        return false;
    };
    for _ in 0..ROUNDS {
        // The writer is faster than the disk; without an end the log would grow for ever.
        if log.pages >= TOO_LONG {
            break;
        }
        // Before the log begins anew, the disk must have all that was copied. Whatever it has by
        // then, the writer need not wait for.
        database.sync();
        log = match copy_long() {
            Some(log) => log,
            None => return false,
        };
        if log.pages - log.copied <= FEW {
            break;
        }
    }
    true
}

/// The file that the log is copied into, to have the disk take what was copied.
///
/// It is never closed: whoever closes a file, through whichever descriptor, gives up all locks that
/// the process has on it (POSIX), and SQLite's are among them.
struct DatabaseFile(ManuallyDrop<File>);

impl DatabaseFile {
    fn open(path: &Path) -> Result<Self> {
        match File::open(path) {
            Ok(file) => Ok(Self(ManuallyDrop::new(file))),
            Err(error) => Err(Error::Unavailable(error.to_string())),
        }
    }

    /// SQLite does the same through a descriptor of its own when the rest is copied, and is told of
    /// what failed here: the log does not begin anew on the word of this.
    fn sync(&self) {
        if let Err(error) = self.0.sync_data() {
            tracing::error!(%error, "the disk does not take what was copied into the database file");
        }
    }
}

/// How long the log is, and how much of it is copied.
struct Log {
    pages: i64,
    copied: i64,
}

/// Waits for nobody, and nobody waits for it. What fails now is done next time.
fn copy(connection: &mut Connection) -> Option<Log> {
    let copied = connection
        .query("PRAGMA wal_checkpoint(PASSIVE)", &[])
        .and_then(|rows| {
            let Some(row) = rows.first() else {
                return Ok(None);
            };
            Ok(Some(Log {
                pages: row.int(1, "wal_checkpoint.log")?,
                copied: row.int(2, "wal_checkpoint.checkpointed")?,
            }))
        });
    copied.unwrap_or_else(|error| {
        tracing::debug!(%error, "the write-ahead log is not copied back");
        None
    })
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
