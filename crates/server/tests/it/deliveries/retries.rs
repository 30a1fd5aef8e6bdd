//! A receiver that does not accept is asked again, later and later, and in the end no more.

use std::time::Duration;

use app::deliveries::{Answer, Replay, Status, with_attempts};
use domain::delivery::Outcome;

use super::{SECOND, URL, only, told, verify};
use crate::harness::{TestApp, flows};

flows!(
    a_failed_delivery_is_made_again_on_schedule,
    an_exhausted_delivery_is_kept_and_can_be_replayed,
    a_receiver_that_wants_time_gets_it,
);

/// The pauses of the schedule, in seconds.
pub const PAUSES: [u64; 7] = [5, 30, 120, 600, 3_600, 21_600, 86_400];

/// Longer than a pause may be with all its jitter.
pub fn well_after(pause: u64) -> Duration {
    Duration::from_secs(pause + pause.div_ceil(10))
}

/// Earlier than it can end.
fn well_before(pause: u64) -> Duration {
    Duration::from_secs(pause * 9 / 10) - Duration::from_millis(1)
}

async fn a_failed_delivery_is_made_again_on_schedule(app: TestApp) {
    let (receivers, key) = told(&app).await;
    verify(&app, &key, "order-81").await;
    receivers.answer_status(URL, 500);
    app.deliver(&receivers).await;
    app.advance(well_before(5));
    app.deliver(&receivers).await;
    assert_eq!(receivers.take().len(), 1, "not before its time");
    app.advance(well_after(5) - well_before(5));
    receivers.answer_status(URL, 302);
    app.deliver(&receivers).await;
    receivers.answer_status(URL, 204);
    app.advance(well_after(30));
    app.deliver(&receivers).await;
    let heard = receivers.take();
    assert_eq!(heard.len(), 2);
    assert_eq!(heard[0].id, heard[1].id, "one message, one id");
    assert_eq!(heard[0].body, heard[1].body);
    assert!(heard[0].at < heard[1].at);
    assert_ne!(heard[0].signature, heard[1].signature);
    let delivery = only(&app).await;
    assert_eq!(delivery.status, Status::Delivered);
    let (_, attempts) = with_attempts(&app.app, delivery.id).await.unwrap();
    let noted: Vec<_> = attempts
        .iter()
        .map(|attempt| (attempt.number, attempt.outcome.as_str(), attempt.status))
        .collect();
    assert_eq!(
        noted,
        [
            (1, "refused", Some(500)),
            (2, "refused", Some(302)),
            (3, "delivered", Some(204)),
        ]
    );
}

async fn an_exhausted_delivery_is_kept_and_can_be_replayed(app: TestApp) {
    let (receivers, key) = told(&app).await;
    verify(&app, &key, "order-81").await;
    receivers.answer(URL, |_| Some(Answer::of(Outcome::Timeout)));
    app.deliver(&receivers).await;
    for pause in PAUSES {
        assert_eq!(only(&app).await.status, Status::Waiting);
        app.advance(well_after(pause));
        app.deliver(&receivers).await;
    }
    let given_up = only(&app).await;
    assert_eq!(given_up.status, Status::Exhausted);
    assert_eq!(given_up.attempts, 8);
    assert_eq!(given_up.outcome.as_deref(), Some("timeout"));
    let tried = receivers.take();
    app.advance(well_after(86_400));
    app.deliver(&receivers).await;
    assert!(receivers.take().is_empty());

    receivers.answer_status(URL, 200);
    let command = app.command("delivery.replay");
    let replay = Replay::These(vec![given_up.id]);
    assert_eq!(
        app::deliveries::replay(&app.app, &command, replay)
            .await
            .unwrap(),
        1
    );
    app.deliver(&receivers).await;
    let heard = receivers.take();
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0].id, tried[0].id, "the receiver knows it again");
    let delivered = only(&app).await;
    assert_eq!(
        (delivered.status, delivered.attempts),
        (Status::Delivered, 9)
    );
    assert_eq!(app.recorded().await["delivery.replay"], 1);
}

async fn a_receiver_that_wants_time_gets_it(app: TestApp) {
    let (receivers, key) = told(&app).await;
    verify(&app, &key, "order-81").await;
    receivers.answer(URL, |_| {
        Some(Answer {
            outcome: Outcome::of_status(429),
            retry_after: Some(Duration::from_secs(3_000)),
        })
    });
    app.deliver(&receivers).await;
    app.advance(2_999 * SECOND);
    app.deliver(&receivers).await;
    assert_eq!(receivers.take().len(), 1);
    receivers.answer_status(URL, 200);
    app.advance(well_after(3_000));
    app.deliver(&receivers).await;
    assert_eq!(receivers.take().len(), 1);
}
