//! What becomes of an order: fetched as it is, gated or let go, and shown in the shop.

use app::inbox::{Chosen, Listed, Status};
use app::lightspeed::{LightspeedShop as _, OrderName, Standing, Statuses, Wrote};
use domain::standing::Proof;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::json;

use super::shop::Mood;
use super::{Stage, event, held, hook};
use crate::harness::{TestApp, flows};

flows!(
    an_order_is_fetched_and_held,
    an_older_hook_names_only_the_internal_number,
    whatever_will_not_ship_is_let_go,
    carts_and_parcels_on_their_way_are_left_alone,
    an_order_without_an_address_is_marked_in_the_shop,
    an_order_that_is_not_there_yet_is_asked_for_again,
    a_busy_shop_is_left_alone_and_no_event_is_lost,
    any_order_of_events_ends_in_the_same_state,
    what_the_shop_shows_is_written_once,
    from_the_hook_to_the_field_and_back_without_an_echo,
    a_write_back_waits_for_a_shop_that_is_away,
    a_status_is_changed_only_where_nobody_else_has_decided,
    a_status_that_the_shop_refuses_keeps_no_field_unwritten,
);

pub async fn events(stage: &Stage) -> Vec<Listed> {
    let listed = app::inbox::list(&stage.app.app, Chosen::default(), 1_000).await;
    listed.unwrap()
}

pub async fn happen(stage: &Stage, id: &str, kind: &str, order: &str) -> Listed {
    hook(&stage.app, &event(id, kind, order)).expect(200).await;
    stage.work().await;
    events(stage).await.remove(0)
}

async fn an_order_is_fetched_and_held(app: TestApp) {
    let stage = Stage::set(&app).await;
    stage
        .shop
        .order("XJ 12/H", json!({"email": " Ann@Example.com "}));
    let done = happen(&stage, "e-1", "order.created", "XJ 12/H").await;
    // The fake knows it by the name as it was written in the path.
    assert_eq!(done.outcome.as_deref(), Some("not_found"));
    let asked = stage.shop.asked();
    assert_eq!(asked[0].path, "/orders/XJ%2012%2FH");

    stage
        .shop
        .order("XJ12H", json!({"email": " Ann@Example.com "}));
    let done = happen(&stage, "e-2", "order.created", "XJ12H").await;
    assert_eq!(
        (done.status, done.outcome.as_deref()),
        (Status::Done, Some("gated"))
    );
    assert_eq!(stage.standing("XJ12H").await, Some(held()));
    let subjects = stage
        .app
        .database()
        .sql("SELECT 1 FROM inbox WHERE subject_index IS NOT NULL");
    assert_eq!(subjects.await.len(), 1);
}

async fn an_older_hook_names_only_the_internal_number(app: TestApp) {
    let stage = Stage::set(&app).await;
    stage.shop.order("OTHER", json!({"internalId": 7}));
    stage.shop.order("XJ12H", json!({}));
    let mut older = event("e-1", "order.created", "");
    older["data"] = json!(null);
    hook(&stage.app, &older).expect(200).await;
    stage.work().await;
    assert!(stage.standing("XJ12H").await.is_some() && stage.standing("OTHER").await.is_none());
    assert_eq!(stage.shop.asked()[0].query, "ids=103878161");
}

async fn whatever_will_not_ship_is_let_go(app: TestApp) {
    let stage = Stage::set(&app).await;
    for (at, change) in [
        json!({"paymentStatus": "CANCELLED"}),
        json!({"paymentStatus": "REFUNDED"}),
        json!({"fulfillmentStatus": "WILL_NOT_DELIVER"}),
        json!({"fulfillmentStatus": "RETURNED"}),
    ]
    .into_iter()
    .enumerate()
    {
        let order = format!("O-{at}");
        stage.shop.order(&order, json!({}));
        happen(&stage, &format!("c-{at}"), "order.created", &order).await;
        stage.shop.order(&order, change);
        let done = happen(&stage, &format!("u-{at}"), "order.updated", &order).await;
        assert_eq!(done.outcome.as_deref(), Some("ended"));
        assert_eq!(stage.standing(&order).await.unwrap(), Standing::Cancelled);
    }
    stage.shop.order("O-9", json!({}));
    happen(&stage, "c-9", "order.created", "O-9").await;
    stage.shop.delete("O-9");
    let done = happen(&stage, "d-9", "order.deleted", "O-9").await;
    assert_eq!(done.outcome.as_deref(), Some("ended"));
    assert_eq!(stage.standing("O-9").await.unwrap(), Standing::Cancelled);
    // That an order is deleted is for the shop to say, and it says otherwise.
    stage.shop.order("O-8", json!({}));
    happen(&stage, "d-8", "order.deleted", "O-8").await;
    assert_eq!(stage.standing("O-8").await.unwrap(), held());
}

