//! Customers of whom no hook told.

use std::cell::Cell;

use app::square::{Interrupted, Progress, Request, SquareProblem, sync};
use serde_json::json;

use super::seller::Mood;
use super::{ANN, BOB, Stage, customer, event, hook, merge};
use crate::customers::prove;
use crate::harness::{TestApp, flows};

flows!(
    everybody_is_tied_and_later_whoever_was_changed,
    a_pass_goes_on_where_it_was_cut_off,
    a_cursor_that_is_too_old_begins_anew,
    only_a_missing_cursor_ends_a_list,
    everybody_can_be_looked_at_again,
    what_hooks_told_is_not_learnt_again,
    who_has_shown_an_id_is_shown,
);

async fn run(stage: &Stage, full: bool) -> Result<Progress, Interrupted> {
    let command = stage.app.command("square.sync");
    let company = "default".to_owned();
    let request = Request { company, full };
    sync(&stage.app.app, &command, &*stage.client, &request, |_| {}).await
}

async fn everybody_is_tied_and_later_whoever_was_changed(app: TestApp) {
    let stage = Stage::set(&app).await;
    stage.seller.has_many(250);
    let told = Cell::new(Vec::new());
    let command = stage.app.command("square.sync");
    let request = Request {
        company: "default".to_owned(),
        full: false,
    };
    let watch = |progress: Progress| {
        let mut list = told.take();
        list.push((progress.seen, progress.total));
        told.set(list);
    };
    let progress = sync(&stage.app.app, &command, &*stage.client, &request, watch).await;
    assert_eq!(progress.unwrap().learnt, 250);
    let total = Some(250);
    assert_eq!(told.take(), [(100, total), (200, total), (250, total)]);
    assert_eq!(stage.tied().await, 250);
    assert_eq!(stage.app.recorded().await["square.sync"], 1);
    // The next pass asks for what changed since, and a little more.
    stage.seller.asked();
    stage.app.advance(std::time::Duration::from_secs(3_600));
    let mut changed = customer("SQ0007", BOB, 3);
    changed["updated_at"] = json!("2025-01-01T00:30:00Z");
    stage.seller.has(changed);
    let progress = run(&stage, false).await.unwrap();
    assert_eq!((progress.seen, progress.learnt), (1, 1));
    let asked = stage.seller.asked();
    assert_eq!(
        (asked.len(), asked[0].path.as_str()),
        (1, "/v2/customers/search")
    );
    let since = &asked[0].body["query"]["filter"]["updated_at"]["start_at"];
    assert_eq!(since, "2024-12-31T23:55:00Z");
    // Nobody was changed: there is no list at all.
    stage.app.advance(std::time::Duration::from_secs(3_600));
    let progress = run(&stage, false).await.unwrap();
    assert_eq!((progress.seen, progress.learnt), (0, 0));
}

async fn a_pass_goes_on_where_it_was_cut_off(app: TestApp) {
    let stage = Stage::set(&app).await;
    stage.seller.has_many(250);
    stage.seller.be_at_list(3, Mood::Status(503));
    let interrupted = run(&stage, false).await.unwrap_err();
    assert!(matches!(
        interrupted,
        Interrupted::Square(SquareProblem::Away)
    ));
    assert_eq!(stage.tied().await, 200);
    stage.seller.asked();
    let progress = run(&stage, false).await.unwrap();
    assert_eq!((progress.seen, progress.learnt), (250, 50));
    let asked = stage.seller.asked();
    assert_eq!(asked.len(), 1);
    assert!(
        asked[0].query.contains("cursor=all%2B200"),
        "{}",
        asked[0].query
    );
    assert_eq!(stage.tied().await, 250);
}

async fn a_cursor_that_is_too_old_begins_anew(app: TestApp) {
    let stage = Stage::set(&app).await;
    stage.seller.has_many(250);
    stage.seller.be_at_list(3, Mood::Status(503));
    run(&stage, false).await.unwrap_err();
    stage.seller.be_at_list(1, Mood::Status(400));
    let progress = run(&stage, false).await.unwrap();
    assert_eq!((progress.seen, progress.learnt), (250, 50));
    // A first request that is not accepted is no cursor that is too old.
    stage.seller.be_at_list(1, Mood::Status(400));
    let refused = run(&stage, true).await.unwrap_err();
    assert!(matches!(
        refused,
        Interrupted::Square(SquareProblem::Unacceptable)
    ));
}

async fn only_a_missing_cursor_ends_a_list(app: TestApp) {
    let stage = Stage::set(&app).await;
    stage.seller.has_many(120);
    // Pages are as large as Square likes, and may be empty.
    stage.seller.pages(&[3, 0, 110, 1, 0, 100]);
    let progress = run(&stage, false).await.unwrap();
    assert_eq!((progress.seen, stage.tied().await), (120, 120));
}

async fn everybody_can_be_looked_at_again(app: TestApp) {
    let stage = Stage::set(&app).await;
    stage.seller.has_many(30);
    run(&stage, false).await.unwrap();
    stage.seller.asked();
    let progress = run(&stage, true).await.unwrap();
    assert_eq!((progress.seen, progress.learnt), (30, 0));
    assert_eq!(stage.seller.asked()[0].path, "/v2/customers");
    // Cut off, it is still everybody that is looked at.
    stage.seller.pages(&[10]);
    stage.seller.be_at_list(2, Mood::RetryAfter(7));
    let interrupted = run(&stage, true).await.unwrap_err();
    assert!(matches!(
        interrupted,
        Interrupted::Square(SquareProblem::Busy(_))
    ));
    stage.seller.asked();
    assert_eq!(run(&stage, false).await.unwrap().seen, 30);
    assert!(
        stage
            .seller
            .asked()
            .iter()
            .all(|asked| asked.path == "/v2/customers")
    );
}

async fn what_hooks_told_is_not_learnt_again(app: TestApp) {
    let stage = Stage::set(&app).await;
    prove(&stage.app, &stage.key, ANN, "veriff", true).await;
    let (gone, into) = (customer("A", ANN, 1), customer("B", BOB, 1));
    for event in merge("m", "2024-12-31T00:00:00Z", &[gone], &into) {
        stage.hear(&event).await;
    }
    stage.seller.has(customer("B", BOB, 1));
    // A list may be a little behind.
    stage.seller.has(customer("A", ANN, 0));
    let progress = run(&stage, false).await.unwrap();
    assert_eq!((progress.seen, progress.learnt), (2, 0));
    assert_eq!(stage.proofs(BOB).await, [true, false, false]);
    assert_eq!(stage.tied().await, 1);
    // What a hook tells of an older edition changes nothing either.
    let old = event(
        "e",
        "customer.updated",
        "2024-12-30T00:00:00Z",
        &customer("B", ANN, 0),
    );
    hook(&stage.app, &old).expect(200).await;
    stage.work().await;
    assert_eq!(stage.outcome().await, "stale");
}

async fn who_has_shown_an_id_is_shown(app: TestApp) {
    let stage = Stage::set(&app).await;
    prove(&stage.app, &stage.key, ANN, "veriff", true).await;
    stage.seller.has(customer("A", ANN, 0));
    stage.seller.has(customer("B", BOB, 0));
    run(&stage, false).await.unwrap();
    stage.deliver().await;
    assert_eq!(stage.seller.shows("A").as_deref(), Some("verified_21"));
    assert_eq!(stage.seller.shows("B"), None);
    // What is shown already is not written again.
    stage.seller.asked();
    run(&stage, true).await.unwrap();
    stage.deliver().await;
    assert!(stage.seller.written().is_empty());
}
