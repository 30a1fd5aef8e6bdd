//! The customer of an order, come by the link of a mail.
//!
//! Guarantees: it takes nothing but the link, which is good for one order; whoever has none learns
//! nothing of any order. Looking changes nothing, so link scanners may.
//! Must not: show who the customer is: a link may be passed on.

use std::sync::Arc;

use domain::mail::{Purpose, Ticket};
use domain::order::{Missing, Status};
use domain::standing::Proof;
use jiff::Timestamp;

use super::pen::Pen;
use super::subject::Subject;
use crate::credentials::Caller;
use crate::customers::{self, Metadata, Update};
use crate::exchange::Exchange;
use crate::idempotency::Reply;
use crate::{App, Code, Ctx, Error, Result};

/// What the customer of an order is shown.
#[derive(Debug, Clone)]
pub struct Visit {
    /// The name of the company, for people.
    pub company_name: String,
    /// The shop's number for the order.
    pub order_id: String,
    /// Where it stands.
    pub status: Status,
    /// What is missing.
    pub missing: Missing,
    /// Until when it is, or was, held.
    pub deadline: Timestamp,
}

/// Somebody with a good link.
struct Guest {
    caller: Caller,
    subject: Subject,
}

/// Looks at the order that a link belongs to.
///
/// # Errors
/// [`Code::Unauthenticated`] when the token was not made here, its time is over, or the order or
/// its customer is gone.
pub async fn visit(app: &App, exchange: &Arc<Exchange>, token: &str) -> Result<Visit> {
    Ok(welcome(app, exchange, token).await?.shown(app))
}

/// Takes the customer's word that mail may be sent, and shows what is left. Given before, it stays
/// as it was.
///
/// # Errors
/// Those of [`visit`].
pub async fn opt_in(app: &App, exchange: &Arc<Exchange>, token: &str) -> Result<Visit> {
    let guest = welcome(app, exchange, token).await?;
    let shown = guest.shown(app);
    if !shown
        .missing
        .proofs()
        .any(|proof| proof == Proof::EmailOptin)
    {
        return Ok(shown);
    }
    let update = Update {
        email: guest.subject.email(app)?,
        phone: None,
        proof: Proof::EmailOptin,
        status: true,
        metadata: Metadata {
            ip_address: exchange.address.map(|address| address.to_string()),
            user_agent: exchange.user_agent.clone(),
            verification_id: None,
        },
        occurred_at: None,
    };
    let ctx = Ctx {
        caller: guest.caller,
        exchange: exchange.clone(),
    };
    customers::update(app, &ctx, update, Reply::unkept()).await?;
    visit(app, exchange, token).await
}

async fn welcome(app: &App, exchange: &Arc<Exchange>, token: &str) -> Result<Guest> {
    let now = app.clock.now();
    let ticket = Ticket::read(&app.index_key, Purpose::Verify, token, now).ok_or_else(refused)?;
    let caller = Caller::by_link(ticket.company.clone(), &app.index_key);
    exchange.note_caller(caller.clone());
    let subject = Subject::find(app, ticket.company.as_str(), ticket.subject).await?;
    let subject = subject.ok_or_else(refused)?;
    exchange.note_subject(subject.order.order.email_index);
    Ok(Guest { caller, subject })
}

fn refused() -> Error {
    Error::new(Code::Unauthenticated, "The link is not accepted.")
}

impl Guest {
    fn shown(&self, app: &App) -> Visit {
        let order = &self.subject.order.order;
        let missing = self.subject.order.customer.as_ref().map(|customer| {
            let until = customer.age_verified_until;
            Pen::of(app).missing(&customer.standing, until, app.clock.now())
        });
        Visit {
            company_name: self.subject.company_name.clone(),
            order_id: order.order_id.clone(),
            status: order.status,
            missing: missing.unwrap_or(Missing::ALL),
            deadline: order.deadline,
        }
    }
}
