//! Counting decisions anew: day by day, each in a transaction of its own, beside a running server.

use store::tables::age_statistics::{self, Difference, day_of};
use store::{Lane, Tx, Unit, Written};

use crate::{App, Result};

/// What a recount found.
#[derive(Debug, Clone, Default)]
pub struct Recount {
    /// How many days were looked at.
    pub days: u64,
    /// The counts that were not what the decisions say.
    pub differences: Vec<Difference>,
}

/// Compares every count with the decisions there are, and with `correct` writes it anew where it
/// differs. `progress` is told of the days done and of all there are.
///
/// # Errors
/// Those of the database.
pub async fn recount(
    app: &App,
    correct: bool,
    mut progress: impl FnMut(u64, u64),
) -> Result<Recount> {
    let today = day_of(app.clock.now());
    let days = app
        .store
        .read(move |mut tx| {
            Box::pin(async move { age_statistics::days_to_recount(&mut tx, today).await })
        })
        .await?;
    let mut recount = Recount::default();
    let all = u64::try_from(days.len()).unwrap_or(u64::MAX);
    for day in days {
        let differences = app.store.write(Day { day, correct }).await?;
        recount.differences.extend(differences);
        recount.days += 1;
        progress(recount.days, all);
    }
    Ok(recount)
}

struct Day {
    day: i64,
    correct: bool,
}

impl Unit for Day {
    type Output = Vec<Difference>;

    // What else is decided in a transaction is counted when it ends: after a recount that has seen
    // the decisions, they would be counted twice.
    const ALONE: bool = true;

    fn lane(&self) -> Lane {
        Lane::of(b"age statistics")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Vec<Difference>>> {
        let output = age_statistics::differences(tx, self.day).await?;
        if self.correct && !output.is_empty() {
            age_statistics::recount(tx, self.day).await?;
        }
        Ok(Written {
            output,
            records: Vec::new(),
        })
    }
}
