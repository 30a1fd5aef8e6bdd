//! What comes to a company from one sender, and leaves it by one channel: counted and looked through
//! as far as a person cares, so that a look costs the same however much there is.

use domain::hook::Source;
use jiff::Timestamp;

use crate::{Result, Tx};

/// What came from a sender. Counts end at one more than [`super::queues::ENOUGH`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Incoming {
    /// Events that wait or are being processed.
    pub waiting: i64,
    /// Events that were parked.
    pub parked: i64,
    /// When the newest came, if it is among the newest thousand of all events.
    pub newest: Option<Timestamp>,
}

/// What left by a channel. Counts end at one more than [`super::queues::ENOUGH`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outgoing {
    /// Deliveries that wait or are being made.
    pub waiting: i64,
    /// Deliveries that were given up.
    pub exhausted: i64,
    /// When the newest was delivered, if it is among the company's newest thousand deliveries.
    pub newest: Option<Timestamp>,
}

/// What came to a company from a sender.
///
/// # Errors
/// Those of the database.
pub async fn incoming(tx: &mut Tx<'_>, company_id: &str, source: Source) -> Result<Incoming> {
    let row = tx
        .find(
            "SELECT (SELECT COUNT(*) FROM (SELECT company_id FROM inbox \
             WHERE status = 'waiting' AND source = $2 LIMIT 1001) AS a WHERE company_id = $1), \
             (SELECT COUNT(*) FROM (SELECT source FROM inbox \
             WHERE company_id = $1 AND status = 'parked' LIMIT 1001) AS b WHERE source = $2), \
             (SELECT MAX(received_at) FROM (SELECT company_id, source, received_at FROM inbox \
             ORDER BY id DESC LIMIT 1000) AS c WHERE company_id = $1 AND source = $2)",
            &[company_id.into(), source.as_str().into()],
        )
        .await?;
    let Some(row) = row else {
        return Ok(Incoming::default());
    };
    Ok(Incoming {
        waiting: row.int(0, "inbox.waiting")?,
        parked: row.int(1, "inbox.parked")?,
        newest: row.find_time(2, "inbox.received_at")?,
    })
}

/// What left a company by a channel; `receiver` is the company's line of it, as in `mail:acme`.
///
/// # Errors
/// Those of the database.
pub async fn outgoing(tx: &mut Tx<'_>, company_id: &str, receiver: &str) -> Result<Outgoing> {
    let row = tx
        .find(
            "SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM deliveries \
             WHERE receiver = $2 AND status = 'waiting' LIMIT 1001) AS a), \
             (SELECT COUNT(*) FROM (SELECT receiver FROM deliveries \
             WHERE company_id = $1 AND status = 'exhausted' LIMIT 1001) AS b WHERE receiver = $2), \
             (SELECT MAX(finished_at) FROM (SELECT receiver, status, finished_at FROM deliveries \
             WHERE company_id = $1 ORDER BY id DESC LIMIT 1000) AS c \
             WHERE receiver = $2 AND status = 'delivered')",
            &[company_id.into(), receiver.into()],
        )
        .await?;
    let Some(row) = row else {
        return Ok(Outgoing::default());
    };
    Ok(Outgoing {
        waiting: row.int(0, "deliveries.waiting")?,
        exhausted: row.int(1, "deliveries.exhausted")?,
        newest: row.find_time(2, "deliveries.finished_at")?,
    })
}
