//! Mail: what leaves, what comes of it, and being left alone.

mod conversations;
mod form;
mod leases;
pub mod office;
mod outcomes;
mod pictures;
mod stops;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use app::deliveries::{Channels, Dispatcher, Listed};
use app::mail::{Found, Letter, Letters, MAIL, Mail, Mailer, Mails, Notice, Occasion, Policy};
use app::{Error, Result};
use bonafide::mail::{Sender, SmtpMailer, render};
use domain::contact::Email;
use domain::random::{Random, uuid_v7};
use domain::seal::DataKey;
use domain::standing::Proof;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use store::{Lane, Tx, Unit, Written};
use uuid::Uuid;

use crate::deliveries;
use crate::harness::{BASE_URL, TestApp, deliveries_settings};
use office::Office;

/// Who is written to.
pub const CUSTOMER: &str = "ann@example.com";

/// Longer than any attempt takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a lease lasts: the longest attempt and five seconds.
const LEASE: Duration = Duration::from_secs(35);

/// `MAIL_FROM`.
pub fn sender() -> Sender {
    Sender::parse("Green Leaf <verify@shop.example>").unwrap()
}

/// A mailer that speaks to a mail server.
pub fn mailer(office: &Office) -> Arc<SmtpMailer> {
    let mailer = SmtpMailer::new(office.server(), sender(), "verify.example.com", PATIENCE);
    Arc::new(mailer)
}

/// What is known of the orders: by their names, what a mail about each has to say.
#[derive(Default)]
pub struct Desk {
    orders: Mutex<BTreeMap<Uuid, Entry>>,
}

#[derive(Clone)]
struct Entry {
    to: &'static str,
    occasion: Occasion,
    /// Why nothing is to be sent any more.
    over: Option<&'static str>,
    /// Why it cannot be looked up.
    fault: Option<Error>,
    deadline: Timestamp,
}

impl Desk {
    pub fn change(&self, order: Uuid, change: impl FnOnce(&mut DeskEntry<'_>)) {
        let mut orders = self.orders.lock().unwrap();
        change(&mut DeskEntry(orders.get_mut(&order).unwrap()));
    }
}

/// An order at the desk.
pub struct DeskEntry<'a>(&'a mut Entry);

impl DeskEntry<'_> {
    pub fn is_over(&mut self, word: &'static str) {
        self.0.over = Some(word);
    }

    pub fn fails(&mut self, fault: Option<Error>) {
        self.0.fault = fault;
    }

    pub fn is(&mut self, occasion: Occasion) {
        self.0.occasion = occasion;
    }
}

impl Letters for Desk {
    fn look_up<'a>(
        &'a self,
        _company: &'a str,
        topic: &'a str,
        payload: &'a [u8],
    ) -> BoxFuture<'a, Result<Found>> {
        assert_eq!(topic, "order.reminder");
        let order = Uuid::from_slice(payload).unwrap();
        let entry = self.orders.lock().unwrap()[&order].clone();
        async move {
            if let Some(fault) = entry.fault {
                return Err(fault);
            }
            Ok(match entry.over {
                Some(word) => Found::Nothing(word),
                None => Found::Notice(Box::new(entry.notice(order))),
            })
        }
        .boxed()
    }
}

impl Entry {
    fn notice(&self, order: Uuid) -> Notice {
        Notice {
            to: Email::parse(self.to).unwrap(),
            company_name: "Green Leaf".to_owned(),
            order,
            order_id: "81".to_owned(),
            occasion: self.occasion,
            missing: Proof::ALL.to_vec(),
            deadline: self.deadline,
        }
    }
}

/// A server that sends mails, and what it knows.
pub struct Post {
    pub app: TestApp,
    pub desk: Arc<Desk>,
    pub office: Office,
    mailer: Arc<dyn Mailer>,
}

impl Post {
    /// Mails leave by a mail server that wants nothing but mails.
    pub async fn open(app: TestApp) -> Self {
        let office = Office::open(office::Manner::default()).await;
        Self {
            mailer: mailer(&office),
            desk: Arc::default(),
            office,
            app,
        }
    }

