//! Companies (tenants): creating, changing, showing.

use std::time::Duration;

use domain::access::CompanyId;
use domain::random::{Random, uuid_v7};
use domain::seal::{DataKey, Place};
use domain::webhook;
use jiff::{SignedDuration, Timestamp};
use store::tables::change_counter;
use store::tables::companies::{self, Company};
use store::tables::webhook_endpoints;
pub use store::tables::webhook_endpoints::Endpoint;
use store::tables::webhook_secrets::{self, WebhookSecret};
use store::{Lane, Tx, Unit, Written};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::audit::Draft;
use crate::exchange::Exchange;
use crate::idempotency::Reply;
use crate::{App, Code, Error, Result};

/// Changes of companies and keys follow one another.
pub(crate) fn lane() -> Lane {
    Lane::of(b"credentials")
}

/// A company to be created.
#[derive(Debug, Clone)]
pub struct NewCompany {
    /// Its id.
    pub company_id: CompanyId,
    /// For people.
    pub name: String,
    /// Where its webhooks go.
    pub webhook_url: Option<String>,
    /// The scheme of its own app's links.
    pub app_link: Option<String>,
}

/// What is to change; `None` leaves a field as it is, `Some(None)` empties it.
#[derive(Debug, Clone, Default)]
pub struct CompanyChange {
    /// For people.
    pub name: Option<String>,
    /// Where its webhooks go.
    pub webhook_url: Option<Option<String>>,
    /// The scheme of its own app's links.
    pub app_link: Option<Option<String>>,
    /// Whether its credentials are accepted.
    pub is_active: Option<bool>,
    /// Make a new webhook secret; the present one signs for this long beside it.
    pub rotate_secret: Option<Duration>,
}

/// A company, and its new webhook secret, which is shown this once.
#[derive(Clone)]
pub struct WithSecret {
    /// The company.
    pub company: Company,
    /// `whsec_…` (Standard Webhooks), when one was made.
    pub webhook_secret: Option<Zeroizing<String>>,
}

/// Creates a company with its first webhook secret.
///
/// # Errors
/// [`Code::Conflict`] when the id is taken.
pub async fn create(
    app: &App,
    exchange: &Exchange,
    new: NewCompany,
    reply: Reply<WithSecret>,
) -> Result<WithSecret> {
    let now = app.clock.now();
    let secret = seal_secret(app, new.company_id.as_str(), now).await?;
    let company = Company {
        id: uuid_v7(now, app.random.as_ref()),
        company_id: new.company_id.as_str().to_owned(),
        name: new.name,
        webhook_url: new.webhook_url,
        app_link: new.app_link,
        is_active: true,
        created_at: now,
        updated_at: now,
        revision: 0,
    };
    exchange.note_detail(format!("company={}", company.company_id));
    let draft = app.recorder.draft(exchange).await?;
    let created = app
        .store
        .write(Create {
            company,
            secret,
            draft,
            reply,
        })
        .await?;
    let created = created
        .ok_or_else(|| Error::new(Code::Conflict, "There is a company of that id already."))?;
    exchange.mark_recorded();
    app.directory.take_in_own_change().await;
    Ok(created)
}

/// Changes a company.
///
/// # Errors
/// [`Code::NotFound`] when there is none of that id; [`Code::Conflict`] when a
/// caller would switch off the company of its own credential.
pub async fn change(
    app: &App,
    exchange: &Exchange,
    company_id: &str,
    change: CompanyChange,
    reply: Reply<WithSecret>,
) -> Result<WithSecret> {
    keep_own_company(exchange, company_id, &change)?;
    let now = app.clock.now();
    let until = change
        .rotate_secret
        .map(|grace| after(now, grace))
        .transpose()?;
    let names_webhook = matches!(change.webhook_url, Some(Some(_)));
    let secret = if until.is_some() || names_webhook {
        get(app, company_id).await?;
        let secret = seal_secret(app, company_id, now).await?;
        Some(NewSecret { secret, until })
    } else {
        None
    };
    exchange.note_detail(format!("company={company_id}"));
    let draft = app.recorder.draft(exchange).await?;
    let unit = Change {
        company_id: company_id.to_owned(),
        change,
        secret,
        now,
        draft,
        reply,
    };
    let changed = app.store.write(unit).await?.ok_or_else(not_found)?;
    exchange.mark_recorded();
    app.directory.take_in_own_change().await;
    Ok(changed)
}

