//! How Square is asked: with one version, longer and longer pauses, and never elsewhere.

use std::time::Duration;

use app::square::{SquareApi as _, SquareProblem, Wanted};

use super::seller::{Mood, Seller};
use super::{ANN, Stage, client, customer};
use crate::harness::{TestApp, flows};

flows!(
    whoever_is_told_to_wait_waits_longer_each_time,
    each_refusal_has_a_name,
    the_token_goes_nowhere_else,
    what_cannot_be_understood_is_nobody,
    the_installation_can_be_checked,
);

async fn whoever_is_told_to_wait_waits_longer_each_time(app: TestApp) {
    let stage = Stage::set(&app).await;
    stage.seller.has(customer("A", ANN, 0));
    let mut before = Duration::ZERO;
    for _ in 0..7 {
        stage.seller.be(Mood::Status(429));
        let Err(SquareProblem::Busy(pause)) = stage.client.customer("A").await else {
            panic!("it is busy");
        };
        assert!(
            pause > before && pause <= Duration::from_secs(66),
            "{pause:?}"
        );
        before = pause;
    }
    for _ in 0..3 {
        stage.seller.be(Mood::Status(429));
        let answer = stage.client.customer("A").await;
        let is_patient = |pause: Duration| pause >= Duration::from_secs(54);
        assert!(matches!(answer, Err(SquareProblem::Busy(pause)) if is_patient(pause)));
    }
    assert!(stage.client.customer("A").await.unwrap().is_some());
    stage.seller.be(Mood::RetryAfter(7));
    let answer = stage.client.customer("A").await;
    assert_eq!(answer, Err(SquareProblem::Busy(Duration::from_secs(7))));
}

async fn each_refusal_has_a_name(app: TestApp) {
    let stage = Stage::set(&app).await;
    stage.seller.has(customer("A", ANN, 0));
    for (status, problem) in [
        (400, SquareProblem::Unacceptable),
        (401, SquareProblem::Refused),
        (403, SquareProblem::Forbidden),
        (500, SquareProblem::Away),
        (503, SquareProblem::Away),
    ] {
        stage.seller.be(Mood::Status(status));
        assert_eq!(stage.client.customer("A").await, Err(problem), "{status}");
    }
    assert_eq!(stage.client.customer("B").await, Ok(None));
    let url = stage.seller.url();
    drop(stage.seller);
    let alone = client(&stage.app, &url);
    assert_eq!(alone.customer("A").await, Err(SquareProblem::Away));
}

async fn the_token_goes_nowhere_else(app: TestApp) {
    let stage = Stage::set(&app).await;
    let elsewhere = Seller::open().await;
    let to = format!("{}/v2/customers/A", elsewhere.url());
    stage.seller.be(Mood::Redirect(to));
    assert_eq!(stage.client.customer("A").await, Err(SquareProblem::Away));
    assert!(elsewhere.asked().is_empty());
}

async fn what_cannot_be_understood_is_nobody(app: TestApp) {
    let stage = Stage::set(&app).await;
    for text in [
        "",
        "<html>",
        "{}",
        r#"{"customer":{}}"#,
        r#"{"customer":{"id":"B"}}"#,
    ] {
        stage.seller.be(Mood::Text(text.to_owned()));
        let answer = stage.client.customer("A").await;
        assert_eq!(answer, Err(SquareProblem::Garbled), "{text}");
    }
    for text in ["", "[]", r#"{"customers":7}"#] {
        stage.seller.be(Mood::Text(text.to_owned()));
        let answer = stage.client.page(Wanted::All, None).await;
        assert!(matches!(answer, Err(SquareProblem::Garbled)), "{text}");
    }
}

async fn the_installation_can_be_checked(app: TestApp) {
    let stage = Stage::set(&app).await;
    assert_eq!(stage.client.check().await, Ok(()));
    stage.seller.be(Mood::Status(403));
    assert_eq!(stage.client.check().await, Err(SquareProblem::Forbidden));
}
