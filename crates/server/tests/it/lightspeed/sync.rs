//! Orders of which no hook told.

use app::inbox::{Chosen, Status};
use app::lightspeed::{Interrupted, Progress, Request, ShopProblem, sync};
use jiff::Timestamp;
use serde_json::json;

use super::shop::Mood;
use super::{Stage, event, hook};
use crate::harness::{TestApp, flows};

flows!(
    what_no_hook_told_is_taken_in,
    a_pass_goes_on_where_it_was_cut_off,
    an_order_that_moves_between_pages_is_not_missed,
    only_what_matters_is_taken_in,
    what_the_shop_shows_wrongly_is_written_again,
    what_was_given_up_is_written_again_however_old,
    a_page_that_cannot_be_read_is_passed_over,
);

/// When every test begins, in seconds.
const NOW: i64 = 1_735_689_600;

fn request(since: Option<i64>) -> Request {
    Request {
        company: "default".to_owned(),
        since: since.map(|second| Timestamp::from_second(second).unwrap()),
        first: Timestamp::from_second(NOW - 72 * 3_600).unwrap(),
    }
}

async fn run(stage: &Stage, since: Option<i64>) -> Result<Progress, Interrupted> {
    let command = stage.app.command("lightspeed.sync");
    let app = &stage.app.app;
    let write_back = stage.write_back();
    sync(
        app,
        &command,
        &*stage.gate,
        &write_back,
        &request(since),
        |_| {},
    )
    .await
}

fn fill(stage: &Stage, count: i64) {
    for number in 0..count {
        let changed = NOW - 3_600 + number;
        let order = format!("O-{number:04}");
        stage
            .shop
            .order(&order, json!({"updateTimestamp": changed}));
    }
}

async fn what_no_hook_told_is_taken_in(app: TestApp) {
    let stage = Stage::set(&app).await;
    fill(&stage, 3);
    hook(&stage.app, &event("e-1", "order.created", "O-0001"))
        .expect(200)
        .await;
    stage.work().await;
    let progress = run(&stage, None).await.unwrap();
    assert_eq!((progress.seen, progress.filed), (3, 3));
    stage.work().await;
    for number in 0..3 {
        assert!(stage.standing(&format!("O-{number:04}")).await.is_some());
    }
    assert_eq!(stage.app.recorded().await["lightspeed.sync"], 1);
    // The next pass looks at what changed since, and a little more.
    stage.shop.asked();
    stage.app.advance(std::time::Duration::from_secs(3_600));
    stage
        .shop
        .order("O-0002", json!({"updateTimestamp": NOW + 1_800}));
    let progress = run(&stage, None).await.unwrap();
    assert_eq!((progress.seen, progress.filed), (1, 1));
    let from = format!("updatedFrom={}&offset=0&limit=100", NOW - 300);
    assert_eq!(stage.shop.asked()[0].query, from);
    // Whoever asks for more gets it, and nothing twice.
    let progress = run(&stage, Some(NOW - 7_200)).await.unwrap();
    assert_eq!((progress.seen, progress.filed), (3, 0));
    stage.work().await;
}

async fn a_pass_goes_on_where_it_was_cut_off(app: TestApp) {
    let stage = Stage::set(&app).await;
    fill(&stage, 250);
    stage.shop.later(Mood::Status(503));
    let interrupted = run(&stage, Some(NOW - 7_200)).await.unwrap_err();
    assert!(matches!(interrupted, Interrupted::Shop(ShopProblem::Away)));
    stage.shop.asked();
    let progress = run(&stage, None).await.unwrap();
    assert_eq!(progress.seen, 250);
    let first = &stage.shop.asked()[0].query;
    assert_eq!(
        *first,
        format!("updatedFrom={}&offset=90&limit=100", NOW - 7_200)
    );
    let listed = app::inbox::list(&stage.app.app, Chosen::default(), 1_000)
        .await
        .unwrap();
    assert_eq!(listed.len(), 250);
    stage.work().await;
}

async fn an_order_that_moves_between_pages_is_not_missed(app: TestApp) {
    let stage = Stage::set(&app).await;
    fill(&stage, 150);
    let mut done = false;
    stage.shop.between_pages(move |orders| {
        // Five orders of the first page vanish: those behind them move up.
        if !std::mem::replace(&mut done, true) {
            let gone: Vec<_> = orders.keys().take(5).cloned().collect();
            for order in gone {
                orders.remove(&order);
            }
        }
    });
    run(&stage, None).await.unwrap();
    let listed = app::inbox::list(&stage.app.app, Chosen::default(), 1_000)
        .await
        .unwrap();
    assert_eq!(listed.len(), 150);
    assert!(listed.iter().all(|one| one.status == Status::Waiting));
}

