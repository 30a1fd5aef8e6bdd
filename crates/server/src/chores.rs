//! The work that goes on beside the requests: what an instance needs to answer them, and the chores of a
//! worker, which no request waits for.
//!
//! Every chore is done in small transactions, again and again; one that fails is tried again with the
//! next tick, and says so in one line when it begins to fail. None outlives the stop.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use app::archive::{self, Follower};
use app::veriff::{Polled, Veriff};
use app::{App, deliveries, idempotency, inbox, numbers, orders, square};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::checkpoint_file::CheckpointFile;
use crate::http::Shared;
use crate::metrics;

/// How often changed credentials are taken in.
const REFRESH: Duration = Duration::from_millis(250);

/// How often the counts of floods are looked at.
const FLOODS: Duration = Duration::from_secs(1);

/// How often the audit log's heads are signed.
const CHECKPOINTS: Duration = Duration::from_secs(60);

/// How often checkpoints are looked for that `CHECKPOINT_FILE` lacks.
const PUBLISHING: Duration = Duration::from_secs(5);

/// How often what was recorded is taken into the index of the audit log.
const INDEXING: Duration = Duration::from_secs(5);

/// How often it is looked for months to be made, and for what has been kept for long enough.
const RETENTION: Duration = Duration::from_secs(60 * 60);

/// How often idempotency keys whose time is over are cleared.
const CLEARING: Duration = Duration::from_secs(60);

/// How often sessions and orders are looked for whose time has come.
const SWEEPING: Duration = Duration::from_secs(1);

/// How often sessions of Veriff are looked for that are to be asked about.
const POLLING: Duration = Duration::from_secs(60);

/// How often the metrics learn how many deliveries wait and orders are held.
const DEPTH: Duration = Duration::from_secs(10);

/// How often what was observed is taken into the histograms.
const UPKEEP: Duration = Duration::from_secs(5);

/// How often the metrics learn where limits are counted, and who waits for the database.
const HEALTH: Duration = Duration::from_secs(1);

/// Work that is done again and again beside the requests.
type Chore = fn(&App) -> BoxFuture<'_, app::Result<()>>;

/// When a chore is not done any more.
#[derive(Clone)]
struct Until {
    /// It is not begun again.
    begun: CancellationToken,
    /// It is cut off where it is.
    done: CancellationToken,
}

/// Starts what an instance that answers requests needs beside them, until `stop`. What is begun by
/// then is ended.
pub fn start_beside_requests(app: &Arc<App>, tasks: &TaskTracker, stop: &CancellationToken) {
    let until = Until {
        begun: stop.clone(),
        done: CancellationToken::new(),
    };
    let every = |period, failing, chore| {
        tasks.spawn(again(app.clone(), until.clone(), period, failing, chore))
    };
    every(REFRESH, "credentials are not refreshed", |app| {
        Box::pin(app.directory.refresh())
    });
    every(FLOODS, "floods are not recorded", |app| {
        Box::pin(app.recorder.record_floods(false))
    });
}

/// Starts the work that no request waits for, until `stop`. It is done in small transactions, and what
/// is left of it then is done after the next start.
pub fn start_workers(app: &Arc<App>, tasks: &TaskTracker, stop: &CancellationToken) {
    let until = Until {
        begun: stop.clone(),
        done: stop.clone(),
    };
    let every = |period, failing, chore| {
        tasks.spawn(again(app.clone(), until.clone(), period, failing, chore))
    };
    every(CHECKPOINTS, "checkpoints are not made", |app| {
        Box::pin(async { app.checkpoints.make().await.map(drop) })
    });
    every(INDEXING, "the audit log is not indexed", |app| {
        Box::pin(async { app::audit::extend_index(app).await.map(drop) })
    });
    every(INDEXING, "requests are not counted by the hour", |app| {
        Box::pin(async { app::audit::count_hours(app).await.map(drop) })
    });
    every(
        RETENTION,
        "old counts of requests are not forgotten",
        |app| Box::pin(async { app::audit::forget_hours(app).await.map(drop) }),
    );
    every(CLEARING, "sessions of the console are not cleared", |app| {
        Box::pin(app::console::clear(app))
    });
    every(RETENTION, "months of the audit log are not made", |app| {
        Box::pin(app::audit::make_months(app))
    });
    every(RETENTION, "what is too old is not taken away", |app| {
        Box::pin(async { app::retention::take_away(app).await.map(drop) })
    });
    every(
        SWEEPING,
        "sessions whose time is over are not swept",
        |app| Box::pin(async { numbers::sweep(app).await.map(drop) }),
    );
    tasks.spawn(look_at_held_orders(app.clone(), stop.clone()));
    every(SWEEPING, "held orders are not swept", |app| {
        Box::pin(async { orders::sweep(app).await.map(drop) })
    });
    every(SWEEPING, "proofs are not carried along merges", |app| {
        Box::pin(async { square::sweep(app).await.map(drop) })
    });
    every(DEPTH, "it is not known how many orders are held", |app| {
        Box::pin(async {
            metrics::orders::note_held(orders::held(app).await?);
            Ok(())
        })
    });
    every(DEPTH, "it is not known how many deliveries wait", |app| {
        Box::pin(async {
            let depth = deliveries::depth(app).await?;
            metrics::deliveries::note_depth(depth, app.clock.now());
            Ok(())
        })
    });
    every(DEPTH, "it is not known how many events wait", |app| {
        Box::pin(async {
            let depth = inbox::depth(app).await?;
            metrics::inbox::note_depth(depth, app.clock.now());
            Ok(())
        })
    });
    every(CLEARING, "old events are not deleted", |app| {
        Box::pin(async { inbox::clear(app).await.map(drop) })
    });
    every(
        CLEARING,
        "customers gone at Square are not forgotten",
        |app| Box::pin(async { square::clear(app).await.map(drop) }),
    );
    every(CLEARING, "idempotency keys are not cleared", |app| {
        Box::pin(async { idempotency::clean_up(app).await.map(drop) })
    });
    every(CLEARING, "addresses left alone are not cleared", |app| {
        Box::pin(async { app::mail::clean_up(app).await.map(drop) })
    });
}