/// One company.
///
/// # Errors
/// [`Code::NotFound`] when there is none of that id.
pub async fn get(app: &App, company_id: &str) -> Result<Company> {
    let company_id = company_id.to_owned();
    app.store
        .read(move |mut tx| {
            let company_id = company_id.clone();
            Box::pin(async move { companies::find(&mut tx, &company_id).await })
        })
        .await?
        .ok_or_else(not_found)
}

/// How a company's webhook endpoint fares.
///
/// # Errors
/// [`Code::NotFound`] when there is no company of that id.
pub async fn endpoint(app: &App, company_id: &str) -> Result<Endpoint> {
    let company_id = company_id.to_owned();
    app.store
        .read(move |mut tx| {
            let company_id = company_id.clone();
            Box::pin(async move { webhook_endpoints::find(&mut tx, &company_id).await })
        })
        .await?
        .ok_or_else(not_found)
}

/// All companies, by id.
///
/// # Errors
/// When the database is away.
pub async fn list(app: &App) -> Result<Vec<Company>> {
    Ok(app
        .store
        .read(|mut tx| Box::pin(async move { companies::list(&mut tx).await }))
        .await?)
}

/// At most `count` companies by id, those after the id `after`.
///
/// # Errors
/// When the database is away.
pub async fn list_page(app: &App, after: Option<&str>, count: u16) -> Result<Vec<Company>> {
    let after = after.unwrap_or_default().to_owned();
    Ok(app
        .store
        .read(move |mut tx| {
            let after = after.clone();
            Box::pin(async move { companies::list_page(&mut tx, &after, count.into()).await })
        })
        .await?)
}

fn not_found() -> Error {
    Error::new(Code::NotFound, "There is no company of that id.")
}

/// Nobody takes away the company whose credential they use: it could not undo
/// that. The command line, which needs no credential, can.
fn keep_own_company(exchange: &Exchange, company_id: &str, change: &CompanyChange) -> Result<()> {
    let own = exchange
        .caller()
        .is_some_and(|caller| caller.company() == company_id);
    if own && change.is_active == Some(false) {
        return Err(Error::new(
            Code::Conflict,
            "This is the company of your own credential; use one of another company, or the \
             command line.",
        ));
    }
    Ok(())
}

/// `now` plus a duration a caller chose.
pub(crate) fn after(now: Timestamp, duration: Duration) -> Result<Timestamp> {
    SignedDuration::try_from(duration)
        .and_then(|duration| now.checked_add(duration))
        .map_err(|_| Error::invalid_field("grace", "must not reach beyond the year 9999"))
}

#[derive(Clone)]
struct Secret {
    shown: Zeroizing<String>,
    stored: WebhookSecret,
}

/// A fresh webhook secret, shown and sealed.
async fn seal_secret(app: &App, company: &str, now: Timestamp) -> Result<Secret> {
    let key = app.keys.of_company(company, now).await?;
    let random = app.random.as_ref();
    let secret = webhook::WebhookSecret::generate(random);
    let id = uuid_v7(now, random);
    Ok(Secret {
        shown: secret.shown(),
        stored: stored_secret(&key, id, secret.as_bytes(), company, now, random)?,
    })
}

