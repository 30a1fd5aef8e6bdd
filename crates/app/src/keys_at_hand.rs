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

use crate::Result;

/// Days whose callers' keys are kept at hand.
const DAYS: i64 = 3;

/// What a key is for, and on which day (0 where days do not matter).
type Kind = (Purpose, i64);

/// The keys in memory.
pub struct KeysAtHand {
    store: Arc<Store>,
    ring: Arc<KeyRing>,
    random: Arc<dyn Random>,
    keys: RwLock<HashMap<Kind, HashMap<String, Arc<DataKey>>>>,
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
        self.get((Purpose::Callers, day), company, at).await
    }

    /// The key of a company's own secrets.
    ///
    /// # Errors
    /// When it must be made or fetched and the database is away.
    pub async fn of_company(&self, company: &str, at: Timestamp) -> Result<Arc<DataKey>> {
        self.get((Purpose::Company, 0), company, at).await
    }

    async fn get(&self, kind: Kind, company: &str, now: Timestamp) -> Result<Arc<DataKey>> {
        let known = {
            let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
            keys.get(&kind).and_then(|keys| keys.get(company)).cloned()
        };
        match known {
            Some(key) => Ok(key),
            // Boxed: every request would have room for what hardly any needs.
            None => Box::pin(self.fetch(kind, company, now)).await,
        }
    }

    async fn fetch(&self, kind: Kind, company: &str, now: Timestamp) -> Result<Arc<DataKey>> {
        let random = self.random.as_ref();
        let fresh = DataKey::generate(uuid_v7(now, random), random)?;
        let wrapped = self.ring.wrap(&fresh, random)?;
        let claim = Claim {
            kind,
            company: company.to_owned(),
            wrapped,
            now,
        };
        let stored = self.store.write(claim).await?;
        let key = Arc::new(self.ring.unwrap(&stored)?);
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.retain(|(purpose, day), _| *purpose != Purpose::Callers || *day + DAYS > kind.1);
        keys.entry(kind)
            .or_default()
            .insert(company.to_owned(), key.clone());
        Ok(key)
    }
}

/// Makes the key of a name, or finds the one that is there.
struct Claim {
    kind: Kind,
    company: String,
    wrapped: WrappedKey,
    now: Timestamp,
}

impl Unit for Claim {
    type Output = WrappedKey;

    fn lane(&self) -> Lane {
        Lane::of(self.company.as_bytes())
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<WrappedKey>> {
        let ((purpose, day), company) = (self.kind, &self.company);
        let label = day.to_string();
        let output = match data_keys::find(tx, company, purpose, &label).await? {
            Some(key) => key,
            None => {
                let first =
                    data_keys::insert(tx, company, purpose, Some(&label), &self.wrapped, self.now)
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
