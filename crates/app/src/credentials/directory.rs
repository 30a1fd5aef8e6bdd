//! Companies and keys in memory.
//!
//! Authentication asks no database. The directory is refreshed a few times a
//! second with whatever changed since the revision it knows, and at once by the
//! instance that made a change: a key that is revoked anywhere is dead everywhere
//! within a second. A key that is not known is looked for once more before it is
//! refused, so that a key made anywhere is good everywhere at once; while the database is
//! away, nobody can say whether it exists.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use domain::access::{ApiKey, CompanyId, Credential, KeyId, Principal, Scope, Scopes};
use domain::seal::IndexKey;
use domain::secret_hash::SecretHash;
use jiff::Timestamp;
use store::tables::api_keys::{self, ApiKeyRow};
use store::tables::change_counter;
use store::tables::companies::{self, Company};
use store::{PATIENCE, Store};

use super::together::Together;
use super::{Caller, KeyLimits};
use crate::limits;
use crate::{Error, Result};

/// The least time between two looks for keys that are not known: whoever makes keys
/// up costs the database no more than twenty small queries a second.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// Why a credential is not accepted. The reasons are for the audit log; callers
/// learn only that it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There was none.
    Missing,
    /// Neither a key of ours nor a token.
    Malformed,
    /// Two different ones, so that it is not clear who calls.
    Ambiguous,
    /// No key of that id, or its secret is another.
    Unknown,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
    /// Its company is switched off, or there is none of that name.
    InactiveCompany,
    /// A token whose signature or claims do not hold.
    BadToken,
    /// A token whose time is over.
    ExpiredToken,
}

impl Refusal {
    /// All reasons.
    pub const ALL: [Self; 9] = [
        Self::Missing,
        Self::Malformed,
        Self::Ambiguous,
        Self::Unknown,
        Self::Expired,
        Self::Revoked,
        Self::InactiveCompany,
        Self::BadToken,
        Self::ExpiredToken,
    ];

    /// For the audit log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "no credential",
            Self::Malformed => "malformed credential",
            Self::Ambiguous => "two different credentials",
            Self::Unknown => "unknown key",
            Self::Expired => "expired key",
            Self::Revoked => "revoked key",
            Self::InactiveCompany => "inactive company",
            Self::BadToken => "bad token",
            Self::ExpiredToken => "expired token",
        }
    }
}

/// What a token says, once its signature and its times have been checked.
#[derive(Debug, Clone)]
pub struct Claims {
    /// `sub`.
    pub subject: String,
    /// `company`; `default` when absent.
    pub company: Option<String>,
    /// `scope`.
    pub scope: Option<String>,
    /// `role`.
    pub role: Option<String>,
    /// The key it was made from, for tokens of our own endpoint.
    pub key: Option<String>,
}

/// The directory.
pub struct Directory {
    shelf: Arc<Shelf>,
    looking: Together<Result<()>>,
}

/// What is known, and where from.
struct Shelf {
    store: Arc<Store>,
    index_key: Arc<IndexKey>,
    known: ArcSwap<Known>,
    refreshing: tokio::sync::Mutex<()>,
}

#[derive(Default, Clone)]
struct Known {
    revision: i64,
    companies: HashMap<String, KnownCompany>,
    keys: HashMap<KeyId, Arc<KnownKey>>,
}

#[derive(Clone)]
struct KnownCompany {
    name: String,
    app_link: Option<String>,
    is_active: bool,
}

struct KnownKey {
    name: String,
    hash: SecretHash,
    company: CompanyId,
    scopes: Scopes,
    expires_at: Option<Timestamp>,
    revoked: bool,
    caller: Caller,
}

