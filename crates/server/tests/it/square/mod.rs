//! Customers of Square: tied by hook and by sync, merged, and shown who is verified, against an
//! account on loopback.

mod client;
mod hooks;
mod instant;
mod merges;
mod orders;
pub mod seller;
mod showing;
mod sync;

use std::sync::Arc;
use std::time::Duration;

use app::deliveries::{Channels, Dispatcher};
use app::inbox::{self, Chosen, Listed, Settings, Worker};
use app::square::{Policy, SQUARE, Showing, SquareHooks};
use bonafide::ambient::SystemRandom;
use bonafide::config::{self, BaseUrl, Secret, kinds};
use bonafide::http::hooks::SquareReception;
use bonafide::outbound::SquareClient;
use domain::hook::square::sign;
use domain::hook::{HookKey, Source};
use serde_json::{Value, json};

use crate::customers::standing;
use crate::harness::{self, Call, TestApp};
use seller::Seller;

/// What gives access to the account.
pub const TOKEN: &str = "EAAA-token";
/// What Square signs with.
pub const KEY: &str = "signature-key";
/// What it signed with before.
const PREVIOUS: &str = "the key before";
/// The notification address, as Square knows it.
pub const ADDRESS: &str = "https://verify.example.com/hooks/square";
/// The custom attribute.
pub const ATTRIBUTE: &str = "id-verification";
/// A customer.
const ANN: &str = "ann@example.com";
/// Another.
const BOB: &str = "bob@example.com";

/// An instance that works with Square.
pub struct Stage {
    pub app: TestApp,
    pub seller: Seller,
    pub client: Arc<SquareClient>,
    pub key: String,
}

impl Stage {
    pub async fn set(app: &TestApp) -> Self {
        let mut settings = harness::Settings::default().customers("off");
        take_part(&mut settings);
        // Mails and webhooks are enqueued, and sent elsewhere.
        app.leaves_deliveries();
        Self::over(app.another(settings).await).await
    }

    /// The account of an instance in whose settings it takes part.
    pub async fn over(app: TestApp) -> Self {
        let seller = Seller::open().await;
        let scopes = "customers:read customers:write orders:read orders:write";
        let key = app.key("default", scopes).await;
        Self {
            client: client(&app, &seller.url()),
            app,
            seller,
            key,
        }
    }

    /// Takes an event by hook, and processes it.
    pub async fn hear(&self, event: &Value) {
        hook(&self.app, event).expect(200).await;
        self.work().await;
    }

    pub fn worker(&self) -> Worker {
        let settings = Settings {
            schedule: inbox::schedule(),
            timeout: Duration::from_secs(30),
        };
        let hooks = SquareHooks::new(self.app.app.clone(), self.client.clone());
        Worker::new(self.app.app.clone(), settings).with(Source::Square, Arc::new(hooks))
    }

    /// Processes every event that is due now, and carries every proof that is to be carried.
    pub async fn work(&self) {
        self.worker().run_due().await.unwrap();
        app::square::sweep(&self.app.app).await.unwrap();
    }

    /// Tells Square what is due now.
    async fn deliver(&self) {
        let showing = Showing::new(self.app.app.clone(), "default".into(), self.client.clone());
        let channels = Channels::default().with(SQUARE, showing);
        let settings = harness::deliveries_settings();
        let mut dispatcher = Dispatcher::new(self.app.app.clone(), channels, settings);
        dispatcher.run_due().await.unwrap();
    }

    /// What is proven of a customer: ID check, membership, opt-in.
    pub async fn proofs(&self, email: &str) -> [bool; 3] {
        let standing = standing(&self.app, &self.key, email).await;
        ["veriff_approved", "membership_signed", "email_optin"]
            .map(|field| standing[field].as_bool().unwrap())
    }

    /// Reports a proof that was given or withdrawn at a time, and lets it follow.
    pub async fn prove_at(&self, email: &str, proof: &str, status: bool, at: &str) {
        let change = json!({"email": email, "verification_type": proof, "status": status,
            "metadata": {"occurred_at": at}});
        crate::customers::update(&self.app, &self.key, &change)
            .expect(200)
            .await;
        app::square::sweep(&self.app.app).await.unwrap();
    }

