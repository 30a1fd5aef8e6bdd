//! What the tests stand on: a database of their own, and units of work over a plain table.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bonafide_store::postgres::Target;
use bonafide_store::{Connections, Error, Lane, Location, Result, Store, Tx, Unit, Written};
use domain::audit::{Outcome, Record};
use domain::clock::Clock;
use jiff::Timestamp;
use tempfile::TempDir;
use test_support::Postgres;
use test_support::postgres::{TestDatabase, database_for_test};
use tokio_postgres::{NoTls, SimpleQueryMessage};
use uuid::Uuid;

/// Runs each of the named tests (`async fn name(ground: Ground)`) on both databases.
macro_rules! contract {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test] fn $name() {
                $crate::ground::run(async {
                    super::$name($crate::ground::Ground::sqlite().await).await;
                });
            })+
        }
        mod postgres {
            $(#[test] fn $name() {
                $crate::ground::run(async {
                    super::$name($crate::ground::Ground::postgres(stringify!($name)).await).await;
                });
            })+
        }
    };
}
pub(crate) use contract;

/// Runs a test on several threads, as the server runs.
pub fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(test);
}

/// Always the same time: nothing here depends on it.
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        now()
    }
}

/// The time of everything.
pub fn now() -> Timestamp {
    Timestamp::from_second(1_735_689_600).unwrap()
}

/// A database of its own, up to date, with a table `notes`.
pub struct Ground {
    location: Location,
    place: Place,
}

enum Place {
    Sqlite(TempDir),
    Postgres(TestDatabase),
    Server(Box<Postgres>, String),
}

impl Ground {
    /// A SQLite file.
    pub async fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(directory.path().join("store.db"));
        Self::prepared(location, Place::Sqlite(directory)).await
    }

    /// A database on the PostgreSQL server of the run.
    pub async fn postgres(name: &str) -> Self {
        let database = database_for_test(name).unwrap();
        let location = at(database.url());
        Self::prepared(location, Place::Postgres(database)).await
    }

    /// A PostgreSQL server of its own, to be stopped and frozen.
    pub async fn server() -> Self {
        let server = Postgres::start(test_support::postgres::Settings::Durable).unwrap();
        let url = server.fresh_database("store").unwrap();
        Self::prepared(at(&url), Place::Server(Box::new(server), url)).await
    }

    /// A SQLite file as far as `migrate` brings it, without `notes`.
    pub fn older_sqlite(migrate: impl FnOnce(&mut rusqlite::Connection)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("store.db");
        migrate(&mut rusqlite::Connection::open(&file).unwrap());
        Self {
            location: Location::Sqlite(file),
            place: Place::Sqlite(directory),
        }
    }

    /// A database on the PostgreSQL server of the run as far as `migrate` brings it, without
    /// `notes`.
    pub async fn older_postgres(
        name: &str,
        migrate: impl AsyncFnOnce(&mut tokio_postgres::Client),
    ) -> Self {
        let database = database_for_test(name).unwrap();
        let (mut client, connection) = tokio_postgres::connect(database.url(), NoTls)
            .await
            .unwrap();
        tokio::spawn(connection);
        migrate(&mut client).await;
        Self {
            location: at(database.url()),
            place: Place::Postgres(database),
        }
    }

    async fn prepared(location: Location, place: Place) -> Self {
        location.migrate().await.unwrap();
        let ground = Self { location, place };
        ground
            .sql("CREATE TABLE notes (id BIGINT NOT NULL, value BIGINT NOT NULL)")
            .await;
        ground
    }

    /// One instance's view of the database.
    pub async fn open(&self) -> Store {
        self.open_with(Connections::default()).await
    }

    /// The same, over so many connections.
    pub async fn open_with(&self, connections: Connections) -> Store {
        Store::open(&self.location, connections, Arc::new(Still))
            .await
            .unwrap()
    }

    /// Where it is.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// The server, where the test has one of its own.
    pub fn own_server(&mut self) -> &mut Postgres {
        match &mut self.place {
            Place::Server(server, _) => server,
            _ => panic!("the server is shared"),
        }
    }

    /// Whether this is PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        !matches!(self.place, Place::Sqlite(_))
    }

    /// The SQLite file.
    pub fn file(&self) -> PathBuf {
        match &self.place {
            Place::Sqlite(directory) => directory.path().join("store.db"),
            _ => panic!("PostgreSQL is no file"),
        }
    }

    /// Bytes, as they are written in a statement.
    pub fn blob(&self, bytes: &[u8]) -> String {
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        if self.is_postgres() {
            format!("'\\x{digits}'")
        } else {
            format!("x'{digits}'")
        }
    }

    /// A UUID, as it is written in a statement.
    pub fn uuid(&self, uuid: Uuid) -> String {
        if self.is_postgres() {
            format!("'{uuid}'")
        } else {
            self.blob(uuid.as_bytes())
        }
    }

    /// Runs statements past the store; returns the rows as text.
    pub async fn sql(&self, sql: &str) -> Vec<Vec<String>> {
        match &self.place {
            Place::Sqlite(_) => self.sqlite_sql(sql),
            Place::Postgres(database) => postgres_sql(database.url(), sql).await,
            Place::Server(_, url) => postgres_sql(url, sql).await,
        }
    }

    fn sqlite_sql(&self, sql: &str) -> Vec<Vec<String>> {
        let connection = rusqlite::Connection::open(self.file()).unwrap();
        let mut statement = connection.prepare(sql).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        let mut found = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            let values = (0..columns).map(|at| match row.get(at).unwrap() {
                rusqlite::types::Value::Integer(number) => number.to_string(),
                rusqlite::types::Value::Text(text) => text,
                _ => String::new(),
            });
            found.push(values.collect());
        }
        found
    }

    /// A connection of its own to PostgreSQL, past the store.
    pub async fn client(&self) -> tokio_postgres::Client {
        let url = match &self.place {
            Place::Postgres(database) => database.url(),
            Place::Server(_, url) => url,
            Place::Sqlite(_) => panic!("SQLite has no server"),
        };
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// A single number.
    pub async fn number(&self, sql: &str) -> i64 {
        self.sql(sql).await[0][0].parse().unwrap()
    }
}

