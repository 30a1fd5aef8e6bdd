//! One person of whom there is something everywhere, and what is left when they are forgotten.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bonafide::http::audit::ProofDocument;
use domain::agreement::Agreement;
use serde_json::{Value, json};

use super::any_order::{begin_check, decide_check, page_in};
use super::{AGREEMENT, Play};
use crate::customers::{prove, standing, update};
use crate::harness::{Call, TestApp, flows, logged};
use crate::lightspeed;
use crate::numbers::{Opened, SUBMIT, initiate};
use crate::orders::{ANN, decide, place, placed};
use crate::{ages, numbers, orders, square};

flows!(nothing_of_a_person_with_everything_is_left);

const SCOPES: &str = "admin customers:read customers:write orders:read orders:write ages:read \
                      ages:write numbers:read numbers:write statistics:read audit:read";
const BOB: &str = "bob@example.com";
const PHONE: &str = "+14155550187";

/// What Ann leaves behind, and an export of her data tells.
const TRACES: &[&str] = &[
    ANN,
    PHONE,
    // What came with a proof.
    "198.51.100.77",
    "AnnsBrowser/7",
    "check-77",
    // Where she used her links from.
    "198.51.100.78",
    "AnnsPhone/9",
    // What she said of herself.
    "Ada Lovelace-Lee",
    "1977-03-09",
    "8642",
    "shop-77",
    "request-77",
    "user-77",
    // What others wrote of her.
    "she came by with her brother",
    "SQANN77",
    "Annabella",
    "MORGAN",
    "1967-03-30",
    "186.153.67.122",
];

/// Everybody, and Ann and Bob among their customers.
struct Scene {
    play: Play,
    square: square::Stage,
    key: String,
    /// Veriff's name for the session in which Ann showed her ID.
    checked: String,
    number: Opened,
    page: String,
}

impl Scene {
    fn app(&self) -> &TestApp {
        self.play.app()
    }

    async fn set(app: &TestApp) -> Self {
        let play = Play::set_with(app, square::take_part).await;
        let square = square::Stage::over(play.app().clone()).await;
        let key = play.app().key("default", SCOPES).await;
        let app = play.app();
        prove(app, &key, BOB, "membership", true).await;
        play.order("B-1", BOB).await;
        play.office.take();
        let no_number = Opened {
            id: String::new(),
            token: String::new(),
        };
        Self {
            play,
            square,
            key,
            checked: String::new(),
            number: no_number,
            page: String::new(),
        }
    }

    /// Ann orders, proves all there is to prove, and is told of by everybody.
    async fn ann(&mut self) {
        let hers = self.app().reached_from("198.51.100.78:40000", false);
        let by_her = |call: Call| call.header("user-agent", "AnnsPhone/9");
        self.play.order("XJ12H", ANN).await;
        self.page = page_in(&self.play.mails()[0]);
        by_her(hers.get(&self.page)).expect(200).await;
        let version = Agreement::new(AGREEMENT).unwrap().version().to_string();
        let form = |text: String| {
            let call = by_her(hers.post(&self.page));
            call.body("application/x-www-form-urlencoded", text)
        };
        form(format!("step=membership&agreement={version}"))
            .expect(200)
            .await;
        let session = begin_check(&self.play, &self.page).await;
        decide_check(&self.play, &session).await;
        self.checked = session[0].clone();
        self.tell_more(&hers).await;
        // What is still to be processed, and to leave.
        placed(self.app(), &self.key, "A-2", ANN).await;
        decide(self.app(), &self.key, "A-2", "release")
            .expect(200)
            .await;
        prove(self.app(), &self.key, ANN, "email_optin", false).await;
        let order = json!({"order_id": "A-3", "email": ANN, "phone": PHONE});
        let placed = place(self.app(), &self.key, &order).header("idempotency-key", "ann-3");
        placed.expect(201).await;
        let updated = lightspeed::event("e-late", "order.updated", "XJ12H");
        lightspeed::hook(self.app(), &updated).expect(200).await;
        let edition = square::customer("SQANN77", ANN, 7);
        let late = square::event("s-late", "customer.updated", LATER, &edition);
        square::hook(self.app(), &late).expect(200).await;
    }

