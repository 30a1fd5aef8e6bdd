//! Work that many ask for and one does for all, no more often than every so often.
//!
//! Whoever asks gets the outcome of a run that began after it asked: it never has to
//! wonder whether it saw something older. The time between runs is tokio's, which
//! stands still where a test stops it.

use std::future::Future;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// A piece of work that is done together.
pub(super) struct Together<T> {
    pause: Duration,
    runs: Mutex<Runs<T>>,
}

struct Runs<T> {
    /// When the last run began, whether or not it came to its end.
    begun: Option<Instant>,
    /// When the last run began that came to its end, and its outcome.
    finished: Option<(Instant, T)>,
}

impl<T: Clone> Together<T> {
    /// At least `pause` lies between the beginnings of two runs.
    pub fn every(pause: Duration) -> Self {
        let runs = Runs {
            begun: None,
            finished: None,
        };
        Self {
            pause,
            runs: Mutex::new(runs),
        }
    }

    /// The outcome of a run that began after this call: that of `work`, or one that somebody else
    /// began.
    pub async fn run<F: Future<Output = T>>(&self, work: impl FnOnce() -> F) -> T {
        let asked = Instant::now();
        let mut runs = self.runs.lock().await;
        if let Some((begun, outcome)) = &runs.finished
            && *begun > asked
        {
            return outcome.clone();
        }
        if let Some(begun) = runs.begun {
            sleep_until(begun + self.pause).await;
        }
        // Noted first: callers that give up half-way must not make it run more often.
        let begun = Instant::now();
        runs.begun = Some(begun);
        let outcome = work().await;
        runs.finished = Some((begun, outcome.clone()));
        outcome
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use futures_util::FutureExt as _;
    use futures_util::future::join_all;
    use tokio::time::{advance, sleep};

    use super::*;

    const PAUSE: Duration = Duration::from_millis(50);
    const RUN: Duration = Duration::from_millis(3);

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_makes_twenty_runs_a_second_and_nobody_sees_the_past() {
        let (together, runs) = (Together::every(PAUSE), AtomicU64::new(0));
        let (together, runs, begin) = (&together, &runs, Instant::now());
        let asked = (0..5000_u64).map(|number| async move {
            sleep(ms(number / 5)).await;
            let asked = Instant::now();
            let work = || async {
                runs.fetch_add(1, Ordering::SeqCst);
                sleep(RUN).await;
            };
            together.run(work).await;
            let waited = asked.elapsed();
            assert!(waited >= RUN && waited <= PAUSE + 2 * RUN, "{waited:?}");
        });
        join_all(asked).await;
        assert!(begin.elapsed() >= ms(1000));
        let runs = runs.load(Ordering::SeqCst);
        assert!((20..=22).contains(&runs), "{runs} runs in a second");
    }

    #[tokio::test(start_paused = true)]
    async fn who_joins_gets_the_outcome_of_the_run_that_was_joined() {
        let (together, runs) = (&Together::every(PAUSE), &AtomicU64::new(0));
        let asked = [0, 1, 2, 60].map(|after| async move {
            sleep(ms(after)).await;
            let work = || async {
                sleep(RUN).await;
                runs.fetch_add(1, Ordering::SeqCst)
            };
            together.run(work).await
        });
        // The second and the third came while the first ran: theirs is the next, and one.
        assert_eq!(join_all(asked).await, [0, 1, 1, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_alone_does_not_wait() {
        let together = Together::every(PAUSE);
        for _ in 0..3 {
            assert!(together.run(|| async {}).now_or_never().is_some());
            assert!(together.run(|| async {}).now_or_never().is_none());
            advance(PAUSE).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn runs_that_are_given_up_count() {
        let together = Together::every(PAUSE);
        let runs = &AtomicU64::new(0);
        let endless = || async {
            runs.fetch_add(1, Ordering::SeqCst);
            std::future::pending::<()>().await;
        };
        for _ in 0..100 {
            assert!(together.run(endless).now_or_never().is_none());
        }
        assert_eq!(runs.load(Ordering::SeqCst), 1);
        advance(PAUSE).await;
        assert!(together.run(|| async {}).now_or_never().is_some());
    }
}
