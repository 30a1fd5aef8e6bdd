//! The figures of the overview: what was asked and what came of it over time, and what waits.

use jiff::Timestamp;
use store::tables::audit_hours::{self, Counted, STEPS, begin_of, hour_of};

pub use store::tables::queues::{ENOUGH, Queues};

use crate::{App, Code, Ctx, Result};

/// How far back figures reach.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reach {
    /// 24 hours, one by one.
    #[default]
    Day,
    /// 7 days, in quarters.
    Week,
    /// 30 days, one by one.
    Month,
}

impl Reach {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Month];

    /// As an address names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
        }
    }

    /// How many hours one figure stands for.
    const fn width(self) -> i64 {
        match self {
            Self::Day => 1,
            Self::Week => 6,
            Self::Month => 24,
        }
    }

    /// How many figures there are.
    const fn count(self) -> i64 {
        match self {
            Self::Day => 24,
            Self::Week => 28,
            Self::Month => 30,
        }
    }
}

/// Some hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hour {
    /// When the first begins.
    pub begins_at: Timestamp,
    /// Requests that were answered.
    pub answered: i64,
    /// Requests that were turned down, as a credential or a birth date can be.
    pub refused: i64,
    /// Requests that went wrong here.
    pub failed: i64,
}

impl Hour {
    /// All requests.
    pub fn total(&self) -> i64 {
        self.answered + self.refused + self.failed
    }

    /// Several together.
    pub fn sum(hours: &[Self]) -> Self {
        let add = |part: fn(&Self) -> i64| hours.iter().map(part).sum();
        Self {
            begins_at: hours.first().map_or(Timestamp::MIN, |hour| hour.begins_at),
            answered: add(|hour| hour.answered),
            refused: add(|hour| hour.refused),
            failed: add(|hour| hour.failed),
        }
    }
}

/// How long answers took: how many are on each step of the scale.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Latencies([i64; STEPS.len() + 1]);

impl Latencies {
    /// The upper end of each step in microseconds, and how many answers are on it; the last step has
    /// no end.
    pub fn steps(&self) -> impl Iterator<Item = (Option<i64>, i64)> {
        let ends = STEPS.into_iter().map(Some).chain([None]);
        ends.zip(self.0)
    }

    /// In how many microseconds that share of answers were ready, at most; `Some(None)` when that is
    /// beyond the scale, `None` without answers.
    pub fn percentile(&self, percent: i64) -> Option<Option<i64>> {
        let all: i64 = self.0.iter().sum();
        if all == 0 {
            return None;
        }
        let wanted = (all * percent + 99) / 100;
        let mut ready = 0;
        for (end, count) in self.steps() {
            ready += count;
            if ready >= wanted {
                return Some(end);
            }
        }
        Some(None)
    }
}

/// What was asked on behalf of a company, by the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// How far back.
    pub reach: Reach,
    /// The oldest first; the last is not over yet.
    pub hours: Vec<Hour>,
    /// How long answers took.
    pub latencies: Latencies,
}

impl Figures {
    fn of(reach: Reach, now: Timestamp, counted: &[Counted]) -> Self {
        let last = hour_of(now).div_euclid(reach.width());
        let first = last - reach.count() + 1;
        let empty = |number: i64| Hour {
            begins_at: begin_of(number * reach.width()),
            answered: 0,
            refused: 0,
            failed: 0,
        };
        let mut hours: Vec<Hour> = (first..=last).map(empty).collect();
        let mut latencies = Latencies::default();
        for part in counted {
            let at = part.hour.div_euclid(reach.width()) - first;
            let hour = usize::try_from(at).ok().and_then(|at| hours.get_mut(at));
            let Some(hour) = hour else { continue };
            *kind_of(&part.outcome, hour) += part.requests;
            let step = usize::try_from(part.step).ok();
            if let Some(step) = step.and_then(|step| latencies.0.get_mut(step)) {
                *step += part.requests;
            }
        }
        Self {
            reach,
            hours,
            latencies,
        }
    }

    /// All of it together.
    pub fn total(&self) -> Hour {
        Hour::sum(&self.hours)
    }
}

/// What an outcome counts as.
fn kind_of<'a>(outcome: &str, hour: &'a mut Hour) -> &'a mut i64 {
    const FAULTS: [Code; 3] = [Code::Internal, Code::Unavailable, Code::Timeout];
    if outcome == "ok" {
        &mut hour.answered
    } else if FAULTS.iter().any(|fault| fault.as_str() == outcome) {
        &mut hour.failed
    } else {
        &mut hour.refused
    }
}

/// What was asked on behalf of the caller's company, by the API; a few seconds late.
///
/// # Errors
/// [`Code::Unavailable`] when the database is away.
pub async fn figures(app: &App, ctx: &Ctx, reach: Reach) -> Result<Figures> {
    let now = app.clock.now();
    let from = (hour_of(now).div_euclid(reach.width()) - reach.count() + 1) * reach.width();
    let company = ctx.caller.company().to_owned();
    let counted = app.store.read(move |mut tx| {
        let company = company.clone();
        Box::pin(async move { audit_hours::list(&mut tx, &company, from).await })
    });
    Ok(Figures::of(reach, now, &counted.await?))
}

/// What of the caller's company waits for somebody.
///
/// # Errors
/// [`Code::Unavailable`] when the database is away.
pub async fn queues(app: &App, ctx: &Ctx) -> Result<Queues> {
    let company = ctx.caller.company().to_owned();
    let counted = app.store.read(move |mut tx| {
        let company = company.clone();
        Box::pin(async move { store::tables::queues::count(&mut tx, &company).await })
    });
    Ok(counted.await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(hour: i64, outcome: &str, step: i64, requests: i64) -> Counted {
        Counted {
            hour,
            outcome: outcome.to_owned(),
            step,
            requests,
        }
    }

    #[test]
    fn every_hour_has_its_place_and_what_is_older_has_none() {
        let now = begin_of(1_000);
        for (reach, last) in [(Reach::Day, 23), (Reach::Week, 27), (Reach::Month, 29)] {
            let of = [
                counted(1_000, "ok", 0, 7),
                counted(1_000, "unauthenticated", 0, 2),
                counted(1_000, "unavailable", 12, 1),
                counted(1, "ok", 0, 100),
            ];
            let figures = Figures::of(reach, now, &of);
            assert_eq!(figures.hours.len(), last + 1);
            let newest = figures.hours[last];
            let kinds = (newest.answered, newest.refused, newest.failed);
            assert_eq!(kinds, (7, 2, 1), "{reach:?}");
            assert_eq!(figures.total().total(), 10);
            let apart = figures.hours[1]
                .begins_at
                .duration_since(figures.hours[0].begins_at);
            assert_eq!(apart.as_hours(), reach.width());
        }
    }

    #[test]
    fn a_percentile_is_the_upper_end_of_its_step() {
        let none = Latencies::default();
        assert_eq!(none.percentile(50), None);
        let mut some = Latencies::default();
        some.0[1] = 95;
        some.0[4] = 4;
        some.0[12] = 1;
        assert_eq!(some.percentile(50), Some(Some(2_000)));
        assert_eq!(some.percentile(95), Some(Some(2_000)));
        assert_eq!(some.percentile(99), Some(Some(20_000)));
        assert_eq!(some.percentile(100), Some(None));
    }
}
