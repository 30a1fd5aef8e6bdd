//! Ways to change the tables of the log behind its back, and to put everything back.

use std::fmt::Write as _;

use crate::harness::{Engine, TestApp};

/// How a column's values are written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Integer,
    /// Of the place itself: changed so far that it meets no other place.
    Place,
    Text,
    Bytes,
    Uuid,
}
pub use Kind::{Bytes, Integer, Place, Text, Uuid};

/// A row by the columns of its key, with the values as they are written.
#[derive(Clone)]
pub struct Row {
    pub table: &'static str,
    pub key: Vec<(&'static str, String)>,
}

impl Row {
    pub fn condition(&self) -> String {
        let mut condition = String::from("1 = 1");
        for (column, value) in &self.key {
            write!(condition, " AND {column} = {value}").unwrap();
        }
        condition
    }

    /// Its place as faults name it.
    pub fn name(&self) -> String {
        let numbers: Vec<&str> = self.key.iter().map(|(_, value)| value.as_str()).collect();
        numbers.join(".")
    }
}

/// One changed value.
pub struct Change {
    row: Row,
    column: &'static str,
    before: String,
    after: String,
}

impl Change {
    /// Flips one byte; which one depends on `number`.
    pub async fn plan(
        app: &TestApp,
        row: &Row,
        (column, kind): (&'static str, Kind),
        number: usize,
    ) -> Self {
        let sql = format!(
            "SELECT {column} FROM {} WHERE {}",
            row.table,
            row.condition()
        );
        let stored = app.database().sql(&sql).await.remove(0).remove(0);
        let (before, after) = match kind {
            Integer | Place => {
                let value: i64 = stored.parse().unwrap();
                let bit = match kind {
                    Place => 40,
                    _ => [0, 9, 33, 62][number % 4],
                };
                (value.to_string(), (value ^ (1 << bit)).to_string())
            }
            Text if stored.is_empty() => ("''".to_owned(), "'X'".to_owned()),
            Text => {
                let mut changed = stored.clone().into_bytes();
                let at = number % changed.len();
                changed[at] = if changed[at] == b'X' { b'Y' } else { b'X' };
                let changed = String::from_utf8(changed).unwrap();
                (format!("'{stored}'"), format!("'{changed}'"))
            }
            Bytes | Uuid if stored.is_empty() => {
                let length = if kind == Uuid { 16 } else { 32 };
                let some = literal(app, kind, &vec![9; length]);
                ("NULL".to_owned(), some)
            }
            Bytes | Uuid => {
                let hex = stored.trim_start_matches("\\x").replace('-', "");
                let bytes = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
                let mut changed = bytes.clone();
                let at = (number * 7) % changed.len();
                changed[at] ^= 1 << (number % 8);
                (literal(app, kind, &bytes), literal(app, kind, &changed))
            }
        };
        Self {
            row: row.clone(),
            column,
            before,
            after,
        }
    }

    pub async fn make(&self, app: &TestApp) {
        self.set(app, &self.row, &self.after).await;
    }

    pub async fn undo(&self, app: &TestApp) {
        let mut row = self.row.clone();
        for (column, value) in &mut row.key {
            if *column == self.column {
                value.clone_from(&self.after);
            }
        }
        self.set(app, &row, &self.before).await;
    }

    async fn set(&self, app: &TestApp, row: &Row, value: &str) {
        let (table, column) = (row.table, self.column);
        let condition = row.condition();
        let sql = format!("UPDATE {table} SET {column} = {value} WHERE {condition}");
        app.database().sql(&sql).await;
    }
}

/// Bytes as a statement writes them.
pub fn literal(app: &TestApp, kind: Kind, bytes: &[u8]) -> String {
    let hex = data_encoding::HEXLOWER.encode(bytes);
    match (app.engine(), kind) {
        (Engine::Sqlite, _) => format!("x'{hex}'"),
        (Engine::Postgres, Uuid) => format!("'{hex}'"),
        (Engine::Postgres, _) => format!("'\\x{hex}'"),
    }
}

/// So many rows of a table, spread over the whole of it.
pub async fn rows(
    app: &TestApp,
    table: &'static str,
    key: &[&'static str],
    count: usize,
) -> Vec<Row> {
    let columns = key.join(", ");
    let sql = format!("SELECT {columns} FROM {table} ORDER BY {columns}");
    let all = app.database().sql(&sql).await;
    let step = (all.len() / count).max(1);
    let uuid = |value: &String| {
        let hex = value.trim_start_matches("\\x").replace('-', "");
        let bytes = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
        literal(app, Uuid, &bytes)
    };
    let row = |values: &Vec<String>| Row {
        table,
        key: key
            .iter()
            .zip(values)
            .map(|(column, value)| match *column {
                "id" => (*column, uuid(value)),
                _ => (*column, value.clone()),
            })
            .collect(),
    };
    all.iter().step_by(step).map(row).collect()
}

/// The tables of the log as they are now.
pub struct Saved;

/// The tables of the log.
pub const TABLES: [&str; 4] = [
    "audit_records",
    "audit_batches",
    "audit_checkpoints",
    "signing_keys",
];

impl Saved {
    /// Keeps a copy of each.
    pub async fn save(app: &TestApp) -> Self {
        for table in TABLES {
            let sql = format!("CREATE TABLE saved_{table} AS SELECT * FROM {table}");
            app.database().sql(&sql).await;
        }
        Self
    }

    /// Puts everything back.
    pub async fn restore(&self, app: &TestApp) {
        for table in TABLES {
            app.database().sql(&format!("DELETE FROM {table}")).await;
            let sql = format!("INSERT INTO {table} SELECT * FROM saved_{table}");
            app.database().sql(&sql).await;
        }
    }

    /// What is found when these statements were run.
    pub async fn faults_after(&self, app: &TestApp, statements: &[String]) -> Vec<String> {
        for sql in statements {
            app.database().sql(sql).await;
        }
        let faults = app.audit_faults().await;
        self.restore(app).await;
        faults
    }
}
