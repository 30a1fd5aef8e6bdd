//! Finding the records of a request, without an index of request ids.
//!
//! A request id of our own making begins with the time of the request (UUIDv7), and batches are
//! closed about when their records arrive: what is searched is a short piece of each log, then a
//! longer one, and the whole only when neither has it, or when the id is a client's own.

use std::ops::Range;

use store::Tx;
use store::tables::{audit, audit_leaves};
use uuid::Uuid;

use super::faults::Place;
use crate::{App, Result};

/// Where a request's records are looked for, in microseconds around its time.
const AROUND: [Range<i64>; 2] = [-5_000_000..60_000_000, -900_000_000..900_000_000];

/// The places of a request's records, log by log.
///
/// # Errors
/// When the database is away.
pub async fn places_of_request(app: &App, request_id: &str) -> Result<Vec<Place>> {
    let request_id = request_id.to_owned();
    let found = app.store.read(move |mut tx| {
        let request_id = request_id.clone();
        Box::pin(async move { search(&mut tx, &request_id).await })
    });
    Ok(found.await?)
}

async fn search(tx: &mut Tx<'_>, request_id: &str) -> store::Result<Vec<Place>> {
    let ends = audit::heads(tx).await?;
    let pieces = time_of(request_id).into_iter().flat_map(|time| {
        AROUND.map(|around| time.saturating_add(around.start)..time.saturating_add(around.end))
    });
    for piece in pieces.chain(std::iter::once(i64::MIN..i64::MAX)) {
        let mut places = Vec::new();
        for end in &ends {
            let (log, last) = (end.log, end.head.batch);
            let from = first_closed_at(tx, log, last, piece.start).await?;
            let to = first_closed_at(tx, log, last, piece.end).await?;
            let found = audit_leaves::places_of_request(tx, log, from, to, request_id).await?;
            places.extend(found.into_iter().map(|(batch, position)| Place {
                log,
                batch,
                position,
            }));
        }
        if !places.is_empty() {
            return Ok(places);
        }
    }
    Ok(Vec::new())
}

/// When a request came whose id tells it, in microseconds since 1970.
fn time_of(request_id: &str) -> Option<i64> {
    let id = Uuid::try_parse(request_id).ok()?;
    let (seconds, nanos) = id.get_timestamp()?.to_unix();
    let seconds = i64::try_from(seconds).ok()?;
    seconds
        .checked_mul(1_000_000)?
        .checked_add(i64::from(nanos / 1_000))
}

/// The first batch that was closed at this time or later; the one behind the last when none was.
async fn first_closed_at(tx: &mut Tx<'_>, log: i64, last: i64, time: i64) -> store::Result<i64> {
    let (mut low, mut high) = (1, last + 1);
    while low < high {
        let middle = low.midpoint(high - 1);
        match audit_leaves::closed_from(tx, log, middle).await? {
            Some((number, closed)) if closed < time => low = number + 1,
            // It, or one before it.
            _ => high = middle,
        }
    }
    Ok(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_ids_tell_the_time() {
        let ours = "01941f29-7c00-7d1f-9a3f-803767c1cef5";
        assert_eq!(time_of(ours), Some(1_735_689_600_000_000));
        for other in ["req-1", "", "7d444840-9dc0-41d1-b245-5ffdce74fad2"] {
            assert_eq!(time_of(other), None, "{other}");
        }
    }
}
