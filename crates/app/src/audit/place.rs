//! Where in the log the record of an exchange stands, just after it was written.

use jiff::Timestamp;
use store::tables::audit;

use super::faults::Place;
use crate::exchange::Exchange;
use crate::{App, Result};

/// The place of the record of an exchange that was committed at `since` or later; a short piece of
/// the log is searched, not the whole.
///
/// # Errors
/// When the database is away.
pub async fn place_of(app: &App, exchange: &Exchange, since: Timestamp) -> Result<Option<Place>> {
    let (request_id, action) = (exchange.request_id.clone(), exchange.action());
    let found = app.store.read(move |mut tx| {
        let request_id = request_id.clone();
        Box::pin(async move { audit::find_since(&mut tx, since, &request_id, action).await })
    });
    let place = |(log, batch, position)| Place {
        log,
        batch,
        position,
    };
    Ok(found.await?.map(place))
}
