//! The operator's side of a database under test: keys, and what the audit log says.
//!
//! It is another process beside the server, as the command line is.

use std::collections::HashMap;
use std::sync::Arc;

use app::audit::{self, Export, Range};
use app::companies::{self, NewCompany};
use app::credentials::KeyLimits;
use app::exchange::Exchange;
use app::idempotency::Reply;
use app::keys::{self, NewKey};
use app::limits::LimitName;
use app::{App, Parts};
use bonafide::ambient::{SystemClock, SystemRandom};
use domain::access::{CompanyId, Scope, Scopes};
use domain::clock::Clock as _;
use domain::order::Schedule;
use domain::random::uuid_v7;
use domain::rate::Limit;
use domain::seal::{IndexKey, KeyRing};
use domain::span::Span;
use domain::webhook::WebhookSecret;
use jiff::Timestamp;
use store::postgres::Target;
use store::tables::age_statistics;
use store::{Connections, Location, Store};

/// The secrets of every server under test, as the environment has them.
pub const ENCRYPTION_KEYS: &str = "k1:QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=";
pub const INDEX_KEY: &str = "an index key for tests that has more than 32 bytes";

/// Use cases over an open database.
pub struct Office(Arc<App>);

/// A key, with what a client sends.
#[derive(Clone)]
pub struct Key {
    pub id: String,
    pub text: String,
}

/// What the tests want to know of an audit record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    pub action: String,
    pub status: i64,
    pub occurrences: i64,
}

impl Office {
    /// Opens the database of a `DATABASE_URL`, making it if need be.
    pub async fn open(url: &str) -> Self {
        let location = match url.strip_prefix("sqlite://") {
            Some(path) => Location::Sqlite(path.into()),
            None => Location::Postgres(Box::new(Target::parse(url, None).unwrap())),
        };
        location.migrate().await.unwrap();
        let clock = Arc::new(SystemClock);
        let connections = Connections {
            readers: 1,
            writers: 1,
        };
        let store = Store::open(&location, connections, clock.clone());
        let app = App::open(Parts {
            store: Arc::new(store.await.unwrap()),
            clock,
            random: Arc::new(SystemRandom),
            index_key: IndexKey::new(INDEX_KEY.as_bytes()),
            key_ring: KeyRing::new([("k1", &[b'B'; 32])]).unwrap(),
            retention: domain::retention::Retention::default(),
            ages: app::ages::Policy::default(),
            numbers: app::numbers::Policy {
                lifetime: Span::seconds(600),
                base_url: "http://localhost:3000".into(),
                render_event: bonafide::http::numbers::event,
                count: bonafide::metrics::numbers::count,
            },
            orders: app::orders::Policy {
                schedule: Schedule::new(Span::seconds(3600), vec![Span::seconds(0)]).unwrap(),
                agreement: None,
                base_url: "http://localhost:3000".into(),
                render_event: bonafide::http::orders::event,
                writes_back: None,
                square: None,
                count: bonafide::metrics::orders::count,
            },
            administrators: None,
            announce_checkpoints: None,
        });
        Self(Arc::new(app.await.unwrap()))
    }

    /// A key that may check, update and verify ages and numbers, with a limit of its own such as `5/1m`, or without any.
    pub async fn create_key(&self, limit: &str) -> Key {
        let scopes = Scopes::NONE
            .with(Scope::CustomersRead)
            .with(Scope::CustomersWrite)
            .with(Scope::AgesRead)
            .with(Scope::AgesWrite)
            .with(Scope::NumbersRead)
            .with(Scope::NumbersWrite);
        let limits = KeyLimits::from([
            (LimitName::Customers, Limit::parse(limit).unwrap()),
            (LimitName::Initiate, Limit::Off),
        ]);
        self.make_key(CompanyId::default(), scopes, limits).await
    }

    /// A key that reads the audit log and the orders, with limits off.
    pub async fn create_auditor(&self) -> Key {
        let scopes = Scopes::NONE.with(Scope::AuditRead).with(Scope::OrdersRead);
        let limits = KeyLimits::from([(LimitName::Customers, Limit::Off)]);
        self.make_key(CompanyId::default(), scopes, limits).await
    }

    /// A company whose webhooks go to `url`, and what a receiver knows their senders by.
    pub async fn create_company(&self, id: &str, url: &str) -> WebhookSecret {
        let new = NewCompany {
            company_id: CompanyId::parse(id).unwrap(),
            name: id.to_owned(),
            webhook_url: Some(url.to_owned()),
            app_link: None,
        };
        let exchange = self.exchange("company.create");
        let created = companies::create(&self.0, &exchange, new, Reply::unkept()).await;
        let secret = created.unwrap().webhook_secret.unwrap();
        WebhookSecret::parse(&secret).unwrap()
    }

