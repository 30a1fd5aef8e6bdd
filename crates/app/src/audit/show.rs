//! One record of the log, opened, for whoever may see it.

use store::tables::audit_leaves;

use super::export::{ExportedRecord, Keys};
use super::faults::Place;
use crate::{App, Code, Ctx, Error, Result};

/// A record of the caller's company, or of somebody whom nobody knew.
///
/// # Errors
/// [`Code::NotFound`] when there is no such record.
pub async fn show(app: &App, ctx: &Ctx, place: Place) -> Result<ExportedRecord> {
    let Place {
        log,
        batch,
        position,
    } = place;
    let found = app.store.read(move |mut tx| {
        Box::pin(async move { audit_leaves::find(&mut tx, log, batch, position).await })
    });
    let own = ctx.caller.company();
    let found = found.await?.map(|(located, _)| located);
    let located = found
        .filter(|located| located.record.company.is_empty() || *located.record.company == *own)
        .ok_or_else(|| Error::new(Code::NotFound, "There is no record of that id."))?;
    let mut keys = Keys::of(app);
    let key = keys.get(located.record.data_key).await?;
    Ok(ExportedRecord::of(located, key))
}
