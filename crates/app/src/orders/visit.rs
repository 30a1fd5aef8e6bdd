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
use futures_util::FutureExt as _;
use jiff::Timestamp;
use store::tables::veriff_sessions::{self, Session};

use super::pen::Pen;
use super::subject::Subject;
use crate::credentials::Caller;
use crate::exchange::Exchange;
use crate::veriff::{Check, Veriff};
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
    /// How the customer can show who they are.
    pub identity: Identity,
}

/// How the customer can show who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Where the check of an ID by Veriff stands; `None` when nobody is sent there.
    pub check: Option<Check>,
    /// Whether it is enough to pass the age checks.
    pub by_age: bool,
    /// How old a customer must be, in years.
    pub minimum_age: u8,
}

impl Visit {
    /// Whether the order is still waited with, or a step for it still counts.
    #[must_use]
    pub fn is_open(&self) -> bool {
        match self.status {
            Status::Held | Status::Expired => true,
            Status::Late => !self.missing.is_empty(),
            Status::Released | Status::Cancelled => false,
        }
    }

    /// Whether the customer is asked for a proof.
    #[must_use]
    pub fn asks_for(&self, proof: Proof) -> bool {
        self.is_open() && self.is_missing(proof)
    }

    /// Whether a proof is missing.
    #[must_use]
    pub fn is_missing(&self, proof: Proof) -> bool {
        self.missing.proofs().any(|missing| missing == proof)
    }
}

/// Somebody with a good link.
pub struct Guest {
    pub(super) ctx: Ctx,
    pub(super) subject: Subject,
    visit: Visit,
}

impl Guest {
    /// What they are shown: how everything stood when they came.
    #[must_use]
    pub const fn visit(&self) -> &Visit {
        &self.visit
    }
}

/// Lets in whoever comes by the link of an order, and looks at the order. Customers of the company
/// that has Veriff can be sent there.
///
/// # Errors
/// [`Code::Unauthenticated`] when the token was not made here, its time is over, or the order or
/// its customer is gone, or the company is not active.
pub async fn welcome(
    app: &App,
    veriff: Option<&Veriff>,
    exchange: &Arc<Exchange>,
    token: &str,
) -> Result<Guest> {
    let now = app.clock.now();
    let ticket = Ticket::read(&app.index_key, Purpose::Verify, token, now).ok_or_else(refused)?;
    let caller = Caller::by_link(ticket.company.clone(), &app.index_key);
    exchange.note_caller(caller.clone());
    let company = ticket.company.as_str();
    app.directory.active_company(company).ok_or_else(refused)?;
    let subject = Subject::find(app, company, ticket.subject).await?;
    let subject = subject.ok_or_else(refused)?;
    exchange.note_subject(subject.order.order.email_index);
    exchange.note_client_key(subject.key(app)?);
    let has_veriff = veriff.is_some_and(|veriff| veriff.company == company);
    Ok(Guest {
        visit: look(app, &subject, has_veriff, now).await?,
        ctx: Ctx {
            caller,
            exchange: exchange.clone(),
        },
        subject,
    })
}

fn refused() -> Error {
    Error::new(Code::Unauthenticated, "The link is not accepted.")
}

async fn look(app: &App, subject: &Subject, has_veriff: bool, now: Timestamp) -> Result<Visit> {
    let order = &subject.order.order;
    let missing = subject.order.customer.as_ref().map(|customer| {
        let until = customer.age_verified_until;
        Pen::of(app).missing(&customer.standing, until, now)
    });
    let shown = Documents::find(app, subject).await?;
    let check = has_veriff.then(|| Check::of(shown.newest.as_ref(), order.placed_at, now));
    Ok(Visit {
        company_name: subject.company_name.clone(),
        order_id: order.order_id.clone(),
        status: order.status,
        missing: missing.unwrap_or(Missing::ALL),
        deadline: order.deadline,
        agreement: app.orders.agreement.clone(),
        identity: Identity {
            check,
            // Whose document says too young is not asked what they say themselves, for whatever order.
            by_age: app.ages.proves_identity && !shown.says_too_young,
            minimum_age: app.ages.age.minimum(),
        },
    })
}

/// What is known of the customer by the documents they have shown.
struct Documents {
    /// The newest session.
    newest: Option<Session>,
    /// Whether the last document that tells says that they are too young.
    says_too_young: bool,
}

impl Documents {
    async fn find(app: &App, subject: &Subject) -> Result<Self> {
        let order = &subject.order.order;
        let (company, index) = (order.company_id.clone(), order.email_index);
        let key = subject.data_key();
        let found = app.store.read(move |mut tx| {
            let company = company.clone();
            async move {
                let newest = veriff_sessions::find_newest(&mut tx, &company, index).await?;
                let on_age =
                    veriff_sessions::find_newest_on_age(&mut tx, &company, index, key).await?;
                Ok(Self {
                    // What is of somebody who had this address before is not this customer's.
                    newest: newest.filter(|session| session.data_key == key),
                    says_too_young: on_age.is_some_and(|session| session.is_too_young()),
                })
            }
            .boxed()
        });
        Ok(found.await?)
    }
}
