//! On whose behalf an event is processed: what is done because of a hook is done on its company's
//! behalf, and recorded like a request.

use std::sync::Arc;

use domain::access::{CompanyId, Credential, Principal, Scopes};
use domain::random::uuid_v7;

use crate::credentials::{Caller, KeyLimits};
use crate::exchange::Exchange;
use crate::{App, Ctx, Error, Result};

/// What is done for a company because of a hook.
///
/// # Errors
/// When no company can have that name.
pub(crate) fn on_behalf(app: &App, company: &str, action: &'static str) -> Result<Ctx> {
    let now = app.clock.now();
    let principal = Principal {
        company: CompanyId::parse(company).map_err(Error::internal)?,
        credential: Credential::Hook,
        scopes: Scopes::NONE,
        role_admin: false,
    };
    let caller = Caller::new(principal, KeyLimits::new(), &app.index_key);
    let request_id = uuid_v7(now, &*app.random).to_string();
    let exchange = Exchange::new(request_id, now, None, None);
    exchange.note_action(action);
    exchange.note_caller(caller.clone());
    Ok(Ctx {
        caller,
        exchange: Arc::new(exchange),
    })
}
