//! Bonafide's records in SQLite or PostgreSQL, behind one [`Store`].
//!
//! Guarantees:
//! - a [`Unit`] of work is committed whole, with its audit records, or not at all;
//! - an answer of [`Store::write`] or [`Store::append`] means *durable*;
//! - busy, locked, disconnected and conflicting transactions are tried again here,
//!   for as long as a caller has patience (2 s), and by nobody else;
//! - no statement crosses from one company to another.
//!
//! It knows no HTTP and no rule of business.

mod connections;
mod error;
pub mod inspect;
mod ledger;
mod look;
mod look_ups;
mod migrate;
pub mod postgres;
mod readable;
mod row;
pub mod sqlite;
pub mod tables;
mod tx;
mod value;
mod watch;
mod work;
mod writing;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::audit::Record;
use domain::clock::Clock;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

pub use error::{Error, Result};
pub use readable::{Readable, Spoilt};
pub use row::Row;
pub use tx::Tx;
pub use value::Value;
pub use watch::{Occupation, StoreWatch};
pub use work::{Lane, Unit, Written};

use watch::Watched;
use work::Work;
use writing::Writing;

/// How long a caller waits for a database that is away.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// Works that may wait for one writer; beyond that it is hopelessly behind.
const QUEUE: usize = 16_384;

pub(crate) type StoreClock = Arc<dyn Clock>;

/// Which database.
#[derive(Clone)]
pub enum Location {
    /// A SQLite file; created when it is missing.
    Sqlite(PathBuf),
    /// A PostgreSQL server.
    Postgres(Box<postgres::Target>),
}

/// How many connections a store keeps.
#[derive(Debug, Clone, Copy)]
pub struct Connections {
    /// For reading; SQLite has two at least.
    pub readers: usize,
    /// For writing, and for the look-ups that are recorded; SQLite has one whatever is said here.
    pub writers: usize,
}

impl Default for Connections {
    /// A second reader works beside one that takes its time, a second writer while the first waits for
    /// the disk.
    fn default() -> Self {
        Self {
            readers: 2,
            writers: 2,
        }
    }
}

/// The open database.
pub struct Store {
    engine: Engine,
    writing: Writing,
    watched: Watched,
}

enum Engine {
    Sqlite {
        readers: sqlite::Readers,
        writer: mpsc::Sender<Work>,
        thread: std::thread::JoinHandle<()>,
        checkpointer: sqlite::Checkpointer,
    },
    Postgres {
        readers: postgres::Readers,
        writers: postgres::Writers,
        tasks: Vec<tokio::task::JoinHandle<()>>,
    },
}

impl Location {
    /// Brings the database up to date; returns how many migrations were applied.
    /// Safe to call from many instances at once.
    ///
    /// # Errors
    /// When the database cannot be reached or refuses.
    pub async fn migrate(&self) -> Result<usize> {
        match self {
            Self::Sqlite(path) => {
                let path = path.clone();
                in_background(move || migrate::sqlite(&mut sqlite::Connection::open(&path)?)).await
            }
            Self::Postgres(target) => {
                migrate::postgres(&mut postgres::Connection::open(target).await?).await
            }
        }
    }
}

impl Location {
    /// Compares the database with this program's migrations, and changes nothing.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub async fn migrations(&self) -> Result<inspect::Migrations> {
        match self {
            Self::Sqlite(path) => {
                let path = path.clone();
                in_background(move || migrate::look_at_sqlite(&path)).await
            }
            Self::Postgres(target) => {
                migrate::look_at_postgres(&postgres::Connection::open(target).await?).await
            }
        }
    }
}

impl Location {
    /// Copies an SQLite database, as it stands at one moment, into a new file that its owner alone can
    /// read, while others go on writing; returns its size in bytes, once it is on the disk. An erasure waits
    /// for it a while.
    ///
    /// # Errors
    /// When there is no database, or a file of that name already, or no room for it. PostgreSQL has
    /// tools of its own for that, and refuses.
    pub async fn copy_to(&self, file: PathBuf) -> Result<u64> {
        match self {
            Self::Sqlite(path) => {
                let path = path.clone();
                in_background(move || sqlite::copy(&path, &file)).await
            }
            Self::Postgres(_) => Err(Error::Refused("PostgreSQL is copied by pg_dump".into())),
        }
    }
}