impl Directory {
    /// Reads everything.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn open(store: Arc<Store>, index_key: Arc<IndexKey>) -> Result<Self> {
        let nothing = Known {
            revision: -1,
            ..Known::default()
        };
        let shelf = Shelf {
            store,
            index_key,
            known: ArcSwap::from_pointee(nothing),
            refreshing: tokio::sync::Mutex::default(),
        };
        let directory = Self {
            shelf: Arc::new(shelf),
            looking: Together::every(BETWEEN_LOOKS),
        };
        directory.refresh().await?;
        Ok(directory)
    }

    /// Takes in what has changed.
    ///
    /// # Errors
    /// When the database is away; what is known stays in force.
    pub async fn refresh(&self) -> Result<()> {
        self.shelf.refresh().await
    }

    /// Takes in what was just committed here. Should that fail, the change stands all
    /// the same: the next refresh takes it in.
    pub(crate) async fn take_in_own_change(&self) {
        if let Err(error) = in_time(self.refresh()).await {
            tracing::warn!(cause = error.cause(), "a change is not in force here yet");
        }
    }

    /// The caller whom a presented API key speaks for, or why it is not accepted.
    ///
    /// # Errors
    /// When the key is not known and the database is away.
    pub async fn authenticate_key(
        &self,
        presented: &str,
        now: Timestamp,
    ) -> Result<Result<Caller, Refusal>> {
        self.look(|known| known.of_key(presented, now)).await
    }

    /// The caller whom a token speaks for, or why it is not accepted.
    ///
    /// # Errors
    /// When its key is not known and the database is away.
    pub async fn authenticate_claims(
        &self,
        claims: &Claims,
        now: Timestamp,
    ) -> Result<Result<Caller, Refusal>> {
        self.look(|known| known.of_claims(claims, now, &self.shelf.index_key))
            .await
    }

    /// Who holds a key that somebody was signed in with before, or why it is not accepted any
    /// more.
    ///
    /// # Errors
    /// When the key is not known and the database is away.
    pub async fn holder_of(&self, key: KeyId, now: Timestamp) -> Result<Result<Caller, Refusal>> {
        self.look(|known| known.of_key_id(key, now)).await
    }

    /// Looks at what is known; for what is not, once more at what is known then.
    async fn look<T>(
        &self,
        look: impl Fn(&Known) -> Result<T, Refusal>,
    ) -> Result<Result<T, Refusal>> {
        let found = look(&self.shelf.known.load());
        if !matches!(found, Err(Refusal::Unknown)) {
            return Ok(found);
        }
        // Boxed: every request would have room for what hardly any needs.
        Box::pin(self.catch_up()).await?;
        Ok(look(&self.shelf.known.load()))
    }

    /// Takes in what has changed until now, together with whoever else asks for it.
    async fn catch_up(&self) -> Result<()> {
        let shelf = self.shelf.clone();
        let refresh = || async move { shelf.refresh().await };
        let caught_up = async { self.looking.run(refresh).await.unwrap_or_else(broken_off) };
        in_time(caught_up).await
    }

    /// What people call a key; empty for one that is not known.
    pub fn name_of(&self, key: KeyId) -> String {
        let known = self.shelf.known.load();
        let key = known.keys.get(&key);
        key.map(|key| key.name.clone()).unwrap_or_default()
    }

    /// When a key ends; `None` when it does not, or is not known.
    pub fn end_of(&self, key: KeyId) -> Option<Timestamp> {
        self.shelf.known.load().keys.get(&key)?.expires_at
    }

    /// What opens a company's app, if it has one.
    pub fn app_link(&self, company: &str) -> Option<String> {
        self.shelf
            .known
            .load()
            .companies
            .get(company)?
            .app_link
            .clone()
    }

    /// A company's name, and what opens its app; `None` when it is switched off.
    pub fn active_company(&self, company: &str) -> Option<(String, Option<String>)> {
        let known = self.shelf.known.load();
        let company = known.companies.get(company)?;
        let shown = || (company.name.clone(), company.app_link.clone());
        company.is_active.then(shown)
    }
}

impl Shelf {
    async fn refresh(&self) -> Result<()> {
        let _one_at_a_time = self.refreshing.lock().await;
        let known = self.known.load_full();
        let after = known.revision;
        let changes = self
            .store
            .read(move |mut tx| {
                Box::pin(async move {
                    let revision = change_counter::current(&mut tx).await?;
                    if revision == after {
                        return Ok(None);
                    }
                    let companies = companies::list_changed(&mut tx, after).await?;
                    let keys = api_keys::list_changed(&mut tx, after).await?;
                    Ok(Some((revision, companies, keys)))
                })
            })
            .await?;
        let Some((revision, companies, keys)) = changes else {
            return Ok(());
        };
        let mut next = Known::clone(&known);
        next.revision = revision;
        next.take_in(&companies, &keys, &self.index_key);
        self.known.store(Arc::new(next));
        Ok(())
    }
}

/// Others' turns may come first: whoever waits for them too waits no longer than for one visit to the
/// store.
async fn in_time(refresh: impl Future<Output = Result<()>>) -> Result<()> {
    let refreshed = tokio::time::timeout(PATIENCE, refresh).await;
    refreshed.unwrap_or_else(|_| Err(Error::unavailable("the directory was not read in time")))
}

fn broken_off() -> Result<()> {
    Err(Error::unavailable("the directory could not be read"))
}