fn at(url: &str) -> Location {
    Location::Postgres(Box::new(Target::parse(url, None).unwrap()))
}

/// Runs statements on any PostgreSQL database; returns the rows as text.
pub async fn postgres_sql(url: &str, sql: &str) -> Vec<Vec<String>> {
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

/// What a unit does, step by step.
#[derive(Clone)]
pub enum Step {
    /// Adds a note.
    Insert(i64, i64),
    /// Reads a note and writes it back, increased by one.
    Raise(i64),
    /// Adds a note whose value is the number of notes before it.
    Count(i64),
    /// A statement that the database refuses.
    Break,
    /// A mistake in the code of the unit.
    Panic,
    /// Another transaction came first, this many times.
    Conflict(Arc<AtomicUsize>),
}

/// A unit of work over `notes`.
pub struct Act {
    /// Its lane.
    pub lane: Lane,
    /// What it does.
    pub steps: Vec<Step>,
    /// The request that its audit record tells of; no record without one.
    pub request_id: Option<String>,
}

impl Act {
    /// Steps in the lane of a number, told of by a record.
    pub fn new(lane: i64, request_id: &str, steps: impl Into<Vec<Step>>) -> Self {
        Self {
            lane: Lane::of(&lane.to_be_bytes()),
            steps: steps.into(),
            request_id: Some(request_id.to_owned()),
        }
    }
}

impl Unit for Act {
    type Output = usize;

    fn lane(&self) -> Lane {
        self.lane
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> Result<Written<usize>> {
        for step in &self.steps {
            perform(step, tx).await?;
        }
        Ok(Written {
            output: self.steps.len(),
            records: self.request_id.as_deref().map(record).into_iter().collect(),
        })
    }
}

async fn perform(step: &Step, tx: &mut Tx<'_>) -> Result<()> {
    match step {
        Step::Insert(id, value) => {
            let sql = "INSERT INTO notes (id, value) VALUES ($1, $2)";
            tx.execute(sql, &[(*id).into(), (*value).into()]).await?;
        }
        Step::Raise(id) => {
            let sql = "SELECT value FROM notes WHERE id = $1 FOR UPDATE";
            let row = tx.find(sql, &[(*id).into()]).await?;
            let value = row.unwrap().int(0, "notes.value")?;
            let sql = "UPDATE notes SET value = $2 WHERE id = $1";
            tx.execute(sql, &[(*id).into(), (value + 1).into()]).await?;
        }
        Step::Count(id) => {
            let row = tx.find("SELECT COUNT(*) FROM notes", &[]).await?;
            let count = row.unwrap().int(0, "notes.count")?;
            let sql = "INSERT INTO notes (id, value) VALUES ($1, $2)";
            tx.execute(sql, &[(*id).into(), count.into()]).await?;
        }
        Step::Break => {
            tx.execute("INSERT INTO notes (id) VALUES (NULL)", &[])
                .await?;
        }
        Step::Panic => panic!("a mistake of the unit"),
        Step::Conflict(left) => {
            let none_left = |left: usize| left.checked_sub(1);
            if left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, none_left)
                .is_ok()
            {
                return Err(Error::Conflict("another transaction came first".into()));
            }
        }
    }
    Ok(())
}

/// A record of one request.
pub fn record(request_id: &str) -> Record {
    Record {
        at: now(),
        request_id: request_id.into(),
        company: "default".into(),
        credential: "command".into(),
        action: "note.write".into(),
        subject: None,
        outcome: Outcome {
            code: "ok".into(),
            status: 200,
        },
        latency: 1,
        occurrences: 1,
        data_key: None,
        client: None,
        detail: None,
    }
}