    /// All events, the newest first.
    async fn events(&self) -> Vec<Listed> {
        let listed = inbox::list(&self.app.app, Chosen::default(), 1_000);
        listed.await.unwrap()
    }

    /// How the newest event went.
    async fn outcome(&self) -> String {
        let events = self.events().await;
        events[0].outcome.clone().unwrap()
    }

    /// How many customers of Square are tied to somebody, and there.
    async fn tied(&self) -> usize {
        let rows = "SELECT square_index, is_there FROM square_customers \
                    WHERE subject_index IS NOT NULL";
        let rows = self.app.database().sql(rows).await;
        let is_there = |row: &&Vec<String>| row[1] == "1" || row[1] == "t";
        rows.iter().filter(is_there).count()
    }
}

/// Makes the account one whose hooks are taken, and which is shown who is verified.
pub fn take_part(settings: &mut harness::Settings) {
    let reception = SquareReception {
        company: "default".to_owned(),
        address: ADDRESS.to_owned(),
        keys: [KEY, PREVIOUS]
            .map(|key| HookKey::new(key).unwrap())
            .to_vec(),
    };
    let hooks = std::mem::take(&mut settings.hooks);
    settings.hooks = hooks.with(Source::Square, reception);
    settings.orders.square = Some(Policy {
        company: "default".into(),
        shows: true,
    });
}

pub fn client(app: &TestApp, url: &str) -> Arc<SquareClient> {
    let random = Arc::new(SystemRandom);
    Arc::new(SquareClient::new(&configured(url), app.app.clock.clone(), random).unwrap())
}

fn configured(url: &str) -> config::Square {
    let api_url: BaseUrl = (kinds::BASE_URL.parse)(url).unwrap();
    config::Square {
        api_url,
        access_token: Secret::new(TOKEN),
        signature_key: Secret::new(KEY),
        previous_signature_key: None,
        notification_url: ADDRESS.to_owned(),
        attribute: Some(ATTRIBUTE.to_owned()),
    }
}

/// A customer as Square writes it.
pub fn customer(id: &str, email: &str, version: i64) -> Value {
    json!({"id": id, "created_at": "2024-11-09T21:23:25.519Z",
        "updated_at": format!("2024-12-{:02}T00:00:00Z", version + 1),
        "email_address": email, "phone_number": null, "given_name": "Ann",
        "creation_source": "DIRECTORY", "group_ids": ["G"], "version": version})
}

/// An event about a customer.
pub fn event(name: &str, kind: &str, at: &str, customer: &Value) -> Value {
    json!({"merchant_id": "G7MMEBVW021Q4", "type": kind, "event_id": name, "created_at": at,
        "data": {"type": "customer", "id": customer["id"], "object": {"customer": customer}}})
}

/// The events of a merge: the one that makes the new customer, and one for each that is gone.
pub fn merge(name: &str, at: &str, from: &[Value], into: &Value) -> Vec<Value> {
    let ids: Vec<_> = from.iter().map(|customer| &customer["id"]).collect();
    let context = json!({"merge": {"from_customer_ids": ids, "to_customer_id": into["id"]}});
    let made = (format!("{name}-made"), "customer.created", into.clone());
    let gone = from.iter().enumerate().map(|(number, customer)| {
        let name = format!("{name}-gone-{number}");
        (name, "customer.deleted", customer.clone())
    });
    std::iter::once(made)
        .chain(gone)
        .map(|(name, kind, customer)| {
            let mut event = event(&name, kind, at, &customer);
            event["data"]["object"]["event_context"] = context.clone();
            if kind == "customer.deleted" {
                event["data"]["deleted"] = json!(true);
            }
            event
        })
        .collect()
}

/// A hook, signed.
pub fn hook(app: &TestApp, event: &Value) -> Call {
    signed_hook(app, event, KEY)
}

fn signed_hook(app: &TestApp, event: &Value, key: &str) -> Call {
    // What comes at one instant has no order.
    app.advance(Duration::from_millis(1));
    let body = event.to_string();
    let signature = sign(&HookKey::new(key).unwrap(), ADDRESS, body.as_bytes());
    app.post("/hooks/square")
        .header("x-square-hmacsha256-signature", &signature)
        .body("application/json", body)
}
