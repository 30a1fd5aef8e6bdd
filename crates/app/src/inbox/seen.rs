//! A company's events as its staff see them.

use store::tables::inbox::{self, Listed, Status};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::manage::{Replay, find, not_found, opened, replay};
use crate::{App, Ctx, Result};

/// At most `count` events of the caller's company that came before one, the newest first: those that
/// wait, those that were parked, or all; what cannot be read is told to the log.
///
/// # Errors
/// [`crate::Code::Unavailable`] when the database is away.
pub async fn list_seen(
    app: &App,
    ctx: &Ctx,
    status: Option<Status>,
    before: Option<Uuid>,
    count: u16,
) -> Result<Vec<Listed>> {
    let company = ctx.caller.company().to_owned();
    let listed = app.store.read(move |mut tx| {
        let company = company.clone();
        Box::pin(async move {
            inbox::list_of_company(&mut tx, &company, status, before, count.into()).await
        })
    });
    let listed = listed.await?;
    app.store.note_spoilt(&listed.spoilt);
    Ok(listed.rows)
}

/// An event of the caller's company.
///
/// # Errors
/// [`crate::Code::NotFound`].
pub async fn see(app: &App, ctx: &Ctx, id: Uuid) -> Result<Listed> {
    let found = find(app, id).await?;
    match found.company_id == ctx.caller.company() {
        true => Ok(found),
        false => Err(not_found()),
    }
}

/// What an event of the caller's company says, byte for byte.
///
/// # Errors
/// [`crate::Code::NotFound`]; [`crate::Code::Gone`] when it is forgotten.
pub async fn open(app: &App, ctx: &Ctx, id: Uuid) -> Result<Zeroizing<Vec<u8>>> {
    see(app, ctx, id).await?;
    ctx.exchange.note_detail(format!("event={id}"));
    opened(app, id).await
}

/// Has an event of the caller's company processed again; `false` when it waits anyway, or only its
/// name is kept.
///
/// # Errors
/// [`crate::Code::NotFound`].
pub async fn process_again(app: &App, ctx: &Ctx, id: Uuid) -> Result<bool> {
    see(app, ctx, id).await?;
    let replayed = replay(app, &ctx.exchange, Replay::These(vec![id])).await?;
    Ok(replayed == 1)
}

/// Has everything of the caller's company that was parked processed again; returns how much.
///
/// # Errors
/// [`crate::Code::Unavailable`] when the database is away.
pub async fn process_parked_again(app: &App, ctx: &Ctx) -> Result<u64> {
    let company = ctx.caller.company().to_owned();
    replay(app, &ctx.exchange, Replay::ParkedOf(company)).await
}
