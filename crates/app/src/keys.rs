//! API keys: creating, rotating, revoking, listing.

use std::time::Duration;

use domain::access::{ApiKey, CompanyId, Scopes};
use domain::random;
use jiff::Timestamp;
use store::tables::api_keys::{self, ApiKeyRow};
use store::tables::{change_counter, companies};
use store::{Lane, Tx, Unit, Written};

use crate::audit::Draft;
use crate::companies::{after, lane};
use crate::credentials::KeyLimits;
use crate::exchange::Exchange;
use crate::idempotency::Reply;
use crate::{App, Code, Error, Result, limits};

/// A key to be created.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// Whose it is.
    pub company: CompanyId,
    /// For people.
    pub name: String,
    /// What it may do.
    pub scopes: Scopes,
    /// Limits of its own.
    pub limits: KeyLimits,
    /// Until when it is good.
    pub expires_at: Option<Timestamp>,
}

/// What is to change; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct KeyChange {
    /// For people.
    pub name: Option<String>,
    /// Limits of its own, all of them.
    pub limits: Option<KeyLimits>,
    /// Until when it is good; `Some(None)` lets it be good for ever.
    pub expires_at: Option<Option<Timestamp>>,
}

/// A new key: the only time that the key itself is seen.
pub struct CreatedKey {
    /// The key.
    pub key: ApiKey,
    /// What is stored of it.
    pub row: ApiKeyRow,
}

/// Creates a key.
///
/// # Errors
/// [`Code::NotFound`] when there is no such company.
pub async fn create(
    app: &App,
    exchange: &Exchange,
    new: NewKey,
    reply: Reply<CreatedKey>,
) -> Result<CreatedKey> {
    let (key, row) = fresh(app, &new);
    exchange.note_detail(told(&row));
    let draft = app.recorder.draft(exchange).await?;
    let created = app
        .store
        .write(Create {
            key,
            row,
            draft,
            reply,
        })
        .await?;
    let created =
        created.ok_or_else(|| Error::new(Code::NotFound, "There is no company of that id."))?;
    exchange.mark_recorded();
    app.directory.take_in_own_change().await;
    Ok(created)
}

/// Replaces a key by a new one of the same company, name, scopes and limits; the
/// old one is good for `grace` longer.
///
/// # Errors
/// [`Code::NotFound`]; [`Code::Conflict`] when the key is revoked, expired or
/// already replaced.
pub async fn rotate(
    app: &App,
    exchange: &Exchange,
    id: &str,
    grace: Duration,
    reply: Reply<CreatedKey>,
) -> Result<CreatedKey> {
    let now = app.clock.now();
    let until = after(now, grace)?;
    let key = ApiKey::generate(&random::bytes(app.random.as_ref()));
    exchange.note_detail(format!("key={id}"));
    let draft = app.recorder.draft(exchange).await?;
    let unit = Rotate {
        id: id.to_owned(),
        key,
        now,
        until,
        draft,
        reply,
    };
    let rotated = app.store.write(unit).await?.map_err(Ended::into_error)?;
    exchange.mark_recorded();
    app.directory.take_in_own_change().await;
    Ok(rotated)
}

/// Changes a key that is still good.
///
/// # Errors
/// [`Code::NotFound`]; [`Code::Conflict`] when the key is revoked, expired or
/// replaced.
pub async fn change(
    app: &App,
    exchange: &Exchange,
    id: &str,
    change: KeyChange,
    reply: Reply<ApiKeyRow>,
) -> Result<ApiKeyRow> {
    exchange.note_detail(format!("key={id}"));
    let draft = app.recorder.draft(exchange).await?;
    let unit = Change {
        id: id.to_owned(),
        change,
        now: app.clock.now(),
        draft,
        reply,
    };
    let changed = app.store.write(unit).await?.map_err(Ended::into_error)?;
    exchange.mark_recorded();
    app.directory.take_in_own_change().await;
    Ok(changed)
}

