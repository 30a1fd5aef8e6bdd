//! The look-ups behind every answer, each in the way that costs its engine least.

use std::sync::Arc;

use domain::audit::Record;

use crate::tables::age_customers;
use crate::tables::customers::{self, Found, Key, Wanted};
use crate::tables::verification_sessions;
use crate::work::LookUp;
use crate::{Engine, Occupation, Result, Store, sqlite};

/// The name of a look-up, for whoever watches.
const FIND: &str = "store.find";

impl Store {
    /// A customer's standing, and the audit record of having asked, made of what was
    /// found; returns once the record is durable.
    ///
    /// On SQLite both are one visit to the writer, whose cache its own commits leave
    /// alone: a reader's is emptied by each of them.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn find_customer<R>(&self, wanted: Wanted, record: R) -> Result<Option<Found>>
    where
        R: Fn(Option<&Found>) -> Record + Send + 'static,
    {
        let found = match &self.engine {
            Engine::Sqlite { .. } => {
                let read = move |connection: &mut sqlite::Connection| {
                    customers::sqlite::find(connection, &wanted)
                };
                let record = move |found: &Option<Found>| Some(record(found.as_ref()));
                return self.write(LookUp { read, record }).await;
            }
            Engine::Postgres {
                by_email, by_phone, ..
            } => {
                let _visit = self.watched.visit(FIND);
                match (wanted.by_email, wanted.by_phone) {
                    (Some(email), phone) => match (by_email.find(email).await?, phone) {
                        (None, Some(phone)) => by_phone.find(phone).await?,
                        (found, _) => found,
                    },
                    (None, Some(phone)) => by_phone.find(phone).await?,
                    (None, None) => None,
                }
            }
        };
        self.append(record(found.as_ref())).await?;
        Ok(found)
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
            Engine::Postgres { link, .. } => {
                let keys: Arc<[Key]> = keys.into();
                link.read(|connection| {
                    let keys = keys.clone();
                    Box::pin(async move { customers::postgres::by_email(connection, &keys).await })
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
    pub async fn find_age_customer<R>(
        &self,
        key: Key,
        record: R,
    ) -> Result<Option<age_customers::Found>>
    where
        R: Fn(Option<&age_customers::Found>) -> Option<Record> + Send + 'static,
    {
        let found = match &self.engine {
            Engine::Sqlite { .. } => {
                let read = move |connection: &mut sqlite::Connection| {
                    age_customers::sqlite::find(connection, &key)
                };
                let record = move |found: &Option<age_customers::Found>| record(found.as_ref());
                return self.write(LookUp { read, record }).await;
            }
            Engine::Postgres {
                age_customers: by_index,
                ..
            } => {
                let _visit = self.watched.visit(FIND);
                by_index.find(key).await?
            }
        };
        if let Some(record) = record(found.as_ref()) {
            self.append(record).await?;
        }
        Ok(found)
    }

    /// A session of number verification, and the audit record that is made of what was found;
    /// returns once the record is durable.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn find_session<R>(
        &self,
        key: verification_sessions::Key,
        record: R,
    ) -> Result<Option<verification_sessions::Found>>
    where
        R: Fn(Option<&verification_sessions::Found>) -> Record + Send + 'static,
    {
        if let Engine::Sqlite { .. } = &self.engine {
            let read = move |connection: &mut sqlite::Connection| {
                verification_sessions::sqlite::find(connection, &key)
            };
            let record =
                move |found: &Option<verification_sessions::Found>| Some(record(found.as_ref()));
            return self.write(LookUp { read, record }).await;
        }
        let found = self.look_at_session(key).await?;
        self.append(record(found.as_ref())).await?;
        Ok(found)
    }

    /// The same without a record: a look before something else is done, and recorded.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn look_at_session(
        &self,
        key: verification_sessions::Key,
    ) -> Result<Option<verification_sessions::Found>> {
        match &self.engine {
            Engine::Sqlite { .. } => {
                let read = move |connection: &mut sqlite::Connection| {
                    verification_sessions::sqlite::find(connection, &key)
                };
                let record = |_: &Option<verification_sessions::Found>| None;
                self.write(LookUp { read, record }).await
            }
            Engine::Postgres { sessions, .. } => {
                let _visit = self.watched.visit(FIND);
                sessions.find(key).await
            }
        }
    }
}
