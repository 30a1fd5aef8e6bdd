//! ID checks by Veriff: from the session to the proof, against a Veriff on loopback.

mod decisions;
mod disorder;
pub mod office;
mod polling;
mod starting;

use std::sync::Arc;

use app::inbox::{self, Chosen, Listed, Settings, Worker};
use app::veriff::{Veriff, VeriffHooks};
use bonafide::config::{self, BaseUrl, Secret, kinds};
use bonafide::http::hooks::VeriffReception;
use bonafide::outbound::VeriffClient;
use domain::age::{AgePolicy, State};
use domain::hook::veriff::sign;
use domain::hook::{HookKey, Source};
use domain::veriff::Rules;
use serde_json::{Value, json};

use crate::customers::standing;
use crate::harness::{self, Call, TestApp};
use office::Office;

/// What Veriff calls us.
pub const API_KEY: &str = "our-api-key";
/// What both sign with.
pub const SECRET: &str = "abcdef12-abcd-abcd-abcd-abcdef012345";
/// What both signed with before.
const PREVIOUS: &str = "the secret before";
/// The path.
const START: &str = "/api/v1/customer/start-veriff";
/// A customer.
const ANN: &str = "ann@example.com";

/// An instance that works with Veriff.
pub struct Stage {
    pub app: TestApp,
    pub office: Office,
    pub veriff: Veriff,
    pub key: String,
}

impl Stage {
    pub async fn set(app: &TestApp) -> Self {
        Self::set_with(app, |_| {}).await
    }

    /// The same with other settings.
    pub async fn set_with(app: &TestApp, change: impl FnOnce(&mut harness::Settings)) -> Self {
        let office = Office::open().await;
        let api = client(app, &office.url());
        let veriff = Veriff {
            company: "default".to_owned(),
            api,
        };
        let reception = VeriffReception {
            company: "default".to_owned(),
            api_key: Secret::new(API_KEY),
            keys: [SECRET, PREVIOUS]
                .map(|secret| HookKey::new(secret).unwrap())
                .to_vec(),
        };
        let mut settings = harness::Settings::default().customers("off");
        settings.hooks = std::mem::take(&mut settings.hooks).with(Source::Veriff, reception);
        settings.veriff = Some(veriff.clone());
        change(&mut settings);
        // Mails and webhooks are enqueued, and sent elsewhere.
        app.leaves_deliveries();
        let app = app.another(settings).await;
        let scopes = "customers:read customers:write orders:read orders:write";
        let key = app.key("default", scopes).await;
        Self {
            app,
            office,
            veriff,
            key,
        }
    }

    pub fn start(&self, email: &str) -> Call {
        let body = json!({ "email": email });
        self.app.post(START).key(&self.key).json(&body)
    }

    /// Starts a session; returns Veriff's name for it, and ours.
    pub async fn started(&self, email: &str) -> (String, String) {
        let before = self.office.sessions();
        let answer = self.start(email).expect(200).await.json;
        let ours = answer["session_id"].as_str().unwrap().to_owned();
        let mut made = self.office.sessions();
        made.retain(|session| !before.contains(session));
        (made.pop().unwrap(), ours)
    }

    /// Takes a decision by hook, and processes it.
    pub async fn hear(&self, decision: &Value) {
        hook(&self.app, decision).expect(200).await;
        self.work().await;
    }

    /// Processes every event that is due now.
    pub async fn work(&self) {
        let settings = Settings {
            schedule: inbox::schedule(),
            timeout: std::time::Duration::from_secs(30),
        };
        let rules = Rules {
            age: AgePolicy::default(),
            state: State::parse("TX").unwrap(),
        };
        let hooks = VeriffHooks::new(self.app.app.clone(), rules);
        let mut worker =
            Worker::new(self.app.app.clone(), settings).with(Source::Veriff, Arc::new(hooks));
        worker.run_due().await.unwrap();
    }

    /// Whether the ID is proven.
    pub async fn is_approved(&self, email: &str) -> bool {
        let standing = standing(&self.app, &self.key, email).await;
        standing["veriff_approved"].as_bool().unwrap()
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
}

fn client(app: &TestApp, url: &str) -> Arc<VeriffClient> {
    let api_url: BaseUrl = (kinds::BASE_URL.parse)(url).unwrap();
    let config = config::Veriff {
        api_url,
        api_key: Secret::new(API_KEY),
        shared_secret: Secret::new(SECRET),
        previous_secret: Some(Secret::new(PREVIOUS)),
        store_state: State::parse("TX").unwrap(),
    };
    Arc::new(VeriffClient::new(&config, app.app.clock.clone()).unwrap())
}

/// A decision as Veriff writes it, on somebody of age.
pub fn decision(session: &str, reference: &str, status: &str, at: &str) -> Value {
    let code = match status {
        "approved" => 9001,
        "declined" => 9102,
        "resubmission_requested" => 9103,
        // Two outcomes share one number.
        "expired" | "abandoned" => 9104,
        _ => 9121,
    };
    json!({"status": "success", "technicalData": {"ip": "186.153.67.122"}, "verification": {
        "id": session, "attemptId": "00bca969-b53a-4fad-b065-874d41a7b2b8",
        "vendorData": reference, "endUserId": null, "status": status, "code": code,
        "reason": null, "reasonCode": null, "decisionTime": at,
        "acceptanceTime": "2024-12-31T07:15:27.000Z",
        "person": {"firstName": "SARAH", "lastName": "MORGAN", "dateOfBirth": "1967-03-30"},
        "document": {"type": "DRIVERS_LICENSE", "country": "US", "validUntil": "2030-04-20"},
        "additionalVerifiedData": {"estimatedAge": 32}, "riskLabels": [],
    }})
}

/// A hook, signed.
fn hook(app: &TestApp, message: &Value) -> Call {
    signed_hook(app, message, SECRET)
}

fn signed_hook(app: &TestApp, message: &Value, secret: &str) -> Call {
    // What comes at one instant has no order.
    app.advance(std::time::Duration::from_millis(1));
    let body = message.to_string();
    let signature = sign(&HookKey::new(secret).unwrap(), body.as_bytes());
    app.post("/hooks/veriff")
        .header("x-auth-client", API_KEY)
        .header("x-hmac-signature", &signature)
        .body("application/json", body)
}