async fn only_what_matters_is_taken_in(app: TestApp) {
    let stage = Stage::set(&app).await;
    stage
        .shop
        .order("CART", json!({"paymentStatus": "INCOMPLETE"}));
    stage
        .shop
        .order("SENT", json!({"fulfillmentStatus": "SHIPPED"}));
    stage
        .shop
        .order("OVER", json!({"paymentStatus": "CANCELLED"}));
    stage
        .shop
        .order("OLD", json!({"updateTimestamp": NOW - 80 * 3_600}));
    let progress = run(&stage, None).await.unwrap();
    assert_eq!((progress.seen, progress.filed), (3, 1));
    stage.work().await;
}

async fn what_the_shop_shows_wrongly_is_written_again(app: TestApp) {
    let stage = Stage::set(&app).await;
    for order in ["O-1", "O-2", "O-3"] {
        stage.shop.order(order, json!({}));
        let told = event(order, "order.created", order);
        hook(&stage.app, &told).expect(200).await;
    }
    stage.work().await;
    let give_up = "UPDATE deliveries SET status = 'exhausted', finished_at = created_at \
                   WHERE kind = 'lightspeed'";
    stage.app.database().sql(give_up).await;
    stage.deliver().await;
    assert_eq!(stage.shop.field("O-1"), None);

    let progress = run(&stage, Some(NOW - 3_600)).await.unwrap();
    assert_eq!(progress.shown_again, 3);
    stage.work().await;
    // What waits to be written is not enqueued again.
    let progress = run(&stage, Some(NOW - 3_600)).await.unwrap();
    assert_eq!(progress.shown_again, 0);
    let waiting =
        "SELECT COUNT(*) FROM deliveries WHERE kind = 'lightspeed' AND status = 'waiting'";
    assert_eq!(stage.app.database().sql(waiting).await, [["3"]]);
    stage.deliver().await;
    let held = "Held: waiting for ID check, membership agreement, e-mail opt-in";
    for order in ["O-1", "O-2", "O-3"] {
        assert_eq!(stage.shop.field(order).as_deref(), Some(held));
    }
    // Where the shop shows what is true there is nothing to do.
    run(&stage, Some(NOW - 3_600)).await.unwrap();
    assert_eq!(stage.app.database().sql(waiting).await, [["0"]]);
    stage.work().await;
}

async fn what_was_given_up_is_written_again_however_old(app: TestApp) {
    let stage = Stage::set(&app).await;
    for order in ["O-1", "O-2", "GONE"] {
        stage.shop.order(order, json!({}));
        let told = event(order, "order.created", order);
        hook(&stage.app, &told).expect(200).await;
    }
    stage.work().await;
    // The shop is away for as long as anything is tried, while passes go on.
    let mut hours = 0;
    let waiting =
        "SELECT COUNT(*) FROM deliveries WHERE kind = 'lightspeed' AND status = 'waiting'";
    while stage.app.database().sql(waiting).await != [["0"]] {
        for _ in 0..3 {
            stage.shop.be(Mood::Status(503));
        }
        stage.deliver().await;
        stage.shop.behaves();
        hours += 1;
        assert!(hours < 100, "it is given up in the end");
        stage.app.advance(std::time::Duration::from_secs(3_600));
        if hours == 2 {
            run(&stage, None).await.unwrap();
            stage.work().await;
        }
    }
    stage.shop.delete("GONE");
    let progress = run(&stage, None).await.unwrap();
    assert_eq!((progress.seen, progress.shown_again), (0, 3));
    stage.deliver().await;
    for order in ["O-1", "O-2"] {
        assert!(stage.shop.field(order).is_some(), "{order}");
    }
    // What there is nothing to write of is not tried for ever.
    assert_eq!(run(&stage, None).await.unwrap().shown_again, 0);
}

async fn a_page_that_cannot_be_read_is_passed_over(app: TestApp) {
    let stage = Stage::set(&app).await;
    fill(&stage, 130);
    for number in 0..110 {
        let unreadable = json!({"createTimestamp": "yesterday"});
        stage.shop.order(&format!("O-{number:04}"), unreadable);
    }
    let progress = run(&stage, None).await.unwrap();
    assert_eq!((progress.seen, progress.filed), (130, 20));
    stage.work().await;
}