/// Revokes a key at once. Revoking it again changes nothing.
///
/// # Errors
/// [`Code::NotFound`].
pub async fn revoke(
    app: &App,
    exchange: &Exchange,
    id: &str,
    reply: Reply<ApiKeyRow>,
) -> Result<ApiKeyRow> {
    exchange.note_detail(format!("key={id}"));
    let draft = app.recorder.draft(exchange).await?;
    let unit = Revoke {
        id: id.to_owned(),
        now: app.clock.now(),
        draft,
        reply,
    };
    let revoked = app.store.write(unit).await?.ok_or_else(not_found)?;
    exchange.mark_recorded();
    app.directory.take_in_own_change().await;
    Ok(revoked)
}

/// One key.
///
/// # Errors
/// [`Code::NotFound`].
pub async fn get(app: &App, id: &str) -> Result<ApiKeyRow> {
    let id = id.to_owned();
    app.store
        .read(move |mut tx| {
            let id = id.clone();
            Box::pin(async move { api_keys::find(&mut tx, &id).await })
        })
        .await?
        .ok_or_else(not_found)
}

/// At most `count` keys of a company, or of all companies, oldest first, those
/// after the key of id `after`.
///
/// # Errors
/// When the database is away.
pub async fn list_page(
    app: &App,
    company: Option<&str>,
    after: Option<&str>,
    count: u16,
) -> Result<Vec<ApiKeyRow>> {
    let (company, after) = (company.map(str::to_owned), after.map(str::to_owned));
    let keys = app
        .store
        .read(move |mut tx| {
            let (company, after) = (company.clone(), after.clone());
            Box::pin(async move {
                api_keys::list_page(&mut tx, company.as_deref(), after.as_deref(), count.into())
                    .await
            })
        })
        .await?;
    Ok(keys)
}

/// The keys of a company, or of all companies.
///
/// # Errors
/// When the database is away.
pub async fn list(app: &App, company: Option<&str>) -> Result<Vec<ApiKeyRow>> {
    let company = company.map(str::to_owned);
    let keys = app
        .store
        .read(move |mut tx| {
            let company = company.clone();
            Box::pin(async move {
                match company {
                    Some(company) => api_keys::list(&mut tx, &company).await,
                    None => api_keys::list_changed(&mut tx, -1).await,
                }
            })
        })
        .await?;
    Ok(keys)
}

/// Which key, and whose, for the audit log: its company is rarely the caller's.
fn told(row: &ApiKeyRow) -> String {
    format!("company={} key={}", row.company_id, row.id)
}

fn not_found() -> Error {
    Error::new(Code::NotFound, "There is no key of that id.")
}

fn fresh(app: &App, new: &NewKey) -> (ApiKey, ApiKeyRow) {
    let key = ApiKey::generate(&random::bytes(app.random.as_ref()));
    let row = ApiKeyRow {
        id: key.id().as_str().to_owned(),
        company_id: new.company.as_str().to_owned(),
        name: new.name.clone(),
        hash: key.hash().as_bytes().to_vec(),
        scopes: new.scopes.to_string(),
        limits: limits::render_all(&new.limits),
        created_at: app.clock.now(),
        expires_at: new.expires_at,
        revoked_at: None,
        replaced_by: None,
        revision: 0,
    };
    (key, row)
}

struct Create {
    key: ApiKey,
    row: ApiKeyRow,
    draft: Draft,
    reply: Reply<CreatedKey>,
}

impl Unit for Create {
    type Output = Option<CreatedKey>;

    fn lane(&self) -> Lane {
        lane()
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Self::Output>> {
        if companies::find(tx, &self.row.company_id).await?.is_none() {
            return Ok(Written {
                output: None,
                records: Vec::new(),
            });
        }
        self.row.revision = change_counter::next(tx).await?;
        api_keys::insert(tx, &self.row).await?;
        let output = CreatedKey {
            key: self.key.clone(),
            row: self.row.clone(),
        };
        self.reply.store(tx, &output).await?;
        let records = vec![self.draft.clone().finish("ok", 201, None)];
        Ok(Written {
            output: Some(output),
            records,
        })
    }
}

/// Why a key can neither be changed nor be rotated.
enum Ended {
    Unknown,
    Over,
}

impl Ended {
    /// The key of that id, if its life goes on.
    fn check(found: Option<ApiKeyRow>, now: Timestamp) -> Result<ApiKeyRow, Self> {
        let key = found.ok_or(Self::Unknown)?;
        let over = key.revoked_at.is_some()
            || key.replaced_by.is_some()
            || key.expires_at.is_some_and(|end| end <= now);
        if over { Err(Self::Over) } else { Ok(key) }
    }

