//! Claiming what is due: the work of one look, in one transaction.

use jiff::Timestamp;
use store::tables::deliveries::{self, Claimed};
use store::{Lane, Readable, Spoilt, Tx, Unit, Written};
use uuid::Uuid;

use super::channel::Channels;
use super::lines::Lines;

/// How many lines one claim serves.
const LINES: i64 = 64;

/// What was claimed at one look.
pub(super) struct Claims {
    pub lines: Vec<ClaimedLine>,
    /// Where the next look is to begin.
    pub next: Option<String>,
    /// Whether there may have been too little room for what is due.
    pub more: bool,
    /// What could not be read, and was given up.
    pub spoilt: Vec<Spoilt>,
}

/// What was claimed of one line.
pub(super) struct ClaimedLine {
    pub receiver: String,
    pub deliveries: Vec<Claimed>,
}

/// Claims what is due and has room, for the channels that there are, and gives up what cannot be
/// read.
pub(super) struct Claim {
    pub channels: Channels,
    pub lines: Lines,
    pub after: String,
    pub lease: Uuid,
    pub now: Timestamp,
    pub until: Timestamp,
}

impl Unit for Claim {
    type Output = Claims;

    fn lane(&self) -> Lane {
        Lane::of(b"deliveries")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Claims>> {
        let due = deliveries::list_receivers_due(tx, self.now, &self.after, LINES).await?;
        let is_last = due.len() < usize::try_from(LINES).unwrap_or(usize::MAX);
        let mut claims = Claims {
            next: due.last().filter(|_| !is_last).cloned(),
            lines: Vec::new(),
            more: false,
            spoilt: Vec::new(),
        };
        let mut room = self.lines.room();
        let mut last = None;
        for receiver in due {
            if room == 0 {
                // Who found none has the next that there is, however long the lines before.
                claims.more = true;
                claims.next = last;
                break;
            }
            last = Some(receiver.clone());
            let is_known = self.channels.of(&receiver).is_some();
            if !is_known || self.lines.rests(&receiver, self.now) {
                continue;
            }
            let count = self.lines.room_of(&receiver).min(room);
            claims.more |= count == 0;
            if count > 0 {
                let Readable { rows, spoilt } = self.claim(tx, &receiver, count).await?;
                claims.more |= rows.len() + spoilt.len() >= count;
                room = room.saturating_sub(rows.len());
                claims.spoilt.extend(spoilt);
                claims.lines.push(ClaimedLine {
                    receiver,
                    deliveries: rows,
                });
            }
        }
        Ok(Written {
            output: claims,
            records: Vec::new(),
        })
    }
}

impl Claim {
    async fn claim(
        &self,
        tx: &mut Tx<'_>,
        receiver: &str,
        count: usize,
    ) -> store::Result<Readable<Claimed>> {
        let limit = i64::try_from(count).unwrap_or(i64::MAX);
        let (now, lease) = (self.now, self.lease);
        let claimed = deliveries::claim(tx, receiver, now, lease, self.until, limit).await?;
        for row in &claimed.spoilt {
            deliveries::give_up_spoilt(tx, row.id, now).await?;
        }
        Ok(claimed)
    }
}

/// Ends the leases of a process that is gone.
pub(super) struct Reclaim(pub Timestamp);

impl Unit for Reclaim {
    type Output = u64;

    fn lane(&self) -> Lane {
        Lane::of(b"deliveries")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<u64>> {
        Ok(Written {
            output: deliveries::reclaim_all(tx, self.0).await?,
            records: Vec::new(),
        })
    }
}
