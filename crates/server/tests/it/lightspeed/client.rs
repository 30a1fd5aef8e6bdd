//! How the shop is asked: within its limits, never again for nothing, and never elsewhere.

use std::time::Duration;

use app::lightspeed::{LightspeedShop as _, OrderName, ShopProblem};
use serde_json::json;

use super::shop::{Mood, Shop};
use super::{Stage, client};
use crate::harness::{TestApp, flows};

flows!(
    a_wish_for_rest_is_granted_to_the_second,
    a_refused_token_is_not_shown_again_for_minutes,
    no_minute_has_more_requests_than_the_shop_allows,
    the_token_goes_nowhere_else,
    what_cannot_be_understood_is_no_order,
    a_shop_that_is_away_is_no_shop_without_orders,
    a_field_that_is_not_there_is_made,
);

const MINUTE: Duration = Duration::from_secs(60);

fn name() -> OrderName {
    OrderName::number("XJ12H").unwrap()
}

async fn a_wish_for_rest_is_granted_to_the_second(app: TestApp) {
    let stage = Stage::set(&app).await;
    stage.shop.order("XJ12H", json!({}));
    stage.shop.be(Mood::RetryAfter(7));
    let seven = ShopProblem::Busy(Duration::from_secs(7));
    assert_eq!(stage.client.order(&name()).await, Err(seven));
    stage.app.advance(Duration::from_secs(6));
    let one = ShopProblem::Busy(Duration::from_secs(1));
    assert_eq!(stage.client.order(&name()).await, Err(one));
    assert_eq!(stage.shop.asked().len(), 1);
    stage.app.advance(Duration::from_secs(1));
    assert!(stage.client.order(&name()).await.unwrap().is_some());
}

async fn a_refused_token_is_not_shown_again_for_minutes(app: TestApp) {
    let stage = Stage::set(&app).await;
    stage.shop.order("XJ12H", json!({}));
    for (status, minutes) in [(401, 5), (402, 10), (403, 20)] {
        stage.shop.be(Mood::Status(status));
        let refused = ShopProblem::Refused(minutes * MINUTE);
        assert_eq!(stage.client.order(&name()).await, Err(refused));
        for _ in 0..10 {
            assert!(stage.client.check().await.is_err());
        }
        assert_eq!(stage.shop.asked().len(), 1, "once, after {status}");
        stage.app.advance(minutes * MINUTE);
    }
    assert!(stage.client.order(&name()).await.unwrap().is_some());
}

async fn no_minute_has_more_requests_than_the_shop_allows(app: TestApp) {
    let stage = Stage::set(&app).await;
    stage.shop.order("XJ12H", json!({}));
    let mut accepted = 0;
    while stage.client.order(&name()).await.is_ok() {
        accepted += 1;
        assert!(accepted <= 600);
    }
    assert_eq!(stage.shop.asked().len(), accepted);
    assert!(accepted > 500, "{accepted}");
    stage.app.advance(2 * MINUTE);
    assert!(stage.client.order(&name()).await.is_ok());
}

async fn the_token_goes_nowhere_else(app: TestApp) {
    let stage = Stage::set(&app).await;
    let elsewhere = Shop::open().await;
    stage
        .shop
        .be(Mood::Redirect(format!("{}/1003/orders", elsewhere.url())));
    assert_eq!(stage.client.order(&name()).await, Err(ShopProblem::Away));
    assert!(elsewhere.asked().is_empty());
}

async fn what_cannot_be_understood_is_no_order(app: TestApp) {
    let stage = Stage::set(&app).await;
    for text in [
        "",
        "<html>",
        "[]",
        r#"{"id":"XJ12H"}"#,
        r#"{"id":"ANOTHER","createTimestamp":1}"#,
    ] {
        stage.shop.be(Mood::Text(text.to_owned()));
        let answer = stage.client.order(&name()).await;
        assert_eq!(answer, Err(ShopProblem::Garbled), "{text}");
    }
    for text in ["[]", r#"{"items":7,"total":1}"#, r#"{"items":[]}"#] {
        stage.shop.be(Mood::Text(text.to_owned()));
        let page = stage.client.changed(stage.app.now(), 0, 100).await;
        assert!(matches!(page, Err(ShopProblem::Garbled)), "{text}");
    }
    stage.shop.be(Mood::Status(400));
    assert_eq!(
        stage.client.order(&name()).await,
        Err(ShopProblem::Unacceptable)
    );
    stage.shop.be(Mood::Text(r#"{"updateCount":0}"#.to_owned()));
    let changed = stage.client.set_fulfilment("XJ12H", "PROCESSING").await;
    assert_eq!(
        changed,
        Err(ShopProblem::Unacceptable),
        "200, and nothing was changed"
    );
}

async fn a_shop_that_is_away_is_no_shop_without_orders(app: TestApp) {
    let stage = Stage::set(&app).await;
    for status in [500, 502, 503] {
        stage.shop.be(Mood::Status(status));
        assert_eq!(stage.client.order(&name()).await, Err(ShopProblem::Away));
    }
    assert_eq!(stage.client.order(&name()).await, Ok(None));
    let url = stage.shop.url();
    drop(stage.shop);
    let alone = client(&stage.app, &url);
    assert_eq!(alone.order(&name()).await, Err(ShopProblem::Away));
}

/// Some say so with 404, others by having changed nothing.
async fn a_field_that_is_not_there_is_made(app: TestApp) {
    let stage = Stage::set(&app).await;
    stage.shop.order("XJ12H", json!({}));
    let order = stage.client.order(&name()).await.unwrap().unwrap();
    stage.shop.be(Mood::Status(404));
    stage.client.set_field(&order, "Held").await.unwrap();
    assert_eq!(stage.shop.field("XJ12H").as_deref(), Some("Held"));
    stage.client.set_field(&order, "Verified").await.unwrap();
    let methods: Vec<_> = stage
        .shop
        .written()
        .into_iter()
        .map(|one| one.method)
        .collect();
    assert_eq!(methods, ["PUT", "POST", "PUT"], "and no second one");
    assert_eq!(stage.shop.field("XJ12H").as_deref(), Some("Verified"));
}
