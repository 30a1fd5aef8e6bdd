//! How many ages were decided, and how many of them passed.

use jiff::Timestamp;
use store::tables::age_statistics::{self, Totals, day_of};

use crate::{App, Ctx, Result};

/// A period that ends today: so many days of UTC, today included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days(i64);

impl Days {
    /// The longest period: seven years.
    pub const LONGEST: i64 = 2557;

    /// A period of 1 to 2557 days; `None` for any other.
    pub fn new(days: i64) -> Option<Self> {
        (1..=Self::LONGEST).contains(&days).then_some(Self(days))
    }

    /// How many.
    pub fn count(self) -> i64 {
        self.0
    }
}

impl Default for Days {
    /// The last thirty days.
    fn default() -> Self {
        Self(30)
    }
}

/// What was decided in a period. Answers without a decision (a verification that still holds,
/// attempts used up) do not count.
#[derive(Debug, Clone, Copy)]
pub struct Statistics {
    /// The period.
    pub days: Days,
    /// How many passed and how many did not.
    pub totals: Totals,
    /// When it was asked.
    pub at: Timestamp,
}

impl Statistics {
    /// All decisions.
    pub fn attempts(&self) -> i64 {
        self.totals.passed + self.totals.refused
    }

    /// The share that passed, in hundredths of a percent, rounded; 0 without decisions.
    pub fn success_rate(&self) -> i64 {
        let (passed, all) = (
            i128::from(self.totals.passed),
            i128::from(self.attempts()).max(1),
        );
        i64::try_from((passed * 20_000 + all) / (2 * all)).unwrap_or(0)
    }
}

/// Adds up what the caller's company decided.
///
/// # Errors
/// [`crate::Code::Unavailable`] when the database is away.
pub async fn statistics(app: &App, ctx: &Ctx, days: Days) -> Result<Statistics> {
    let at = app.clock.now();
    let company = ctx.caller.company_id().clone();
    let to = day_of(at);
    let from = to - days.count() + 1;
    let totals = app.store.read(move |mut tx| {
        let company = company.clone();
        Box::pin(async move { age_statistics::totals(&mut tx, company.as_str(), from, to).await })
    });
    Ok(Statistics {
        days,
        totals: totals.await?,
        at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_rounded_and_never_divides_by_nothing() {
        let rate = |passed, refused| {
            let statistics = Statistics {
                days: Days::default(),
                totals: Totals { passed, refused },
                at: Timestamp::UNIX_EPOCH,
            };
            statistics.success_rate()
        };
        assert_eq!(rate(0, 0), 0);
        assert_eq!(rate(1089, 158), 8733);
        assert_eq!(rate(1, 2), 3333);
        assert_eq!(rate(2, 1), 6667);
        assert_eq!(rate(7, 0), 10_000);
        assert_eq!(rate(0, 7), 0);
    }

    #[test]
    fn periods_are_one_day_to_seven_years() {
        for days in [i64::MIN, -1, 0, 2558, i64::MAX] {
            assert_eq!(Days::new(days), None);
        }
        for days in [1, 30, 2557] {
            assert_eq!(Days::new(days).map(Days::count), Some(days));
        }
    }
}
