//! One order with its timeline.

use jiff::Timestamp;
use store::tables::order_events::{self, OrderEvent};
use store::tables::orders;
use uuid::Uuid;

use super::change::{event_row, place};
use super::not_found;
use super::pen::{KeyOf, Pen};
use super::shown::Shown;
use crate::{App, Ctx, Result};
use domain::seal::DataKey;

/// An order and what has happened to it.
#[derive(Debug, Clone)]
pub struct Story {
    /// The order.
    pub order: Shown,
    /// From its beginning on.
    pub timeline: Vec<Moment>,
}

/// Something that happened to an order.
#[derive(Clone, PartialEq, Eq)]
pub struct Moment {
    /// When.
    pub at: Timestamp,
    /// What, in one word.
    pub event: String,
    /// More of it; of what staff did, the reason they gave.
    pub detail: Option<String>,
}

impl std::fmt::Debug for Moment {
    /// A reason may say anything of anybody.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Moment({}, …)", self.event)
    }
}

/// Shows an order of the caller's company.
///
/// # Errors
/// [`crate::Code::NotFound`] when the company has none of that name.
pub async fn show(app: &App, ctx: &Ctx, order_id: &str) -> Result<Story> {
    let pen = Pen::of(app);
    let read = {
        let (pen, company) = (pen.clone(), ctx.caller.company().to_owned());
        let order_id = order_id.to_owned();
        app.store.read(move |mut tx| {
            let (pen, company) = (pen.clone(), company.clone());
            let order_id = order_id.clone();
            Box::pin(async move {
                let Some(found) = orders::find(&mut tx, &company, &order_id).await? else {
                    return Ok(None);
                };
                let events = order_events::list(&mut tx, found.order.id).await?;
                let key = match events.iter().any(|event| event.reason.is_some()) {
                    true => match pen.key_of(&mut tx, &found.order).await? {
                        KeyOf::Key(key) => Some(key),
                        KeyOf::Destroyed | KeyOf::Unreadable => None,
                    },
                    false => None,
                };
                let moments = events
                    .into_iter()
                    .map(|event| moment(found.order.id, key.as_ref(), event))
                    .collect::<Vec<_>>();
                Ok(Some((found, moments)))
            })
        })
    };
    let (found, timeline) = read.await?.ok_or_else(not_found)?;
    ctx.exchange.note_subject(found.order.email_index);
    Ok(Story {
        order: Shown::of(&pen, found, app.clock.now()),
        timeline,
    })
}

/// A reason that cannot be opened any more is not told.
fn moment(order: Uuid, key: Option<&DataKey>, event: OrderEvent) -> Moment {
    let row = event_row(order, event.number);
    let reason = event
        .reason
        .zip(key)
        .and_then(|(sealed, key)| key.open(place(&row), &sealed).ok())
        .and_then(|plain| String::from_utf8(plain.to_vec()).ok());
    Moment {
        at: event.at,
        event: event.event,
        detail: reason.or(event.detail),
    }
}