    fn into_error(self) -> Error {
        match self {
            Self::Unknown => not_found(),
            Self::Over => Error::new(
                Code::Conflict,
                "This key is revoked, expired or replaced already; create a new one instead.",
            ),
        }
    }

    fn written<T>(self) -> Written<Result<T, Self>> {
        Written {
            output: Err(self),
            records: Vec::new(),
        }
    }
}

struct Rotate {
    id: String,
    key: ApiKey,
    now: Timestamp,
    until: Timestamp,
    draft: Draft,
    reply: Reply<CreatedKey>,
}

impl Unit for Rotate {
    type Output = Result<CreatedKey, Ended>;

    fn lane(&self) -> Lane {
        lane()
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Self::Output>> {
        // First the counter: it orders rotations of one key across instances.
        let revision = change_counter::next(tx).await?;
        let found = api_keys::find(tx, &self.id).await?;
        let mut old = match Ended::check(found, self.now) {
            Ok(old) => old,
            Err(ended) => return Ok(ended.written()),
        };
        let row = ApiKeyRow {
            id: self.key.id().as_str().to_owned(),
            hash: self.key.hash().as_bytes().to_vec(),
            created_at: self.now,
            revision,
            ..old.clone()
        };
        api_keys::insert(tx, &row).await?;
        old.expires_at = Some(old.expires_at.map_or(self.until, |end| end.min(self.until)));
        old.replaced_by = Some(row.id.clone());
        old.revision = revision;
        api_keys::update(tx, &old).await?;
        let detail = format!("{} replaced_by={}", told(&old), row.id);
        let created = CreatedKey {
            key: self.key.clone(),
            row,
        };
        self.reply.store(tx, &created).await?;
        let records = vec![self.draft.clone().finish("ok", 201, Some(detail))];
        Ok(Written {
            output: Ok(created),
            records,
        })
    }
}

struct Change {
    id: String,
    change: KeyChange,
    now: Timestamp,
    draft: Draft,
    reply: Reply<ApiKeyRow>,
}

impl Unit for Change {
    type Output = Result<ApiKeyRow, Ended>;

    fn lane(&self) -> Lane {
        lane()
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Self::Output>> {
        let revision = change_counter::next(tx).await?;
        let found = api_keys::find(tx, &self.id).await?;
        let mut row = match Ended::check(found, self.now) {
            Ok(row) => row,
            Err(ended) => return Ok(ended.written()),
        };
        self.apply(&mut row);
        row.revision = revision;
        api_keys::update(tx, &row).await?;
        self.reply.store(tx, &row).await?;
        let records = vec![self.draft.clone().finish("ok", 200, Some(told(&row)))];
        Ok(Written {
            output: Ok(row),
            records,
        })
    }
}

impl Change {
    fn apply(&self, row: &mut ApiKeyRow) {
        let change = &self.change;
        if let Some(name) = &change.name {
            row.name.clone_from(name);
        }
        if let Some(limits) = &change.limits {
            row.limits = limits::render_all(limits);
        }
        if let Some(expires_at) = change.expires_at {
            row.expires_at = expires_at;
        }
    }
}

struct Revoke {
    id: String,
    now: Timestamp,
    draft: Draft,
    reply: Reply<ApiKeyRow>,
}

impl Unit for Revoke {
    type Output = Option<ApiKeyRow>;

    fn lane(&self) -> Lane {
        lane()
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Self::Output>> {
        let revision = change_counter::next(tx).await?;
        let Some(mut row) = api_keys::find(tx, &self.id).await? else {
            return Ok(Written {
                output: None,
                records: Vec::new(),
            });
        };
        if row.revoked_at.is_none() {
            row.revoked_at = Some(self.now);
            row.revision = revision;
            api_keys::update(tx, &row).await?;
        }
        self.reply.store(tx, &row).await?;
        let records = vec![self.draft.clone().finish("ok", 200, Some(told(&row)))];
        Ok(Written {
            output: Some(row),
            records,
        })
    }
}
