//! The look-ups behind every answer, each with the audit record that is made of what was found.
//!
//! Both are one visit to the writer. SQLite's keeps the pages at hand, where every commit empties
//! the cache of a reader. On PostgreSQL the keys that wait together go out as one set-based
//! statement, and their records with the commit: the more there are, the less each costs.

use std::sync::Arc;

use domain::audit::Record;

use crate::tables::age_customers;
use crate::tables::customers::{self, Found, Key, Wanted};
use crate::tables::verification_sessions;
use crate::{Engine, Error, Lane, Occupation, Result, Store, Tx, Unit, Written};

/// The name of a look-up, for whoever watches.
const FIND: &str = "store.find";

impl Store {
    /// A customer's standing, and the audit record of having asked, made of what was
    /// found; returns once the record is durable.
    ///
    /// # Errors
    /// Those of the database.
    pub fn find_customer<R>(
        &self,
        wanted: Wanted,
        record: R,
    ) -> impl Future<Output = Result<Option<Found>>> + Send
    where
        R: Fn(Option<&Found>) -> Record + Send + 'static,
    {
        self.look_up(wanted, move |found| Some(record(found)))
    }

    /// The standing of many customers by e-mail index, in the order of `keys`.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn find_customers(&self, keys: &[Key]) -> Result<Vec<Option<Found>>> {
        let _visit = self.watched.visit(FIND);
        let _busy = self.watched.begin(Occupation::Reading);
        match &self.engine {
            Engine::Sqlite { readers, .. } => {
                readers.read(|connection| customers::sqlite::by_emails(connection, keys))
            }
            Engine::Postgres { readers, .. } => {
                let keys: Arc<[Key]> = keys.into();
                readers
                    .read(|connection| {
                        let keys = keys.clone();
                        Box::pin(
                            async move { customers::postgres::by_emails(connection, &keys).await },
                        )
                    })
                    .await
            }
        }
    }

    /// A customer of the age surface, and the audit record that is made of what was found, if any;
    /// returns once the record is durable.
    ///
    /// # Errors
    /// Those of the database.
    pub fn find_age_customer<R>(
        &self,
        key: Key,
        record: R,
    ) -> impl Future<Output = Result<Option<age_customers::Found>>> + Send
    where
        R: Fn(Option<&age_customers::Found>) -> Option<Record> + Send + 'static,
    {
        self.look_up(AgeCustomer(key), record)
    }

    /// A session of number verification, and the audit record that is made of what was found;
    /// returns once the record is durable.
    ///
    /// # Errors
    /// Those of the database.
    pub fn find_session<R>(
        &self,
        key: verification_sessions::Key,
        record: R,
    ) -> impl Future<Output = Result<Option<verification_sessions::Found>>> + Send
    where
        R: Fn(Option<&verification_sessions::Found>) -> Record + Send + 'static,
    {
        self.look_up(key, move |found| Some(record(found)))
    }

    /// The same without a record: a look before something else is done, and recorded.
    ///
    /// # Errors
    /// Those of the database.
    pub fn look_at_session(
        &self,
        key: verification_sessions::Key,
    ) -> impl Future<Output = Result<Option<verification_sessions::Found>>> + Send {
        self.look_up(key, |_| None)
    }

    fn look_up<S, R>(
        &self,
        sought: S,
        record: R,
    ) -> impl Future<Output = Result<Option<S::Found>>> + Send
    where
        S: Sought,
        R: Fn(Option<&S::Found>) -> Option<Record> + Send + 'static,
    {
        let looked = self.submit(FIND, LookUp { sought, record }, Vec::new());
        async move {
            let looked = match looked.await {
                // Without a record it tells nothing of whether writing works.
                Ok(looked) if !looked.recorded => Ok(looked),
                outcome => self.writing.note(outcome),
            };
            looked?.found
        }
    }
}

/// What can be looked up.
trait Sought: Send + 'static {
    type Found: Send + 'static;

    fn find(&self, tx: &mut Tx<'_>) -> impl Future<Output = Result<Option<Self::Found>>> + Send;
}

impl Sought for Wanted {
    type Found = Found;

    async fn find(&self, tx: &mut Tx<'_>) -> Result<Option<Found>> {
        customers::find(tx, self).await
    }
}

/// A customer of the age surface.
struct AgeCustomer(Key);

impl Sought for AgeCustomer {
    type Found = age_customers::Found;

    async fn find(&self, tx: &mut Tx<'_>) -> Result<Option<age_customers::Found>> {
        age_customers::find(tx, &self.0).await
    }
}

impl Sought for verification_sessions::Key {
    type Found = verification_sessions::Found;

    async fn find(&self, tx: &mut Tx<'_>) -> Result<Option<verification_sessions::Found>> {
        verification_sessions::find(tx, self).await
    }
}

/// A look-up, with the record that is made of what was found, if any.
struct LookUp<S, R> {
    sought: S,
    record: R,
}

/// What a look-up found, or that it cannot be read, and whether a record tells of it.
struct Looked<T> {
    found: Result<Option<T>>,
    recorded: bool,
}

impl<S, R> Unit for LookUp<S, R>
where
    S: Sought,
    R: Fn(Option<&S::Found>) -> Option<Record> + Send + 'static,
{
    type Output = Looked<S::Found>;

    const LOOKS: bool = true;

    /// None is asked for: it is handed in without.
    fn lane(&self) -> Lane {
        Lane::of(&[])
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> Result<Written<Self::Output>> {
        let (found, record) = match self.sought.find(tx).await {
            Ok(found) => {
                let record = (self.record)(found.as_ref());
                (Ok(found), record)
            }
            // Whoever is beside it is not to be undone because a row cannot be read.
            Err(error @ Error::Corrupt { .. }) => (Err(error), None),
            Err(error) => return Err(error),
        };
        let recorded = record.is_some();
        Ok(Written {
            output: Looked { found, recorded },
            records: record.into_iter().collect(),
        })
    }
}