impl Known {
    fn take_in(&mut self, companies: &[Company], keys: &[ApiKeyRow], index_key: &IndexKey) {
        for company in companies {
            let known = KnownCompany {
                name: company.name.clone(),
                app_link: company.app_link.clone(),
                is_active: company.is_active,
            };
            self.companies.insert(company.company_id.clone(), known);
        }
        for row in keys {
            self.take_in_key(row, index_key);
        }
    }

    /// A row that cannot be read makes one key unknown and concerns no other. It is
    /// seen, and told of, once for every change of it.
    fn take_in_key(&mut self, row: &ApiKeyRow, index_key: &IndexKey) {
        let unreadable =
            |column| tracing::error!(key = row.id, column, "a stored API key cannot be read");
        let Ok(id) = KeyId::parse(&row.id) else {
            return unreadable("id");
        };
        match KnownKey::read(id, row, index_key) {
            Ok(key) => drop(self.keys.insert(id, Arc::new(key))),
            Err(column) => {
                self.keys.remove(&id);
                unreadable(column);
            }
        }
    }

    fn of_key(&self, presented: &str, now: Timestamp) -> Result<Caller, Refusal> {
        let (id, _) = ApiKey::parse(presented).ok_or(Refusal::Malformed)?;
        let key = self.keys.get(&id).ok_or(Refusal::Unknown)?;
        if !key.hash.matches(presented) {
            return Err(Refusal::Unknown);
        }
        self.alive(key, now)?;
        Ok(key.caller.clone())
    }

    fn of_key_id(&self, id: KeyId, now: Timestamp) -> Result<Caller, Refusal> {
        let key = self.keys.get(&id).ok_or(Refusal::Unknown)?;
        self.alive(key, now)?;
        Ok(key.caller.clone())
    }

    fn of_claims(
        &self,
        claims: &Claims,
        now: Timestamp,
        index_key: &IndexKey,
    ) -> Result<Caller, Refusal> {
        let company = match &claims.company {
            None => CompanyId::default(),
            Some(name) => CompanyId::parse(name).map_err(|_| Refusal::InactiveCompany)?,
        };
        self.active(&company)?;
        let scopes = Scopes::of_token(claims.scope.as_deref(), claims.role.as_deref());
        let role_admin = claims.role.as_deref() == Some("admin");
        let (key, limits) = match &claims.key {
            None => (None, KeyLimits::new()),
            Some(id) => {
                let id = KeyId::parse(id).map_err(|_| Refusal::BadToken)?;
                let key = self.keys.get(&id).ok_or(Refusal::Unknown)?;
                self.alive(key, now)?;
                let within = key.company == company
                    && !role_admin
                    && (scopes.is_subset(key.scopes) || key.scopes.contains(Scope::Admin));
                if !within {
                    return Err(Refusal::BadToken);
                }
                (Some(id), key.caller.own_limits().clone())
            }
        };
        let credential = Credential::Token {
            subject: claims.subject.as_str().into(),
            key,
        };
        let principal = Principal {
            company,
            credential,
            scopes,
            role_admin,
        };
        Ok(Caller::new(principal, limits, index_key))
    }

    fn active(&self, company: &CompanyId) -> Result<(), Refusal> {
        match self.companies.get(company.as_str()) {
            Some(known) if known.is_active => Ok(()),
            _ => Err(Refusal::InactiveCompany),
        }
    }

    fn alive(&self, key: &KnownKey, now: Timestamp) -> Result<(), Refusal> {
        if key.revoked {
            return Err(Refusal::Revoked);
        }
        if key.expires_at.is_some_and(|end| end <= now) {
            return Err(Refusal::Expired);
        }
        self.active(&key.company)
    }
}

impl KnownKey {
    /// Reads a row; the error is the column that cannot be read. A scope's word that
    /// is not known, as of a newer version, gives nothing and takes nothing away.
    fn read(id: KeyId, row: &ApiKeyRow, index_key: &IndexKey) -> Result<Self, &'static str> {
        let hash = row.hash.as_slice().try_into().map_err(|_| "hash")?;
        let company = CompanyId::parse(&row.company_id).map_err(|_| "company_id")?;
        let words = row.scopes.split_whitespace();
        let scopes: Scopes = words.filter_map(|word| Scope::parse(word).ok()).collect();
        let limits = limits::parse_all(&row.limits).map_err(|_| "limits")?;
        let credential = Credential::Key(id);
        let principal = Principal {
            company: company.clone(),
            credential,
            scopes,
            role_admin: false,
        };
        Ok(Self {
            name: row.name.clone(),
            hash: SecretHash::from_bytes(hash),
            company,
            scopes,
            expires_at: row.expires_at,
            revoked: row.revoked_at.is_some(),
            caller: Caller::new(principal, limits, index_key),
        })
    }
}