    async fn tell_more(&mut self, hers: &TestApp) {
        let (app, key) = (self.app().clone(), &self.key);
        let change = json!({"email": ANN, "phone": PHONE, "verification_type": "email_optin",
            "status": true, "metadata": {"ip_address": "198.51.100.77",
            "user_agent": "AnnsBrowser/7", "verification_id": "check-77"}});
        let told = update(&app, key, &change).header("idempotency-key", "ann-1");
        told.expect(200).await;
        let claim = json!({"customerId": "shop-77", "fullName": "Ada Lovelace-Lee",
            "dateOfBirth": "1977-03-09", "idNumberLast4": "8642", "state": "TX", "email": ANN});
        ages::verify(&app, key, &claim).expect(200).await;
        let session = initiate(&app, key, PHONE, "request-77").expect(201).await;
        self.number = Opened::of(&session);
        let submission = json!({"verificationId": self.number.id, "mobileNumber": PHONE,
            "appUserId": "user-77", "token": self.number.token});
        hers.post(SUBMIT)
            .header("user-agent", "AnnsPhone/9")
            .json(&submission)
            .expect(200)
            .await;
        let mut customer = square::customer("SQANN77", ANN, 1);
        customer["given_name"] = json!("Annabella");
        let created = square::event("s-1", "customer.created", LATER, &customer);
        self.square.hear(&created).await;
        placed(&app, key, "A-1", ANN).await;
        let reason = json!({"reason": "she came by with her brother"});
        app.post(&format!("{}/A-1/cancel", orders::ORDERS))
            .key(key)
            .json(&reason)
            .expect(200)
            .await;
        let suppress = "INSERT INTO mail_suppressions (company_id, address_index, ends_at) \
                        SELECT company_id, email_index, 4102444800000000 \
                        FROM customer_verification ORDER BY created_at DESC LIMIT 1";
        app.database().sql(suppress).await;
    }

    fn personal(&self, what: &str) -> Call {
        let call = self.app().post(&format!("/api/v1/customer/{what}"));
        call.key(&self.key).json(&json!({ "email": ANN }))
    }

    /// Everything that the server answers to those who may ask for the most.
    async fn answers(&self) -> String {
        let (app, key) = (self.app(), &self.key);
        let get = |path: &str| app.get(path).key(key);
        let check = |question: Value| crate::customers::check(app, key, &question);
        let mut calls = vec![
            check(json!({ "phone": PHONE })),
            numbers::status(app, key, &self.number.id),
            ages::statistics(app, key, "days=30"),
            app.get(&self.page),
            get("/api/v1/orders?limit=500"),
            get("/api/v1/audit?limit=500"),
            get("/api/v1/audit/export"),
            self.personal("export"),
        ];
        for order in ["XJ12H", "A-1", "A-2", "A-3", "B-1"] {
            calls.push(get(&format!("/api/v1/orders/{order}")));
        }
        // It says whom it was asked about, and nothing else.
        ages::status(app, key, "shop-77").expect(404).await;
        let mut answers = String::new();
        for call in calls {
            answers += &call.send().await.text();
        }
        let command = app.command("inbox.show");
        let listed = app::inbox::list(&app.app, app::inbox::Chosen::default(), 500).await;
        for event in listed.unwrap() {
            if let Ok(event) = app::inbox::reveal(&app.app, &command, event.id).await {
                answers += &String::from_utf8_lossy(&event);
            }
        }
        answers
    }
}

const LATER: &str = "2025-01-01T01:00:00Z";

/// The names of the data keys of people and of hooks.
async fn keys(app: &TestApp) -> BTreeSet<Vec<String>> {
    let sql = "SELECT id, wrapped FROM data_keys WHERE purpose IN ('person', 'event')";
    app.database().sql(sql).await.into_iter().collect()
}

/// A proof of every record there is.
async fn proofs(app: &TestApp) -> Vec<String> {
    let mut proofs = Vec::new();
    for located in app.records().await {
        let place = app::audit::Place {
            log: located.log,
            batch: located.batch,
            position: located.position,
        };
        let proven = app::audit::prove(&app.app, place).await.unwrap().unwrap();
        proofs.push(serde_json::to_string(&ProofDocument::of(&proven)).unwrap());
    }
    proofs
}

fn has(bytes: &[u8], trace: &[u8]) -> bool {
    bytes.windows(trace.len()).any(|window| window == trace)
}

/// Whether a trace is there and no part of a longer word: four digits are in many a random name.
fn says(bytes: &[u8], trace: &str) -> bool {
    let is_sign =
        |at: Option<&u8>| at.is_some_and(|sign| sign.is_ascii_alphanumeric() || *sign == b'-');
    let trace = trace.as_bytes();
    let mut places = bytes.windows(trace.len()).enumerate();
    places.any(|(at, window)| {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        window == trace && !is_sign(before) && !is_sign(bytes.get(at + trace.len()))
    })
}

