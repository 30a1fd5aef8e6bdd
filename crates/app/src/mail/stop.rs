//! Stopping the reminders of an order.
//!
//! Guarantees: it takes nothing but the link, works as often as it is asked for, and tells nobody
//! whether there is such an order. The order itself goes on: what is missing is still missing, and
//! whoever's order expires is told that once.

use std::sync::Arc;

use domain::mail::{Purpose, Ticket};
use jiff::Timestamp;
use store::tables::mail_stops;
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
    let unit = Stop {
        draft: app.recorder.draft(exchange).await?,
        ticket,
        now,
    };
    app.store.write(unit).await?;
    exchange.mark_recorded();
    Ok(())
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
