//! A connection with its settings, and statements in SQLite's dialect.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{ErrorCode, OpenFlags};

use crate::{Error, Result, Row, Value};

/// How long a statement waits for another process's write transaction, and a process for its turn
/// before that: together not longer than a caller waits.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(1);

/// Prepared statements kept per connection: more than the program has.
const STATEMENTS: usize = 256;

/// A SQLite connection.
pub struct Connection {
    raw: rusqlite::Connection,
    /// Statements by the address and the length of their PostgreSQL text, which is static.
    translated: HashMap<(usize, usize), Arc<str>>,
}

impl Connection {
    /// Opens the file for writing, creating it if need be.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        Self::open_with(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        )
    }

    /// Opens an existing file for reading only.
    pub(crate) fn open_reader(path: &Path) -> Result<Self> {
        let connection = Self::open_with(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.raw.pragma_update(None, "query_only", true)?;
        // Every commit of the writer empties a reader's cache: a large one is no use.
        connection.raw.pragma_update(None, "cache_size", -2_048)?;
        Ok(connection)
    }

    fn open_with(path: &Path, flags: OpenFlags) -> Result<Self> {
        let raw =
            rusqlite::Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        raw.busy_timeout(BUSY_TIMEOUT)?;
        enter_wal(&raw)?;
        raw.pragma_update(None, "synchronous", "full")?;
        raw.pragma_update(None, "foreign_keys", true)?;
        // What is deleted is overwritten: a destroyed key must not stay in a free page.
        raw.pragma_update(None, "secure_delete", true)?;
        // 6 MiB, so that hot index pages stay; the rest is the kernel's.
        raw.pragma_update(None, "cache_size", -6_144)?;
        // The checkpointer copies the log back; whoever commits does so himself only when
        // that does not get on with it, at 256 MiB.
        raw.pragma_update(None, "wal_autocheckpoint", 65_536)?;
        raw.set_prepared_statement_cache_capacity(STATEMENTS);
        // Plans must not depend on the values of parameters: that prepares anew.
        raw.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        Ok(Self {
            raw,
            translated: HashMap::new(),
        })
    }

    /// The driver's own connection, for migrations.
    pub(crate) fn raw(&mut self) -> &mut rusqlite::Connection {
        &mut self.raw
    }

    pub(crate) fn execute(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<u64> {
        let sql = self.translated(sql);
        let mut statement = self.raw.prepare_cached(&sql)?;
        let changed = statement.execute(rusqlite::params_from_iter(values))?;
        Ok(changed as u64)
    }

    /// Runs a statement once for each set of values; it is looked up but once.
    pub(crate) fn execute_each<'v, const N: usize>(
        &mut self,
        sql: &'static str,
        sets: impl Iterator<Item = [Value<'v>; N]>,
    ) -> Result<()> {
        let sql = self.translated(sql);
        let mut statement = self.raw.prepare_cached(&sql)?;
        for values in sets {
            statement.execute(rusqlite::params_from_iter(&values))?;
        }
        Ok(())
    }

    pub(crate) fn query(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Vec<Row>> {
        let sql = self.translated(sql);
        let mut statement = self.raw.prepare_cached(&sql)?;
        let columns = statement.column_count();
        let mut found = statement.query(rusqlite::params_from_iter(values))?;
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            rows.push(copied(row, columns)?);
        }
        Ok(rows)
    }

    /// Runs a statement that finds one row or none, and writes nothing, once for each set of values;
    /// it is looked up but once.
    pub(crate) fn find_each(
        &mut self,
        sql: &'static str,
        sets: &[Vec<Value<'_>>],
    ) -> Result<Vec<Option<Row>>> {
        let sql = self.translated(sql);
        let mut statement = self.raw.prepare_cached(&sql)?;
        if !statement.readonly() {
            return Err(Error::Refused("a look-up would write".into()));
        }
        let columns = statement.column_count();
        let mut find = |values: &Vec<Value<'_>>| {
            let mut found = statement.query(rusqlite::params_from_iter(values))?;
            found.next()?.map(|row| copied(row, columns)).transpose()
        };
        sets.iter().map(&mut find).collect()
    }

    /// Hands each row of an answer to `visit` as it lies there, without a copy.
    pub(crate) fn visit(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
        mut visit: impl FnMut(&rusqlite::Row<'_>) -> Result<()>,
    ) -> Result<()> {
        let sql = self.translated(sql);
        let mut statement = self.raw.prepare_cached(&sql)?;
        let mut found = statement.query(rusqlite::params_from_iter(values))?;
        while let Some(row) = found.next()? {
            visit(row)?;
        }
        Ok(())
    }

    /// Transaction control, which has no parameters and no dialect.
    pub(crate) fn control(&mut self, sql: &'static str) -> Result<()> {
        self.raw.prepare_cached(sql)?.execute([])?;
        Ok(())
    }

    fn translated(&mut self, sql: &'static str) -> Arc<str> {
        self.translated
            .entry((sql.as_ptr() as usize, sql.len()))
            .or_insert_with(|| translate(sql).into())
            .clone()
    }
}

fn copied(row: &rusqlite::Row<'_>, columns: usize) -> Result<Row> {
    let values = (0..columns).map(|at| row.get(at));
    Ok(Row::Sqlite(values.collect::<Result<_, _>>()?))
}

/// Begins the write-ahead log of a fresh file. Of several processes that do so at once all but one
/// are told at once that the file is busy, however patient the connection is otherwise.
#[expect(
    clippy::disallowed_methods,
    reason = "a file is opened on a thread that may wait, and SQLite has no event for this"
)]
fn enter_wal(raw: &rusqlite::Connection) -> Result<()> {
    let began = Instant::now();
    loop {
        match raw.pragma_update(None, "journal_mode", "wal") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && began.elapsed() < BUSY_TIMEOUT =>
            {
                std::thread::sleep(BUSY_TIMEOUT / 100);
            }
            entered => return Ok(entered?),
        }
    }
}

/// From PostgreSQL's dialect to SQLite's. Statements contain no text literals
/// with a dollar sign.
fn translate(sql: &str) -> String {
    sql.replace('$', "?").replace(" FOR UPDATE", "")
}

#[cfg(test)]
mod tests {
    use super::translate;

    #[test]
    fn parameters_are_numbered_and_locks_fall_away() {
        assert_eq!(
            translate("SELECT a FROM t WHERE b = $2 AND c = $1 FOR UPDATE"),
            "SELECT a FROM t WHERE b = ?2 AND c = ?1"
        );
    }
}
