//! The customer of an order, come by the link of a mail.
//!
//! Guarantees: it takes nothing but the link, which is good for one order; whoever has none learns
//! nothing of any order. Looking changes nothing, so link scanners may.
//! Must not: show who the customer is: a link may be passed on.

use std::sync::Arc;

use domain::agreement::Agreement;
use domain::mail::{Purpose, Ticket};
use domain::order::{Missing, Status};
use domain::standing::Proof;
use jiff::Timestamp;
use store::tables::agreements;
use store::{Lane, Tx, Unit, Written};

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
    /// What can be signed here.
    pub agreement: Option<Arc<Agreement>>,
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

/// What a customer can give on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given<'a> {
    /// The word that mail may be sent.
    OptIn,
    /// A signature under the agreement of this version.
    Agreement(&'a str),
}

impl Given<'_> {
    const fn proof(self) -> Proof {
        match self {
            Self::OptIn => Proof::EmailOptin,
            Self::Agreement(_) => Proof::Membership,
        }
    }
}

/// Takes what the customer gives, and shows what is left. What was given before stays as it was;
/// nothing is signed under an agreement that is not today's, which is shown instead.
///
/// # Errors
/// Those of [`visit`].
pub async fn give(
    app: &App,
    exchange: &Arc<Exchange>,
    token: &str,
    given: Given<'_>,
) -> Result<Visit> {
    let guest = welcome(app, exchange, token).await?;
    let shown = guest.shown(app);
    if !shown.missing.proofs().any(|proof| proof == given.proof()) {
        return Ok(shown);
    }
    let agreement = match given {
        Given::OptIn => None,
        Given::Agreement(version) => {
            let agreement = shown.agreement.clone();
            match agreement.filter(|agreement| agreement.version() == version) {
                Some(agreement) => Some(agreement),
                None => return Ok(shown),
            }
        }
    };
    if let Some(agreement) = &agreement {
        // Before the signature: a text that nobody signed does no harm, the reverse would.
        let unit = Keep {
            company: guest.caller.company().to_owned(),
            agreement: agreement.clone(),
            now: app.clock.now(),
        };
        app.store.write(unit).await?;
    }
    let update = Update {
        email: guest.subject.email(app)?,
        phone: None,
        proof: given.proof(),
        status: true,
        metadata: Metadata {
            ip_address: exchange.address.map(|address| address.to_string()),
            user_agent: exchange.user_agent.clone(),
            verification_id: None,
            agreement: agreement.map(|agreement| agreement.version().to_owned()),
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

/// Keeps the text of an agreement.
struct Keep {
    company: String,
    agreement: Arc<Agreement>,
    now: Timestamp,
}

impl Unit for Keep {
    type Output = ();

    fn lane(&self) -> Lane {
        Lane::of(self.agreement.version().as_bytes())
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<()>> {
        agreements::keep(tx, &self.company, &self.agreement, self.now).await?;
        Ok(Written {
            output: (),
            records: Vec::new(),
        })
    }
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
            agreement: app.orders.agreement.clone(),
        }
    }
}
