//! Making audit records of exchanges.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use domain::audit::{Outcome, Record};
use domain::clock::Clock;
use domain::random::Random;
use domain::seal::{DataKey, Place};
use store::Store;

use super::floods::{Advice, Ended, Floods, Kind};
use crate::Result;
use crate::credentials::Caller;
use crate::exchange::Exchange;
use crate::keys_at_hand::KeysAtHand;

/// Writes the audit log.
pub struct Recorder {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    keys: Arc<KeysAtHand>,
    floods: Floods,
}

/// Everything of a record but its outcome, ready to be finished inside a
/// transaction.
#[derive(Clone)]
pub struct Draft {
    record: Record,
    clock: Arc<dyn Clock>,
}

impl Draft {
    /// How long the exchange has taken until now, in microseconds.
    pub fn elapsed(&self) -> i64 {
        since(&*self.clock, self.record.at)
    }

    /// The finished record.
    pub fn finish(self, code: &'static str, status: u16, detail: Option<String>) -> Record {
        let mut record = self.record;
        record.outcome = Outcome {
            code: code.into(),
            status: i64::from(status),
        };
        record.latency = since(&*self.clock, record.at);
        record.detail = detail.or(record.detail);
        record
    }
}

fn since(clock: &dyn Clock, at: jiff::Timestamp) -> i64 {
    clock
        .now()
        .as_microsecond()
        .saturating_sub(at.as_microsecond())
        .max(0)
}

impl Recorder {
    /// Over a store.
    pub fn new(
        store: Arc<Store>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        keys: Arc<KeysAtHand>,
    ) -> Self {
        Self {
            store,
            clock,
            random,
            keys,
            floods: Floods::default(),
        }
    }

    /// Everything of an exchange's record that is known before its outcome.
    ///
    /// # Errors
    /// When the day's key must be made and the database is away.
    pub async fn draft(&self, exchange: &Exchange) -> Result<Draft> {
        let caller = exchange.caller();
        let company = caller.map_or_else(Arc::default, |caller| caller.company_id().shared());
        self.draft_for(exchange, company, exchange.credential())
            .await
    }

    /// The same for a company and a credential, whose exchange it need not be.
    async fn draft_for(
        &self,
        exchange: &Exchange,
        company: Arc<str>,
        credential: Arc<str>,
    ) -> Result<Draft> {
        let key = match exchange.client_key() {
            Some(key) => key.clone(),
            None => self.keys.of_callers(&company, exchange.at).await?,
        };
        let client = self.seal_client(&key, exchange, exchange.caller())?;
        let record = Record {
            at: exchange.at,
            request_id: exchange.request_id.clone(),
            company,
            credential,
            action: exchange.action().into(),
            subject: exchange.subject(),
            outcome: Outcome {
                code: Cow::Borrowed(""),
                status: 0,
            },
            latency: 0,
            occurrences: 1,
            data_key: client.is_some().then(|| key.id()),
            client,
            detail: exchange.detail().map(str::to_owned),
        };
        Ok(Draft {
            record,
            clock: self.clock.clone(),
        })
    }

    /// Records an exchange of which nothing is recorded yet; returns when the
    /// record is durable.
    ///
    /// # Errors
    /// When it could not be written: then no answer may leave.
    pub async fn record(&self, exchange: &Exchange, code: &'static str, status: u16) -> Result<()> {
        if exchange.is_recorded() {
            return Ok(());
        }
        let flood = refusal(exchange, code, status);
        let advice = flood.as_ref().map_or(Advice::Record, |kind| {
            self.floods.note(kind.clone(), exchange.at)
        });
        let detail = match advice {
            Advice::Covered => return Ok(()),
            Advice::Open => Some("flood: further refusals of this kind are counted".to_owned()),
            Advice::Record => None,
        };
        let draft = self.draft(exchange).await;
        let draft = draft.inspect_err(|_| self.store.note_lost_record())?;
        self.store
            .append(draft.finish(code, status, detail))
            .await?;
        exchange.mark_recorded();
        if let (Advice::Open, Some(kind)) = (advice, flood) {
            self.floods.opened(&kind, self.clock.now());
        }
        Ok(())
    }

    /// Records the counts of floods whose window is over; of all of them when
    /// `closing`. To be called every second or so.
    ///
    /// # Errors
    /// When one could not be written. It is tried again the next time, and so are
    /// those behind it; if it was written after all and only the answer was lost,
    /// the log has it twice.
    pub async fn record_floods(&self, closing: bool) -> Result<()> {
        let mut ended = self.floods.ended(self.clock.now(), closing).into_iter();
        while let Some(flood) = ended.next() {
            if let Err(error) = self.record_flood(&flood).await {
                // Behind the others: they need not wait for what may be its fault alone.
                self.floods.put_back(ended.chain([flood]));
                return Err(error);
            }
        }
        Ok(())
    }

    async fn record_flood(&self, ended: &Ended) -> Result<()> {
        let record = self.flood_record(ended).await?;
        Ok(self.store.append(record).await?)
    }

    async fn flood_record(&self, ended: &Ended) -> Result<Record> {
        let Ended {
            kind,
            from,
            counted,
        } = ended;
        let request_id = domain::random::uuid_v7(*from, self.random.as_ref()).to_string();
        let exchange = Exchange::new(request_id, *from, Some(kind.address), None);
        exchange.note_action(kind.action);
        let detail = Some("flood: refusals counted".to_owned());
        let mut record = self
            .draft_for(&exchange, kind.company.clone(), kind.credential.clone())
            .await?
            .finish(kind.code, kind.status, detail);
        record.occurrences = i64::try_from(*counted).unwrap_or(i64::MAX);
        Ok(record)
    }

    /// The caller's address, user agent and token subject, sealed for the audit
    /// log; lines in that order, empty where unknown.
    fn seal_client(
        &self,
        key: &DataKey,
        exchange: &Exchange,
        caller: Option<&Caller>,
    ) -> Result<Option<Vec<u8>>> {
        let address = exchange
            .address
            .map(|address| address.to_string())
            .unwrap_or_default();
        let user_agent = exchange.user_agent.as_deref().unwrap_or_default();
        let subject = caller.and_then(Caller::token_subject).unwrap_or_default();
        if address.is_empty() && user_agent.is_empty() && subject.is_empty() {
            return Ok(None);
        }
        let place = client_place(&exchange.request_id);
        let plain = format!("{address}\n{user_agent}\n{subject}");
        Ok(Some(key.seal(
            place,
            plain.as_bytes(),
            self.random.as_ref(),
        )?))
    }
}

/// Where a record's client lives: rows are known by their request, since their
/// place in the log is decided only when they are committed.
pub(super) fn client_place(request_id: &str) -> Place<'_> {
    Place {
        table: "audit_records",
        column: "client",
        row: request_id.as_bytes(),
    }
}

/// What may become a flood: requests turned away before they were looked at, and those of strangers.
fn refusal(exchange: &Exchange, code: &'static str, status: u16) -> Option<Kind> {
    let address: IpAddr = exchange.address?;
    let turned_away = matches!(status, 401 | 403 | 404 | 405 | 429);
    // Whatever a stranger gets: a page that is the same for everybody, a body that is not read.
    let caller = exchange.caller();
    let strange = caller.is_none() && status < 500;
    (turned_away || strange).then(|| Kind {
        address,
        company: caller.map_or_else(Arc::default, |caller| caller.company_id().shared()),
        credential: caller.map_or_else(Arc::default, |caller| caller.shared_credential()),
        action: exchange.action(),
        code,
        status,
    })
}
