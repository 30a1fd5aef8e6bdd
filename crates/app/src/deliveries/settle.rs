//! Noting how it went: the delivery, the attempt and the endpoint in one transaction.

use domain::audit::{self, Record};
use domain::delivery::is_given_up;
use jiff::Timestamp;
use store::tables::delivery_attempts::{self, Attempt};
use store::tables::{deliveries, webhook_endpoints};
use store::{Lane, Tx, Unit, Written};
use uuid::Uuid;

/// How a delivery's turn ended.
#[derive(Debug, Clone)]
pub(super) struct Settle {
    /// Which delivery.
    pub id: Uuid,
    /// Whose.
    pub company: String,
    /// Under which lease.
    pub lease: Uuid,
    /// What becomes of it.
    pub status: deliveries::Status,
    /// Attempts so far.
    pub attempts: i64,
    /// How far its schedule has come.
    pub step: i64,
    /// When it is due again.
    pub due_at: Timestamp,
    /// How it went, in one word.
    pub word: &'static str,
    /// The attempt, if one was made.
    pub attempt: Option<Attempt>,
    /// What it says about the endpoint.
    pub endpoint: Endpoint,
    /// The address that it was sent to; nothing is said about another.
    pub url: String,
    /// Now.
    pub at: Timestamp,
    /// The name of the change in the audit log, should there be one.
    pub request_id: String,
}

/// What an attempt says about the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// Nothing that was not known.
    Same,
    /// It works again.
    Works,
    /// It failed.
    Failed,
    /// It wants nothing any more (410).
    Gone,
}

impl Unit for Settle {
    /// Whether the endpoint was switched off.
    type Output = Option<&'static str>;

    fn lane(&self) -> Lane {
        match self.endpoint {
            // Nobody else touches these rows: they need not follow one another.
            Endpoint::Same => Lane::of(self.id.as_bytes()),
            _ => Lane::of(self.company.as_bytes()),
        }
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Self::Output>> {
        let outcome = deliveries::Outcome {
            id: self.id,
            lease: self.lease,
            status: self.status,
            attempts: self.attempts,
            step: self.step,
            due_at: self.due_at,
            word: self.word,
            at: self.at,
        };
        if !deliveries::settle(tx, &outcome).await? {
            // The lease ended before the news came; whoever has it now tells the rest.
            return Ok(Written {
                output: None,
                records: Vec::new(),
            });
        }
        if let Some(attempt) = &self.attempt {
            delivery_attempts::insert(tx, self.id, attempt).await?;
        }
        let output = match self.endpoint {
            Endpoint::Same => None,
            _ => self.judge(tx).await?,
        };
        Ok(Written {
            records: output
                .map(|reason| self.record(reason))
                .into_iter()
                .collect(),
            output,
        })
    }
}

impl Settle {
    /// Notes what it says about the endpoint; returns why that is switched off, if it is now.
    async fn judge(&self, tx: &mut Tx<'_>) -> store::Result<Option<&'static str>> {
        let named = webhook_endpoints::find(tx, &self.company).await?;
        let is_named = named.and_then(|named| named.url).as_ref() == Some(&self.url);
        let reason = match self.endpoint {
            Endpoint::Same => return Ok(None),
            _ if !is_named => return Ok(None),
            Endpoint::Works => {
                webhook_endpoints::note_success(tx, &self.company).await?;
                return Ok(None);
            }
            Endpoint::Gone => "gone",
            Endpoint::Failed => {
                let since = webhook_endpoints::note_failure(tx, &self.company, self.at).await?;
                if !is_given_up(since, self.at) {
                    return Ok(None);
                }
                "failing"
            }
        };
        let switched = webhook_endpoints::switch_off(tx, &self.company, self.at, reason).await?;
        Ok(switched.then_some(reason))
    }

    fn record(&self, reason: &str) -> Record {
        Record {
            at: self.at,
            request_id: self.request_id.clone(),
            company: self.company.clone(),
            credential: "system".to_owned(),
            action: "webhook.switch_off".to_owned(),
            subject: None,
            outcome: audit::Outcome {
                code: reason.to_owned(),
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
