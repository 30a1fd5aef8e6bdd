//! What comes in and goes out by one integration.

use domain::hook::Source;
use jiff::Timestamp;
use store::tables::{sync_positions, traffic};

pub use store::tables::traffic::{Incoming, Outgoing};

use crate::deliveries::channel::receiver;
use crate::{App, Ctx, Result};

/// What comes in and goes out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// By its hooks, if it has any.
    pub incoming: Option<Incoming>,
    /// By its channel, if it has one.
    pub outgoing: Option<Outgoing>,
    /// Until when all that it has was looked through, if ever.
    pub looked_through: Option<Timestamp>,
}

/// What comes to the caller's company from `source` and leaves it by `channel`.
///
/// # Errors
/// [`crate::Code::Unavailable`] when the database is away.
pub async fn traffic(
    app: &App,
    ctx: &Ctx,
    source: Option<Source>,
    channel: Option<&str>,
) -> Result<Traffic> {
    let company = ctx.caller.company().to_owned();
    let line = channel.map(|channel| receiver(channel, &company));
    let found = app.store.read(move |mut tx| {
        let (company, line) = (company.clone(), line.clone());
        Box::pin(async move {
            let mut found = Traffic::default();
            if let Some(source) = source {
                found.incoming = Some(traffic::incoming(&mut tx, &company, source).await?);
                let position = sync_positions::find(&mut tx, &company, source).await?;
                found.looked_through = position.map(|position| position.since);
            }
            if let Some(line) = &line {
                found.outgoing = Some(traffic::outgoing(&mut tx, &company, line).await?);
            }
            Ok(found)
        })
    });
    Ok(found.await?)
}
