//! The whole story of an order, from the shop's hook to the shop's own pages, with every party at
//! the other end of a real connection: the shop, the mail server, Veriff and the merchant's receiver.

mod any_order;
mod forgotten;
mod merchant;

use std::sync::Arc;
use std::time::Duration;

use app::deliveries::{Channels, Dispatcher, WEBHOOK, Webhooks};
use app::lightspeed::{LIGHTSPEED, Statuses, WriteBacks};
use app::mail::{MAIL, Mails, Policy};
use app::orders::OrderLetters;
use bonafide::mail::render;
use domain::agreement::Agreement;
use serde_json::json;

use crate::customers::prove;
use crate::harness::{BASE_URL, Settings, TestApp, deliveries_settings, flows};
use crate::lightspeed::{Stage, event, hook, take_part};
use crate::mail::mailer;
use crate::mail::office::{Manner, Office, Received};
use crate::orders::{ALL, ANN, PROOFS, decide, status, timeline};
use crate::veriff;
use any_order::{Step, begin_check, decide_check, page_in};
use merchant::{Merchant, Told};

flows!(
    an_order_waits_is_reminded_of_and_released,
    an_order_waits_too_long_and_comes_late,
    an_id_decided_too_late_is_for_the_shop_to_decide,
    a_worker_that_was_away_sends_only_the_newest_mail,
);

const ORDER: &str = "XJ12H";
const HOUR: Duration = Duration::from_secs(3_600);

/// What members sign.
const AGREEMENT: &str = "I am 21 or older, and a member.";

/// Everybody who takes part.
struct Play {
    stage: Stage,
    veriff: veriff::Stage,
    office: Office,
    merchant: Merchant,
    key: String,
}

impl Play {
    /// Everybody is there.
    async fn set(app: &TestApp) -> Self {
        Self::set_with(app, |_| {}).await
    }

    /// The same with other settings.
    async fn set_with(app: &TestApp, change: impl FnOnce(&mut Settings)) -> Self {
        let veriff = veriff::Stage::set_with(app, |settings| {
            take_part(settings);
            change(settings);
            settings.ages.proves_identity = true;
            let agreement = Agreement::new(AGREEMENT).unwrap();
            settings.orders.agreement = Some(Arc::new(agreement));
        });
        let veriff = veriff.await;
        let stage = Stage::over(veriff.app.clone(), Statuses::default()).await;
        Self {
            key: stage.app.key("default", ALL).await,
            office: Office::open(Manner::default()).await,
            merchant: Merchant::open(&stage.app).await,
            stage,
            veriff,
        }
    }

    /// A shop has told of an order of a customer who has proven nothing.
    async fn begin(app: &TestApp) -> Self {
        let play = Self::set(app).await;
        play.order(ORDER, ANN).await;
        play
    }

    /// The shop tells of an order.
    async fn order(&self, id: &str, email: &str) {
        let fields = json!({"email": email, "createTimestamp": self.app().now().as_second()});
        self.stage.shop.order(id, fields);
        let created = event(&format!("e-{id}"), "order.created", id);
        hook(self.app(), &created).expect(200).await;
        self.work().await;
    }

    fn app(&self) -> &TestApp {
        &self.stage.app
    }

    /// What a worker does: the inboxes, what is due, and what is to leave.
    async fn work(&self) {
        self.stage.work().await;
        self.veriff.work().await;
        app::orders::sweep(&self.app().app).await.unwrap();
        // One delivery of a stream follows the other.
        for _ in 0..4 {
            self.dispatcher().run_due().await.unwrap();
        }
    }

    fn dispatcher(&self) -> Dispatcher {
        let app = self.app().app.clone();
        let letters = Arc::new(OrderLetters::new(app.clone()));
        let policy = Policy {
            base_url: BASE_URL.into(),
            render,
        };
        let mails = Mails::new(app.clone(), letters, mailer(&self.office), policy);
        let (gate, write_back) = (self.stage.gate.clone(), self.stage.write_back());
        let write_backs = WriteBacks::new("default".into(), gate, write_back);
        let channels = Channels::default()
            .with(WEBHOOK, Webhooks::new(app.clone(), self.merchant.sender()))
            .with(MAIL, mails)
            .with(LIGHTSPEED, write_backs);
        Dispatcher::new(app, channels, deliveries_settings())
    }

    /// Lets so many hours pass, while a worker works.
    async fn pass(&self, hours: u32) {
        for _ in 0..hours {
            self.app().advance(HOUR);
            self.work().await;
        }
    }

    /// The mails since the last time.
    fn mails(&self) -> Vec<Received> {
        let mails = self.office.take();
        assert!(mails.iter().all(|mail| mail.to.contains(ANN)));
        mails
    }