async fn nothing_of_a_person_with_everything_is_left(app: TestApp) {
    let mut scene = Scene::set(&app).await;
    let bobs = keys(scene.app()).await;
    scene.ann().await;
    let app = scene.app();
    let hers: BTreeSet<_> = keys(app).await.difference(&bobs).cloned().collect();
    let document = scene.personal("export").expect(200).await.text();
    for trace in TRACES.iter().copied().chain([scene.checked.as_str()]) {
        assert!(document.contains(trace), "the export lacks {trace}");
    }
    let proofs = proofs(app).await;
    let indexes = [
        "SELECT email_index FROM customer_verification ORDER BY created_at DESC LIMIT 1",
        "SELECT phone_index FROM customer_verification ORDER BY created_at DESC LIMIT 1",
        "SELECT number_index FROM verification_sessions",
        "SELECT customer_index FROM age_customers",
        "SELECT square_index FROM square_customers",
    ];
    let mut hashes = Vec::new();
    for sql in indexes {
        hashes.extend(app.database().sql(sql).await.into_iter().flatten());
    }
    assert_eq!(hashes.len(), 5);

    let began = Instant::now();
    let receipt = scene.personal("erase").expect(200).await.json;
    let took = began.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
    for (name, count) in receipt["erased"].as_object().unwrap() {
        assert!(count.as_u64().unwrap() > 0, "no {name}: {receipt}");
    }

    // No key is left, and no keyed hash but in the audit log.
    assert_eq!(keys(app).await, bobs);
    let raw = app.database().raw();
    for key in &hers {
        let bytes = key[1].trim_start_matches("\\x").as_bytes();
        let bytes = data_encoding::HEXLOWER.decode(bytes).unwrap();
        assert!(!has(&raw, &bytes), "a key is left in the file");
    }
    for table in app.database().tables().await {
        // Of messages that have left it says in which order, for a while.
        let rows = match table.as_str() {
            "deliveries" => "deliveries WHERE status = 'waiting'",
            table => table,
        };
        let content = app.database().sql(&format!("SELECT * FROM {rows}")).await;
        let has = content.iter().flatten().any(|value| hashes.contains(value));
        assert!(!has || table.starts_with("audit_"), "{table}");
    }
    // No byte of her is in the database, in any answer, in the log, or in what leaves now.
    let answers = scene.answers().await;
    scene.square.work().await;
    scene.play.work().await;
    scene.play.pass(80).await;
    let mut places = vec![
        ("the file", raw),
        ("the database", app.database().dump().await),
        ("an answer", answers.into_bytes()),
        ("the receipt", receipt.to_string().into_bytes()),
        ("the log", logged().into_bytes()),
    ];
    let mails = scene.play.office.take();
    assert!(mails.iter().all(|mail| mail.to.contains(BOB)), "a mail");
    places.extend(
        mails
            .into_iter()
            .map(|mail| ("a mail", mail.mail.into_bytes())),
    );
    let heard = scene.play.merchant.take().into_iter();
    // What left before the erasure is with its receivers.
    let heard = heard.filter(|heard| {
        heard.at
            > app
                .now()
                .checked_sub(jiff::SignedDuration::from_hours(80))
                .unwrap()
    });
    places.extend(heard.map(|heard| ("a webhook", heard.body)));
    let mut shown = Vec::new();
    for (place, bytes) in places {
        for trace in TRACES.iter().copied().chain([scene.checked.as_str()]) {
            // All tests of a process write into one log.
            let is_shared = place == "the log" && [ANN, "MORGAN"].contains(&trace);
            let is_there = match trace.len() {
                ..5 => says(&bytes, trace),
                _ => has(&bytes, trace.as_bytes()),
            };
            if is_there && !is_shared {
                shown.push((place, trace));
            }
        }
    }
    assert_eq!(shown, []);
    // Bob is as he was, and every proof that was handed out before still holds.
    assert_eq!(
        standing(app, &scene.key, BOB).await["membership_signed"],
        true
    );
    let trusted = app::audit::keys(&app.app).await.unwrap().remove(0).1;
    assert!(proofs.len() > 30);
    for proof in proofs {
        let document: ProofDocument = serde_json::from_str(&proof).unwrap();
        document.proof().unwrap().check(&trusted).unwrap();
    }
}