impl Store {
    /// Opens a database that is up to date. PostgreSQL is connected to when it is
    /// first needed.
    ///
    /// # Errors
    /// When the SQLite file cannot be opened.
    pub async fn open(
        location: &Location,
        connections: Connections,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let watched = Watched::default();
        let engine = match location {
            Location::Sqlite(path) => {
                let (path, watched) = (path.clone(), watched.clone());
                in_background(move || open_sqlite(&path, connections, clock, watched)).await?
            }
            Location::Postgres(target) => open_postgres(target, connections, &clock, &watched),
        };
        Ok(Self {
            engine,
            writing: Writing::new(Instant::now()),
            watched,
        })
    }

    /// Lets somebody watch how the store fares, from now on and until the end; only the first is
    /// heard.
    pub fn watch(&self, watch: impl StoreWatch + 'static) {
        self.watched.watch(Box::new(watch));
    }

    /// Runs a unit of work, which stands in line from now on, and returns its output once it is
    /// durable.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the database was away for longer than a
    /// caller's patience; what the unit itself answered otherwise.
    pub fn write<U: Unit>(&self, unit: U) -> impl Future<Output = Result<U::Output>> + Send {
        let mut lanes = vec![unit.lane()];
        lanes.extend(unit.other_lanes());
        let (unit, answer) = work::pending(unit);
        let since = Instant::now();
        let work = Work::Unit { lanes, since, unit };
        let written = self.submit("store.write", work, answer);
        async move { self.writing.note(written.await) }
    }

    /// Hands work to a writer. Who waits for its answer does not carry the work along.
    fn submit<T: Send>(
        &self,
        visit: &'static str,
        work: Work,
        answer: oneshot::Receiver<Result<T>>,
    ) -> impl Future<Output = Result<T>> + Send {
        let visit = self.watched.visit(visit);
        let sent = self.send(work);
        async move {
            let _visit = visit;
            match sent {
                Ok(()) => answered(answer).await,
                Err(error) => Err(error),
            }
        }
    }

    /// Appends an audit record of its own, which stands in line from now on, and returns once it is
    /// durable.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it could not be written in time.
    pub fn append(&self, record: Record) -> impl Future<Output = Result<()>> + Send {
        let (reply, answer) = oneshot::channel();
        let work = Work::Record {
            since: Instant::now(),
            record: Box::new(record),
            reply,
        };
        let appended = self.submit("store.append", work, answer);
        async move {
            let appended = appended.await;
            match &appended {
                Ok(()) => self.writing.succeeded(),
                // Whatever it is: a log that takes no record answers nobody.
                Err(_) => self.writing.failed(Instant::now()),
            }
            appended
        }
    }

    /// Tells whoever watches the audit log of a record that could not even be made.
    pub fn note_lost_record(&self) {
        self.watched.lost();
    }

    /// Tells the log, and whoever watches, of rows that cannot be read and were put aside.
    pub fn note_spoilt(&self, rows: &[Spoilt]) {
        for Spoilt { table, id, problem } in rows {
            tracing::error!(table, %id, %problem, "a row cannot be read and is put aside");
            self.watched.spoilt(table);
        }
    }

    /// Whether the newest write failed, less than `within` ago, for want of the
    /// database or of the audit log.
    pub fn writes_fail(&self, within: Duration) -> bool {
        self.writing.fails(within, Instant::now())
    }

