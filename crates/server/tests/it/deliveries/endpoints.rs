//! An endpoint that wants nothing any more, or never answers, is switched off.

use std::time::Duration;

use app::deliveries::{Answer, Replay, Status};
use domain::delivery::Outcome;

use super::retries::{PAUSES, well_after};
use super::{URL, all, only, told, verify};
use crate::harness::{TestApp, flows};

flows!(
    a_gone_endpoint_is_switched_off_until_it_is_named_again,
    an_endpoint_that_fails_for_days_is_switched_off,
    one_success_forgets_the_failures,
    a_silence_between_failures_begins_them_anew,
    an_inactive_company_is_told_nothing,
);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn a_gone_endpoint_is_switched_off_until_it_is_named_again(app: TestApp) {
    let off = async || {
        app::deliveries::depth(&app.app)
            .await
            .unwrap()
            .endpoints_off
    };
    let (receivers, key) = told(&app).await;
    verify(&app, &key, "first").await;
    receivers.answer_status(URL, 410);
    assert_eq!(off().await, 0);
    app.deliver(&receivers).await;
    assert_eq!(off().await, 1);
    assert_eq!(only(&app).await.outcome.as_deref(), Some("gone"));
    receivers.answer_status(URL, 200);
    app.advance(DAY);
    verify(&app, &key, "second").await;
    app.deliver(&receivers).await;
    assert_eq!(receivers.take().len(), 1, "off");
    let kept = all(&app).await;
    assert_eq!(kept[0].outcome.as_deref(), Some("switched_off"));
    assert!(kept.iter().all(|kept| kept.status == Status::Exhausted));
    assert_eq!(app.recorded().await["webhook.switch_off"], 1);

    app.webhook("default", URL).await;
    assert_eq!(off().await, 0);
    let command = app.command("delivery.replay");
    let replay = Replay::ExhaustedOf("default".into());
    let replayed = app::deliveries::replay(&app.app, &command, replay).await;
    assert_eq!(replayed.unwrap(), 2);
    app.deliver(&receivers).await;
    assert_eq!(receivers.take().len(), 2);
}

async fn an_endpoint_that_fails_for_days_is_switched_off(app: TestApp) {
    let (receivers, key) = told(&app).await;
    receivers.answer(URL, |_| Some(Answer::of(Outcome::Unreachable)));
    for day in 0..5 {
        verify(&app, &key, &format!("day-{day}")).await;
        app.deliver(&receivers).await;
        app.advance(DAY);
        assert!(!receivers.take().is_empty(), "day {day}: still tried");
    }
    app.deliver(&receivers).await;
    receivers.take();
    verify(&app, &key, "later").await;
    app.deliver(&receivers).await;
    assert!(receivers.take().is_empty(), "off after five days");
    assert_eq!(app.recorded().await["webhook.switch_off"], 1);
    app.leaves_deliveries();
}

async fn one_success_forgets_the_failures(app: TestApp) {
    let (receivers, key) = told(&app).await;
    for day in 0..8 {
        // Every fourth day something arrives.
        let status = if day % 4 == 3 { 200 } else { 503 };
        receivers.answer_status(URL, status);
        verify(&app, &key, &format!("day-{day}")).await;
        app.deliver(&receivers).await;
        assert!(!receivers.take().is_empty(), "day {day}");
        app.advance(DAY);
    }
    assert!(!app.recorded().await.contains_key("webhook.switch_off"));
    app.leaves_deliveries();
}

async fn a_silence_between_failures_begins_them_anew(app: TestApp) {
    let (receivers, key) = told(&app).await;
    receivers.answer_status(URL, 503);
    // Five days are over in the midst of the second and of the third.
    for request in ["first", "second", "third"] {
        verify(&app, &key, request).await;
        app.deliver(&receivers).await;
        for pause in PAUSES {
            app.advance(well_after(pause));
            app.deliver(&receivers).await;
        }
        assert_eq!(receivers.take().len(), 1 + PAUSES.len(), "{request}");
        app.advance(3 * DAY);
    }
    app.advance(2 * DAY);
    verify(&app, &key, "fourth").await;
    app.deliver(&receivers).await;
    receivers.answer_status(URL, 200);
    app.advance(well_after(PAUSES[0]));
    app.deliver(&receivers).await;
    assert_eq!(receivers.take().len(), 2, "it is not switched off");
    assert_eq!(all(&app).await[0].status, Status::Delivered);
    assert!(!app.recorded().await.contains_key("webhook.switch_off"));
}

async fn an_inactive_company_is_told_nothing(app: TestApp) {
    let (receivers, key) = told(&app).await;
    verify(&app, &key, "order-81").await;
    let change = app::companies::CompanyChange {
        is_active: Some(false),
        ..Default::default()
    };
    app.change_company("default", change).await;
    app.deliver(&receivers).await;
    assert!(receivers.take().is_empty());
    assert_eq!(only(&app).await.outcome.as_deref(), Some("switched_off"));
}