/// Appends checkpoints to a file, until `stop`.
pub async fn publish_checkpoints(app: Arc<App>, file: CheckpointFile, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(PUBLISHING);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut well = true;
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let written = file.catch_up(&app).await;
        if let (Err(trouble), true) = (&written, well) {
            tracing::warn!(%trouble, "checkpoints are not written to CHECKPOINT_FILE");
        }
        well = written.is_ok();
        if !well {
            metrics::audit::note_file_failure();
        }
    }
}

/// Has orders that were held under other rules looked at under those of this instance: once, when the
/// database lets it.
async fn look_at_held_orders(app: Arc<App>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(SWEEPING);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        match orders::look_at_all(&app).await {
            Ok(_) => return,
            Err(error) => tracing::warn!(cause = error.cause(), "held orders are not looked at"),
        }
    }
}

/// Asks Veriff for decisions that no hook brought, until `stop`.
pub async fn poll_veriff(app: Arc<App>, veriff: Veriff, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(POLLING);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let polled = stop.run_until_cancelled(app::veriff::poll_due(&app, &veriff));
        match polled.await {
            Some(Ok(Polled {
                problem: Some(problem),
                ..
            })) => tracing::warn!(%problem, "missed decisions are not asked for"),
            Some(Err(error)) => {
                tracing::warn!(cause = error.cause(), "missed decisions are not asked for");
            }
            _ => {}
        }
    }
}

/// Copies to the archive, until `stop`; then another instance may go on at once.
pub async fn follow(mut follower: Follower, stop: CancellationToken) {
    let mut well = true;
    loop {
        let step = AssertUnwindSafe(follower.step()).catch_unwind();
        let Some(step) = stop.run_until_cancelled(step).await else {
            break;
        };
        let step = step.unwrap_or_else(|_| Err(app::Error::internal("copying panicked")));
        let pause = match step {
            Ok(next) => {
                well = true;
                next.pause()
            }
            Err(error) => {
                if std::mem::take(&mut well) {
                    tracing::warn!(cause = error.cause(), "nothing is archived");
                }
                SWEEPING
            }
        };
        let paused = stop.run_until_cancelled(tokio::time::sleep(pause));
        if paused.await.is_none() {
            break;
        }
    }
    if let Err(error) = follower.release().await {
        tracing::debug!(cause = error.cause(), "the archive's lease ends by itself");
    }
}

/// Tells the metrics how the archive stands, until `stop`.
pub async fn watch_archive(app: Arc<App>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(DEPTH);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let state = stop.run_until_cancelled(archive::state(&app));
        // What the database does not tell now, it tells later.
        if let Some(Ok(state)) = state.await {
            metrics::archive::note(&state, app.clock.now());
        }
    }
}

/// Keeps the metrics of this process in order, until `stop`.
pub async fn keep_metrics(stop: CancellationToken) {
    regularly(UPKEEP, &stop, metrics::upkeep).await;
}

/// Tells the metrics how the connections to the database stand, until `stop`.
pub async fn watch_database(app: Arc<App>, stop: CancellationToken) {
    regularly(HEALTH, &stop, || metrics::database::note(&app.store)).await;
}

/// Tells the metrics where limits are counted, until `stop`.
pub async fn watch_limits(server: Shared, stop: CancellationToken) {
    let note = || metrics::refusals::note_health(server.limiter.quota().health());
    regularly(HEALTH, &stop, note).await;
}

async fn regularly(period: Duration, stop: &CancellationToken, work: impl Fn()) {
    let mut ticks = tokio::time::interval(period);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        work();
    }
}

/// Records what is still only counted, and signs the log's end, for the file too if there is one.
pub async fn finish(app: &App, file: Option<&CheckpointFile>) {
    for result in [
        app.recorder.record_floods(true).await,
        app.checkpoints.make().await.map(drop),
    ] {
        if let Err(error) = result {
            tracing::warn!(cause = error.cause(), "the audit log's end is not signed");
        }
    }
    if let Some(file) = file
        && let Err(trouble) = file.catch_up(app).await
    {
        tracing::warn!(%trouble, "the last checkpoint is not in CHECKPOINT_FILE");
    }
}

async fn again(app: Arc<App>, until: Until, period: Duration, failing: &'static str, chore: Chore) {
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut well = true;
    while until
        .begun
        .run_until_cancelled(ticks.tick())
        .await
        .is_some()
    {
        // A panic ends what was begun, and not what is done again and again.
        let done = AssertUnwindSafe(chore(&app)).catch_unwind();
        let Some(done) = until.done.run_until_cancelled(done).await else {
            return;
        };
        let Ok(result) = done else {
            tracing::error!("{failing}: it panicked");
            well = false;
            continue;
        };
        // One line when it begins to fail, not one every time.
        if let (Err(error), true) = (&result, well) {
            tracing::warn!(cause = error.cause(), "{failing}");
        }
        well = result.is_ok();
    }
}