async fn carts_and_parcels_on_their_way_are_left_alone(app: TestApp) {
    let stage = Stage::set(&app).await;
    for (at, change) in [
        json!({"paymentStatus": "INCOMPLETE"}),
        json!({"fulfillmentStatus": "SHIPPED"}),
        json!({"fulfillmentStatus": "DELIVERED"}),
    ]
    .into_iter()
    .enumerate()
    {
        let order = format!("O-{at}");
        stage.shop.order(&order, change);
        let done = happen(&stage, &format!("e-{at}"), "order.created", &order).await;
        assert_eq!((done.status, done.is_kept), (Status::Ignored, false));
        assert_eq!(stage.standing(&order).await, None);
    }
    hook(
        &stage.app,
        &event("cart", "unfinished_order.created", "O-0"),
    )
    .expect(200)
    .await;
    hook(
        &stage.app,
        &event("later", "application.subscription_status_changed", ""),
    )
    .expect(200)
    .await;
    let listed = events(&stage).await;
    assert!(listed.iter().all(|one| one.status == Status::Ignored));
    assert!(stage.shop.written().is_empty());
}

async fn an_order_without_an_address_is_marked_in_the_shop(app: TestApp) {
    let stage = Stage::set(&app).await;
    for (at, email) in [json!(null), json!(""), json!("nobody")]
        .into_iter()
        .enumerate()
    {
        let order = format!("O-{at}");
        stage.shop.order(&order, json!({"email": email}));
        let done = happen(&stage, &format!("e-{at}"), "order.created", &order).await;
        assert_eq!(
            (done.status, done.outcome.as_deref()),
            (Status::Done, Some("no_address"))
        );
        let shown = stage.shop.field(&order).unwrap();
        assert!(shown.starts_with("No e-mail address"), "{shown}");
        assert_eq!(stage.shop.written().len(), 2);
        // The hook about that very change changes nothing more.
        happen(&stage, &format!("echo-{at}"), "order.updated", &order).await;
        assert!(stage.shop.written().is_empty());
    }
    stage.shop.order("O-0", json!({"email": "ann@example.com"}));
    happen(&stage, "e-9", "order.updated", "O-0").await;
    assert_eq!(stage.standing("O-0").await.unwrap(), held());
}

async fn an_order_that_is_not_there_yet_is_asked_for_again(app: TestApp) {
    let stage = Stage::set(&app).await;
    let done = happen(&stage, "e-1", "order.created", "XJ12H").await;
    assert_eq!(
        (done.status, done.outcome.as_deref()),
        (Status::Waiting, Some("not_found"))
    );
    stage.shop.order("XJ12H", json!({}));
    stage.app.advance(std::time::Duration::from_secs(6));
    stage.work().await;
    assert_eq!(stage.standing("XJ12H").await.unwrap(), held());
}

async fn a_busy_shop_is_left_alone_and_no_event_is_lost(app: TestApp) {
    let stage = Stage::set(&app).await;
    for number in 0..30 {
        let order = format!("O-{number}");
        stage.shop.order(&order, json!({}));
        let sent = event(&format!("e-{number}"), "order.created", &order);
        hook(&stage.app, &sent).expect(200).await;
    }
    stage.shop.be(Mood::RetryAfter(20));
    stage.work().await;
    // Those that were under way together may still ask; from then on nobody does.
    let asked = stage.shop.asked().len();
    assert!((1..=16).contains(&asked), "{asked}");
    stage.app.advance(std::time::Duration::from_secs(19));
    stage.work().await;
    assert!(stage.shop.asked().is_empty());
    stage.app.advance(std::time::Duration::from_secs(2));
    stage.work().await;
    for number in 0..30 {
        assert!(stage.standing(&format!("O-{number}")).await.is_some());
    }
}

