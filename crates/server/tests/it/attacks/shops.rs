//! Attacks on orders, mails, the inbox and the shop behind them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use app::inbox::{Chosen, Status};
use app::lightspeed::{LightspeedShop as _, OrderName, Request, Standing, Statuses, sync};
use app::mail::Mailer as _;
use app::orders::sweep;
use bonafide::http::hooks::{Hooks, LightspeedReception};
use bonafide::mail::SmtpMailer;
use domain::hook::{HookKey, Source};
use domain::mail::Outcome;
use futures_util::future::join_all;
use jiff::SignedDuration;
use serde_json::json;
use uuid::Uuid;

use crate::customers::prove;
use crate::harness::{Settings, TestApp, flows};
use crate::lightspeed::shop::Mood;
use crate::lightspeed::{self, Stage};
use crate::mail::office::{Does, Manner, Office};
use crate::orders::{ALL, ANN, ORDERS, PROOFS, enqueued, placed, status};

flows!(
    another_company_does_not_release_the_shops_order,
    an_event_outlives_an_instance_that_lacks_its_master_key,
    a_hold_outlives_an_instance_that_lacks_its_master_key,
    a_write_back_that_lost_its_lease_does_not_have_the_last_word,
    a_token_that_was_refused_once_rests_once,
    a_look_at_the_last_hour_does_not_hide_the_days_before,
    orders_of_a_company_that_does_not_exist_are_not_swallowed,
);

/// The shop is the default company's. Another company has an order of the same number whose
/// customer, one of its own, has proven everything, and says that it came from Lightspeed.
async fn another_company_does_not_release_the_shops_order(app: TestApp) {
    let statuses = Statuses {
        held: Some("CUSTOM_FULFILLMENT_STATUS_1".to_owned()),
        released: Some("PROCESSING".to_owned()),
    };
    let stage = Stage::set_with(&app, statuses).await;
    stage.app.company("acme").await;
    let acme = stage.app.key("acme", ALL).await;
    stage.app.app.directory.refresh().await.unwrap();
    stage.shop.order("XJ12H", json!({}));
    let hook = lightspeed::event("e-1", "order.created", "XJ12H");
    lightspeed::hook(&stage.app, &hook).expect(200).await;
    stage.work().await;
    stage.deliver().await;
    let held = stage.shop.fulfilment("XJ12H");
    assert_eq!(held, "CUSTOM_FULFILLMENT_STATUS_1");
    let field = stage.shop.field("XJ12H");

    // Any first proof makes the customer known; then everything is proven.
    for proof in PROOFS {
        stage.app.advance(Duration::from_secs(1));
        prove(&stage.app, &acme, "mallory@example.com", proof, true).await;
    }
    let order = json!({
        "order_id": "XJ12H", "source": "lightspeed", "email": "mallory@example.com",
    });
    let answer = stage.app.post(ORDERS).key(&acme).json(&order).send().await;
    assert!(!answer.status.is_server_error());
    stage.deliver().await;
    assert_eq!(stage.standing("XJ12H").await, Some(lightspeed::held()));
    assert_eq!(stage.shop.field("XJ12H"), field, "written by acme");
    assert_eq!(stage.shop.fulfilment("XJ12H"), held, "released by acme");
}

/// Keys are rotated one instance after the other: for a while some lack the newest one.
pub async fn give_away(app: &TestApp, purpose: &str) {
    let sql = format!("UPDATE data_keys SET master_key = 'next' WHERE purpose = '{purpose}'");
    app.database().sql(&sql).await;
}

pub async fn give_back(app: &TestApp) {
    let sql = "UPDATE data_keys SET master_key = 'k1' WHERE master_key = 'next'";
    app.database().sql(sql).await;
}

async fn an_event_outlives_an_instance_that_lacks_its_master_key(app: TestApp) {
    let stage = Stage::set(&app).await;
    stage.shop.order("XJ12H", json!({}));
    let hook = lightspeed::event("e-1", "order.created", "XJ12H");
    lightspeed::hook(&stage.app, &hook).expect(200).await;
    give_away(&app, "event").await;
    stage.work().await;
    give_back(&app).await;
    let listed = app::inbox::list(&app.app, Chosen::default(), 10).await;
    let event = listed.unwrap().remove(0);
    assert_ne!(event.status, Status::Ignored, "{:?}", event.outcome);
    assert!(event.is_kept, "its sender was told that it was taken");
}

async fn a_hold_outlives_an_instance_that_lacks_its_master_key(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key("default", ALL).await;
    app.webhook("default", "https://example.com/hook").await;
    placed(&app, &key, "1001", ANN).await;
    let hour = Duration::from_secs(3_600);
    give_away(&app, "person").await;
    app.advance(24 * hour);
    sweep(&app.app).await.unwrap();
    give_back(&app).await;
    // The other instance sweeps a moment later.
    app.advance(Duration::from_secs(61));
    sweep(&app.app).await.unwrap();
    let mails = enqueued(&app, "mail").await;
    assert_eq!(mails, ["order.reminder", "order.reminder"]);
    app.advance(47 * hour);
    sweep(&app.app).await.unwrap();
    give_away(&app, "person").await;
    app.advance(hour);
    sweep(&app.app).await.unwrap();
    give_back(&app).await;
    app.advance(Duration::from_secs(61));
    sweep(&app.app).await.unwrap();
    assert_eq!(status(&app, &key, "1001").await, "expired");
    let told = enqueued(&app, "webhook").await;
    assert_eq!(told, ["order.held", "order.expired"]);
}

