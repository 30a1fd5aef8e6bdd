//! Turns between the processes that write to one file.
//!
//! SQLite lets whoever asks at the right moment begin a transaction. Beside a busy server, which
//! commits without a gap, that moment hardly comes for anybody else. So everybody takes the lock on
//! a file beside the database before asking, and lets go of it once the transaction has begun: the
//! one who waits for the transaction holds the turn, and is the next to get it.
//!
//! Guarantees nothing but the order: where the lock cannot be had, writing goes on without it, and
//! the database's own lock keeps every transaction whole.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

/// The pause between two looks at a turn that somebody else has.
const PAUSE: Duration = Duration::from_millis(1);

/// The line in front of a database file.
pub(crate) struct Turnstile {
    file: Option<File>,
}

/// Somebody's turn, until dropped.
pub(crate) struct Turn<'a>(Option<&'a File>);

impl Turnstile {
    /// The line in front of the database at this path; its lock file is the database's name with
    /// `-turn` behind it.
    pub(crate) fn before(database: &Path) -> Self {
        let mut name = database.as_os_str().to_owned();
        name.push("-turn");
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(name)
            .inspect_err(|error| tracing::debug!(%error, "writers do not take turns"))
            .ok();
        Self { file }
    }

    /// Waits for a turn, at most so long.
    pub(crate) fn wait(&self, limit: Duration) -> Turn<'_> {
        let Some(file) = &self.file else {
            return Turn(None);
        };
        let begin = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Turn(Some(file)),
                Err(std::fs::TryLockError::WouldBlock) if begin.elapsed() < limit => {
                    std::thread::park_timeout(PAUSE);
                }
                Err(_) => return Turn(None),
            }
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.0.map(File::unlock) {
            tracing::warn!(%error, "the turn to write is not given back");
        }
    }
}
