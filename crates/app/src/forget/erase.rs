//! Erasing a person, and the receipt for it.

use domain::access::CompanyId;
use domain::audit::Record;
use jiff::Timestamp;
use store::tables::erasure::Lock;
use store::{Lane, Tx, Unit, Written};
use uuid::Uuid;

use super::eraser::{Counts, Eraser};
use super::{Indexes, Refusal, Whom};
use crate::audit::{self, Draft};
use crate::exchange::Exchange;
use crate::orders::News;
use crate::{App, Result};

/// That somebody was erased. It names nobody.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Receipt {
    /// The name of the erasure, as on the erasure list.
    pub erasure_id: Uuid,
    /// When.
    pub erased_at: Timestamp,
    /// What was taken away.
    pub erased: Counts,
    /// Where the audit log tells of it, as `log.batch.position`.
    pub audit_record: Option<String>,
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
) -> Result<Receipt> {
    let unit = Erase {
        indexes: Indexes::of(app, exchange, company, whom),
        company: company.clone(),
        eraser: Eraser::new(app, company, &exchange.request_id).await?,
        draft: app.recorder.draft(exchange).await?,
    };
    let (erasure_id, erased_at) = (unit.eraser.id, unit.eraser.now);
    let (erased, news) = app.store.write(unit).await??;
    exchange.mark_recorded();
    news.announce(app);
    clear_up(app).await;
    Ok(Receipt {
        erasure_id,
        erased_at,
        erased,
        audit_record: in_the_log(app, exchange, erased_at).await,
    })
}

/// What is left of the destroyed keys beside the database's rows.
pub(super) async fn clear_up(app: &App) {
    if !app.store.empty_log().await {
        tracing::warn!("destroyed keys stay in the write-ahead log until it begins anew");
    }
}

/// Where the audit log tells of it, under a checkpoint of its own. The person is erased whether this
/// can be found out or not.
async fn in_the_log(app: &App, exchange: &Exchange, since: Timestamp) -> Option<String> {
    let found = async {
        let place = audit::place_of(app, exchange, since).await?;
        app.checkpoints.make().await?;
        Ok::<_, crate::Error>(place)
    };
    match found.await {
        Ok(place) => place.map(|place| place.to_string()),
        Err(error) => {
            tracing::warn!(cause = error.cause(), "a receipt does not name its record");
            None
        }
    }
}

struct Erase {
    indexes: Indexes,
    company: CompanyId,
    eraser: Eraser,
    draft: Draft,
}

impl Unit for Erase {
    type Output = Result<(Counts, News), Refusal>;

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
        Ok(Written {
            output: Ok((counts, news)),
            records,
        })
    }
}

impl Erase {
    fn record(&self, counts: Counts) -> Record {
        let detail = format!("erasure={} keys={}", self.eraser.id, counts.keys);
        let mut record = self.draft.clone().finish("ok", 200, Some(detail));
        self.company.as_str().clone_into(&mut record.company);
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
