//! Data keys that are needed all the time, kept unwrapped in memory.
//!
//! Two kinds: the *callers'* key of a company and day, under which the audit log
//! seals addresses and user agents, and the company's own key. Each is made when
//! it is first needed; whoever is second takes the first one's.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use domain::random::{Random, uuid_v7};
use domain::seal::{DataKey, KeyRing, WrappedKey};
use jiff::Timestamp;
use store::tables::data_keys::{self, Purpose};
use store::{Lane, Store, Tx, Unit, Written};

use crate::{Error, Result};

/// Keys at hand; beyond this many the older days are dropped.
const KEPT: usize = 10_000;

type Name = (String, Purpose, i64);

/// The keys in memory.
pub struct KeysAtHand {
    store: Arc<Store>,
    ring: Arc<KeyRing>,
    random: Arc<dyn Random>,
    keys: RwLock<HashMap<Name, Arc<DataKey>>>,
}

impl KeysAtHand {
    /// None yet.
    pub fn new(store: Arc<Store>, ring: Arc<KeyRing>, random: Arc<dyn Random>) -> Self {
        Self {
            store,
            ring,
            random,
            keys: RwLock::default(),
        }
    }

    /// The key that seals the callers of `company` (empty: of nobody's requests)
    /// on the day of `at`, in UTC.
    ///
    /// # Errors
    /// When it must be made or fetched and the database is away.
    pub async fn of_callers(&self, company: &str, at: Timestamp) -> Result<Arc<DataKey>> {
        let day = at.as_second().div_euclid(86_400);
        self.get((company.to_owned(), Purpose::Callers, day), at)
            .await
    }

    /// The key of a company's own secrets.
    ///
    /// # Errors
    /// When it must be made or fetched and the database is away.
    pub async fn of_company(&self, company: &str, at: Timestamp) -> Result<Arc<DataKey>> {
        self.get((company.to_owned(), Purpose::Company, 0), at)
            .await
    }

    async fn get(&self, name: Name, now: Timestamp) -> Result<Arc<DataKey>> {
        let known = self
            .keys
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&name)
            .cloned();
        match known {
            Some(key) => Ok(key),
            None => self.fetch(name, now).await,
        }
    }

    async fn fetch(&self, name: Name, now: Timestamp) -> Result<Arc<DataKey>> {
        let fresh = DataKey::generate(uuid_v7(now, self.random.as_ref()), self.random.as_ref())?;
        let wrapped = self.ring.wrap(&fresh, self.random.as_ref())?;
        let stored = self
            .store
            .write(Claim {
                name: name.clone(),
                wrapped,
                now,
            })
            .await?;
        let key = Arc::new(self.ring.unwrap(&stored).map_err(Error::internal)?);
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= KEPT {
            keys.retain(|(_, purpose, day), _| *purpose != Purpose::Callers || *day >= name.2);
        }
        keys.insert(name, key.clone());
        Ok(key)
    }
}

/// Makes the key of a name, or finds the one that is there.
struct Claim {
    name: Name,
    wrapped: WrappedKey,
    now: Timestamp,
}

impl Unit for Claim {
    type Output = WrappedKey;

    fn lane(&self) -> Lane {
        Lane::of(self.name.0.as_bytes())
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<WrappedKey>> {
        let (company, purpose, day) = &self.name;
        let label = day.to_string();
        let output = match data_keys::find(tx, company, *purpose, &label).await? {
            Some(key) => key,
            None => {
                let first =
                    data_keys::insert(tx, company, *purpose, Some(&label), &self.wrapped, self.now)
                        .await?;
                if !first {
                    return Err(store::Error::Conflict("data key made elsewhere".into()));
                }
                self.wrapped.clone()
            }
        };
        Ok(Written {
            output,
            records: Vec::new(),
        })
    }
}
