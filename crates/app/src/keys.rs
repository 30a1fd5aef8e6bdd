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
    exchange.note_detail(format!("key={}", row.id));
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
    app.directory.refresh().await?;
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
    exchange.note_detail(format!("key={id} replaced_by={}", key.id().as_str()));
    let draft = app.recorder.draft(exchange).await?;
    let unit = Rotate {
        id: id.to_owned(),
        key,
        now,
        until,
        draft,
        reply,
    };
    let rotated = app
        .store
        .write(unit)
        .await?
        .map_err(|why| why.into_error())?;
    exchange.mark_recorded();
    app.directory.refresh().await?;
    Ok(rotated)
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
    app.directory.refresh().await?;
    Ok(revoked)
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

fn not_found() -> Error {
    Error::new(Code::NotFound, "There is no key of that id.")
}

fn fresh(app: &App, new: &NewKey) -> (ApiKey, ApiKeyRow) {
    let key = ApiKey::generate(&random::bytes(app.random.as_ref()));
    let row = ApiKeyRow {
        id: key.id().as_str().to_owned(),
        company_id: new.company.as_str().to_owned(),
        name: new.name.clone(),
        hash: *key.hash().as_bytes(),
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

/// Why a key cannot be rotated.
enum Unrotatable {
    Unknown,
    Ended,
}

impl Unrotatable {
    fn into_error(self) -> Error {
        match self {
            Self::Unknown => not_found(),
            Self::Ended => Error::new(
                Code::Conflict,
                "This key is revoked, expired or replaced already; create a new one instead.",
            ),
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
    type Output = Result<CreatedKey, Unrotatable>;

    fn lane(&self) -> Lane {
        lane()
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Self::Output>> {
        // First the counter: it orders rotations of one key across instances.
        let revision = change_counter::next(tx).await?;
        let mut old = match api_keys::find(tx, &self.id).await? {
            None => return Ok(refused(Unrotatable::Unknown)),
            Some(old) if self.has_ended(&old) => return Ok(refused(Unrotatable::Ended)),
            Some(old) => old,
        };
        let row = ApiKeyRow {
            id: self.key.id().as_str().to_owned(),
            hash: *self.key.hash().as_bytes(),
            created_at: self.now,
            revision,
            ..old.clone()
        };
        api_keys::insert(tx, &row).await?;
        old.expires_at = Some(old.expires_at.map_or(self.until, |end| end.min(self.until)));
        old.replaced_by = Some(row.id.clone());
        old.revision = revision;
        api_keys::update(tx, &old).await?;
        let created = CreatedKey {
            key: self.key.clone(),
            row,
        };
        self.reply.store(tx, &created).await?;
        let records = vec![self.draft.clone().finish("ok", 201, None)];
        Ok(Written {
            output: Ok(created),
            records,
        })
    }
}

impl Rotate {
    fn has_ended(&self, key: &ApiKeyRow) -> bool {
        key.revoked_at.is_some()
            || key.replaced_by.is_some()
            || key.expires_at.is_some_and(|end| end <= self.now)
    }
}

fn refused(why: Unrotatable) -> Written<Result<CreatedKey, Unrotatable>> {
    Written {
        output: Err(why),
        records: Vec::new(),
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
        let records = vec![self.draft.clone().finish("ok", 200, None)];
        Ok(Written {
            output: Some(row),
            records,
        })
    }
}
