//! How much of a company waits for somebody: counted as far as a person cares.

use jiff::Timestamp;

use crate::{Result, Tx};

/// Where counting ends; what is more is not counted, so that a look costs the same however long a
/// queue is.
pub const ENOUGH: i64 = 1_000;

/// What waits, each counted to one more than [`ENOUGH`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Queues {
    /// Orders that are held.
    pub held: i64,
    /// Orders that wait for a decision after their time was over.
    pub late: i64,
    /// Deliveries that wait or are being made.
    pub waiting: i64,
    /// Deliveries that were given up.
    pub exhausted: i64,
    /// Events of the inbox that were parked.
    pub parked: i64,
    /// When the first of the held orders expires that were placed first.
    pub next_deadline: Option<Timestamp>,
}

/// Counts what waits.
///
/// # Errors
/// Those of the database.
pub async fn count(tx: &mut Tx<'_>, company_id: &str) -> Result<Queues> {
    let row = tx
        .find(
            "SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM orders \
             WHERE company_id = $1 AND status = 'held' LIMIT 1001) AS a), \
             (SELECT COUNT(*) FROM (SELECT 1 FROM orders \
             WHERE company_id = $1 AND status = 'late' LIMIT 1001) AS b), \
             (SELECT COUNT(*) FROM (SELECT 1 FROM deliveries \
             WHERE company_id = $1 AND status = 'waiting' LIMIT 1001) AS c), \
             (SELECT COUNT(*) FROM (SELECT 1 FROM deliveries \
             WHERE company_id = $1 AND status = 'exhausted' LIMIT 1001) AS d), \
             (SELECT COUNT(*) FROM (SELECT 1 FROM inbox \
             WHERE company_id = $1 AND status = 'parked' LIMIT 1001) AS e), \
             (SELECT deadline FROM orders WHERE company_id = $1 AND status = 'held' \
             ORDER BY placed_at, id LIMIT 1)",
            &[company_id.into()],
        )
        .await?;
    let Some(row) = row else {
        return Ok(Queues::default());
    };
    Ok(Queues {
        held: row.int(0, "orders.held")?,
        late: row.int(1, "orders.late")?,
        waiting: row.int(2, "deliveries.waiting")?,
        exhausted: row.int(3, "deliveries.exhausted")?,
        parked: row.int(4, "inbox.parked")?,
        next_deadline: row.find_time(5, "orders.deadline")?,
    })
}