    /// A worker of an instance.
    pub fn worker_of(&self, app: &TestApp) -> Dispatcher {
        let policy = Policy {
            base_url: BASE_URL.into(),
            render,
        };
        let (letters, mailer) = (self.desk.clone(), self.mailer.clone());
        let mails = Mails::new(app.app.clone(), letters, mailer, policy);
        let channels = Channels::default().with(MAIL, mails);
        Dispatcher::new(app.app.clone(), channels, deliveries_settings())
    }

    pub fn worker(&self) -> Dispatcher {
        self.worker_of(&self.app)
    }

    /// Sends every mail that is due now.
    pub async fn send(&self) {
        self.worker().run_due().await.unwrap();
    }

    /// An order of a customer, with a first mail about it in the queue.
    pub async fn order(&self, to: &'static str) -> Uuid {
        let now = self.app.now();
        let order = uuid_v7(now, self.app.app.random.as_ref());
        let entry = Entry {
            to,
            occasion: Occasion::First,
            over: None,
            fault: None,
            deadline: now + SignedDuration::from_hours(72),
        };
        self.desk.orders.lock().unwrap().insert(order, entry);
        self.remind(order).await;
        order
    }

    /// Another mail about an order in the queue.
    pub async fn remind(&self, order: Uuid) {
        let app = &self.app.app;
        let now = self.app.now();
        let unit = Enqueue {
            order,
            key: app.keys.of_company("default", now).await.unwrap(),
            random: app.random.clone(),
            now,
        };
        app.store.write(unit).await.unwrap();
        // The next is newer.
        self.app.advance(Duration::from_millis(1));
    }

    /// How the newest deliveries went, the newest first.
    pub async fn listed(&self) -> Vec<Listed> {
        deliveries::all(&self.app).await
    }

    /// The words of all deliveries, the newest first.
    pub async fn words(&self) -> Vec<String> {
        let listed = self.listed().await;
        let words = listed.into_iter().map(|listed| {
            let outcome = listed.outcome.unwrap_or_default();
            format!("{} {outcome}", listed.status.as_str())
        });
        words.collect()
    }
}

struct Enqueue {
    order: Uuid,
    key: Arc<DataKey>,
    random: Arc<dyn Random>,
    now: Timestamp,
}

impl Unit for Enqueue {
    type Output = ();

    fn lane(&self) -> Lane {
        Lane::of(self.order.as_bytes())
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<()>> {
        let mail = Mail {
            company: "default",
            topic: "order.reminder",
            key: &self.key,
            payload: self.order.as_bytes(),
            at: self.now,
        };
        mail.enqueue(tx, self.random.as_ref()).await?;
        Ok(Written {
            output: (),
            records: Vec::new(),
        })
    }
}

/// A letter that says nothing in particular, to anybody.
pub fn letter(to: &str) -> Letter {
    letter_about(to, Occasion::First, "Green Leaf", "81")
}

pub fn letter_about(to: &str, occasion: Occasion, company: &str, order: &str) -> Letter {
    let now: Timestamp = "2025-01-01T12:00:00Z".parse().unwrap();
    let notice = Notice {
        to: Email::parse(to).unwrap(),
        company_name: company.to_owned(),
        order: Uuid::from_u128(7),
        order_id: order.to_owned(),
        occasion,
        missing: Proof::ALL.to_vec(),
        deadline: "2025-01-04T12:00:00Z".parse().unwrap(),
    };
    let link = |path: &str| zeroize::Zeroizing::new(format!("{BASE_URL}/{path}/to-ken_1"));
    let links = app::mail::Links {
        verify: link("verify"),
        stop: link("stop"),
    };
    Letter {
        id: Uuid::from_u128(9),
        at: now,
        content: render(&notice, &links, now).unwrap(),
        to: notice.to,
        occasion,
        links,
    }
}
