//! How often the shop may be asked, and when it is to be left alone.
//!
//! One budget for the whole process, a little below what the shop allows to one token. Whoever asks
//! on with a token that is refused is shut out for longer, so after a refusal nobody asks for
//! minutes, each time twice as long, until one request is accepted.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use app::lightspeed::ShopProblem;
use domain::rate::{Rate, RateError, SlidingWindow};
use jiff::{SignedDuration, Timestamp};

/// Requests in a minute; the shop counts to 600, by a clock of its own.
const REQUESTS: u64 = 590;

/// The rest after the first refusal.
const FIRST_REST: Duration = Duration::from_secs(5 * 60);

/// The longest rest.
const LONGEST_REST: Duration = Duration::from_secs(60 * 60);

/// The rest that is taken when the shop wants one and does not say how long.
const UNTOLD: Duration = Duration::from_secs(30);

/// Who may ask now.
pub struct Manners {
    rate: Rate,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    window: SlidingWindow,
    rest: Option<Rest>,
    refusals: u32,
}

/// Nobody asks until then.
#[derive(Clone, Copy)]
struct Rest {
    until: Timestamp,
    refused: bool,
}

impl Manners {
    /// Nothing was asked yet.
    ///
    /// # Errors
    /// Were the budget no rate; it is one, as the tests below show.
    pub fn new() -> Result<Self, RateError> {
        Ok(Self {
            rate: Rate::new(REQUESTS, Duration::from_secs(60))?,
            state: Mutex::default(),
        })
    }

    /// Takes one request from the budget.
    ///
    /// # Errors
    /// How long not to ask.
    pub fn ask(&self, now: Timestamp) -> Result<(), ShopProblem> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rest) = state.rest.filter(|rest| now < rest.until) {
            let left = Duration::try_from(rest.until.duration_since(now)).unwrap_or_default();
            return Err(match rest.refused {
                true => ShopProblem::Refused(left),
                false => ShopProblem::Busy(left),
            });
        }
        let milliseconds = u64::try_from(now.as_millisecond()).unwrap_or_default();
        let taken = state.window.take(milliseconds, self.rate, 1);
        match taken.granted {
            0 => Err(ShopProblem::Busy(taken.retry_after)),
            _ => Ok(()),
        }
    }

    /// Notes that a request was accepted.
    pub fn accepted(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.refusals = 0;
    }

    /// Notes that the token was refused; returns what to tell the caller.
    pub fn refused(&self, now: Timestamp) -> ShopProblem {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // Several requests may be under way when the token is refused: that is one refusal.
        if let Some(rest) = state.rest.filter(|rest| rest.refused && now < rest.until) {
            let left = Duration::try_from(rest.until.duration_since(now)).unwrap_or_default();
            return ShopProblem::Refused(left);
        }
        let doubled = FIRST_REST.saturating_mul(1 << state.refusals.min(8));
        state.refusals = state.refusals.saturating_add(1);
        let rest = doubled.min(LONGEST_REST);
        state.rest = Some(Rest {
            until: after(now, rest),
            refused: true,
        });
        ShopProblem::Refused(rest)
    }

    /// Notes that the shop wants to be left alone; returns what to tell the caller.
    pub fn asked_for_rest(&self, now: Timestamp, wish: Option<Duration>) -> ShopProblem {
        let rest = wish
            .unwrap_or(UNTOLD)
            .clamp(Duration::from_secs(1), LONGEST_REST);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.rest = Some(Rest {
            until: after(now, rest),
            refused: false,
        });
        ShopProblem::Busy(rest)
    }
}

fn after(now: Timestamp, rest: Duration) -> Timestamp {
    let rest = SignedDuration::try_from(rest).unwrap_or(SignedDuration::MAX);
    now.saturating_add(rest).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + i64::try_from(seconds).unwrap()).unwrap()
    }

    #[test]
    fn no_minute_has_more_than_the_budget() {
        let manners = Manners::new().unwrap();
        for _ in 0..REQUESTS {
            assert_eq!(manners.ask(at(0)), Ok(()));
        }
        let ShopProblem::Busy(pause) = manners.ask(at(0)).unwrap_err() else {
            panic!("it is only busy");
        };
        assert!(pause > Duration::ZERO && pause <= MINUTE + MINUTE / 10);
        assert!(manners.ask(at(30)).is_err());
        assert_eq!(manners.ask(at(70)), Ok(()));
    }

    #[test]
    fn a_refused_token_is_not_shown_again_for_minutes() {
        let manners = Manners::new().unwrap();
        assert_eq!(manners.refused(at(0)), ShopProblem::Refused(5 * MINUTE));
        let left = Duration::from_secs(1);
        assert_eq!(manners.ask(at(299)), Err(ShopProblem::Refused(left)));
        assert_eq!(manners.ask(at(300)), Ok(()));
        assert_eq!(manners.refused(at(300)), ShopProblem::Refused(10 * MINUTE));
        // What was under way beside it tells nothing new.
        assert_eq!(
            manners.refused(at(301)),
            ShopProblem::Refused(10 * MINUTE - left)
        );
        let hour = 3_600;
        for hours in 1..20 {
            manners.refused(at(hours * hour));
        }
        let last = manners.refused(at(20 * hour));
        assert_eq!(last, ShopProblem::Refused(LONGEST_REST));
        assert_eq!(manners.ask(at(21 * hour)), Ok(()));
        manners.accepted();
        let first = manners.refused(at(30 * hour));
        assert_eq!(first, ShopProblem::Refused(5 * MINUTE));
    }

    #[test]
    fn a_wish_for_rest_is_granted() {
        let manners = Manners::new().unwrap();
        let wish = Some(Duration::from_secs(7));
        let told = manners.asked_for_rest(at(0), wish);
        assert_eq!(told, ShopProblem::Busy(Duration::from_secs(7)));
        assert!(manners.ask(at(6)).is_err());
        assert_eq!(manners.ask(at(7)), Ok(()));
        let told = manners.asked_for_rest(at(10), Some(Duration::MAX));
        assert_eq!(told, ShopProblem::Busy(LONGEST_REST));
        assert_eq!(
            manners.asked_for_rest(at(10), None),
            ShopProblem::Busy(UNTOLD)
        );
    }
}
