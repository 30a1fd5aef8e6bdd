//! Signing in with an administrator's key or token, or as somebody whom an identity provider names.

use std::net::IpAddr;

use data_encoding::HEXLOWER;
use domain::access::{ConsoleLife, ConsoleToken, ConsoleUse, Scope};
use domain::random::uuid_v7;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::tables::console_sessions::{self, Session};
use store::{Lane, Tx, Unit, Written};

use super::{Administrators, Person, lane, place};
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
    /// Whom the identity provider names, after its word was checked.
    Person(Person),
}

impl Presented<'_> {
    /// How a request with it is answered that signs somebody in.
    const fn status(&self) -> u16 {
        match self {
            Self::Key(_) | Self::Token(..) => LED_ON,
            // Whoever was sent here by another site is shown a page first: see the decision about it.
            Self::Person(_) => 200,
        }
    }
}

/// The status of an answer that leads on.
const LED_ON: u16 = 303;

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
    let status = presented.status();
    let (caller, kept, ends_at) = match presented {
        Presented::Key(key) => {
            let caller = app.directory.authenticate_key(key, now).await?;
            let ends_at = caller.as_ref().ok().and_then(Caller::key);
            let ends_at = ends_at.and_then(|key| app.directory.end_of(key));
            (caller, None, ends_at)
        }
        Presented::Token(claims, ends_at) => {
            let caller = app.directory.authenticate_claims(&claims, now).await?;
            (caller, Some(Kept::of(&claims, None)), Some(ends_at))
        }
        Presented::Person(person) => {
            let administrators = app.administrators.as_ref();
            let claims = administrators.and_then(|listed| listed.claims_of(&person));
            let Some(claims) = claims else {
                return Ok(Err(Denied::NotAdministrator));
            };
            let caller = app.directory.authenticate_claims(&claims, now).await?;
            // What the provider said was good at the door alone; its end is not the session's.
            (caller, Some(Kept::of(&claims, Some(person.issuer))), None)
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
    let (token, open) = begin(app, exchange, &caller, kept, ends_at).await?;
    app.store.write(Open { status, ..open }).await?;
    exchange.mark_recorded();
    Ok(Ok(Opened { token }))
}

/// Everything of a new session, ready to be written.
pub(super) async fn begin(
    app: &App,
    exchange: &Exchange,
    caller: &Caller,
    kept: Option<Kept>,
    credential_ends_at: Option<Timestamp>,
) -> Result<(ConsoleToken, Open)> {
    let now = app.clock.now();
    let token = ConsoleToken::generate(app.random.as_ref());
    let id = uuid_v7(now, app.random.as_ref());
    let life = ConsoleLife::begin(now, credential_ends_at);
    let key = app.keys.of_callers(caller.company(), now).await?;
    let seal = |column, plain: &[u8]| key.seal(place(&id, column), plain, app.random.as_ref());
    let claims = kept.map(|kept| serde_json::to_vec(&kept));
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
        status: LED_ON,
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

/// What is kept of a token, or of whom the identity provider named.
#[derive(Serialize, Deserialize)]
pub(super) struct Kept {
    subject: String,
    company: Option<String>,
    scope: Option<String>,
    role: Option<String>,
    key: Option<String>,
    /// The provider, for whoever is an administrator because they are listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issuer: Option<String>,
}

impl Kept {
    fn of(claims: &Claims, issuer: Option<String>) -> Self {
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
            issuer,
        }
    }

    /// Whether they are an administrator still, if that is for the list to say.
    pub(super) fn is_listed(&self, administrators: Option<&Administrators>) -> bool {
        self.issuer.as_ref().is_none_or(|issuer| {
            administrators.is_some_and(|listed| listed.has(issuer, &self.subject))
        })
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
    status: u16,
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
            records: vec![self.draft.clone().finish("ok", self.status, None)],
        })
    }
}
