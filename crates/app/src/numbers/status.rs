//! How a session stands.

use domain::number::SessionId;
use store::tables::verification_sessions::{Found, Key};

use super::{Shown, not_found};
use crate::{App, Ctx, Result};

/// Looks a session of the caller's company up.
///
/// # Errors
/// [`crate::Code::NotFound`] when the company has none of that id.
pub async fn status(app: &App, ctx: &Ctx, id: &str) -> Result<Shown> {
    let id = SessionId::parse(id).ok_or_else(not_found)?;
    let draft = app.recorder.draft(&ctx.exchange).await?;
    // What was erased is not there any more.
    let is_there = |found: &Found| found.data_key.is_some();
    let record = move |found: Option<&Found>| {
        let found = found.filter(|found| is_there(found));
        let (code, status) = if found.is_some() {
            ("ok", 200)
        } else {
            ("not_found", 404)
        };
        let mut record = draft.clone().finish(code, status, None);
        record.subject = found.map(|found| found.number_index);
        record
    };
    let key = Key {
        company: Some(ctx.caller.company_id().clone()),
        id,
    };
    let found = app.store.find_session(key, record).await?;
    ctx.exchange.mark_recorded();
    let found = found.filter(is_there).ok_or_else(not_found)?;
    Ok(Shown::open(&app.key_ring, &found, app.clock.now())?)
}
