//! Work that many ask for and one does for all, no more often than every so often.
//!
//! Whoever asks gets the outcome of a run that began after it asked: it never has to
//! wonder whether it saw something older. A run is nobody's own: it goes on when those have left
//! who asked for it. The time between runs is tokio's, which stands still where a test stops it.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// A piece of work that is done together.
pub(super) struct Together<T> {
    pause: Duration,
    runs: Arc<Runs<T>>,
}

struct Runs<T> {
    plan: Mutex<Plan>,
    /// Whose turn it is to run.
    turn: tokio::sync::Mutex<()>,
    /// The number of the last run that came to its end, and its outcome.
    finished: watch::Sender<Option<(u64, T)>>,
}

#[derive(Default)]
struct Plan {
    /// How many runs have begun.
    begun: u64,
    /// When the last did, whether or not it came to its end.
    last: Option<Instant>,
    /// Whether the next has been asked for.
    is_asked_for: bool,
}

impl<T: Clone + Send + Sync + 'static> Together<T> {
    /// At least `pause` lies between the beginnings of two runs.
    pub fn every(pause: Duration) -> Self {
        let runs = Runs {
            plan: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            finished: watch::Sender::new(None),
        };
        Self {
            pause,
            runs: Arc::new(runs),
        }
    }

    /// The outcome of a run that begins after this call: that of `work`, or one that somebody else has
    /// asked for. There is none when all runs since have broken off, and nobody asks for another.
    pub async fn run<F>(&self, work: impl FnOnce() -> F + Send + 'static) -> Option<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut finished = self.runs.finished.subscribe();
        let next = self.next(work);
        let is_next =
            |last: &Option<(u64, T)>| matches!(last, Some((number, _)) if *number >= next);
        let last = finished.wait_for(is_next).await.ok()?;
        last.as_ref().map(|(_, outcome)| outcome.clone())
    }

    /// The number of the next run, which is asked for by this if nobody has.
    fn next<F>(&self, work: impl FnOnce() -> F + Send + 'static) -> u64
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut plan = self.runs.plan();
        if !plan.is_asked_for {
            plan.is_asked_for = true;
            tokio::spawn(self.runs.clone().carry_out(self.pause, work));
        }
        plan.begun + 1
    }
}

impl<T: Clone + Send + Sync + 'static> Runs<T> {
    async fn carry_out<F: Future<Output = T>>(
        self: Arc<Self>,
        pause: Duration,
        work: impl FnOnce() -> F,
    ) {
        let _turn = self.turn.lock().await;
        let last = self.plan().last;
        if let Some(last) = last {
            sleep_until(last + pause).await;
        }
        let number = self.begin();
        let outcome = work().await;
        self.finished.send_replace(Some((number, outcome)));
    }

    fn begin(&self) -> u64 {
        let mut plan = self.plan();
        plan.begun += 1;
        plan.last = Some(Instant::now());
        plan.is_asked_for = false;
        plan.begun
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use futures_util::future::join_all;
    use tokio::time::{sleep, timeout};

    use super::*;

    const PAUSE: Duration = Duration::from_millis(50);
    const RUN: Duration = Duration::from_millis(3);

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// Runs of work that takes so long, which tell the how manieth they are.
    struct Counted {
        together: Together<u64>,
        runs: Arc<AtomicU64>,
    }

    impl Counted {
        fn new() -> Self {
            Self {
                together: Together::every(PAUSE),
                runs: Arc::default(),
            }
        }

        async fn run(&self, takes: impl Fn() -> Duration + Send + 'static) -> Option<u64> {
            let runs = self.runs.clone();
            let work = || async move {
                let number = runs.fetch_add(1, Ordering::SeqCst);
                sleep(takes()).await;
                number
            };
            self.together.run(work).await
        }

        fn begun(&self) -> u64 {
            self.runs.load(Ordering::SeqCst)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_makes_twenty_runs_a_second_and_nobody_sees_the_past() {
        let (counted, begin) = (&Counted::new(), Instant::now());
        let asked = (0..5000_u64).map(|number| async move {
            sleep(ms(number / 5)).await;
            let asked = Instant::now();
            let before = counted.begun();
            let seen = counted.run(|| RUN).await;
            assert!(seen >= Some(before), "{seen:?} began before {before}");
            let waited = asked.elapsed();
            assert!(waited >= RUN && waited <= PAUSE + 2 * RUN, "{waited:?}");
        });
        join_all(asked).await;
        assert!(begin.elapsed() >= ms(1000));
        let runs = counted.begun();
        assert!((20..=22).contains(&runs), "{runs} runs in a second");
    }

    #[tokio::test(start_paused = true)]
    async fn who_joins_gets_the_outcome_of_the_run_that_was_joined() {
        let counted = &Counted::new();
        let asked = [0, 1, 2, 60].map(|after| async move {
            sleep(ms(after)).await;
            counted.run(|| RUN).await
        });
        // The second and the third came while the first ran: theirs is the next, and one.
        let seen = join_all(asked).await;
        assert_eq!(seen, [0, 1, 1, 2].map(Some));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_alone_does_not_wait() {
        let counted = Counted::new();
        for run in 0..3 {
            let begin = Instant::now();
            assert_eq!(counted.run(|| Duration::ZERO).await, Some(run));
            assert_eq!(begin.elapsed(), Duration::ZERO);
            sleep(PAUSE).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_goes_on_without_those_who_asked_for_it() {
        let counted = &Counted::new();
        let impatient = (0..100).map(|_| timeout(ms(1), counted.run(|| RUN)));
        for left in join_all(impatient).await {
            left.unwrap_err();
        }
        assert_eq!(counted.run(|| RUN).await, Some(1));
        assert_eq!(counted.begun(), 2);
    }

    /// However many come one after the other, each with a little patience: when work that hung is
    /// quick again, those who come then get its outcome.
    #[tokio::test(start_paused = true)]
    async fn a_stream_of_impatient_callers_does_not_keep_runs_from_ending() {
        let (counted, begin) = (&Counted::new(), Instant::now());
        let takes = move || ms(5000).saturating_sub(begin.elapsed()).max(ms(5));
        let asked = (0..8000_u64).map(|number| async move {
            sleep(ms(number)).await;
            let seen = timeout(ms(2000), counted.run(takes)).await;
            assert!(seen.is_ok() || number < 5000, "asked at {number} ms");
        });
        join_all(asked).await;
    }
}