/// Up to seven events of one order, in any order and any number of times, with the worker at work at
/// any moment in between.
async fn any_order_of_events_ends_in_the_same_state(app: TestApp) {
    let stage = Stage::set(&app).await;
    let seed = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), seed);
    let steps = proptest::collection::vec((0_usize..7, any::<bool>()), 7..14);
    let fates = [
        (json!({}), Some(held())),
        (json!({"paymentStatus": "AWAITING_PAYMENT"}), Some(held())),
        (json!({"paymentStatus": "CANCELLED"}), None),
        (json!({"fulfillmentStatus": "SHIPPED"}), None),
    ];
    let kinds = ["order.created", "order.updated"];
    for round in 0..40 {
        let order = format!("O-{round}");
        let (fate, expected) = &fates[round % fates.len()];
        stage.shop.order(&order, fate.clone());
        let steps = steps.new_tree(&mut runner).unwrap().current();
        let missing = (0..7).map(|number| (number, false));
        for (number, works) in steps.into_iter().chain(missing) {
            let kind = kinds[usize::from(number > 0)];
            let sent = event(&format!("{order}-{number}"), kind, &order);
            hook(&stage.app, &sent).expect(200).await;
            if works {
                stage.work().await;
            }
        }
        stage.work().await;
        let standing = stage.standing(&order).await;
        assert_eq!(standing, *expected, "{order}");
        // 590 requests a minute.
        stage.app.advance(std::time::Duration::from_secs(30));
    }
    let listed = events(&stage).await;
    assert_eq!(listed.len(), 40 * 7);
    let finished = |one: &Listed| matches!(one.status, Status::Done | Status::Ignored);
    assert!(listed.iter().all(finished));
    assert!(stage.shop.written().is_empty());
}

async fn what_the_shop_shows_is_written_once(app: TestApp) {
    let stage = Stage::set(&app).await;
    stage.shop.order("XJ12H", json!({}));
    let write = async |standing: Standing| {
        let name = OrderName::number("XJ12H").unwrap();
        let order = stage.client.order(&name).await.unwrap().unwrap();
        let write_back = stage.write_back();
        let wrote = write_back.write_standing(&order, &standing).await.unwrap();
        let methods: Vec<_> = stage
            .shop
            .written()
            .iter()
            .map(|one| one.method.to_string())
            .collect();
        (wrote, methods.join(" "))
    };
    let membership = Standing::Held(vec![Proof::Membership]);
    assert_eq!(
        write(held()).await,
        (Wrote::Something, "PUT POST".to_owned())
    );
    assert_eq!(write(held()).await, (Wrote::Nothing, String::new()));
    assert_eq!(
        write(membership).await,
        (Wrote::Something, "PUT".to_owned())
    );
    assert_eq!(
        stage.shop.field("XJ12H").unwrap(),
        "Held: waiting for membership agreement"
    );
    assert_eq!(
        write(Standing::Released).await,
        (Wrote::Something, "PUT".to_owned())
    );
    assert_eq!(
        write(Standing::Released).await,
        (Wrote::Nothing, String::new())
    );
    assert_eq!(
        stage.shop.fulfilment("XJ12H"),
        "AWAITING_PROCESSING",
        "by default left alone"
    );
}

async fn a_status_is_changed_only_where_nobody_else_has_decided(app: TestApp) {
    let statuses = Statuses {
        held: Some("CUSTOM_FULFILLMENT_STATUS_1".to_owned()),
        released: Some("PROCESSING".to_owned()),
    };
    let stage = Stage::set_with(&app, statuses).await;
    let after = async |before: &str, standing: Standing| {
        stage
            .shop
            .order("XJ12H", json!({"fulfillmentStatus": before}));
        let name = OrderName::number("XJ12H").unwrap();
        let order = stage.client.order(&name).await.unwrap().unwrap();
        stage
            .write_back()
            .write_standing(&order, &standing)
            .await
            .unwrap();
        stage.shop.fulfilment("XJ12H")
    };
    let ours = "CUSTOM_FULFILLMENT_STATUS_1";
    assert_eq!(after("AWAITING_PROCESSING", held()).await, ours);
    assert_eq!(after("PROCESSING", held()).await, ours);
    assert_eq!(after(ours, held()).await, ours);
    assert_eq!(after(ours, Standing::Expired).await, ours);
    assert_eq!(after(ours, Standing::Released).await, "PROCESSING");
    assert_eq!(after(ours, Standing::Cancelled).await, ours);
    for others in ["SHIPPED", "READY_FOR_PICKUP", "CUSTOM_FULFILLMENT_STATUS_2"] {
        assert_eq!(after(others, held()).await, others);
        assert_eq!(after(others, Standing::Released).await, others);
    }
}