/// A mail server that answers well within its time, and gets many mails at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_is_not_cut_off_because_others_were_before_it() {
    let office = Office::open(Manner::default()).await;
    office.does(".", Does::TakesItsTime(Duration::from_millis(400)));
    let patience = Duration::from_secs(1);
    let sender = crate::mail::sender();
    let mailer = SmtpMailer::new(office.server(), sender, "verify.example.com", patience);
    let letters: Vec<_> = (0..16_u128)
        .map(|number| {
            let mut letter = crate::mail::letter("ann@example.com");
            letter.id = Uuid::from_u128(number + 1);
            letter
        })
        .collect();
    let outcomes = join_all(letters.iter().map(|letter| mailer.send(letter))).await;
    let taken: BTreeMap<String, usize> =
        office
            .take()
            .iter()
            .fold(BTreeMap::new(), |mut taken, mail| {
                *taken.entry(mail.message_id()).or_default() += 1;
                taken
            });
    let delivered = outcomes.iter().filter(|one| **one == Outcome::Delivered);
    assert_eq!(
        taken.len(),
        delivered.count(),
        "mails that arrived and are sent again: {outcomes:?}"
    );
}

/// The shop is slow: the lease ends while the first write-back is under way.
async fn a_write_back_that_lost_its_lease_does_not_have_the_last_word(app: TestApp) {
    let stage = Stage::set(&app).await;
    let key = stage.app.key("default", ALL).await;
    stage.app.app.directory.refresh().await.unwrap();
    stage.shop.order("XJ12H", json!({}));
    let created = lightspeed::event("e-1", "order.created", "XJ12H");
    lightspeed::hook(&stage.app, &created).expect(200).await;
    stage.work().await;
    stage.shop.asked();
    let word = Arc::new(tokio::sync::Notify::new());
    stage.shop.be(Mood::Waits(word.clone()));
    let others = async {
        while stage.shop.asked().is_empty() {
            tokio::task::yield_now().await;
        }
        stage.app.advance(Duration::from_secs(36));
        for proof in PROOFS {
            stage.app.advance(Duration::from_secs(1));
            prove(&stage.app, &key, ANN, proof, true).await;
        }
        stage.deliver().await;
        word.notify_one();
    };
    tokio::join!(stage.deliver(), others);
    stage.deliver().await;
    assert_eq!(stage.standing("XJ12H").await, Some(Standing::Released));
    let shown = stage.shop.field("XJ12H");
    assert_eq!(shown.as_deref(), Some("Verified: may ship"));
}

/// Several requests are under way when the shop refuses the token.
async fn a_token_that_was_refused_once_rests_once(app: TestApp) {
    let stage = Stage::set(&app).await;
    stage.shop.order("XJ12H", json!({}));
    let name = OrderName::number("XJ12H").unwrap();
    for _ in 0..4 {
        stage.shop.be(Mood::Status(401));
    }
    let asked = join_all((0..4).map(|_| stage.client.order(&name))).await;
    assert!(asked.iter().all(Result::is_err));
    // Whoever came after the first refusal was not let through to it.
    stage.shop.behaves();
    stage.app.advance(Duration::from_secs(5 * 60 + 1));
    let asked = stage.client.order(&name).await;
    assert!(asked.is_ok(), "{:?}", asked.unwrap_err());
}

/// Hooks were lost for a week; staff first looks whether it works.
async fn a_look_at_the_last_hour_does_not_hide_the_days_before(app: TestApp) {
    let stage = Stage::set(&app).await;
    let hour = Duration::from_secs(3_600);
    let look = async |since| {
        let request = Request {
            company: "default".to_owned(),
            since,
            first: stage.app.now() - SignedDuration::from_hours(72),
        };
        let command = stage.app.command("lightspeed.sync");
        let (app, gate, write_back) = (&stage.app.app, &*stage.gate, stage.write_back());
        let done = sync(app, &command, gate, &write_back, &request, |_| {}).await;
        done.unwrap().filed
    };
    assert_eq!(look(None).await, 0);
    stage.app.advance(48 * hour);
    let lost = stage.app.now().as_second();
    stage.shop.order(
        "LOST",
        json!({"createTimestamp": lost, "updateTimestamp": lost}),
    );
    stage.app.advance(5 * hour);
    let last_hour = stage.app.now() - SignedDuration::from_hours(1);
    assert_eq!(look(Some(last_hour)).await, 0);
    assert_eq!(look(None).await, 1, "it goes on where it was");
}

/// `INTEGRATION_COMPANY` has a letter too many.
async fn orders_of_a_company_that_does_not_exist_are_not_swallowed(app: TestApp) {
    let stage = Stage::set(&app).await;
    let key = HookKey::new(lightspeed::CLIENT_SECRET).unwrap();
    let reception = LightspeedReception {
        company: "defaullt".to_owned(),
        store_id: lightspeed::STORE.to_owned(),
        keys: vec![key],
    };
    let mistaken = app
        .another(Settings {
            hooks: Hooks::default().with(Source::Lightspeed, reception),
            ..Settings::default()
        })
        .await;
    stage.shop.order("XJ12H", json!({}));
    let created = lightspeed::event("e-1", "order.created", "XJ12H");
    lightspeed::hook(&mistaken, &created).send().await;
    stage.work().await;
    let sql =
        "SELECT company_id FROM orders WHERE company_id NOT IN (SELECT company_id FROM companies)";
    assert!(app.database().sql(sql).await.is_empty(), "nobody sees it");
}