    /// What the merchant heard since the last time.
    fn told(&self) -> Vec<String> {
        self.merchant.take().iter().map(Told::topic).collect()
    }

    /// What the shop shows.
    fn shown(&self) -> String {
        self.stage.shop.field(ORDER).unwrap()
    }

    async fn status(&self) -> String {
        status(self.app(), &self.key, ORDER).await
    }
}

async fn an_order_waits_is_reminded_of_and_released(app: TestApp) {
    let play = Play::begin(&app).await;
    assert_eq!(play.status().await, "held");
    assert_eq!(play.told(), ["order.held"]);
    assert_eq!(
        play.shown(),
        "Held: waiting for ID check, membership agreement, e-mail opt-in"
    );
    let mut ids: Vec<_> = play.mails().iter().map(Received::message_id).collect();
    assert_eq!(ids.len(), 1, "at once");
    for (hours, by) in [(23, 1), (1, 2), (23, 2), (1, 3), (19, 3), (1, 4)] {
        play.pass(hours).await;
        ids.extend(play.mails().iter().map(Received::message_id));
        assert_eq!(ids.len(), by);
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4, "each mail has a name of its own");

    for proof in PROOFS {
        assert_eq!(play.status().await, "held");
        prove(play.app(), &play.key, ANN, proof, true).await;
        play.work().await;
    }
    assert_eq!(play.status().await, "released");
    assert_eq!(play.shown(), "Verified: may ship");
    let mut told = play.told();
    told.sort();
    assert_eq!(told, ["customer.verified", "order.released"]);
    play.pass(100).await;
    assert!(play.mails().is_empty(), "the reminders died with the hold");
    assert!(play.told().is_empty());
    assert_eq!(play.status().await, "released");
}

async fn an_order_waits_too_long_and_comes_late(app: TestApp) {
    let play = Play::begin(&app).await;
    play.pass(71).await;
    assert_eq!(play.mails().len(), 4);
    assert_eq!(play.told(), ["order.held"]);
    play.pass(1).await;
    assert_eq!(play.status().await, "expired");
    assert_eq!(play.mails().len(), 1, "the last mail");
    assert_eq!(play.told(), ["order.expired"]);
    assert_eq!(play.shown(), "Expired: not verified in time, do not ship");

    for proof in PROOFS {
        prove(play.app(), &play.key, ANN, proof, true).await;
        play.work().await;
    }
    assert_eq!(play.status().await, "late");
    assert_eq!(play.shown(), "Verified too late: decide whether it ships");
    let mut told = play.told();
    told.sort();
    assert_eq!(told, ["customer.verified", "order.late"]);
    play.pass(100).await;
    assert!(play.mails().is_empty());
    let events = timeline(play.app(), &play.key, ORDER).await;
    let told = ["expired", "proof", "late"];
    assert_eq!(events[..2], ["placed", "held"]);
    assert_eq!(events[2..6], ["reminder"; 4]);
    assert_eq!(events[6..], told);
}

async fn an_id_decided_too_late_is_for_the_shop_to_decide(app: TestApp) {
    let play = Play::begin(&app).await;
    let page = page_in(&play.mails()[0]);
    for step in [Step::SignOnPage, Step::OptInOnPage] {
        step.take(&play, ANN, &page).await;
    }
    // The customer was at Veriff in time, but Veriff takes days.
    let session = begin_check(&play, &page).await;
    play.pass(72).await;
    assert_eq!(play.status().await, "expired");
    assert_eq!(play.shown(), "Expired: not verified in time, do not ship");
    assert_eq!(play.told(), ["order.held", "order.expired"]);
    play.mails();

    decide_check(&play, &session).await;
    play.work().await;
    assert_eq!(play.status().await, "late");
    assert_eq!(play.shown(), "Verified too late: decide whether it ships");
    let mut told = play.told();
    told.sort();
    assert_eq!(told, ["customer.verified", "order.late"]);
    let shown = play.app().get(&page).expect(200).await.text();
    assert!(shown.contains("the shop decides now") && !shown.contains("<form"));

    decide(play.app(), &play.key, ORDER, "release")
        .expect(200)
        .await;
    play.work().await;
    assert_eq!(play.shown(), "Verified: may ship");
    assert_eq!(play.told(), ["order.released"]);
    play.pass(10).await;
    assert!(play.mails().is_empty());
}

async fn a_worker_that_was_away_sends_only_the_newest_mail(app: TestApp) {
    let play = Play::begin(&app).await;
    play.mails();
    play.app().advance(50 * HOUR);
    play.work().await;
    assert_eq!(play.mails().len(), 1, "not the backlog");
    play.app().advance(30 * HOUR);
    play.work().await;
    assert_eq!(play.mails().len(), 1, "only that it has expired");
    assert_eq!(play.told(), ["order.held", "order.expired"]);
}
