//! Legal hold: a customer who must not be erased for now.

use std::sync::Arc;

use domain::access::CompanyId;
use domain::random::Random;
use domain::seal::{KeyRing, SealError};
use jiff::Timestamp;
use store::tables::erasure::{self, Lock, Person};
use store::{Lane, Tx, Unit, Written};

use super::erase::{lane, refused};
use super::{Indexes, Refusal, Whom};
use crate::audit::Draft;
use crate::customers::place;
use crate::exchange::Exchange;
use crate::idempotency::Reply;
use crate::people::sealing;
use crate::{App, Result};

/// Where a customer's legal hold stands.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub struct Held {
    /// Whether the customer is under legal hold.
    pub legal_hold: bool,
    /// Since when.
    pub since: Option<Timestamp>,
}

/// Puts a customer under legal hold, for a `reason` that is kept sealed, or ends the hold.
///
/// # Errors
/// [`crate::Code::NotFound`] when there is no such customer, [`crate::Code::Conflict`] when the
/// number is that of several.
pub async fn hold(
    app: &App,
    exchange: &Exchange,
    company: &CompanyId,
    whom: &Whom,
    reason: Option<String>,
    reply: Reply<Held>,
) -> Result<Held> {
    let unit = Hold {
        indexes: Indexes::of(app, exchange, company, whom),
        company: company.clone(),
        reason,
        ring: app.key_ring.clone(),
        random: app.random.clone(),
        now: app.clock.now(),
        draft: app.recorder.draft(exchange).await?,
        reply,
    };
    let held = app.store.write(unit).await??;
    exchange.mark_recorded();
    Ok(held)
}

struct Hold {
    indexes: Indexes,
    company: CompanyId,
    reason: Option<String>,
    ring: Arc<KeyRing>,
    random: Arc<dyn Random>,
    now: Timestamp,
    draft: Draft,
    reply: Reply<Held>,
}

impl Unit for Hold {
    type Output = Result<Held, Refusal>;

    fn lane(&self) -> Lane {
        lane(self.indexes)
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Self::Output>> {
        let company = self.company.as_str();
        let person = match self.indexes.find(tx, company, Lock::ForUpdate).await? {
            Ok(Some(person)) => person,
            Ok(None) => return Ok(refused(Refusal::Unknown)),
            Err(refusal) => return Ok(refused(refusal)),
        };
        let reason = self.reason.as_ref();
        let sealed = reason.map(|reason| self.seal(&person, reason)).transpose();
        let sealed = sealed.map_err(sealing)?;
        let since = person.legal_hold_at.unwrap_or(self.now);
        let hold = sealed.as_ref().map(|reason| (since, reason.as_slice()));
        erasure::set_legal_hold(tx, company, person.email_index, hold).await?;
        let word = if hold.is_some() { "held" } else { "released" };
        let mut record = self.draft.clone().finish("ok", 200, Some(word.to_owned()));
        record.company = company.into();
        let held = Held {
            legal_hold: hold.is_some(),
            since: hold.map(|(since, _)| since),
        };
        self.reply.store(tx, &held).await?;
        Ok(Written {
            output: Ok(held),
            records: vec![record],
        })
    }
}

impl Hold {
    fn seal(&self, person: &Person, reason: &str) -> Result<Vec<u8>, SealError> {
        let key = person.key.as_ref().ok_or(SealError::DoesNotOpen)?;
        let place = place(&person.email_index, "legal_hold_reason");
        let key = self.ring.unwrap(key)?;
        key.seal(place, reason.as_bytes(), &*self.random)
    }
}
