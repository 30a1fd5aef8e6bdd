//! Square as an operator sees it, against an account on loopback.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use test_support::ServerBuilder;
use tokio::sync::Notify;

use super::Installation;
use crate::square::seller::{Mood, Seller};
use crate::square::{ADDRESS, ATTRIBUTE, KEY, TOKEN};

/// The longest wait for a command to ask for something.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_sync_goes_on_where_it_was_on_sqlite() {
    let seller = Seller::open().await;
    let builder = working_with(&seller, ServerBuilder::first_run());
    a_killed_sync_goes_on_where_it_was(Installation::on_sqlite(builder), seller).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_sync_goes_on_where_it_was_on_postgres() {
    let seller = Seller::open().await;
    let builder = working_with(&seller, ServerBuilder::new());
    let installation = Installation::on_postgres(builder, "square");
    a_killed_sync_goes_on_where_it_was(installation, seller).await;
}

fn working_with(seller: &Seller, builder: ServerBuilder) -> ServerBuilder {
    builder
        .variable("SQUARE_API_URL", seller.url())
        .variable("SQUARE_ACCESS_TOKEN", TOKEN)
        .variable("SQUARE_SIGNATURE_KEY", KEY)
        .variable("SQUARE_NOTIFICATION_URL", ADDRESS)
        .variable("SQUARE_ATTRIBUTE", ATTRIBUTE)
}

async fn a_killed_sync_goes_on_where_it_was(installation: Installation, seller: Seller) {
    installation.run(&["migrate"]).text();
    seller.has_many(250);
    // The third page does not come: by then two are written down.
    seller.be_at_list(3, Mood::Waits(Arc::new(Notify::new())));
    let mut sync = installation.server.begin(["square", "sync"]).unwrap();
    let mut lists = 0;
    let since = Instant::now();
    while lists < 3 {
        assert!(since.elapsed() < PATIENCE, "{lists} pages were asked for");
        lists += seller.asked().len();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    sync.kill().unwrap();
    assert!(!sync.wait().unwrap().success());
    let synced = installation.run(&["square", "sync", "--json"]).json();
    let expected = json!({"seen": 250, "learnt": 50, "waiting": 0, "parked": 0});
    assert_eq!(synced, expected);
    assert_eq!(seller.asked().len(), 1);
    let again = installation.run(&["square", "sync"]).text();
    assert_eq!(again, "0 customers looked at, 0 new or changed.\n");
    let all = installation.run(&["square", "sync", "--full"]).text();
    assert_eq!(all, "250 customers looked at, 0 new or changed.\n");
    seller.be(Mood::Status(401));
    let refused = installation.run(&["square", "sync"]).failure(1);
    assert!(refused.contains("refuses the access token"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_says_what_square_lacks() {
    let seller = Seller::open().await;
    let builder = working_with(&seller, ServerBuilder::first_run());
    let installation = Installation::on_sqlite(builder);
    installation.run(&["migrate"]).text();
    let words = installation.run(&["doctor"]).stdout();
    assert!(
        words.contains("shows who is verified in id-verification"),
        "{words}"
    );
    for (status, expected) in [(401, "SQUARE_ACCESS_TOKEN"), (403, "CUSTOMERS_READ")] {
        seller.be(Mood::Status(status));
        let ran = installation.run(&["doctor"]);
        assert_eq!(ran.code(), 1);
        assert!(ran.stdout().contains(expected), "{}", ran.stdout());
    }
}