async fn a_status_that_the_shop_refuses_keeps_no_field_unwritten(app: TestApp) {
    let statuses = Statuses {
        held: Some("NO_SUCH_STATUS".to_owned()),
        released: None,
    };
    let stage = Stage::set_with(&app, statuses).await;
    stage.shop.does_not_know("NO_SUCH_STATUS");
    stage.shop.order("XJ12H", json!({}));
    happen(&stage, "e-1", "order.created", "XJ12H").await;
    stage.deliver().await;
    let shown = stage.shop.field("XJ12H");
    assert!(shown.unwrap().starts_with("Held: waiting for"));
    // It is tried again, and whoever looks sees what is wrong.
    let deliveries = crate::deliveries::all(&stage.app).await;
    let write_back = deliveries.iter().find(|one| one.topic == "order.shown");
    let write_back = write_back.unwrap();
    assert_eq!(write_back.outcome.as_deref(), Some("status_refused"));
    assert_eq!(write_back.status, app::deliveries::Status::Waiting);
    // So it does for an order of nobody.
    stage.shop.order("O-2", json!({"email": null}));
    let done = happen(&stage, "e-2", "order.created", "O-2").await;
    assert_eq!(done.outcome.as_deref(), Some("status_refused"));
    assert!(stage.shop.field("O-2").is_some());
}

/// Has a customer prove something.
pub async fn prove(stage: &Stage, key: &str, proof: &str) {
    stage.app.advance(std::time::Duration::from_secs(1));
    let body = json!({"email": "ann@example.com", "verification_type": proof, "status": true});
    let call = stage.app.post("/api/v1/customer/update-verification");
    call.key(key).json(&body).expect(200).await;
}

async fn from_the_hook_to_the_field_and_back_without_an_echo(app: TestApp) {
    let stage = Stage::set(&app).await;
    let key = stage
        .app
        .key("default", "customers:write orders:read")
        .await;
    stage.app.app.directory.refresh().await.unwrap();
    stage.shop.order("XJ12H", json!({}));
    let mut echoes = 0;
    let mut settle = async |shown: &str| {
        stage.deliver().await;
        assert_eq!(stage.shop.field("XJ12H").as_deref(), Some(shown));
        let writes = stage.shop.written().len();
        // The shop tells of our own change; nothing is written because of that.
        echoes += 1;
        let echo = event(&format!("echo-{echoes}"), "order.updated", "XJ12H");
        hook(&stage.app, &echo).expect(200).await;
        stage.work().await;
        stage.deliver().await;
        assert!(stage.shop.written().is_empty());
        writes
    };
    hook(&stage.app, &event("e-1", "order.created", "XJ12H"))
        .expect(200)
        .await;
    stage.work().await;
    let all = "Held: waiting for ID check, membership agreement, e-mail opt-in";
    assert_eq!(settle(all).await, 2, "a change of nothing, and a new field");
    let answer = stage
        .app
        .get("/api/v1/orders/XJ12H")
        .key(&key)
        .expect(200)
        .await;
    assert_eq!(answer.json["status"], "held");
    assert_eq!(answer.json["source"], "lightspeed");
    assert_eq!(answer.json["customer"]["customer_found"], true);
    prove(&stage, &key, "membership").await;
    assert_eq!(settle("Held: waiting for ID check, e-mail opt-in").await, 1);
    prove(&stage, &key, "veriff").await;
    prove(&stage, &key, "email_optin").await;
    assert_eq!(
        settle("Verified: may ship").await,
        1,
        "only what is true in the end"
    );
    assert_eq!(stage.standing("XJ12H").await, Some(Standing::Released));
    // Whose order comes now may ship at once.
    stage.shop.order("XJ13H", json!({}));
    happen(&stage, "e-2", "order.created", "XJ13H").await;
    stage.deliver().await;
    assert_eq!(
        stage.shop.field("XJ13H").as_deref(),
        Some("Verified: may ship")
    );
}

async fn a_write_back_waits_for_a_shop_that_is_away(app: TestApp) {
    let stage = Stage::set(&app).await;
    stage.shop.order("XJ12H", json!({}));
    happen(&stage, "e-1", "order.created", "XJ12H").await;
    stage.shop.be(Mood::Status(503));
    stage.deliver().await;
    assert_eq!(stage.shop.field("XJ12H"), None);
    stage.app.advance(std::time::Duration::from_secs(6));
    stage.shop.be(Mood::RetryAfter(300));
    stage.deliver().await;
    stage.app.advance(std::time::Duration::from_secs(299));
    stage.shop.asked();
    stage.deliver().await;
    assert!(stage.shop.asked().is_empty());
    stage.app.advance(std::time::Duration::from_secs(2));
    stage.deliver().await;
    assert!(stage.shop.field("XJ12H").is_some());
}
