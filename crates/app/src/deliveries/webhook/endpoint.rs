//! What an attempt tells of the endpoint it was made to: that it works, fails or is gone.

use domain::audit::{self, Record};
use domain::delivery::is_given_up;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use store::tables::webhook_endpoints;
use store::{Lane, Tx};

use crate::deliveries::channel::Note;

/// What an attempt says about the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// It works again.
    Works,
    /// It failed.
    Failed,
    /// It wants nothing any more (410).
    Gone,
}

/// That, about the endpoint of a company.
pub(super) struct EndpointNote {
    pub company: String,
    /// The address that was sent to; nothing is said about another.
    pub url: String,
    pub told: Told,
    /// With a longer one between them, two failures do not belong together.
    pub longest_silence: SignedDuration,
}

impl Note for EndpointNote {
    fn lane(&self) -> Lane {
        Lane::of(self.company.as_bytes())
    }

    fn write<'a>(
        &'a self,
        tx: &'a mut Tx<'_>,
        at: Timestamp,
        request_id: &'a str,
    ) -> BoxFuture<'a, store::Result<Option<Record>>> {
        async move {
            let reason = self.judge(tx, at).await?;
            Ok(reason.map(|reason| self.record(reason, at, request_id)))
        }
        .boxed()
    }
}

impl EndpointNote {
    /// Notes what it says about the endpoint; returns why that is switched off, if it is now.
    async fn judge(&self, tx: &mut Tx<'_>, at: Timestamp) -> store::Result<Option<&'static str>> {
        let named = webhook_endpoints::find(tx, &self.company).await?;
        if named.and_then(|named| named.url).as_ref() != Some(&self.url) {
            return Ok(None);
        }
        let reason = match self.told {
            Told::Works => {
                webhook_endpoints::note_success(tx, &self.company).await?;
                return Ok(None);
            }
            Told::Gone => "gone",
            Told::Failed => {
                let connected = at.checked_sub(self.longest_silence);
                let connected = connected.unwrap_or(Timestamp::MIN);
                let since =
                    webhook_endpoints::note_failure(tx, &self.company, at, connected).await?;
                if !is_given_up(since, at) {
                    return Ok(None);
                }
                "failing"
            }
        };
        let switched = webhook_endpoints::switch_off(tx, &self.company, at, reason).await?;
        Ok(switched.then_some(reason))
    }

    fn record(&self, reason: &str, at: Timestamp, request_id: &str) -> Record {
        Record {
            at,
            request_id: request_id.into(),
            company: self.company.as_str().into(),
            credential: "system".into(),
            action: "webhook.switch_off".into(),
            subject: None,
            outcome: audit::Outcome {
                code: reason.to_owned().into(),
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
