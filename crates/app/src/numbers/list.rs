//! A company's sessions, the newest first.

use domain::number::SessionId;
use store::tables::verification_sessions;

use super::Shown;
use crate::{App, Ctx, Result};

/// A session of a list.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its name.
    pub id: SessionId,
    /// What it tells; nothing, once its person was erased.
    pub shown: Option<Shown>,
}

/// At most `count` sessions of the caller's company that began before one, the newest first.
///
/// # Errors
/// [`crate::Code::Unavailable`] when the database is away.
pub async fn list(
    app: &App,
    ctx: &Ctx,
    before: Option<SessionId>,
    count: u16,
) -> Result<Vec<Listed>> {
    let company = ctx.caller.company().to_owned();
    let found = app.store.read(move |mut tx| {
        let (company, before) = (company.clone(), before.clone());
        Box::pin(async move {
            let before = before.as_ref();
            verification_sessions::list_of_company(&mut tx, &company, before, count.into()).await
        })
    });
    let now = app.clock.now();
    let listed = found.await?.into_iter().map(|found| Listed {
        // What does not open here is as good as gone for whoever looks.
        shown: Shown::open(&app.key_ring, &found, now).ok(),
        id: found.verification_id,
    });
    Ok(listed.collect())
}
