//! Limits per window of time, and the sliding window that keeps them.
//!
//! The window slides: *any* stretch of its length holds at most the limit, wherever it begins.
//! Requests that are refused leave no trace. What is remembered is a log of runs, each the hits
//! within one granule (a thousandth of the window), so memory is bounded whatever the limit, and a
//! run leaves when its last hit is a window old: hits may be forgotten one granule late, never
//! early. Times are milliseconds of any clock; the clock is the caller's.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use crate::span::Span;

/// Granules in a window: what a hit may be forgotten late by, and the bound of the memory.
pub const GRANULES: u64 = 1000;

/// So many requests in any window of such a length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    limit: u64,
    window: Duration,
}

/// Why a text is no rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a limit like 100/1m (1 to 1000000000 requests in 1s to 366d), or off")]
pub struct RateError;

impl Rate {
    const LARGEST: u64 = 1_000_000_000;
    const LONGEST: Duration = Duration::from_secs(366 * 86_400);

    /// A rate of 1 to 1,000,000,000 requests in a second to 366 days, in whole seconds.
    ///
    /// # Errors
    /// [`RateError`] outside of that.
    pub fn new(limit: u64, window: Duration) -> Result<Self, RateError> {
        let whole = window.subsec_nanos() == 0 && !window.is_zero();
        let fits = whole && window <= Self::LONGEST && (1..=Self::LARGEST).contains(&limit);
        fits.then_some(Self { limit, window }).ok_or(RateError)
    }

    /// Reads `100/1m`.
    ///
    /// # Errors
    /// [`RateError`], which shows what is expected.
    pub fn parse(text: &str) -> Result<Self, RateError> {
        let (limit, window) = text.trim().split_once('/').ok_or(RateError)?;
        let limit = limit.trim().parse().map_err(|_| RateError)?;
        let window = Span::parse(window).ok().and_then(Span::as_duration);
        Self::new(limit, window.ok_or(RateError)?)
    }

    /// How many requests pass in a window; at least one.
    #[must_use]
    pub const fn limit(self) -> u64 {
        self.limit
    }

    /// The length of the window; at least a second.
    #[must_use]
    pub const fn window(self) -> Duration {
        self.window
    }

    /// The length of the window in milliseconds.
    #[must_use]
    pub const fn window_ms(self) -> u64 {
        self.window.as_secs() * 1000
    }

    /// The length of a granule in milliseconds; at least one.
    #[must_use]
    pub const fn granule_ms(self) -> u64 {
        self.window_ms() / GRANULES
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}/{}",
            self.limit,
            Span::seconds(self.window.as_secs())
        )
    }
}

/// A configured limit, which may be switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// No limit.
    Off,
    /// At most this rate.
    Rate(Rate),
}

impl Limit {
    /// Reads `off` or a rate.
    ///
    /// # Errors
    /// [`RateError`], which shows what is expected.
    pub fn parse(text: &str) -> Result<Self, RateError> {
        if text.trim() == "off" {
            return Ok(Self::Off);
        }
        Rate::parse(text).map(Self::Rate)
    }

    /// The rate, unless the limit is off.
    #[must_use]
    pub const fn rate(self) -> Option<Rate> {
        match self {
            Self::Off => None,
            Self::Rate(rate) => Some(rate),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => formatter.write_str("off"),
            Self::Rate(rate) => rate.fmt(formatter),
        }
    }
}

/// What a window answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// How many of the wanted requests pass.
    pub granted: u64,
    /// How many more would pass now.
    pub remaining: u64,
    /// Until the oldest hit leaves the window; zero when there is none.
    pub reset: Duration,
    /// Until one more request would pass; zero when one would pass now.
    pub retry_after: Duration,
}

/// The hits of one granule.
#[derive(Clone, Copy, Debug)]
struct Run {
    first: u64,
    last: u64,
    count: u64,
}

/// The log of one limited thing: a key, a company, a session.
#[derive(Clone, Debug, Default)]
pub struct SlidingWindow {
    runs: VecDeque<Run>,
    total: u64,
    /// How far our time is ahead of a clock that was set back.
    ahead: u64,
}

impl SlidingWindow {
    /// Asks for `wanted` requests at `now` (milliseconds); the first `granted` of them pass.
    /// Wanting none only looks. The rate may differ from call to call.
    ///
    /// A clock that steps back stands still here until it has caught up; one that steps back by
    /// more than a window goes on from where it was. Neither lets anything pass early.
    pub fn take(&mut self, now: u64, rate: Rate, wanted: u64) -> Taken {
        let now = self.forget(now, rate);
        let granted = wanted.min(rate.limit.saturating_sub(self.total));
        self.record(now, rate, granted);
        let leaves =
            |run: &Run| Duration::from_millis((run.last + rate.window_ms()).saturating_sub(now));
        Taken {
            granted,
            remaining: rate.limit.saturating_sub(self.total),
            reset: self.runs.front().map(leaves).unwrap_or_default(),
            retry_after: self.in_the_way(rate).map(leaves).unwrap_or_default(),
        }
    }

