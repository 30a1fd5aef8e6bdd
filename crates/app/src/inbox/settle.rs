//! Claiming events, and noting how processing them went.

use domain::audit::{self, Record};
use domain::hook::Source;
use jiff::Timestamp;
use store::tables::inbox::{self, Claimed, Outcome, Status};
use store::{Lane, Readable, Tx, Unit, Written};
use uuid::Uuid;

/// Claims what is due of a source and has room, and parks what cannot be read.
pub(super) struct Claim {
    pub source: Source,
    pub room: i64,
    pub lease: Uuid,
    pub now: Timestamp,
    pub until: Timestamp,
}

impl Unit for Claim {
    type Output = Readable<Claimed>;

    // What another claim of the same batch has leased would be seen, but not what it leaves for
    // another instance to see.
    const ALONE: bool = true;

    fn lane(&self) -> Lane {
        Lane::of(b"inbox")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Self::Output>> {
        let Self {
            source,
            room,
            lease,
            now,
            until,
        } = *self;
        let claimed = inbox::claim(tx, source, now, lease, until, room).await?;
        for row in &claimed.spoilt {
            inbox::park_spoilt(tx, row.id, now).await?;
        }
        Ok(Written {
            output: claimed,
            records: Vec::new(),
        })
    }
}

/// Ends the leases of a process that is gone.
pub(super) struct Reclaim(pub Timestamp);

impl Unit for Reclaim {
    type Output = u64;

    fn lane(&self) -> Lane {
        Lane::of(b"inbox")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<u64>> {
        Ok(Written {
            output: inbox::reclaim_all(tx, self.0).await?,
            records: Vec::new(),
        })
    }
}

/// Notes how processing an event went, unless that is noted already.
#[derive(Clone)]
pub(super) struct Settle {
    pub company: String,
    pub outcome: Outcome<'static>,
    /// The name of the change in the audit log.
    pub request_id: String,
}

impl Unit for Settle {
    type Output = bool;

    fn lane(&self) -> Lane {
        Lane::of(self.outcome.id.as_bytes())
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<bool>> {
        let settled = inbox::settle(tx, &self.outcome).await?;
        let is_parked = settled && self.outcome.status == Status::Parked;
        Ok(Written {
            output: settled,
            records: is_parked.then(|| self.record()).into_iter().collect(),
        })
    }
}

impl Settle {
    /// What the audit log keeps of an event that was given up.
    fn record(&self) -> Record {
        Record {
            at: self.outcome.at,
            request_id: self.request_id.as_str().into(),
            company: self.company.as_str().into(),
            credential: "system".into(),
            action: "inbox.park".into(),
            subject: self.outcome.subject,
            outcome: audit::Outcome {
                code: self.outcome.word.into(),
                status: 0,
            },
            latency: 0,
            occurrences: 1,
            data_key: None,
            client: None,
            detail: Some(format!("event={}", self.outcome.id)),
        }
    }
}
