//! `CHECKPOINT_FILE`: every checkpoint as a line of JSON, in a file that is not the database.
//!
//! Guarantees: lines are only ever appended, in the order of the numbers, each durable before the
//! next; what could not be written is written later; processes that share the file take turns. A
//! file that knows a checkpoint which the database does not have, or has otherwise, is left as it
//! is: that difference is what the file is kept for.
//! Must not: hold up or stop anything but itself.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use app::App;
use app::audit::{Published, published};

use crate::http::audit::CheckpointDocument;

/// Checkpoints written at a time.
const PAGE: i64 = 100;

/// How much of the end of the file is read first, in bytes.
const END: u64 = 16 * 1024;

/// Why checkpoints are not written to the file.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// It cannot be opened, read or written.
    #[error("the file cannot be used: {0}")]
    File(#[from] io::Error),
    /// Its last line is no checkpoint.
    #[error("its last line is no checkpoint: move the file elsewhere, and a new one begins")]
    Foreign,
    /// It holds another checkpoint than the database.
    #[error(
        "checkpoint {0} in it is not the database's: compare with `bonafide audit verify \
         --checkpoints`, then move the file elsewhere, and a new one begins"
    )]
    Contradicts(i64),
    /// The database is away, or does not show its checkpoints.
    #[error("the checkpoints cannot be read: {0}")]
    Database(app::Error),
}

/// The file.
#[derive(Clone)]
pub struct CheckpointFile(PathBuf);

impl CheckpointFile {
    /// At this place; it is made when it is first written to.
    pub fn new(path: &Path) -> Self {
        Self(path.to_path_buf())
    }

    /// Appends the checkpoints that it lacks; returns how many they were.
    ///
    /// # Errors
    /// Why they are not all there.
    pub async fn catch_up(&self, app: &App) -> Result<u64, Trouble> {
        let path = self.0.clone();
        let Some((mut file, last)) = blocking(move || open(&path)).await? else {
            // Another process is at it.
            return Ok(0);
        };
        let mut after = match last {
            None => 0,
            Some(last) => known(app, &last).await?,
        };
        let mut written = 0;
        loop {
            let page = published(&app.store, after, PAGE).await;
            let page = page.map_err(Trouble::Database)?;
            let Some(newest) = page.last() else {
                return Ok(written);
            };
            after = newest.number;
            written += page.len() as u64;
            file = blocking(move || append(file, &page)).await?;
        }
    }
}

/// The number of a line's checkpoint, which the database must have as well.
async fn known(app: &App, line: &CheckpointDocument) -> Result<i64, Trouble> {
    let number = line.number;
    let stored = published(&app.store, number.saturating_sub(1), 1).await;
    let stored = stored.map_err(Trouble::Database)?;
    let is_the_same = stored
        .first()
        .is_some_and(|stored| stored.number == number && stored.statement == line.statement);
    is_the_same
        .then_some(number)
        .ok_or(Trouble::Contradicts(number))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Trouble> + Send + 'static,
) -> Result<T, Trouble> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(io::Error::other(error).into()),
    }
}

/// Opens and locks the file; nothing when another process has it locked.
fn open(path: &Path) -> Result<Option<(File, Option<CheckpointDocument>)>, Trouble> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error.into()),
    }
    let last = last_line(&mut file)?;
    let last = last.map(|line| serde_json::from_slice(&line).map_err(|_| Trouble::Foreign));
    Ok(Some((file, last.transpose()?)))
}

/// The last whole line. What stands behind it was not written to its end, and is taken away.
fn last_line(file: &mut File) -> io::Result<Option<Vec<u8>>> {
    let length = file.metadata()?.len();
    let mut size = END;
    loop {
        let begin = length.saturating_sub(size);
        file.seek(SeekFrom::Start(begin))?;
        let mut end = Vec::new();
        io::Read::take(&mut *file, length - begin).read_to_end(&mut end)?;
        let whole = end.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
        let lines = end.get(..whole.unwrap_or_default()).unwrap_or_default();
        let mut lines = lines.rsplitn(3, |byte| *byte == b'\n').skip(1);
        let (line, before) = (lines.next(), lines.next());
        if begin > 0 && before.is_none() {
            size = size.saturating_mul(2);
            continue;
        }
        let kept = begin + whole.unwrap_or_default() as u64;
        if kept < length {
            file.set_len(kept)?;
        }
        return Ok(line.filter(|_| whole.is_some()).map(<[u8]>::to_vec));
    }
}

fn append(mut file: File, page: &[Published]) -> Result<File, Trouble> {
    for checkpoint in page {
        let mut line =
            serde_json::to_vec(&CheckpointDocument::of(checkpoint)).map_err(io::Error::from)?;
        line.push(b'\n');
        file.write_all(&line)?;
        file.sync_data()?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last_of(content: &[u8]) -> (Option<Vec<u8>>, Vec<u8>) {
        let path = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(path.path(), content).unwrap();
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .open(path.path())
            .unwrap();
        let line = last_line(&mut file).unwrap();
        (line, std::fs::read(path.path()).unwrap())
    }

    #[test]
    fn the_last_whole_line_is_found_and_what_is_torn_goes() {
        let long = [vec![b'x'; 3 * END as usize], b"\n".to_vec()].concat();
        type Case<'c> = (&'c [u8], Option<&'c [u8]>, &'c [u8]);
        let cases: [Case<'_>; 6] = [
            (b"", None, b""),
            (b"torn", None, b""),
            (b"a\n", Some(b"a"), b"a\n"),
            (b"a\nb\n", Some(b"b"), b"a\nb\n"),
            (b"a\nb\nto", Some(b"b"), b"a\nb\n"),
            (&long, Some(&long[..long.len() - 1]), &long),
        ];
        for (content, line, left) in cases {
            let found = last_of(content);
            assert_eq!(found, (line.map(<[u8]>::to_vec), left.to_vec()));
        }
        let behind = [b"a\n", long.as_slice(), b"torn"].concat();
        let (line, left) = last_of(&behind);
        assert_eq!(line.unwrap(), long[..long.len() - 1]);
        assert_eq!(left.len(), behind.len() - 4);
    }
}