fn stored_secret(
    key: &DataKey,
    id: Uuid,
    secret: &[u8],
    company: &str,
    now: Timestamp,
    random: &dyn Random,
) -> Result<WebhookSecret> {
    let place = Place {
        table: "webhook_secrets",
        column: "secret",
        row: id.as_bytes(),
    };
    Ok(WebhookSecret {
        id,
        company_id: company.to_owned(),
        data_key: key.id(),
        secret: key.seal(place, secret, random)?,
        created_at: now,
        expires_at: None,
    })
}

struct Create {
    company: Company,
    secret: Secret,
    draft: Draft,
    reply: Reply<WithSecret>,
}

impl Unit for Create {
    type Output = Option<WithSecret>;

    fn lane(&self) -> Lane {
        lane()
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Self::Output>> {
        if companies::find(tx, &self.company.company_id)
            .await?
            .is_some()
        {
            return Ok(Written {
                output: None,
                records: Vec::new(),
            });
        }
        self.company.revision = change_counter::next(tx).await?;
        if !companies::insert(tx, &self.company).await? {
            return Err(store::Error::Conflict("company created elsewhere".into()));
        }
        webhook_secrets::insert(tx, &self.secret.stored).await?;
        let output = WithSecret {
            company: self.company.clone(),
            webhook_secret: Some(self.secret.shown.clone()),
        };
        self.reply.store(tx, &output).await?;
        let records = vec![self.draft.clone().finish("ok", 201, None)];
        Ok(Written {
            output: Some(output),
            records,
        })
    }
}

/// A secret for a company that is there already.
struct NewSecret {
    secret: Secret,
    /// Until when the present one signs as well; without it the new one is given only to a company
    /// that has none, as the one that every installation begins with.
    until: Option<Timestamp>,
}

struct Change {
    company_id: String,
    change: CompanyChange,
    secret: Option<NewSecret>,
    now: Timestamp,
    draft: Draft,
    reply: Reply<WithSecret>,
}

impl Unit for Change {
    type Output = Option<WithSecret>;

    fn lane(&self) -> Lane {
        lane()
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Self::Output>> {
        let revision = change_counter::next(tx).await?;
        let Some(mut company) = companies::find(tx, &self.company_id).await? else {
            return Ok(Written {
                output: None,
                records: Vec::new(),
            });
        };
        self.apply(&mut company);
        company.revision = revision;
        companies::update(tx, &company).await?;
        if self.change.webhook_url.is_some() {
            // Whoever names an endpoint, the same one too, wants it to be used.
            webhook_endpoints::reset(tx, &self.company_id).await?;
        }
        let output = WithSecret {
            company,
            webhook_secret: self.give_secret(tx).await?,
        };
        self.reply.store(tx, &output).await?;
        let records = vec![self.draft.clone().finish("ok", 200, None)];
        Ok(Written {
            output: Some(output),
            records,
        })
    }
}

impl Change {
    /// Gives the company the new secret, if it is to have one; returns it, to be shown.
    async fn give_secret(&self, tx: &mut Tx<'_>) -> store::Result<Option<Zeroizing<String>>> {
        let Some(NewSecret { secret, until }) = &self.secret else {
            return Ok(None);
        };
        match until {
            Some(until) => {
                webhook_secrets::expire_all(tx, &self.company_id, *until, self.now).await?;
            }
            None => {
                let present = webhook_secrets::list_valid(tx, &self.company_id, self.now).await?;
                if !present.is_empty() {
                    return Ok(None);
                }
            }
        }
        webhook_secrets::insert(tx, &secret.stored).await?;
        Ok(Some(secret.shown.clone()))
    }

    fn apply(&self, company: &mut Company) {
        let change = &self.change;
        if let Some(name) = &change.name {
            company.name.clone_from(name);
        }
        if let Some(url) = &change.webhook_url {
            company.webhook_url.clone_from(url);
        }
        if let Some(link) = &change.app_link {
            company.app_link.clone_from(link);
        }
        if let Some(active) = change.is_active {
            company.is_active = active;
        }
        company.updated_at = self.now;
    }
}