    /// Runs a read that may take its time, outside any transaction.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn read<T, F>(&self, read: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> Fn(Tx<'t>) -> BoxFuture<'t, Result<T>> + Send + Sync + 'static,
    {
        let _visit = self.watched.visit("store.read");
        match &self.engine {
            Engine::Sqlite { readers, .. } => {
                let (readers, watched) = (readers.clone(), self.watched.clone());
                in_background(move || {
                    let _busy = watched.begin(Occupation::Reading);
                    readers.read(|connection| ready(read(Tx::Sqlite(connection))))
                })
                .await
            }
            Engine::Postgres { readers, .. } => {
                let _busy = self.watched.begin(Occupation::Reading);
                readers
                    .read(|connection| read(Tx::Postgres(postgres::Shared::alone(connection))))
                    .await
            }
        }
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// Why not.
    pub async fn ping(&self) -> Result<()> {
        self.read(|mut tx| Box::pin(async move { tx.query("SELECT 1", &[]).await.map(drop) }))
            .await
    }

    /// Has what was destroyed vanish from the write-ahead log of SQLite too; `false` when somebody read
    /// or wrote for so long that it is left there until the log begins anew. PostgreSQL keeps a log of
    /// its own, and the versions of rows until they are vacuumed.
    pub async fn empty_log(&self) -> bool {
        match &self.engine {
            Engine::Sqlite { checkpointer, .. } => checkpointer.empty().await,
            Engine::Postgres { .. } => true,
        }
    }

    /// `sqlite` or `postgres`.
    pub fn engine(&self) -> &'static str {
        match &self.engine {
            Engine::Sqlite { .. } => "sqlite",
            Engine::Postgres { .. } => "postgres",
        }
    }

    /// Whether units of different lanes may run beside each other. Otherwise each sees all that was
    /// done before it, and lanes that are not known beforehand need not be found out.
    pub fn runs_units_side_by_side(&self) -> bool {
        matches!(self.engine, Engine::Postgres { .. })
    }

    /// Commits everything that waits and closes the database.
    pub async fn close(self) {
        match self.engine {
            Engine::Sqlite {
                writer,
                thread,
                readers,
                checkpointer,
            } => {
                drop((writer, readers));
                let ended = move || {
                    let ended = thread.join();
                    drop(checkpointer);
                    ended
                };
                if tokio::task::spawn_blocking(ended).await.is_err() {
                    tracing::warn!("the writer thread did not end in order");
                }
            }
            Engine::Postgres { writers, tasks, .. } => {
                drop(writers);
                for task in tasks {
                    if task.await.is_err() {
                        tracing::warn!("a writer did not end in order");
                    }
                }
            }
        }
    }

    fn send(&self, work: Work) -> Result<()> {
        match &self.engine {
            Engine::Sqlite { writer, .. } => writer
                .try_send(work)
                .map_err(|refused| self.refused(&refused.into_inner())),
            Engine::Postgres { writers, .. } => {
                writers.send(work).map_err(|work| self.refused(&work))
            }
        }
    }

    fn refused(&self, work: &Work) -> Error {
        self.watched.failed(work);
        Error::Unavailable("too many writes are waiting".into())
    }
}

fn open_sqlite(
    path: &std::path::Path,
    connections: Connections,
    clock: StoreClock,
    watched: Watched,
) -> Result<Engine> {
    let mut writing = sqlite::Connection::open(path)?;
    if let Err(cause) = sqlite::statistics::tell(writing.raw()) {
        // It works without, only slower; the next to open it tries again.
        tracing::warn!(%cause, "SQLite could not be told how large its tables get");
    }
    let readers = sqlite::Readers::open(path, connections.readers.max(2))?;
    let (writer, queue) = mpsc::channel(QUEUE);
    let turnstile = sqlite::Turnstile::before(path);
    let log_end = sqlite::LogEnd::default();
    let thread = sqlite::start_writer(writing, turnstile, queue, clock, watched, log_end.clone())?;
    Ok(Engine::Sqlite {
        readers,
        writer,
        thread,
        checkpointer: sqlite::Checkpointer::start(path, log_end)?,
    })
}

fn open_postgres(
    target: &postgres::Target,
    connections: Connections,
    clock: &StoreClock,
    watched: &Watched,
) -> Engine {
    let (writers, tasks) = postgres::start_writers(target, connections.writers, clock, watched);
    Engine::Postgres {
        readers: postgres::Readers::new(target, connections.readers),
        writers,
        tasks,
    }
}

/// The writers give up in time, for all that wait together: no timer here.
async fn answered<T>(answer: oneshot::Receiver<Result<T>>) -> Result<T> {
    answer
        .await
        .map_err(|_| Error::Unavailable("the writer has stopped".into()))?
}

fn ready<T>(future: BoxFuture<'_, Result<T>>) -> Result<T> {
    use futures_util::FutureExt as _;
    future
        .now_or_never()
        .unwrap_or_else(|| Err(Error::Refused("a read waited inside SQLite".into())))
}

async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| Error::Unavailable("a background thread ended early".into()))?
}
