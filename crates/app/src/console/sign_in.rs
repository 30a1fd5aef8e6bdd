//! Signing in with an administrator's key or token.

use std::net::IpAddr;

use data_encoding::HEXLOWER;
use domain::access::{ConsoleLife, ConsoleToken, ConsoleUse, Scope};
use domain::random::uuid_v7;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::tables::console_sessions::{self, Session};
use store::{Lane, Tx, Unit, Written};

use super::{lane, place};
use crate::audit::Draft;
use crate::credentials::{Caller, Claims, Refusal};
use crate::exchange::Exchange;
use crate::{App, Error, Result};

/// What somebody signs in with.
pub enum Presented<'a> {
    /// An API key, as it was typed.
    Key(&'a str),
    /// What a token says whose signature and times were checked, and when it ends.
    Token(Claims, Timestamp),
}

/// Somebody who is signed in now.
pub struct Opened {
    /// What their browser is to keep.
    pub token: ConsoleToken,
}

/// Why somebody is not signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// The credential is not accepted.
    Refused(Refusal),
    /// It is, but it is no administrator's.
    NotAdministrator,
}

/// Signs somebody in, or says why not.
///
/// # Errors
/// [`crate::Code::Unavailable`] when the database is away.
pub async fn sign_in(
    app: &App,
    exchange: &Exchange,
    presented: Presented<'_>,
) -> Result<Result<Opened, Denied>> {
    let now = app.clock.now();
    let (caller, claims, ends_at) = match presented {
        Presented::Key(key) => {
            let caller = app.directory.authenticate_key(key, now).await;
            let ends_at = caller.as_ref().ok().and_then(Caller::key);
            let ends_at = ends_at.and_then(|key| app.directory.end_of(key));
            (caller, None, ends_at)
        }
        Presented::Token(claims, ends_at) => {
            let caller = app.directory.authenticate_claims(&claims, now).await;
            (caller, Some(claims), Some(ends_at))
        }
    };
    let caller = match caller {
        Ok(caller) if caller.may(Scope::Admin) => caller,
        Ok(caller) => {
            exchange.note_caller(caller);
            return Ok(Err(Denied::NotAdministrator));
        }
        Err(refusal) => return Ok(Err(Denied::Refused(refusal))),
    };
    exchange.note_caller(caller.clone());
    let (token, open) = begin(app, exchange, &caller, claims.as_ref(), ends_at).await?;
    app.store.write(open).await?;
    exchange.mark_recorded();
    Ok(Ok(Opened { token }))
}

/// Everything of a new session, ready to be written.
pub(super) async fn begin(
    app: &App,
    exchange: &Exchange,
    caller: &Caller,
    claims: Option<&Claims>,
    credential_ends_at: Option<Timestamp>,
) -> Result<(ConsoleToken, Open)> {
    let now = app.clock.now();
    let token = ConsoleToken::generate(app.random.as_ref());
    let id = uuid_v7(now, app.random.as_ref());
    let life = ConsoleLife::begin(now, credential_ends_at);
    let key = app.keys.of_callers(caller.company(), now).await?;
    let seal = |column, plain: &[u8]| key.seal(place(&id, column), plain, app.random.as_ref());
    let claims = claims.map(Kept::of).map(|kept| serde_json::to_vec(&kept));
    let claims = claims.transpose().map_err(Error::internal)?;
    let session = Session {
        id,
        company_id: caller.company().to_owned(),
        holder: caller.credential().to_owned(),
        key_id: match claims {
            Some(_) => None,
            None => caller.key().map(|key| key.to_string()),
        },
        claims: claims.map(|plain| seal("claims", &plain)).transpose()?,
        client: Some(seal("client", client(exchange).as_bytes())?),
        began_at: now,
        seen_at: life.seen_at,
        last_at: life.last_at,
        ends_at: life.ends_at(),
    };
    exchange.note_detail(format!("session={id}"));
    let open = Open {
        token_hash: token.hash(&app.index_key, ConsoleUse::Session),
        session,
        draft: app.recorder.draft(exchange).await?,
    };
    Ok((token, open))
}

/// From where somebody signs in: address and browser, a line each.
fn client(exchange: &Exchange) -> String {
    let address = exchange.address.map(|address| address.to_string());
    let agent = exchange.user_agent.as_deref().unwrap_or_default();
    format!("{}\n{agent}", address.unwrap_or_default())
}

/// An address without its name, for counting tries: a keyed hash of it; of an IPv6 address, of the
/// network that one subscriber has.
pub fn nameless(app: &App, address: IpAddr) -> String {
    let network = match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [first, second, third, fourth, ..] = address.segments();
            format!("{first:x}:{second:x}:{third:x}:{fourth:x}")
        }
    };
    let index = app.index_key.index("console address", "", &network);
    HEXLOWER.encode(index.as_bytes())
}

/// What is kept of a token.
#[derive(Serialize, Deserialize)]
pub(super) struct Kept {
    subject: String,
    company: Option<String>,
    scope: Option<String>,
    role: Option<String>,
    key: Option<String>,
}

impl Kept {
    fn of(claims: &Claims) -> Self {
        let Claims {
            subject,
            company,
            scope,
            role,
            key,
        } = claims.clone();
        Self {
            subject,
            company,
            scope,
            role,
            key,
        }
    }

    /// What the token said.
    pub(super) fn claims(self) -> Claims {
        Claims {
            subject: self.subject,
            company: self.company,
            scope: self.scope,
            role: self.role,
            key: self.key,
        }
    }
}

/// Writes a session down, with the record of it.
pub(super) struct Open {
    token_hash: [u8; 32],
    session: Session,
    draft: Draft,
}

impl Unit for Open {
    type Output = ();

    fn lane(&self) -> Lane {
        lane()
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<()>> {
        console_sessions::insert(tx, &self.token_hash, &self.session).await?;
        Ok(Written {
            output: (),
            records: vec![self.draft.clone().finish("ok", 303, None)],
        })
    }
}