    /// A key with which a company verifies numbers.
    pub async fn create_numbers_key(&self, company: &str) -> Key {
        let scopes = Scopes::NONE
            .with(Scope::NumbersRead)
            .with(Scope::NumbersWrite);
        let company = CompanyId::parse(company).unwrap();
        self.make_key(company, scopes, KeyLimits::default()).await
    }

    /// A key with which a company's shop tells of orders and of proofs, without a limit.
    pub async fn create_orders_key(&self, company: &str) -> Key {
        let scopes = Scopes::NONE
            .with(Scope::OrdersRead)
            .with(Scope::OrdersWrite)
            .with(Scope::CustomersWrite);
        let limits = KeyLimits::from([(LimitName::Customers, Limit::Off)]);
        let company = CompanyId::parse(company).unwrap();
        self.make_key(company, scopes, limits).await
    }

    /// A key with which a shop tells of customers and orders, and forgets them, without a limit.
    pub async fn create_admin_key(&self) -> Key {
        let scopes = Scopes::NONE
            .with(Scope::Admin)
            .with(Scope::CustomersWrite)
            .with(Scope::OrdersRead)
            .with(Scope::OrdersWrite);
        let limits = KeyLimits::from([(LimitName::Customers, Limit::Off)]);
        self.make_key(CompanyId::default(), scopes, limits).await
    }

    async fn make_key(&self, company: CompanyId, scopes: Scopes, limits: KeyLimits) -> Key {
        let new = NewKey {
            company,
            name: "a client".into(),
            scopes,
            limits,
            expires_at: None,
        };
        let exchange = self.exchange("key.create");
        let created = keys::create(&self.0, &exchange, new, Reply::unkept()).await;
        let created = created.unwrap();
        Key {
            id: created.row.id,
            text: created.key.expose().to_owned(),
        }
    }

    pub async fn revoke(&self, key: &Key) {
        let exchange = self.exchange("key.revoke");
        let revoked = keys::revoke(&self.0, &exchange, &key.id, Reply::unkept()).await;
        revoked.map(drop).unwrap();
    }

    /// Ends the test when anything is wrong with the audit log; returns the number of its records.
    pub async fn verify_audit(&self) -> u64 {
        let report = audit::verify(
            &self.0.store,
            Some(&self.0.key_ring),
            Timestamp::UNIX_EPOCH,
            &[],
            |_| {},
        )
        .await;
        let report = report.unwrap();
        assert!(report.faults.is_empty(), "{:?}", report.faults);
        report.records
    }

    /// Ends the test when a count of ages is not what the decisions say; returns how many decisions
    /// were counted.
    pub async fn verify_age_counts(&self) -> i64 {
        let recount = app::ages::recount(&self.0, false, |_, _| {}).await;
        let differences = recount.unwrap().differences;
        assert!(differences.is_empty(), "{differences:?}");
        let today = age_statistics::day_of(SystemClock.now());
        let totals = self.0.store.read(move |mut tx| {
            Box::pin(async move {
                let company = CompanyId::default();
                age_statistics::totals(&mut tx, company.as_str(), 0, today).await
            })
        });
        let totals = totals.await.unwrap();
        totals.passed + totals.refused
    }

    /// Every audit record, by request id.
    pub async fn records(&self) -> HashMap<String, Vec<Recorded>> {
        let mut records: HashMap<_, Vec<_>> = HashMap::new();
        let mut export = Export::begin(&self.0, Range::default()).await.unwrap();
        while let Some(page) = export.next().await.unwrap() {
            for record in page {
                records
                    .entry(record.request_id)
                    .or_default()
                    .push(Recorded {
                        action: record.action,
                        status: record.status,
                        occurrences: record.occurrences,
                    });
            }
        }
        records
    }

    /// Ends the test unless each of these answered requests has exactly one record, with its status.
    pub async fn expect_records<'a>(&self, answered: impl IntoIterator<Item = (&'a str, u16)>) {
        let records = self.records().await;
        for (id, status) in answered {
            let of_request = records.get(id).map_or(&[][..], Vec::as_slice);
            let statuses: Vec<_> = of_request.iter().map(|record| record.status).collect();
            assert_eq!(statuses, [i64::from(status)], "records of request {id}");
        }
    }

    /// Waits for everything that is written and closes the database.
    pub async fn close(self) {
        let store = self.0.store.clone();
        drop(self.0);
        if let Ok(store) = Arc::try_unwrap(store) {
            store.close().await;
        }
    }

    fn exchange(&self, action: &'static str) -> Exchange {
        let at = SystemClock.now();
        let exchange = Exchange::new(uuid_v7(at, &SystemRandom).to_string(), at, None, None);
        exchange.note_action(action);
        exchange.note_command();
        exchange
    }
}
