//! Deliveries as an operator sees them, and an endpoint's life.

use serde_json::{Value, json};
use test_support::ServerBuilder;

use super::{Installation, SOON, names};
use crate::outbound::receiver::{Receiver, status};

const NUMBER: &str = "+14155550123";

/// An id that no delivery has.
const NOBODY: &str = "msg_00000000000000000000000000000001";

#[tokio::test]
async fn deliveries_are_looked_at_and_replayed_on_sqlite() {
    everything_about_deliveries(Installation::on_sqlite(telling(ServerBuilder::first_run()))).await;
}

#[tokio::test]
async fn deliveries_are_looked_at_and_replayed_on_postgres() {
    let installation = Installation::on_postgres(telling(ServerBuilder::new()), "deliveries");
    everything_about_deliveries(installation).await;
}

fn telling(builder: ServerBuilder) -> ServerBuilder {
    builder
        .variable("ALLOW_PRIVATE_RECEIVERS", "true")
        .variable("WEBHOOK_BACKOFF", "1s")
}

async fn everything_about_deliveries(mut installation: Installation) {
    let receiver = Receiver::start(|path| match path {
        "/gone" => status(410),
        "/broken" => status(500),
        _ => status(200),
    })
    .await;
    the_first_webhook_comes_with_its_secret(&installation, &receiver);
    let scopes = ["--scope", "numbers:write", "--company", "default"];
    let key = installation.new_key(&scopes);
    let key = key["key"].as_str().unwrap();
    installation.server.start_again().unwrap();
    assert_eq!(installation.list(&[]), json!([]));
    mistakes_are_told(&installation);

    let told = installation.told(key, "order-1", "delivered").await;
    what_was_delivered_is_shown(&installation, &told);
    installation.name_webhook(&receiver.url("/broken"));
    let given_up = installation.told(key, "order-2", "exhausted").await;
    filters_choose(&installation, &told, &given_up);
    installation.name_webhook(&receiver.url("/gone"));
    installation.told(key, "order-3", "exhausted").await;
    a_gone_endpoint_is_switched_on_by_naming_it(&installation, &receiver);
    what_was_given_up_is_replayed(&installation, &receiver, &told).await;
    assert!(installation.server.terminate().unwrap().success());
}

impl Installation {
    fn list(&self, filters: &[&str]) -> Value {
        let list = ["deliveries", "list", "--json"];
        self.run(&[&list, filters].concat()).json()
    }

    fn ids(&self, filters: &[&str]) -> Vec<String> {
        let listed = self.list(filters);
        let listed = listed.as_array().unwrap().iter();
        listed
            .map(|one| one["id"].as_str().unwrap().to_owned())
            .collect()
    }

    fn name_webhook(&self, url: &str) -> Value {
        let update = ["companies", "update", "default", "--json", "--webhook-url"];
        self.run(&[&update[..], &[url]].concat()).json()
    }

    /// Completes a session; returns the newest delivery once it stands as expected.
    async fn told(&self, key: &str, request: &str, expected: &str) -> Value {
        let opened = self
            .post(
                key,
                "initiate",
                &json!({"mobileNumber": NUMBER, "requestId": request}),
            )
            .await;
        let id = &opened["verificationId"];
        let submission = json!({"verificationId": id, "mobileNumber": NUMBER});
        self.post(key, "submit", &submission).await;
        self.until_newest(expected).await
    }

    async fn until_newest(&self, expected: &str) -> Value {
        let since = std::time::Instant::now();
        loop {
            let newest = self.list(&["--limit", "1"])[0].clone();
            if newest["status"] == *expected {
                return newest;
            }
            assert!(since.elapsed() < 20 * SOON, "{newest}");
            tokio::time::sleep(SOON / 50).await;
        }
    }

    async fn post(&self, key: &str, path: &str, body: &Value) -> Value {
        let url = format!("{}/api/v1/verification/{path}", self.server.base_url());
        let since = std::time::Instant::now();
        loop {
            let request = reqwest::Client::new()
                .post(&url)
                .bearer_auth(key)
                .json(body);
            let answer = request.send().await.unwrap();
            // A key that was just made by another process holds within a second.
            if answer.status() == 401 && since.elapsed() < 2 * SOON {
                continue;
            }
            assert!(answer.status().is_success(), "{}", answer.status());
            return answer.json().await.unwrap();
        }
    }
}

fn the_first_webhook_comes_with_its_secret(installation: &Installation, receiver: &Receiver) {
    let first = installation.name_webhook(&receiver.url("/"));
    let secret = first["webhook_secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_"), "{first}");
    let second = installation.name_webhook(&receiver.url("/well"));
    assert!(!names(&second).contains(&"webhook_secret"), "{second}");
}

