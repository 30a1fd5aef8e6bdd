//! Addresses that refused a mail are left alone for a while.

use domain::audit::{self, Record};
use domain::contact::Email;
use domain::mail::SUPPRESSION;
use domain::seal::{BlindIndex, IndexKey};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use store::tables::mail_suppressions;
use store::{Lane, Tx, Unit, Written};

use crate::deliveries::channel::Note;
use crate::{App, Result};

/// The blind index under which an address is looked up.
pub(super) fn index_of(key: &IndexKey, company: &str, address: &Email) -> BlindIndex {
    key.index("email", company, address.as_str())
}

/// That an address refused a mail.
pub(super) struct Refusal {
    pub company: String,
    pub address: BlindIndex,
}

impl Note for Refusal {
    fn lane(&self) -> Lane {
        Lane::of(self.address.as_bytes())
    }

    fn write<'a>(
        &'a self,
        tx: &'a mut Tx<'_>,
        at: Timestamp,
        request_id: &'a str,
    ) -> BoxFuture<'a, store::Result<Option<Record>>> {
        async move {
            let ends_at = at.saturating_add(SUPPRESSION).unwrap_or(at);
            mail_suppressions::upsert(tx, &self.company, &self.address, ends_at).await?;
            Ok(Some(self.record(at, request_id)))
        }
        .boxed()
    }
}

impl Refusal {
    fn record(&self, at: Timestamp, request_id: &str) -> Record {
        Record {
            at,
            request_id: request_id.into(),
            company: self.company.as_str().into(),
            credential: "system".into(),
            action: "mail.suppress".into(),
            subject: Some(self.address),
            outcome: audit::Outcome {
                code: "mailbox_refused".into(),
                status: 0,
            },
            latency: 0,
            occurrences: 1,
            data_key: None,
            client: None,
            detail: None,
        }
    }
}

/// Deletes what is over; returns how much that was. To be called now and then.
///
/// # Errors
/// When the database is away.
pub async fn clean_up(app: &App) -> Result<u64> {
    Ok(app.store.write(CleanUp(app.clock.now())).await?)
}

struct CleanUp(Timestamp);

impl Unit for CleanUp {
    type Output = u64;

    fn lane(&self) -> Lane {
        Lane::of(b"mail_suppressions")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<u64>> {
        Ok(Written {
            output: mail_suppressions::delete_ended(tx, self.0).await?,
            records: Vec::new(),
        })
    }
}
