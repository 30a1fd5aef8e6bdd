//! What the customer of an order does on the page, each as if the shop had asked for it.
//!
//! Guarantees: what is not asked for (any more) changes nothing and costs nothing; nothing is signed
//! under an agreement that is not today's.

use std::sync::Arc;

use domain::agreement::Agreement;
use domain::standing::Proof;
use jiff::Timestamp;
use store::tables::agreements;
use store::{Lane, Tx, Unit, Written};

use super::visit::Guest;
use crate::ages::{self, Answer, Claimed};
use crate::customers::{self, Metadata, Update};
use crate::idempotency::Reply;
use crate::veriff::{self, Check, Started, Veriff};
use crate::{App, Result};

/// Takes the customer's word that mail may be sent.
///
/// # Errors
/// [`crate::Code::Unavailable`] when the database is away.
pub async fn opt_in(app: &App, guest: &Guest) -> Result<()> {
    match guest.visit().asks_for(Proof::EmailOptin) {
        true => give(app, guest, Proof::EmailOptin, None).await,
        false => Ok(()),
    }
}

/// Takes a signature under the agreement of this version, if it is today's.
///
/// # Errors
/// [`crate::Code::Unavailable`] when the database is away.
pub async fn sign(app: &App, guest: &Guest, version: &str) -> Result<()> {
    let agreement = guest.visit().agreement.clone();
    let agreement = agreement.filter(|agreement| agreement.version() == version);
    let Some(agreement) = agreement.filter(|_| guest.visit().asks_for(Proof::Membership)) else {
        return Ok(());
    };
    // Before the signature: a text that nobody signed does no harm, the reverse would.
    let unit = Keep {
        company: guest.ctx.caller.company().to_owned(),
        agreement: agreement.clone(),
        now: app.clock.now(),
    };
    app.store.write(unit).await?;
    let version = Some(agreement.version().to_owned());
    give(app, guest, Proof::Membership, version).await
}

async fn give(app: &App, guest: &Guest, proof: Proof, agreement: Option<String>) -> Result<()> {
    let exchange = &guest.ctx.exchange;
    let update = Update {
        email: guest.subject.email(app)?,
        phone: None,
        proof,
        status: true,
        metadata: Metadata {
            ip_address: exchange.address.map(|address| address.to_string()),
            user_agent: exchange.user_agent.clone(),
            agreement,
            ..Metadata::default()
        },
        occurred_at: None,
    };
    customers::update(app, &guest.ctx, update, Reply::unkept()).await?;
    Ok(())
}

/// Sends the customer to Veriff, from where their browser comes `back` to an HTTPS address; `None`
/// when there is nothing to be done there.
///
/// # Errors
/// [`crate::Code::Unavailable`] when Veriff or the database is away.
pub async fn show_id(
    app: &Arc<App>,
    veriff: Option<&Veriff>,
    guest: &Guest,
    back: String,
) -> Result<Option<Started>> {
    let visit = guest.visit();
    let can_go = visit.identity.check.is_some_and(Check::can_go_there);
    if !can_go || !visit.asks_for(Proof::Veriff) {
        return Ok(None);
    }
    let email = guest.subject.email(app)?;
    let started = veriff::start(app, veriff, &guest.ctx, email, Some(back), Reply::unkept());
    started.await.map(Some)
}

/// Checks what the customer says of their age, which is then linked to them; `None` when that would
/// prove nothing that is asked for. The age surface knows the customer by their e-mail address.
///
/// # Errors
/// [`crate::Code::Unavailable`] when the database is away.
pub async fn tell_age(app: &App, guest: &Guest, claimed: Claimed) -> Result<Option<Answer>> {
    let visit = guest.visit();
    if !visit.identity.by_age || !visit.asks_for(Proof::Veriff) {
        return Ok(None);
    }
    let email = guest.subject.email(app)?;
    let request = ages::Request {
        customer_id: email.as_str().to_owned(),
        claimed,
        email: Some(email),
        anew: false,
    };
    let answer = ages::verify(app, &guest.ctx, request, Reply::unkept());
    answer.await.map(Some)
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
