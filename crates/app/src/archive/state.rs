//! How the archive stands, for those who watch it.

use jiff::{SignedDuration, Timestamp};
use store::Tx;
use store::tables::archive::{self, Task};
use store::tables::audit;

use crate::{App, Result};

/// How far behind the archive may be and count as well.
const TOLERATED: SignedDuration = SignedDuration::from_mins(10);

/// How the archive stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// When it was begun; `None` when it was not.
    pub began_at: Option<Timestamp>,
    /// When the oldest record was committed that is to be streamed and is not yet.
    pub oldest_waiting: Option<Timestamp>,
    /// The word for what keeps it from going on, and since when.
    pub trouble: Option<(String, Timestamp)>,
    /// What was not taken.
    pub parked: i64,
    /// Records that were gone before they were copied.
    pub missed: i64,
    /// Batches that are left to the backfill.
    pub to_backfill: i64,
}

impl State {
    /// How far it is behind.
    #[must_use]
    pub fn lag(&self, now: Timestamp) -> SignedDuration {
        let lag = self.oldest_waiting.map(|since| now.duration_since(since));
        lag.unwrap_or_default().max(SignedDuration::ZERO)
    }

    /// Whether it keeps up, and nothing is in its way.
    #[must_use]
    pub fn is_well(&self, now: Timestamp) -> bool {
        self.trouble.is_none() && self.lag(now) <= TOLERATED
    }
}

/// How the archive stands.
///
/// # Errors
/// When the database is away.
pub async fn state(app: &App) -> Result<State> {
    let state = app
        .store
        .read(|mut tx| Box::pin(async move { read(&mut tx).await }));
    Ok(state.await?)
}

async fn read(tx: &mut Tx<'_>) -> store::Result<State> {
    let Some(standing) = archive::standing(tx, Task::Stream).await? else {
        return Ok(State::default());
    };
    let mut state = State {
        began_at: Some(standing.began_at),
        trouble: standing.trouble,
        parked: archive::count_parked(tx).await?,
        ..State::default()
    };
    let positions = archive::positions(tx).await?;
    for log in audit::logs(tx).await? {
        let position = positions.iter().find(|position| position.log == log);
        let streamed_to = position.map_or(0, |position| position.streamed_to);
        let next = archive::batches(tx, log, streamed_to, i64::MAX, 1).await?;
        let waiting = next.first().map(|batch| batch.committed_at);
        state.oldest_waiting = match (state.oldest_waiting, waiting) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        if let Some(position) = position {
            state.missed += position.missed;
            state.to_backfill += (position.begins_after - position.filled_to).max(0);
        }
    }
    Ok(state)
}
