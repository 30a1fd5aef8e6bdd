//! The look-ups behind every answer, each with the audit record that is made of what was found.
//!
//! Both are one visit to the writer. SQLite's keeps the pages at hand, where every commit empties
//! the cache of a reader. What waits together is looked up together, on PostgreSQL by one set-based
//! statement, and the records go with the commit: the more there are, the less each costs.

use std::sync::Arc;
use std::time::Instant;

use domain::audit::Record;

use crate::look::{self, Sought};
use crate::tables::age_customers;
use crate::tables::customers::{self, Found, Key, Wanted};
use crate::tables::verification_sessions;
use crate::work::Work;
use crate::{Engine, Occupation, Result, Store};

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
        self.look_up(age_customers::Wanted(key), record)
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

    /// Hands a look-up to a writer.
    fn look_up<S, R>(
        &self,
        sought: S,
        record: R,
    ) -> impl Future<Output = Result<Option<S::Found>>> + Send
    where
        S: Sought,
        R: Fn(Option<&S::Found>) -> Option<Record> + Send + 'static,
    {
        let (look, answer) = look::look_up(sought, record);
        let since = Instant::now();
        let looked = self.submit(FIND, Work::Look { since, look }, answer);
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
