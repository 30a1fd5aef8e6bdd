//! Stopping the reminders of an order.
//!
//! Guarantees: it takes nothing but the link, works as often as it is asked for, and tells nobody
//! whether there is such an order. The order itself goes on: what is missing is still missing, and
//! whoever's order expires is told that once.

use std::sync::Arc;

use domain::mail::{Purpose, Ticket};
use domain::seal::WrappedKey;
use jiff::Timestamp;
use store::tables::{mail_stops, orders};
use store::{Lane, Tx, Unit, Written};

use crate::audit::Draft;
use crate::credentials::Caller;
use crate::exchange::Exchange;
use crate::{App, Code, Error, Result};

/// Stops the reminders that a link belongs to.
///
/// # Errors
/// [`Code::Unauthenticated`] when the token was not made here, or its time is over.
pub async fn stop(app: &App, exchange: &Arc<Exchange>, token: &str) -> Result<()> {
    let now = app.clock.now();
    let ticket = Ticket::read(&app.index_key, Purpose::Stop, token, now).ok_or_else(refused)?;
    exchange.note_caller(Caller::by_link(ticket.company.clone(), &app.index_key));
    if let Some(key) = customer_key(app, &ticket).await? {
        exchange.note_client_key(app.key_ring.unwrap(&key)?);
    }
    let unit = Stop {
        draft: app.recorder.draft(exchange).await?,
        ticket,
        now,
    };
    app.store.write(unit).await?;
    exchange.mark_recorded();
    Ok(())
}

/// The key of the order's customer, under which their address is sealed; `None` when there is no such
/// order, or the customer is erased.
async fn customer_key(app: &App, ticket: &Ticket) -> Result<Option<WrappedKey>> {
    let (company, order) = (ticket.company.as_str().to_owned(), ticket.subject);
    let key = app.store.read(move |mut tx| {
        let company = company.clone();
        Box::pin(async move { orders::find_key(&mut tx, &company, order).await })
    });
    Ok(key.await?)
}

fn refused() -> Error {
    Error::new(Code::Unauthenticated, "The link is not accepted.")
}

struct Stop {
    ticket: Ticket,
    now: Timestamp,
    draft: Draft,
}

impl Unit for Stop {
    type Output = ();

    fn lane(&self) -> Lane {
        Lane::of(self.ticket.subject.as_bytes())
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<()>> {
        let (company, order) = (self.ticket.company.as_str(), self.ticket.subject);
        let first = mail_stops::insert(tx, company, order, self.now).await?;
        let detail = if first { "stopped" } else { "stopped before" };
        let detail = format!("order={order} {detail}");
        Ok(Written {
            output: (),
            records: vec![self.draft.clone().finish("ok", 200, Some(detail))],
        })
    }
}