    /// Whether nothing in it counts any more at `now`, so that it may be thrown away.
    #[must_use]
    pub fn is_idle(&self, now: u64, window: Duration) -> bool {
        let window = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
        let now = now.saturating_add(self.ahead);
        self.runs
            .back()
            .is_none_or(|run| run.last.saturating_add(window) <= now)
    }

    /// The time by the log's own reckoning, which never runs backwards.
    fn steady(&mut self, clock: u64, rate: Rate) -> u64 {
        let last = self.runs.back().map_or(0, |run| run.last);
        if clock + self.ahead + rate.window_ms() < last {
            self.ahead = last - clock;
        }
        last.max(clock + self.ahead)
    }

    /// Forgets what has left the window and tells the time; an empty log starts on the clock again.
    fn forget(&mut self, clock: u64, rate: Rate) -> u64 {
        let now = self.steady(clock, rate);
        while let Some(oldest) = self.runs.front() {
            if oldest.last + rate.window_ms() > now {
                return now;
            }
            self.total -= oldest.count;
            self.runs.pop_front();
        }
        self.ahead = 0;
        clock
    }

    fn record(&mut self, now: u64, rate: Rate, granted: u64) {
        if granted == 0 {
            return;
        }
        self.total += granted;
        match self.runs.back_mut() {
            Some(newest) if now - newest.first < rate.granule_ms() => {
                newest.last = now;
                newest.count += granted;
            }
            _ => self.runs.push_back(Run {
                first: now,
                last: now,
                count: granted,
            }),
        }
    }

