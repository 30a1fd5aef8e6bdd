//! A company's deliveries as its staff see them.

use store::tables::deliveries::{self, Status};
use store::tables::delivery_attempts::{self, Attempt};
use uuid::Uuid;
use zeroize::Zeroizing;

pub use store::tables::deliveries::Seen;

use super::manage::{Replay, replay};
use super::place;
use crate::{App, Code, Ctx, Error, Result};

/// At most `count` deliveries of the caller's company that were enqueued before one, the newest
/// first; what cannot be read is told to the log.
///
/// # Errors
/// [`Code::Unavailable`] when the database is away.
pub async fn list_seen(
    app: &App,
    ctx: &Ctx,
    status: Option<Status>,
    before: Option<Uuid>,
    count: u16,
) -> Result<Vec<Seen>> {
    let (mut seen, mut before) = (Vec::new(), before);
    loop {
        let company = ctx.caller.company().to_owned();
        let wanted = i64::from(count).saturating_sub_unsigned(seen.len() as u64);
        let listed = app.store.read(move |mut tx| {
            let company = company.clone();
            Box::pin(async move {
                deliveries::list_of_company(&mut tx, &company, status, before, wanted).await
            })
        });
        let listed = listed.await?;
        app.store.note_spoilt(&listed.spoilt);
        let spoilt = listed.spoilt.iter().map(|row| row.id);
        // As many as asked for, those in between left out.
        before = spoilt
            .chain(listed.rows.iter().map(|row| row.delivery.id))
            .min();
        seen.extend(listed.rows);
        if listed.spoilt.is_empty() {
            return Ok(seen);
        }
    }
}

/// A delivery of the caller's company, with every attempt at it.
///
/// # Errors
/// [`Code::NotFound`].
pub async fn see(app: &App, ctx: &Ctx, id: Uuid) -> Result<(Seen, Vec<Attempt>)> {
    let company = ctx.caller.company().to_owned();
    let found = app.store.read(move |mut tx| {
        let company = company.clone();
        Box::pin(async move {
            let seen = deliveries::find_of_company(&mut tx, &company, id).await?;
            let Some(seen) = seen else { return Ok(None) };
            Ok(Some((seen, delivery_attempts::list(&mut tx, id).await?)))
        })
    });
    found.await?.ok_or_else(unknown)
}

/// What is in a delivery of the caller's company, byte for byte.
///
/// # Errors
/// [`Code::NotFound`]; [`Code::Gone`] when it is forgotten.
pub async fn open(app: &App, ctx: &Ctx, id: Uuid) -> Result<Zeroizing<Vec<u8>>> {
    see(app, ctx, id).await?;
    ctx.exchange.note_detail(format!("delivery={id}"));
    let company = ctx.caller.company().to_owned();
    let sealed = app.store.read(move |mut tx| {
        let company = company.clone();
        Box::pin(async move { deliveries::find_sealed(&mut tx, &company, id).await })
    });
    let (key, payload) = sealed.await?.ok_or_else(|| {
        let message = "What is in this delivery can never be read again.";
        Error::new(Code::Gone, message)
    })?;
    Ok(app.key_ring.unwrap(&key)?.open(place(&id), &payload)?)
}

/// Has a delivery of the caller's company made again; `false` when it waits anyway.
///
/// # Errors
/// [`Code::NotFound`].
pub async fn make_again(app: &App, ctx: &Ctx, id: Uuid) -> Result<bool> {
    see(app, ctx, id).await?;
    let replayed = replay(app, &ctx.exchange, Replay::These(vec![id])).await?;
    Ok(replayed == 1)
}

fn unknown() -> Error {
    Error::new(Code::NotFound, "There is no delivery of that id.")
}
