//! A test's own database, and the look an operator (or a thief) has at it.

use std::path::PathBuf;

use store::Location;
use store::postgres::Target;
use tempfile::TempDir;
use test_support::postgres::{TestDatabase, database_for_test};
use tokio_postgres::{NoTls, SimpleQueryMessage};

use super::Engine;

/// An up-to-date database that vanishes with the test.
pub struct Database {
    location: Location,
    place: Place,
}

enum Place {
    Sqlite(TempDir),
    Postgres(TestDatabase),
}

/// The file in the temporary directory.
const FILE: &str = "bonafide.db";

impl Database {
    /// An empty database, migrated.
    pub async fn fresh(engine: Engine, name: &str) -> Self {
        let (location, place) = match engine {
            Engine::Sqlite => {
                let directory = tempfile::tempdir().unwrap();
                let location = Location::Sqlite(directory.path().join(FILE));
                (location, Place::Sqlite(directory))
            }
            Engine::Postgres => {
                let database = database_for_test(name).unwrap();
                let target = Target::parse(database.url(), None).unwrap();
                let location = Location::Postgres(Box::new(target));
                (location, Place::Postgres(database))
            }
        };
        location.migrate().await.unwrap();
        Self { location, place }
    }

    /// Where the store finds it.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// The URL as the configuration takes it.
    pub fn url(&self) -> String {
        match &self.place {
            Place::Sqlite(_) => format!("sqlite://{}", self.file().display()),
            Place::Postgres(database) => database.url().to_owned(),
        }
    }

    /// The bytes of SQLite's file and of its write-ahead log; nothing of PostgreSQL's.
    pub fn raw(&self) -> Vec<u8> {
        let Place::Sqlite(_) = &self.place else {
            return Vec::new();
        };
        let log = self.file().with_extension("db-wal");
        [self.file(), log]
            .iter()
            .flat_map(|path| std::fs::read(path).unwrap_or_default())
            .collect()
    }

    fn file(&self) -> PathBuf {
        match &self.place {
            Place::Sqlite(directory) => directory.path().join(FILE),
            Place::Postgres(_) => panic!("PostgreSQL is no file"),
        }
    }

    /// Runs statements from outside, as another program could; returns the rows, each value as
    /// text (bytes in hexadecimal, NULL as nothing).
    pub async fn sql(&self, sql: &str) -> Vec<Vec<String>> {
        match &self.place {
            Place::Sqlite(_) => self.sqlite(sql),
            Place::Postgres(database) => postgres(database.url(), sql).await,
        }
    }

    fn sqlite(&self, sql: &str) -> Vec<Vec<String>> {
        let connection = rusqlite::Connection::open(self.file()).unwrap();
        let mut statement = connection.prepare(sql).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        let mut found = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            let values = (0..columns).map(|at| text(row.get_ref(at).unwrap()));
            found.push(values.collect());
        }
        found
    }

    /// The names of all tables.
    pub async fn tables(&self) -> Vec<String> {
        let sql = match &self.place {
            Place::Sqlite(_) => "SELECT name FROM sqlite_master WHERE type = 'table'",
            Place::Postgres(_) => "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
        };
        self.sql(sql).await.into_iter().flatten().collect()
    }

    /// Every value of every table, as bytes, one after another: what a copy of the database shows.
    pub async fn dump(&self) -> Vec<u8> {
        let mut dump = Vec::new();
        for table in self.tables().await {
            for value in self
                .sql(&format!("SELECT * FROM {table}"))
                .await
                .into_iter()
                .flatten()
            {
                dump.extend_from_slice(value.as_bytes());
                dump.push(b'\n');
                let hex = value.trim_start_matches("\\x").to_uppercase();
                dump.extend(
                    data_encoding::HEXUPPER
                        .decode(hex.as_bytes())
                        .unwrap_or_default(),
                );
                dump.push(b'\n');
            }
        }
        dump
    }
}

/// A value as PostgreSQL would show it.
fn text(value: rusqlite::types::ValueRef<'_>) -> String {
    use rusqlite::types::ValueRef;
    match value {
        ValueRef::Null => String::new(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        ValueRef::Blob(bytes) => format!("\\x{}", data_encoding::HEXLOWER.encode(bytes)),
    }
}

async fn postgres(url: &str, sql: &str) -> Vec<Vec<String>> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let messages = client.simple_query(sql).await.unwrap();
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    rows.map(|row| {
        let values = (0..row.len()).map(|at| row.get(at).unwrap_or_default().to_owned());
        values.collect()
    })
    .collect()
}
