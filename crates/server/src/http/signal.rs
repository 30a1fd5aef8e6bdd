//! Something that happens once and that many wait for, while they do something else.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use tokio_util::sync::CancellationToken;

/// Happens once. Whoever waits for it beside other work is polled with every step of that work, and
/// asks one flag each time: a token alone would take two locks that all who wait share.
#[derive(Default)]
pub struct Signal {
    given: AtomicBool,
    token: CancellationToken,
}

impl Signal {
    /// Wakes all who wait, now and later.
    pub fn give(&self) {
        // In this order: who is woken must see it.
        self.given.store(true, Ordering::Release);
        self.token.cancel();
    }

    /// Whether it has been given.
    pub fn is_given(&self) -> bool {
        self.given.load(Ordering::Acquire)
    }

    /// Waits until it is given.
    pub async fn given(&self) {
        let mut given = pin!(self.token.cancelled());
        let mut told = None;
        // Whoever was told to wait is in the token's list, and stays there under the same waker.
        poll_fn(|context| {
            let waker = context.waker();
            let will_be_woken = told.as_ref().is_some_and(|told| waker.will_wake(told));
            if will_be_woken && !self.is_given() {
                return Poll::Pending;
            }
            told = Some(waker.clone());
            given.as_mut().poll(context)
        })
        .await;
    }

    /// Does `work` until it is given; none of it when it has been given already.
    pub async fn cuts_off<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        if self.is_given() {
            return None;
        }
        let work = pin!(work);
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.given() => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::{Context, Wake, Waker};

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    #[test]
    fn all_who_wait_are_woken_however_often_they_looked() {
        let signal = Signal::default();
        let (first, second) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
        let mut given = pin!(signal.given());
        let mut is_given = |woken: &Arc<Woken>| {
            let waker = Waker::from(Arc::clone(woken));
            let mut context = Context::from_waker(&waker);
            given.as_mut().poll(&mut context).is_ready()
        };
        assert!(!is_given(&first) && !is_given(&first));
        // As when the task that waits hands the waiting on.
        assert!(!is_given(&second));
        signal.give();
        assert!(second.0.load(Ordering::Relaxed));
        assert!(is_given(&second));
    }

    #[tokio::test]
    async fn who_comes_later_does_not_wait_and_nothing_more_is_begun() {
        let signal = Signal::default();
        assert_eq!(signal.cuts_off(async { 7 }).await, Some(7));
        signal.give();
        signal.given().await;
        assert!(signal.is_given());
        assert_eq!(signal.cuts_off(async { 7 }).await, None);
    }
}