fn mistakes_are_told(installation: &Installation) {
    for wrong in [
        &["show", "5"][..],
        &["show", "00000000000000000000000000000001"],
        &["replay"],
        &["replay", "msg_5"],
        &["replay", NOBODY, "--exhausted", "default"],
        &["list", "--status", "lost"],
        &["list", "--limit", "0"],
        &["list", "--before", "yesterday"],
    ] {
        installation
            .run(&[&["deliveries"], wrong].concat())
            .failure(2);
    }
    for unknown in ["show", "replay"] {
        let told = installation
            .run(&["deliveries", unknown, NOBODY])
            .failure(1);
        assert!(told.contains("deliveries list"), "{told}");
    }
}

fn what_was_delivered_is_shown(installation: &Installation, told: &Value) {
    assert_eq!(told["company"], "default");
    assert_eq!(told["type"], "verification.verified");
    assert_eq!(
        (&told["attempts"], &told["outcome"]),
        (&json!(1), &json!("delivered"))
    );
    assert_eq!(told["due_at"], Value::Null);
    assert!(told["finished_at"].as_str().unwrap().ends_with('Z'));
    let id = told["id"].as_str().unwrap();
    let shown = installation
        .run(&["deliveries", "show", id, "--json"])
        .json();
    let tried = shown["tried"].as_array().unwrap();
    assert_eq!(tried.len(), 1);
    assert_eq!(
        (&tried[0]["number"], &tried[0]["status"]),
        (&json!(1), &json!(200))
    );
    assert_eq!(tried[0]["outcome"], "delivered");
    for words in [
        installation.run(&["deliveries", "show", id]).text(),
        installation.run(&["deliveries", "list"]).text(),
    ] {
        assert!(words.contains(id) && words.contains("delivered"), "{words}");
        assert!(!words.contains(NUMBER), "{words}");
    }
}

fn filters_choose(installation: &Installation, told: &Value, given_up: &Value) {
    let (told, given_up) = (
        told["id"].as_str().unwrap(),
        given_up["id"].as_str().unwrap(),
    );
    for (filters, expected) in [
        (&[][..], &[given_up, told][..]),
        (&["--company", "default"], &[given_up, told]),
        (&["--company", "acme"], &[]),
        (&["--status", "exhausted"], &[given_up]),
        (&["--status", "delivered"], &[told]),
        (&["--status", "waiting"], &[]),
        (&["--limit", "1"], &[given_up]),
        (&["--before", given_up], &[told]),
    ] {
        assert_eq!(installation.ids(filters), expected, "{filters:?}");
    }
    let shown = ["deliveries", "show", given_up, "--json"];
    let tried = installation.run(&shown).json()["tried"].clone();
    let statuses: Vec<_> = tried.as_array().unwrap().iter().collect();
    assert!(statuses.iter().all(|one| one["status"] == 500));
    assert_eq!(statuses.len(), 2, "at once, and after the only pause");
}

fn a_gone_endpoint_is_switched_on_by_naming_it(installation: &Installation, receiver: &Receiver) {
    let show = |more: &[&str]| {
        let show = ["companies", "show", "default"];
        installation.run(&[&show, more].concat())
    };
    let off = show(&["--json"]).json();
    assert_eq!(off["webhook_off_reason"], "gone");
    assert!(off["webhook_off_at"].as_str().unwrap().ends_with('Z'));
    let words = show(&[]).text();
    assert!(words.contains("switched off"), "{words}");
    installation.name_webhook(&receiver.url("/well"));
    let on = show(&["--json"]).json();
    assert_eq!(on["webhook_off_at"], Value::Null);
    assert_eq!(on["webhook_off_reason"], Value::Null);
    assert!(!show(&[]).text().contains("switched off"));
}

async fn what_was_given_up_is_replayed(
    installation: &Installation,
    receiver: &Receiver,
    told: &Value,
) {
    let replay = |what: &[&str]| {
        let replay = ["deliveries", "replay", "--json"];
        installation.run(&[&replay, what].concat()).json()
    };
    let told = told["id"].as_str().unwrap();
    let heard = |id: &str| {
        let received = receiver.received();
        let mine = received
            .iter()
            .filter(|one| one.target == "/well" && one.header("webhook-id") == id);
        mine.count()
    };
    assert_eq!(heard(told), 1);
    assert_eq!(replay(&["--exhausted", "acme"])["replayed"], 0);
    assert_eq!(replay(&["--exhausted", "default"])["replayed"], 2);
    assert_eq!(replay(&[told])["replayed"], 1);
    installation.until_newest("delivered").await;
    let since = std::time::Instant::now();
    while !installation.ids(&["--status", "waiting"]).is_empty() {
        assert!(since.elapsed() < 20 * SOON);
        tokio::time::sleep(SOON / 50).await;
    }
    assert_eq!(installation.ids(&["--status", "delivered"]).len(), 3);
    assert_eq!(heard(told), 2, "under the same id");
}
