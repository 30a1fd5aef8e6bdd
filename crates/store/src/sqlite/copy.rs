//! A copy of a database file, made beside whoever writes to it.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::connection::BUSY_TIMEOUT;
use crate::{Error, Result};

/// Copies the database at `from`, as it stands at one moment, into a new file that its owner alone
/// can read; returns its size in bytes, once the disk has it. What is free inside the database is
/// left out. Writers go on meanwhile; who empties the log, as an erasure does, waits for the copy
/// for as long as it has patience.
///
/// Until it is whole the copy has another name, with `.part` behind it: what a power cut leaves of
/// it is not taken for a copy, and the next one writes over it.
///
/// # Errors
/// When there is no database, when there is a file at `to` already, or when it cannot be written;
/// then nothing is left of it.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<u64> {
    if to.exists() {
        return Err(Error::Refused(format!("{} exists already", to.display())));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(from, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    let part = part(to);
    let copied = write(&connection, &part).and_then(|bytes| {
        name(&part, to).map_err(|error| unwritten(to, &error))?;
        Ok(bytes)
    });
    if copied.is_err() {
        drop(std::fs::remove_file(&part));
    }
    copied
}

/// What the copy is called until it is whole.
fn part(to: &Path) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

/// Makes the file first, for SQLite would make one that others can read; it takes one that is empty.
fn write(connection: &Connection, part: &Path) -> Result<u64> {
    let Some(name) = part.to_str() else {
        let problem = "the name of the copy is not in UTF-8";
        return Err(Error::Refused(problem.into()));
    };
    drop(std::fs::remove_file(part));
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).mode(0o600);
    let unwritten = |error| unwritten(part, &error);
    let file = options.open(part).map_err(unwritten)?;
    connection.execute("VACUUM INTO ?1", [name])?;
    file.sync_all().map_err(unwritten)?;
    Ok(file.metadata().map_err(unwritten)?.len())
}

/// Gives the whole copy its name, for good.
fn name(part: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::rename(part, to)?;
    let folder = to.parent().filter(|folder| *folder != Path::new(""));
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn unwritten(to: &Path, error: &std::io::Error) -> Error {
    Error::Refused(format!("{} cannot be written: {error}", to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_whole_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a.db"), folder.path().join("b.db"));
        let database = Connection::open(&from).unwrap();
        database
            .execute_batch("CREATE TABLE t (n); INSERT INTO t VALUES (7)")
            .unwrap();
        // Of one that was killed.
        std::fs::write(part(&to), "half").unwrap();
        let bytes = copy(&from, &to).unwrap();
        assert_eq!(bytes, std::fs::metadata(&to).unwrap().len());
        let copied = Connection::open(&to).unwrap();
        let number = copied.query_row("SELECT n FROM t", [], |row| row.get::<_, i64>(0));
        assert_eq!(number.unwrap(), 7);
        assert!(!part(&to).exists());
    }

    #[test]
    fn a_file_that_is_there_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a.db"), folder.path().join("b.db"));
        drop(Connection::open(&from).unwrap());
        std::fs::write(&to, "precious").unwrap();
        assert!(copy(&from, &to).is_err());
        assert_eq!(std::fs::read(&to).unwrap(), b"precious");
    }

    #[test]
    fn without_a_database_there_is_no_copy() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a.db"), folder.path().join("b.db"));
        assert!(copy(&from, &to).is_err());
        assert!(!from.exists() && !to.exists() && !part(&to).exists());
    }
}
