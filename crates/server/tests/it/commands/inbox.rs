//! The inbox and Lightspeed as an operator sees them, against a shop on loopback.

use domain::hook::HookKey;
use domain::hook::lightspeed::{Stamp, sign};
use serde_json::{Value, json};
use test_support::ServerBuilder;

use super::{Installation, SOON};
use crate::lightspeed::shop::Shop;
use crate::lightspeed::{CLIENT_SECRET, STORE, TOKEN, event};

/// An id that no event has.
const NOBODY: &str = "00000000-0000-7000-8000-000000000001";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_is_worked_with_on_sqlite() {
    let shop = Shop::open().await;
    let installation = Installation::on_sqlite(working_with(&shop, ServerBuilder::first_run()));
    everything_about_a_shop(installation, shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_is_worked_with_on_postgres() {
    let shop = Shop::open().await;
    let builder = working_with(&shop, ServerBuilder::new());
    let installation = Installation::on_postgres(builder, "a_shop");
    everything_about_a_shop(installation, shop).await;
}

fn working_with(shop: &Shop, builder: ServerBuilder) -> ServerBuilder {
    builder
        .variable("LIGHTSPEED_API_URL", shop.url())
        .variable("LIGHTSPEED_STORE_ID", STORE)
        .variable("LIGHTSPEED_TOKEN", TOKEN)
        .variable("LIGHTSPEED_CLIENT_SECRET", CLIENT_SECRET)
}

async fn everything_about_a_shop(mut installation: Installation, shop: Shop) {
    let now = now();
    let order = |id: &str| shop.order(id, json!({"createTimestamp": now, "updateTimestamp": now}));
    // Before there is a server: what no hook told is taken in by a command.
    order("O-1");
    let synced = installation.run(&["lightspeed", "sync", "--json"]).json();
    assert_eq!((&synced["seen"], &synced["filed"]), (&json!(1), &json!(1)));
    assert_eq!(
        (&synced["waiting"], &synced["parked"]),
        (&json!(0), &json!(0))
    );
    let again = installation
        .run(&["lightspeed", "sync", "--since", "1h"])
        .text();
    assert_eq!(
        again,
        "1 changed order looked at, 0 new. All are processed.\n"
    );
    let listed = installation.events(&[]);
    assert_eq!(
        (&listed[0]["type"], &listed[0]["outcome"]),
        (&json!("order.updated"), &json!("gated"))
    );

    installation.server.start_again().unwrap();
    until("the shop shows the order", || shop.field("O-1").is_some()).await;
    order("O-2");
    installation
        .tell(&event("e-2", "order.created", "O-2"))
        .await;
    until("the shop shows the next one", || {
        shop.field("O-2").is_some()
    })
    .await;
    assert!(
        shop.field("O-2")
            .unwrap()
            .starts_with("Held: waiting for ID check")
    );

    // What names no order needs a person.
    let mut odd = event("e-3", "order.created", "");
    odd["entityId"] = json!(null);
    installation.tell(&odd).await;
    until("it is parked", || {
        !installation.events(&["--status", "parked"]).is_empty()
    })
    .await;
    let parked = installation
        .events(&["--status", "parked", "--source", "lightspeed"])
        .remove(0);
    assert_eq!(parked["outcome"], "no_order");
    let id = parked["id"].as_str().unwrap();
    let shown = installation.run(&["inbox", "show", id, "--json"]).json();
    assert_eq!(
        (&shown["kept"], &shown["content"]),
        (&json!(true), &Value::Null)
    );
    let shown = installation
        .run(&["inbox", "show", id, "--content", "--json"])
        .json();
    let content: Value = serde_json::from_str(shown["content"].as_str().unwrap()).unwrap();
    assert_eq!(content, odd);
    let replayed = installation.run(&["inbox", "replay", "--parked", "default", "--json"]);
    assert_eq!(replayed.json(), json!({"replayed": 1}));
    installation.run(&["inbox", "show", NOBODY]).failure(1);
    installation.run(&["inbox", "replay", NOBODY]).failure(1);
    installation.run(&["inbox", "replay"]).failure(2);
    installation
        .run(&["inbox", "list", "--source", "ebay"])
        .failure(2);
    assert!(installation.server.terminate().unwrap().success());
    let all_are =
        |events: Vec<Value>, on: bool| events.iter().all(|event| event["source_on"] == on);
    assert!(all_are(installation.events(&[]), true));
    installation.server.forget("LIGHTSPEED_");
    assert!(all_are(installation.events(&[]), false));
    let shown = installation.run(&["inbox", "show", id]).text();
    assert!(shown.contains("lightspeed (off)"), "{shown}");
}

impl Installation {
    fn events(&self, filters: &[&str]) -> Vec<Value> {
        let listed = self
            .run(&[&["inbox", "list", "--json"], filters].concat())
            .json();
        listed.as_array().unwrap().clone()
    }

    async fn tell(&self, event: &Value) {
        let stamp = Stamp {
            created: &event["eventCreated"].to_string(),
            event_id: event["eventId"].as_str().unwrap(),
        };
        let signature = sign(&HookKey::new(CLIENT_SECRET).unwrap(), stamp);
        let request = reqwest::Client::new()
            .post(format!("{}/hooks/lightspeed", self.server.base_url()))
            .header("X-Ecwid-Webhook-Signature", signature)
            .body(event.to_string());
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
}

/// Waits until something is so.
async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let since = std::time::Instant::now();
    while !is_so() {
        assert!(since.elapsed() < 20 * SOON, "{what}");
        tokio::time::sleep(SOON / 50).await;
    }
}

/// Seconds since 1970.
fn now() -> i64 {
    use domain::clock::Clock as _;
    bonafide::ambient::SystemClock.now().as_second()
}
