//! A copy of a database file, made beside whoever writes to it.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::connection::BUSY_TIMEOUT;
use crate::{Error, Result};

/// Copies the database at `from`, as it stands at one moment, into a new file that its owner alone
/// can read; returns its size in bytes, once the disk has it. Whoever writes meanwhile is not kept
/// waiting. What is free inside the file is left out.
///
/// # Errors
/// When there is no database, when there is a file at `to` already, or when it cannot be written;
/// then nothing is left of it.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<u64> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(from, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    let file = create(to)?;
    let copied = vacuum_into(&connection, to, &file);
    if copied.is_err() {
        // What was begun is no copy.
        drop(std::fs::remove_file(to));
    }
    copied
}

/// Makes the file first, for SQLite would make one that others can read; it takes one that is empty.
fn create(to: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).mode(0o600);
    options.open(to).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Error::Refused(format!("{} exists already", to.display())),
        _ => unwritten(to, &error),
    })
}

fn vacuum_into(connection: &Connection, to: &Path, file: &File) -> Result<u64> {
    let name = to
        .to_str()
        .ok_or_else(|| Error::Refused("the name of the copy is not in UTF-8".into()))?;
    connection.execute("VACUUM INTO ?1", [name])?;
    file.sync_all().map_err(|error| unwritten(to, &error))?;
    let metadata = file.metadata().map_err(|error| unwritten(to, &error))?;
    Ok(metadata.len())
}

fn unwritten(to: &Path, error: &std::io::Error) -> Error {
    Error::Refused(format!("{} cannot be written: {error}", to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(!from.exists() && !to.exists());
    }
}
