//! Where somebody is signed in, and signing out.

use jiff::Timestamp;
use store::tables::console_sessions;
use store::{Lane, Tx, Unit, Written};
use uuid::Uuid;

use super::{lane, place};
use crate::audit::Draft;
use crate::{App, Code, Ctx, Error, Result};

/// How many sessions are shown.
const SHOWN: i64 = 100;

/// A session of whoever asks.
pub struct Listed {
    /// Its name.
    pub id: Uuid,
    /// The address that it was begun from.
    pub address: String,
    /// The browser that it was begun with, as that says of itself.
    pub agent: String,
    /// When it began.
    pub began_at: Timestamp,
    /// When it was last used, to the minute.
    pub seen_at: Timestamp,
}

impl std::fmt::Debug for Listed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Listed({}, …)", self.id)
    }
}

/// Where whoever asks is signed in, the newest first.
///
/// # Errors
/// [`Code::Unavailable`] when the database is away.
pub async fn list(app: &App, ctx: &Ctx) -> Result<Vec<Listed>> {
    let now = app.clock.now();
    let (company, holder) = whose(ctx);
    let found = app.store.read(move |mut tx| {
        let (company, holder) = (company.clone(), holder.clone());
        Box::pin(
            async move { console_sessions::list(&mut tx, &company, &holder, now, SHOWN).await },
        )
    });
    let mut listed = Vec::new();
    for session in found.await? {
        let key = app.keys.of_callers(&session.company_id, session.began_at);
        let sealed = session.client.as_deref().unwrap_or_default();
        let plain = key.await?.open(place(&session.id, "client"), sealed)?;
        let client = String::from_utf8_lossy(&plain).into_owned();
        let (address, agent) = client.split_once('\n').unwrap_or_default();
        listed.push(Listed {
            id: session.id,
            address: address.to_owned(),
            agent: agent.to_owned(),
            began_at: session.began_at,
            seen_at: session.seen_at,
        });
    }
    Ok(listed)
}

/// Ends one of their sessions.
///
/// # Errors
/// [`Code::NotFound`] when it was over.
pub async fn end(app: &App, ctx: &Ctx, id: Uuid) -> Result<()> {
    let ended = finish(app, ctx, Some(id)).await?;
    if ended == 0 {
        return Err(Error::new(Code::NotFound, "This session is over already."));
    }
    Ok(())
}

/// Ends all their sessions, wherever they are; returns how many there were.
///
/// # Errors
/// [`Code::Unavailable`] when the database is away.
pub async fn end_all(app: &App, ctx: &Ctx) -> Result<u64> {
    finish(app, ctx, None).await
}

async fn finish(app: &App, ctx: &Ctx, only: Option<Uuid>) -> Result<u64> {
    let (company, holder) = whose(ctx);
    let unit = End {
        company,
        holder,
        only,
        draft: app.recorder.draft(&ctx.exchange).await?,
    };
    let ended = app.store.write(unit).await?;
    if ended > 0 {
        ctx.exchange.mark_recorded();
    }
    Ok(ended)
}

fn whose(ctx: &Ctx) -> (String, String) {
    let caller = &ctx.caller;
    (caller.company().to_owned(), caller.credential().to_owned())
}

/// Takes away sessions and links that are over. To be called every minute or so.
///
/// # Errors
/// [`Code::Unavailable`] when the database is away.
pub async fn clear(app: &App) -> Result<()> {
    let now = app.clock.now();
    Ok(app.store.write(Clear { now }).await?)
}

struct End {
    company: String,
    holder: String,
    only: Option<Uuid>,
    draft: Draft,
}

impl Unit for End {
    type Output = u64;

    fn lane(&self) -> Lane {
        lane()
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<u64>> {
        let (company, holder) = (&self.company, &self.holder);
        let ended = match self.only {
            Some(id) => console_sessions::end(tx, company, holder, id).await?.into(),
            None => console_sessions::end_all(tx, company, holder).await?,
        };
        let detail = match self.only {
            Some(id) => format!("session={id}"),
            None => format!("sessions={ended}"),
        };
        let record = || self.draft.clone().finish("ok", 303, Some(detail));
        Ok(Written {
            output: ended,
            records: (ended > 0).then(record).into_iter().collect(),
        })
    }
}

struct Clear {
    now: Timestamp,
}

impl Unit for Clear {
    type Output = ();

    fn lane(&self) -> Lane {
        lane()
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<()>> {
        console_sessions::clear(tx, self.now).await?;
        Ok(Written {
            output: (),
            records: Vec::new(),
        })
    }
}
