//! Orders of Lightspeed eCom: from the hook to what the shop shows, against a shop on loopback.

mod changes;
mod client;
mod disorder;
mod hooks;
mod orders;
pub mod shop;
mod sync;

use std::sync::Arc;

use app::deliveries::{Channels, Dispatcher};
use app::inbox::{self, Settings, Worker};
use app::lightspeed::{
    Gate, LIGHTSPEED, LightspeedHooks, OrderGate, Standing, Statuses, WriteBack, WriteBacks,
};
use bonafide::config::{BaseUrl, Lightspeed, Secret, kinds};
use bonafide::http::hooks::LightspeedReception;
use bonafide::outbound::LightspeedClient;
use domain::hook::lightspeed::{Stamp, sign};
use domain::hook::{HookKey, Source};
use domain::standing::Proof;
use serde_json::{Value, json};

use crate::harness::{self, Call, TestApp};
use shop::Shop;

/// The store.
pub const STORE: &str = "1003";
/// What gives access to it.
pub const TOKEN: &str = "secret_token";
/// What it signs with.
pub const CLIENT_SECRET: &str = "test_client_secret";

/// An instance that works with a shop.
pub struct Stage {
    pub app: TestApp,
    pub shop: Shop,
    pub client: Arc<LightspeedClient>,
    pub gate: Arc<dyn Gate>,
    statuses: Statuses,
}

impl Stage {
    pub async fn set(app: &TestApp) -> Self {
        Self::set_with(app, Statuses::default()).await
    }

    pub async fn set_with(app: &TestApp, statuses: Statuses) -> Self {
        let mut settings = harness::Settings::default();
        take_part(&mut settings);
        // Mails are enqueued, and sent elsewhere.
        app.leaves_deliveries();
        Self::over(app.another(settings).await, statuses).await
    }

    /// The shop of an instance in whose settings it takes part.
    pub async fn over(app: TestApp, statuses: Statuses) -> Self {
        let shop = Shop::open().await;
        Self {
            client: client(&app, &shop.url()),
            gate: Arc::new(OrderGate::new(app.app.clone())),
            app,
            shop,
            statuses,
        }
    }

    pub fn write_back(&self) -> WriteBack {
        WriteBack::new(self.client.clone(), self.statuses.clone())
    }

    pub fn worker(&self) -> Worker {
        let settings = Settings {
            schedule: inbox::schedule(),
            timeout: std::time::Duration::from_secs(30),
        };
        let (shop, gate) = (self.client.clone(), self.gate.clone());
        let hooks = LightspeedHooks::new(shop, gate, self.write_back());
        Worker::new(self.app.app.clone(), settings).with(Source::Lightspeed, Arc::new(hooks))
    }

    /// Writes back what is due now.
    pub async fn deliver(&self) {
        let write_backs = WriteBacks::new("default".into(), self.gate.clone(), self.write_back());
        let channels = Channels::default().with(LIGHTSPEED, write_backs);
        let settings = harness::deliveries_settings();
        let mut dispatcher = Dispatcher::new(self.app.app.clone(), channels, settings);
        dispatcher.run_due().await.unwrap();
    }

    /// Where an order stands; `None` when it never came to the gate.
    pub async fn standing(&self, order: &str) -> Option<Standing> {
        self.gate.standing("default", order).await.unwrap()
    }

    /// Processes every event that is due now.
    pub async fn work(&self) {
        self.worker().run_due().await.unwrap();
    }
}

/// Makes the shop one whose hooks are taken and to which is written back.
pub fn take_part(settings: &mut harness::Settings) {
    let reception = LightspeedReception {
        company: "default".to_owned(),
        store_id: STORE.to_owned(),
        keys: vec![HookKey::new(CLIENT_SECRET).unwrap()],
    };
    let hooks = std::mem::take(&mut settings.hooks);
    settings.hooks = hooks.with(Source::Lightspeed, reception);
    settings.orders.writes_back = Some("default".into());
}

/// Everything is missing.
pub fn held() -> Standing {
    Standing::Held(Proof::ALL.to_vec())
}

pub fn client(app: &TestApp, url: &str) -> Arc<LightspeedClient> {
    let config = configured(url);
    Arc::new(LightspeedClient::new(&config, app.app.clock.clone()).unwrap())
}

pub fn configured(url: &str) -> Lightspeed {
    let api_url: BaseUrl = (kinds::BASE_URL.parse)(url).unwrap();
    Lightspeed {
        api_url,
        store_id: STORE.to_owned(),
        token: Secret::new(TOKEN),
        client_secret: Secret::new(CLIENT_SECRET),
        previous_client_secret: None,
        held_status: None,
        released_status: None,
    }
}

/// A hook's envelope, as the shop writes it.
pub fn event(id: &str, kind: &str, order: &str) -> Value {
    json!({
        "eventId": id, "eventCreated": 1_735_689_600, "storeId": 1003, "entityId": 103_878_161,
        "eventType": kind,
        "data": {"orderId": order, "newPaymentStatus": "PAID", "newFulfillmentStatus": "SHIPPED"},
    })
}

/// The signature of an envelope.
pub fn signature(event: &Value) -> String {
    let stamp = Stamp {
        created: &event["eventCreated"].to_string(),
        event_id: event["eventId"].as_str().unwrap(),
    };
    sign(&HookKey::new(CLIENT_SECRET).unwrap(), stamp)
}

/// A hook, signed, with the query that the shop appends.
pub fn hook(app: &TestApp, event: &Value) -> Call {
    // What comes at one instant has no order.
    app.advance(std::time::Duration::from_millis(1));
    app.post("/hooks/lightspeed?eventtype=order.updated")
        .header("x-ecwid-webhook-signature", &signature(event))
        .body("application/json; charset=UTF-8", event.to_string())
}
