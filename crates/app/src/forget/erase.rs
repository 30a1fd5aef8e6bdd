//! Erasing a person, and the receipt for it.
//!
//! Guarantees: a receipt says nothing that the erasure's record in the audit log does not say too, so
//! that the record's proof is the receipt's.

use domain::access::CompanyId;
use domain::audit::Record;
use jiff::Timestamp;
use store::tables::erasure::Lock;
use store::{Lane, Tx, Unit, Written};
use uuid::Uuid;

use super::eraser::{Counts, Eraser};
use super::{Indexes, Refusal, Whom};
use crate::audit::{self, Draft, Place, Proven};
use crate::exchange::Exchange;
use crate::idempotency::Reply;
use crate::orders::News;
use crate::{App, Result};

/// That somebody was erased. It names nobody.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// The name of the erasure, as on the erasure list.
    pub erasure_id: Uuid,
    /// When.
    pub erased_at: Timestamp,
    /// What was taken away.
    pub erased: Counts,
    /// Where the audit log tells of it.
    pub audit_record: Option<Place>,
    /// That it stands there.
    pub proof: Option<Proven>,
}

/// What the record of an erasure says of it: all that the receipt says.
pub fn detail(erasure: Uuid, at: Timestamp, erased: &Counts) -> String {
    let counted = erased.named().into_iter().filter(|(_, count)| *count > 0);
    let counted: String = counted
        .map(|(name, count)| format!(" {name}={count}"))
        .collect();
    format!("erasure={erasure} at={at:.3}{counted}")
}

/// Erases a person, for good; returns once that is durable.
///
/// # Errors
/// [`crate::Code::NotFound`] when nothing is known of them, [`crate::Code::LegalHold`],
/// [`crate::Code::Conflict`] when the number is that of several customers.
pub async fn erase(
    app: &App,
    exchange: &Exchange,
    company: &CompanyId,
    whom: &Whom,
    reply: Reply<Receipt>,
) -> Result<Receipt> {
    let unit = Erase {
        indexes: Indexes::of(app, exchange, company, whom),
        company: company.clone(),
        eraser: Eraser::new(app, company, &exchange.request_id).await?,
        draft: app.recorder.draft(exchange).await?,
        reply: reply.clone(),
    };
    let (mut receipt, news) = app.store.write(unit).await??;
    exchange.mark_recorded();
    news.announce(app);
    clear_up(app).await;
    receipt.audit_record = in_the_log(app, exchange, receipt.erased_at).await;
    if let Some(place) = receipt.audit_record {
        receipt.proof = proven(app, place).await;
    }
    if let Err(error) = reply.replace(app, &receipt).await {
        let cause = error.cause();
        tracing::warn!(
            cause,
            "a receipt is given without its proof when it is asked for again"
        );
    }
    Ok(receipt)
}

/// What is left of the destroyed keys beside the database's rows.
pub(super) async fn clear_up(app: &App) {
    if !app.store.empty_log().await {
        tracing::warn!("destroyed keys stay in the write-ahead log until it begins anew");
    }
}

/// Where the audit log tells of it. The person is erased whether this can be found out or not.
async fn in_the_log(app: &App, exchange: &Exchange, since: Timestamp) -> Option<Place> {
    let place = audit::place_of(app, exchange, since).await;
    place.unwrap_or_else(|error| {
        tracing::warn!(cause = error.cause(), "a receipt does not name its record");
        None
    })
}

/// The proof of the erasure's record. What is missing can be asked for later.
async fn proven(app: &App, place: Place) -> Option<Proven> {
    let proven = audit::prove(app, place).await;
    proven.unwrap_or_else(|error| {
        tracing::warn!(cause = error.cause(), "a receipt comes without a proof");
        None
    })
}

struct Erase {
    indexes: Indexes,
    company: CompanyId,
    eraser: Eraser,
    draft: Draft,
    reply: Reply<Receipt>,
}

impl Unit for Erase {
    type Output = Result<(Receipt, News), Refusal>;

    // It meets rows of many lanes: only a transaction of its own keeps others out.
    const ALONE: bool = true;

    fn lane(&self) -> Lane {
        lane(self.indexes)
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Self::Output>> {
        let person = match self
            .indexes
            .find(tx, self.company.as_str(), Lock::ForUpdate)
            .await?
        {
            Ok(person) => person,
            Err(refusal) => return Ok(refused(refusal)),
        };
        if person
            .as_ref()
            .is_some_and(|person| person.legal_hold_at.is_some())
        {
            return Ok(refused(Refusal::Held));
        }
        let (counts, mut news) = self.eraser.erase(tx, person.as_ref(), self.indexes).await?;
        if counts == Counts::default() {
            return Ok(refused(Refusal::Unknown));
        }
        let mut records = vec![self.record(counts)];
        records.extend(news.take_records());
        let receipt = Receipt {
            erasure_id: self.eraser.id,
            erased_at: self.eraser.now,
            erased: counts,
            audit_record: None,
            proof: None,
        };
        self.reply.store_about_nobody(tx, &receipt).await?;
        Ok(Written {
            output: Ok((receipt, news)),
            records,
        })
    }
}

impl Erase {
    fn record(&self, counts: Counts) -> Record {
        let detail = detail(self.eraser.id, self.eraser.now, &counts);
        let mut record = self.draft.clone().finish("ok", 200, Some(detail));
        record.company = self.company.shared();
        record
    }
}

pub(super) fn refused<T>(refusal: Refusal) -> Written<Result<T, Refusal>> {
    Written {
        output: Err(refusal),
        records: Vec::new(),
    }
}

/// The lane of everything about somebody.
pub(super) fn lane(indexes: Indexes) -> Lane {
    let first = indexes.each().next();
    Lane::of(
        first
            .as_ref()
            .map_or(&[], |index| index.as_bytes().as_slice()),
    )
}
