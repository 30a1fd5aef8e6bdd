//! Who sends a request of the console.

use domain::access::{ConsoleLife, ConsoleToken, ConsoleUse, KeyId, Scope};
use jiff::Timestamp;
use store::tables::console_sessions::{self, Session as Stored};
use store::{Lane, Tx, Unit, Written};
use uuid::Uuid;

use super::sign_in::Kept;
use super::{lane, place};
use crate::credentials::{Caller, Refusal};
use crate::{App, Error, Result};

/// Somebody who is signed in.
pub struct Session {
    /// The session's name.
    pub id: Uuid,
    /// Who it is, as of now.
    pub caller: Caller,
    /// How they are called: their key's name, their token's subject, or as they are listed.
    pub name: String,
    /// What every form of theirs carries.
    pub form_mark: String,
    /// When the session is over if it is not used again.
    pub ends_at: Timestamp,
}

/// Whose session it is, if it is one and its credential is still good; otherwise why not.
///
/// # Errors
/// [`crate::Code::Unavailable`] when the database is away.
pub async fn resume(app: &App, token: &str) -> Result<Result<Session, Refusal>> {
    let now = app.clock.now();
    let Some(token) = ConsoleToken::parse(token) else {
        return Ok(Err(Refusal::Malformed));
    };
    let hash = token.hash(&app.index_key, ConsoleUse::Session);
    let stored = app
        .store
        .read(move |mut tx| {
            Box::pin(async move { console_sessions::find(&mut tx, &hash, now).await })
        })
        .await?;
    let Some(stored) = stored else {
        return Ok(Err(Refusal::Expired));
    };
    let (caller, name) = match holder(app, &stored, now).await? {
        Ok(holder) => holder,
        Err(refusal) => return Ok(Err(refusal)),
    };
    // What a credential may do can have changed since.
    if !caller.may(Scope::Admin) {
        return Ok(Err(Refusal::Revoked));
    }
    Ok(Ok(Session {
        id: stored.id,
        caller,
        name,
        form_mark: token.form_mark(&app.index_key),
        ends_at: note_use(app, &stored, now).await?,
    }))
}

/// Who is signed in, and how they are called.
async fn holder(
    app: &App,
    stored: &Stored,
    now: Timestamp,
) -> Result<Result<(Caller, String), Refusal>> {
    if let Some(key) = &stored.key_id {
        let Ok(key) = KeyId::parse(key) else {
            return Err(Error::internal("a console session names no key"));
        };
        let caller = app.directory.holder_of(key, now).await?;
        return Ok(caller.map(|caller| (caller, app.directory.name_of(key))));
    }
    let key = app.keys.of_callers(&stored.company_id, stored.began_at);
    let sealed = stored.claims.as_deref().unwrap_or_default();
    let plain = key.await?.open(place(&stored.id, "claims"), sealed)?;
    let kept: Kept = serde_json::from_slice(&plain).map_err(Error::internal)?;
    if !kept.is_listed(app.administrators.as_ref()) {
        return Ok(Err(Refusal::Revoked));
    }
    let claims = kept.claims();
    let caller = app.directory.authenticate_claims(&claims, now).await?;
    Ok(caller.map(|caller| (caller, claims.subject)))
}

/// Notes that the session is used, if that was not noted just now; returns when it ends.
async fn note_use(app: &App, stored: &Stored, now: Timestamp) -> Result<Timestamp> {
    let life = ConsoleLife {
        seen_at: stored.seen_at,
        last_at: stored.last_at,
    };
    let Some(life) = life.used(now) else {
        return Ok(stored.ends_at);
    };
    let id = stored.id;
    app.store.write(Note { id, life }).await?;
    Ok(life.ends_at())
}

struct Note {
    id: Uuid,
    life: ConsoleLife,
}

impl Unit for Note {
    type Output = ();

    fn lane(&self) -> Lane {
        lane()
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<()>> {
        let life = &self.life;
        console_sessions::note_use(tx, self.id, life.seen_at, life.ends_at()).await?;
        Ok(Written {
            output: (),
            records: Vec::new(),
        })
    }
}
