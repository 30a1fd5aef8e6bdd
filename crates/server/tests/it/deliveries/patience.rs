//! How long a channel is waited for that does not keep to its own time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use app::Result;
use app::deliveries::channel::{Channel, Fared, Fate, Line, Parcel, Sent, Tried};
use app::deliveries::{Channels, Dispatcher, Settings, Status, WEBHOOK};
use futures_util::future::{BoxFuture, pending, ready};
use jiff::Timestamp;

use super::{only, told, verify};
use crate::harness::{TestApp, deliveries_settings, flows};

flows!(
    a_channel_that_is_a_little_late_is_heard,
    a_channel_that_hangs_is_given_up_before_its_lease_ends,
);

/// The longest that an attempt should take here.
const TIMEOUT: Duration = Duration::from_millis(200);

/// By how much a lease outlasts that.
const MARGIN: Duration = Duration::from_secs(5);

/// A channel that delivers after so long, or never comes back.
#[derive(Clone, Copy)]
struct Slow(Option<Duration>);

impl Channel for Slow {
    fn open<'a>(
        &'a self,
        _company: &'a str,
        _now: Timestamp,
    ) -> BoxFuture<'a, Result<Arc<dyn Line>>> {
        Box::pin(ready(Ok(Arc::new(*self) as Arc<dyn Line>)))
    }
}

impl Line for Slow {
    fn send<'a>(&'a self, _parcel: &'a Parcel) -> BoxFuture<'a, Sent> {
        Box::pin(async move {
            match self.0 {
                Some(pause) => tokio::time::sleep(pause).await,
                None => pending().await,
            }
            Sent::Tried(Tried {
                word: "delivered",
                status: None,
                fate: Fate::Delivered,
                line: Fared::Well,
                note: None,
            })
        })
    }
}

/// Has one delivery made over a channel; returns how long that took.
async fn deliver_over(app: &TestApp, slow: Slow) -> Duration {
    let (_, key) = told(app).await;
    verify(app, &key, "order-81").await;
    let settings = Settings {
        timeout: TIMEOUT,
        ..deliveries_settings()
    };
    let channels = Channels::default().with(WEBHOOK, slow);
    let began = Instant::now();
    let mut dispatcher = Dispatcher::new(app.app.clone(), channels, settings);
    dispatcher.run_due().await.unwrap();
    began.elapsed()
}

async fn a_channel_that_is_a_little_late_is_heard(app: TestApp) {
    deliver_over(&app, Slow(Some(4 * TIMEOUT))).await;
    assert_eq!(only(&app).await.status, Status::Delivered);
}

async fn a_channel_that_hangs_is_given_up_before_its_lease_ends(app: TestApp) {
    app.leaves_deliveries();
    let took = deliver_over(&app, Slow(None)).await;
    let delivery = only(&app).await;
    assert_eq!(
        (
            delivery.status,
            delivery.attempts,
            delivery.outcome.as_deref()
        ),
        (Status::Waiting, 1, Some("timeout"))
    );
    // With a second left to write that down.
    assert!(took < TIMEOUT + MARGIN - Duration::from_secs(1), "{took:?}");
}