    /// The run that must leave before one more request passes. It is the oldest one, except after
    /// the limit was lowered.
    fn in_the_way(&self, rate: Rate) -> Option<&Run> {
        let mut left = self.total;
        self.runs.iter().find(|run| {
            let blocked = left >= rate.limit;
            left -= run.count;
            blocked && left < rate.limit
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rate(text: &str) -> Rate {
        Rate::parse(text).unwrap()
    }

    #[test]
    fn reads_what_it_shows() {
        for text in ["100/1m", "1/1s", "1000000000/366d", "10/90s"] {
            assert_eq!(rate(text).to_string(), text);
            assert_eq!(Limit::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(rate(" 6000 / 60 ").to_string(), "6000/1m");
        assert_eq!(Limit::parse("off").unwrap().rate(), None);
        assert_eq!(Limit::Off.to_string(), "off");
        assert_eq!(Limit::parse("5/1h").unwrap().rate(), Some(rate("5/1h")));
        for text in [
            "",
            "100",
            "0/1m",
            "100/0s",
            "100/1y",
            "-1/1m",
            "1000000001/1m",
            "1/367d",
            "Off",
        ] {
            assert_eq!(Limit::parse(text), Err(RateError), "{text}");
        }
    }

    #[test]
    fn the_window_slides() {
        let (rate, mut window) = (rate("2/1m"), SlidingWindow::default());
        let mut take = |now, wanted| {
            let taken = window.take(now, rate, wanted);
            let (reset, retry) = (taken.reset.as_millis(), taken.retry_after.as_millis());
            (taken.granted, taken.remaining, reset, retry)
        };
        assert_eq!(take(0, 0), (0, 2, 0, 0));
        assert_eq!(take(1_000, 1), (1, 1, 60_000, 0));
        assert_eq!(take(31_000, 3), (1, 0, 30_000, 30_000));
        assert_eq!(take(60_999, 1), (0, 0, 1, 1));
        assert_eq!(take(61_000, 5), (1, 0, 30_000, 30_000));
        assert_eq!(take(91_000, 0), (0, 1, 30_000, 0));
        assert_eq!(take(500_000, 0), (0, 2, 0, 0));
    }

    #[test]
    fn a_lowered_limit_holds_at_once() {
        let mut window = SlidingWindow::default();
        for now in [0, 1000, 2000, 3000] {
            assert_eq!(window.take(now, rate("4/1m"), 1).granted, 1);
        }
        let taken = window.take(3000, rate("2/1m"), 1);
        assert_eq!((taken.granted, taken.remaining), (0, 0));
        assert_eq!(taken.retry_after, Duration::from_secs(59));
        assert_eq!(window.take(61_999, rate("2/1m"), 1).granted, 0);
        assert_eq!(window.take(62_000, rate("2/1m"), 1).granted, 1);
    }

    #[test]
    fn a_clock_set_back_does_no_harm() {
        let (rate, mut window) = (rate("1/1m"), SlidingWindow::default());
        assert_eq!(window.take(1_000_000, rate, 1).granted, 1);
        assert_eq!(
            window.take(990_000, rate, 1).retry_after,
            Duration::from_secs(60)
        );
        // Far back: waits one window more at most, not until the clock has caught up.
        assert_eq!(
            window.take(5_000, rate, 1).retry_after,
            Duration::from_secs(60)
        );
        assert_eq!(window.take(64_999, rate, 1).granted, 0);
        assert!(!window.is_idle(64_999, rate.window()));
        assert!(window.is_idle(65_000, rate.window()));
        assert_eq!(window.take(65_000, rate, 1).granted, 1);
    }

    #[test]
    fn memory_is_bounded() {
        let (rate, mut window) = (rate("1000000/10s"), SlidingWindow::default());
        for now in 0..100_000 {
            assert_eq!(window.take(now, rate, 1).granted, 1);
        }
        assert!(window.runs.len() as u64 <= GRANULES + 1);
    }

    /// Every hit remembered on its own.
    fn in_window(hits: &[u64], now: u64, length: u64) -> u64 {
        hits.iter().filter(|hit| **hit + length > now).count() as u64
    }

    proptest! {
        #[test]
        fn agrees_with_remembering_every_hit(
            limit in 1_u64..20,
            steps in prop::collection::vec((0_u64..400, 0_u64..6), 1..200),
        ) {
            // With a granule of a millisecond there is nothing to round.
            let rate = Rate::new(limit, Duration::from_secs(1)).unwrap();
            let (mut window, mut hits, mut now) = (SlidingWindow::default(), Vec::new(), 0);
            for (wait, wanted) in steps {
                now += wait;
                let free = limit - in_window(&hits, now, 1000);
                let taken = window.take(now, rate, wanted);
                prop_assert_eq!(taken.granted, wanted.min(free));
                prop_assert_eq!(taken.remaining, free - taken.granted);
                hits.extend(std::iter::repeat_n(now, taken.granted.try_into().unwrap()));
                let retry = u64::try_from(taken.retry_after.as_millis()).unwrap();
                prop_assert_eq!(retry == 0, taken.remaining > 0);
                prop_assert!(in_window(&hits, now + retry, 1000) < limit);
                prop_assert!(retry == 0 || in_window(&hits, now + retry - 1, 1000) == limit);
                let reset = u64::try_from(taken.reset.as_millis()).unwrap();
                let oldest = hits.iter().find(|hit| **hit + 1000 > now);
                prop_assert_eq!(reset, oldest.map_or(0, |hit| hit + 1000 - now));
            }
        }

        #[test]
        fn never_admits_too_many_and_is_late_by_a_granule_at_most(
            limit in 1_u64..50,
            steps in prop::collection::vec((0_u64..4_000, 0_u64..6), 1..300),
        ) {
            let rate = Rate::new(limit, Duration::from_secs(60)).unwrap();
            let (length, granule) = (rate.window_ms(), rate.granule_ms());
            let (mut window, mut hits, mut now) = (SlidingWindow::default(), Vec::new(), 0);
            for (wait, wanted) in steps {
                now += wait;
                let generous = limit - in_window(&hits, now, length);
                let strict = limit.saturating_sub(in_window(&hits, now, length + granule));
                let granted = window.take(now, rate, wanted).granted;
                prop_assert!(granted <= wanted.min(generous));
                prop_assert!(granted >= wanted.min(strict));
                hits.extend(std::iter::repeat_n(now, granted.try_into().unwrap()));
                prop_assert_eq!(window.is_idle(now, rate.window()), window.total == 0);
            }
        }

        #[test]
        fn readings_that_overtake_each_other_let_nothing_more_pass(
            steps in prop::collection::vec((0_u64..200, 0_u64..50, 0_u64..4), 1..200),
        ) {
            // Threads read the clock before they get their turn, up to 50 ms earlier.
            let rate = Rate::new(5, Duration::from_secs(1)).unwrap();
            let (mut window, mut hits, mut now) = (SlidingWindow::default(), Vec::new(), 1000);
            for (wait, late, wanted) in steps {
                now += wait;
                let granted = window.take(now - late, rate, wanted).granted;
                hits.extend(std::iter::repeat_n(now, granted.try_into().unwrap()));
                prop_assert!(in_window(&hits, now, 1000 - 50) <= rate.limit());
            }
        }
    }
}
