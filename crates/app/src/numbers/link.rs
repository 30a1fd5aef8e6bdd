//! The link that is sent to a number, and following it.
//!
//! Whoever holds a link is a stranger until the token is right. A wrong token, a dead one and an id
//! that does not exist are answered alike, and after the same work.

use std::sync::Arc;

use domain::access::{CompanyId, Credential, Principal, Scopes};
use domain::number::{LinkToken, SessionId};
use domain::secret_hash::SecretHash;
use store::tables::verification_sessions::{Found, Key};
use zeroize::Zeroizing;

use super::{Policy, Shown};
use crate::credentials::{Caller, KeyLimits};
use crate::exchange::Exchange;
use crate::{App, Code, Ctx, Error, Result};

/// What the token of a session that does not exist is compared with: no text has this hash.
const NO_TOKEN: SecretHash = SecretHash::from_bytes([0; 32]);

/// Makes the link of a session: to the company's app, or to the page of this server. There the
/// token stands behind `#`, which no browser sends.
pub(super) fn deep_link(
    policy: &Policy,
    app_link: Option<&str>,
    id: &SessionId,
    token: &LinkToken,
) -> Zeroizing<String> {
    let token = token.expose();
    Zeroizing::new(match app_link {
        Some(app_link) => app_address(app_link, id, token),
        None => page_address(policy, id, token),
    })
}

fn app_address(app_link: &str, id: &SessionId, token: &str) -> String {
    format!("{app_link}?id={id}&token={token}")
}

fn page_address(policy: &Policy, id: &SessionId, token: &str) -> String {
    format!("{}/v/{id}#{token}", policy.base_url)
}

/// A link that was followed with the right token.
pub struct Link {
    /// For use cases that the holder of the link may call.
    pub ctx: Ctx,
    /// The session.
    pub session: Shown,
    /// The name of the company that asks.
    pub company_name: String,
    /// What opens the company's app with this session, if it has one.
    pub app_address: Option<Zeroizing<String>>,
    /// The same page on another device.
    pub page_address: Zeroizing<String>,
}

/// Follows a link: looks whether the token opens the session, and changes nothing.
///
/// # Errors
/// [`Code::Unauthenticated`] when it does not, or there is no such session.
pub async fn follow(app: &App, exchange: &Arc<Exchange>, id: &str, token: &str) -> Result<Link> {
    let (ctx, found) = open(app, exchange, id, token).await?;
    let company = app.directory.active_company(&found.company_id);
    let (company_name, app_link) = company.ok_or_else(refused)?;
    let id = &found.verification_id;
    Ok(Link {
        session: Shown::open(&app.key_ring, &found, app.clock.now())?,
        app_address: app_link.map(|link| Zeroizing::new(app_address(&link, id, token))),
        page_address: Zeroizing::new(page_address(&app.numbers, id, token)),
        company_name,
        ctx,
    })
}

/// The same for a caller that is told nothing of the session.
///
/// # Errors
/// [`Code::Unauthenticated`] when the token does not open it, or there is no such session.
pub async fn authorise(app: &App, exchange: &Arc<Exchange>, id: &str, token: &str) -> Result<Ctx> {
    Ok(open(app, exchange, id, token).await?.0)
}

async fn open(app: &App, exchange: &Arc<Exchange>, id: &str, token: &str) -> Result<(Ctx, Found)> {
    let id = SessionId::parse(id).ok_or_else(refused)?;
    let key = Key { company: None, id };
    let found = app.store.look_at_session(key).await?;
    let hash = found.as_ref().map(|found| found.token_hash);
    let is_right = hash.unwrap_or(NO_TOKEN).matches(token);
    let found = found.filter(|_| is_right).ok_or_else(refused)?;
    let key = found.data_key.as_ref().ok_or_else(refused)?;
    let key = app.key_ring.unwrap(key)?;
    let company = CompanyId::parse(&found.company_id).map_err(Error::internal)?;
    app.directory
        .active_company(company.as_str())
        .ok_or_else(refused)?;
    exchange.note_subject(found.number_index);
    exchange.note_client_key(key);
    let principal = Principal {
        company,
        credential: Credential::Session,
        scopes: Scopes::NONE,
        role_admin: false,
    };
    let caller = Caller::new(principal, KeyLimits::new(), &app.index_key);
    exchange.note_caller(caller.clone());
    let exchange = exchange.clone();
    Ok((Ctx { caller, exchange }, found))
}

fn refused() -> Error {
    Error::new(Code::Unauthenticated, "The link is not accepted.")
}
