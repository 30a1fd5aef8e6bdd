//! A whole server in the test's process: the real router over a real database, without a socket.
//!
//! Guarantees: a database of its own for every test; time stands still unless the test moves it;
//! every test written once runs twice, as `sqlite::…` (limits in memory) and as `postgres::…`
//! (limits in Redis); and when a test is over, its audit log must verify.
//! Must not: hold a rule of the product, or reach into a handler: tests see what clients see, and
//! what an operator can see of the database and the log.

#![allow(
    dead_code,
    reason = "not every part of the stage is used in every play"
)]

mod client;
mod database;
mod log;
mod receivers;
mod settings;

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use app::companies::{CompanyChange, WithSecret};
use app::deliveries::{Channels, Dispatcher, Sender, WEBHOOK, Webhooks};
use app::exchange::Exchange;
use app::idempotency::{self, Reply};
use app::limits::Limiter;
use app::quota::{Quota, QuotaHealth};
use app::{App, Parts};
use axum::Router;
use bonafide::ambient::SystemRandom;
use bonafide::http;
use bonafide::http::conventions::edge;
use bonafide::http::listener::Peer;
use bonafide::quota::memory::MemoryQuota;
use bonafide::quota::redis::{Patience, RedisQuota};
use domain::access::{CompanyId, Scopes};
use domain::clock::Clock;
use domain::random::{self, uuid_v7};
use domain::seal::{IndexKey, KeyRing};
use domain::webhook::WebhookSecret;
use jiff::Timestamp;
use store::tables::audit::{self, Located};
use store::{Connections, Store};
use test_support::redis::TestRedis;

pub use client::{Answer, Call};
pub use database::Database;
pub use log::{capture, logged};
pub use receivers::Receivers;
pub use settings::{
    BASE_URL, IdentityProvider, JWT_SECRET, Settings, deliveries as deliveries_settings, schedule,
};

/// Runs each of the named tests (`async fn name(app: TestApp)`) on both databases.
macro_rules! flows {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test] fn $name() {
                $crate::harness::run($crate::harness::Engine::Sqlite, stringify!($name), super::$name);
            })+
        }
        mod postgres {
            $(#[test] fn $name() {
                $crate::harness::run($crate::harness::Engine::Postgres, stringify!($name), super::$name);
            })+
        }
    };
}
pub(crate) use flows;

/// What a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// SQLite, and limits in memory.
    Sqlite,
    /// PostgreSQL, and limits in Redis.
    Postgres,
}

/// Where requests come from, unless the test says otherwise.
pub const CALLER: &str = "203.0.113.7:49152";

/// When every test begins: 2025-01-01T00:00:00Z, in microseconds.
const BEGINNING: i64 = 1_735_689_600_000_000;

/// Time that stands still until it is moved.
pub struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

impl TestClock {
    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_micros()).unwrap();
        self.0.fetch_add(by, Ordering::SeqCst);
    }

    /// Lets the clock be that of a machine that is behind.
    pub fn set_back(&self, by: Duration) {
        let by = i64::try_from(by.as_micros()).unwrap();
        self.0.fetch_sub(by, Ordering::SeqCst);
    }

    fn milliseconds(&self) -> u64 {
        u64::try_from(self.0.load(Ordering::SeqCst) / 1000).unwrap()
    }
}

/// What all instances of one test share.
struct Ground {
    engine: Engine,
    database: Database,
    redis: Option<TestRedis>,
    clock: Arc<TestClock>,
    leaves_deliveries: AtomicBool,
}

/// One instance of the server. Cheap to clone; [`TestApp::another`] makes a second instance over
/// the same database and limits, with a directory, writers and settings of its own.
#[derive(Clone)]
pub struct TestApp {
    ground: Arc<Ground>,
    /// The use cases behind the router.
    pub app: Arc<App>,
    server: http::Shared,
    router: Router,
    peer: Peer,
}

/// The patience of tests with Redis: a server that finds it slow counts on its own for a moment,
/// as it should, which on a crowded machine would make counts differ from run to run.
pub const GENEROUS: Patience = Patience {
    answer: Duration::from_secs(30),
    connection: Duration::from_secs(30),
};

/// Sets the stage, plays the test, and looks whether the audit log is whole.
pub fn run<F>(engine: Engine, name: &str, test: impl FnOnce(TestApp) -> F)
where
    F: Future<Output = ()>,
{
    log::capture();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let app = TestApp::start(engine, name).await;
        test(app.clone()).await;
        app.assert_audit_is_clean().await;
        app.assert_nothing_is_left().await;
    });
}

impl TestApp {
    async fn start(engine: Engine, name: &str) -> Self {
        let ground = Ground {
            engine,
            database: Database::fresh(engine, name).await,
            redis: (engine == Engine::Postgres).then(|| test_support::redis::for_test().unwrap()),
            clock: Arc::new(TestClock(AtomicI64::new(BEGINNING))),
            leaves_deliveries: AtomicBool::new(false),
        };
        Self::open(Arc::new(ground), Settings::default()).await
    }

    /// Another instance beside this one, over the same database and Redis.
    pub async fn another(&self, settings: Settings) -> Self {
        Self::open(self.ground.clone(), settings).await
    }

    async fn open(ground: Arc<Ground>, settings: Settings) -> Self {
        let clock: Arc<dyn Clock> = ground.clock.clone();
        let store = Store::open(
            ground.database.location(),
            Connections::default(),
            clock.clone(),
        );
        let store = store.await.unwrap();
        store.watch(bonafide::metrics::audit::Watch);
        let parts = Parts {
            store: Arc::new(store),
            clock,
            random: Arc::new(SystemRandom),
            index_key: IndexKey::new(b"an index key for tests that has more than 32 bytes"),
            key_ring: key_ring(&settings.master_keys),
            ages: settings.ages,
            numbers: settings.numbers,
            retention: settings.retention,
            orders: settings.orders,
            administrators: settings.administrators,
            announce_checkpoints: settings.announce_checkpoints,
        };
        let app = Arc::new(App::open(parts).await.unwrap());
        let quota = quota(&ground).await;
        let server = Arc::new(http::Server {
            app: app.clone(),
            limiter: Limiter::new(settings.limits, quota),
            tokens: settings.tokens,
            openid: settings.openid.map(|configured| configured.client()),
            hooks: settings.hooks,
            veriff: settings.veriff,
            archives: settings.archives,
            mails: settings.mails,
            integration_company: "default".into(),
            erasure_list: settings.erasure_list,
            tracer: settings.tracer,
            edge: settings.edge,
        });
        Self {
            ground,
            app,
            router: http::router(server.clone()),
            server,
            peer: Peer {
                address: CALLER.parse().unwrap(),
                tls: false,
            },
        }
    }

    /// The same server with nothing but the given routes behind its edge.
    pub fn behind_the_edge(&self, routes: Router<http::Shared>) -> Self {
        let server = self.server.clone();
        Self {
            router: routes.layer(edge::Edge(server.clone())).with_state(server),
            ..self.clone()
        }
    }

    /// The same server as reached over a connection from `address`, encrypted or not.
    pub fn reached_from(&self, address: &str, tls: bool) -> Self {
        let address: SocketAddr = address.parse().unwrap();
        Self {
            peer: Peer { address, tls },
            ..self.clone()
        }
    }

    /// What this test runs on.
    pub fn engine(&self) -> Engine {
        self.ground.engine
    }

    /// The database, as an operator with its password sees it.
    pub fn database(&self) -> &Database {
        &self.ground.database
    }

    /// Lets time pass for every instance. Limits in Redis go by Redis' own clock.
    pub fn advance(&self, by: Duration) {
        self.ground.clock.advance(by);
    }

    /// Has what follows happen by the clock of a machine that is behind.
    pub fn set_back(&self, by: Duration) {
        self.ground.clock.set_back(by);
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        self.ground.clock.now()
    }

    /// Empties Redis, if there is one.
    pub async fn forget_limits(&self) {
        if let Some(redis) = &self.ground.redis {
            let client = redis::Client::open(redis.url()).unwrap();
            let mut connection = client.get_multiplexed_async_connection().await.unwrap();
            let flush = redis::cmd("FLUSHDB").exec_async(&mut connection).await;
            flush.unwrap();
        }
    }

    /// Does once what an instance does again and again beside the requests.
    pub async fn chores(&self) {
        self.app.directory.refresh().await.unwrap();
        self.app.recorder.record_floods(false).await.unwrap();
        idempotency::clean_up(&self.app).await.unwrap();
        self.app.checkpoints.make().await.unwrap();
        app::numbers::sweep(&self.app).await.unwrap();
        app::inbox::clear(&self.app).await.unwrap();
        app::mail::clean_up(&self.app).await.unwrap();
        app::square::clear(&self.app).await.unwrap();
        app::orders::sweep(&self.app).await.unwrap();
    }

    /// Creates a company.
    pub async fn company(&self, id: &str) {
        let new = app::companies::NewCompany {
            company_id: CompanyId::parse(id).unwrap(),
            name: id.to_owned(),
            webhook_url: None,
            app_link: None,
        };
        let command = self.command("company.create");
        app::companies::create(&self.app, &command, new, Reply::unkept())
            .await
            .unwrap();
    }

    /// Changes a company.
    pub async fn change_company(&self, id: &str, change: CompanyChange) -> WithSecret {
        let command = self.command("company.update");
        app::companies::change(&self.app, &command, id, change, Reply::unkept())
            .await
            .unwrap()
    }

    /// Gives a company a webhook and a fresh secret; returns the secret.
    pub async fn webhook(&self, company: &str, url: &str) -> WebhookSecret {
        let change = CompanyChange {
            webhook_url: Some(Some(url.to_owned())),
            rotate_secret: Some(Duration::ZERO),
            ..CompanyChange::default()
        };
        let changed = self.change_company(company, change).await;
        WebhookSecret::parse(&changed.webhook_secret.unwrap()).unwrap()
    }

    /// A worker of this instance, which makes deliveries to these receivers.
    pub fn dispatcher(&self, receivers: &Arc<Receivers>) -> Dispatcher {
        self.dispatcher_over(receivers.clone())
    }

    /// A worker of this instance, which sends webhooks like this.
    pub fn dispatcher_over(&self, sender: Arc<dyn Sender>) -> Dispatcher {
        let webhooks = Webhooks::new(self.app.clone(), sender);
        let channels = Channels::default().with(WEBHOOK, webhooks);
        Dispatcher::new(self.app.clone(), channels, settings::deliveries())
    }

    /// Makes every delivery that is due now.
    pub async fn deliver(&self, receivers: &Arc<Receivers>) {
        self.dispatcher(receivers).run_due().await.unwrap();
    }

    /// Says that deliveries are left over when the test ends, and are meant to be.
    pub fn leaves_deliveries(&self) {
        self.ground.leaves_deliveries.store(true, Ordering::SeqCst);
    }

    async fn assert_nothing_is_left(&self) {
        let waiting = app::deliveries::depth(&self.app).await.unwrap().waiting;
        let meant = self.ground.leaves_deliveries.load(Ordering::SeqCst);
        assert!(waiting == 0 || meant, "{waiting} deliveries are left over");
    }

    /// Creates a key of a company with the given scopes, separated by spaces.
    pub async fn key(&self, company: &str, scopes: &str) -> String {
        self.key_with(company, scopes, "", None).await
    }

    /// Creates a key with limits of its own (`customers=2/1m`) and an end.
    pub async fn key_with(
        &self,
        company: &str,
        scopes: &str,
        limits: &str,
        expires_at: Option<Timestamp>,
    ) -> String {
        let new = app::keys::NewKey {
            company: CompanyId::parse(company).unwrap(),
            name: "made by a test".to_owned(),
            scopes: Scopes::parse(scopes.split_whitespace()).unwrap(),
            limits: app::limits::parse_all(limits).unwrap(),
            expires_at,
        };
        let command = self.command("key.create");
        app::keys::create(&self.app, &command, new, Reply::unkept())
            .await
            .unwrap_or_else(|error| panic!("{error}: {:?}", error.cause()))
            .key
            .expose()
            .to_owned()
    }

    /// Replaces a key; the old one is good for `grace` longer.
    pub async fn rotate(&self, key: &str, grace: Duration) -> String {
        let command = self.command("key.rotate");
        app::keys::rotate(&self.app, &command, key_id(key), grace, Reply::unkept())
            .await
            .unwrap_or_else(|error| panic!("{error}: {:?}", error.cause()))
            .key
            .expose()
            .to_owned()
    }

    /// Revokes a key.
    pub async fn revoke(&self, key: &str) {
        let command = self.command("key.revoke");
        app::keys::revoke(&self.app, &command, key_id(key), Reply::unkept())
            .await
            .map(drop)
            .unwrap_or_else(|error| panic!("{error}: {:?}", error.cause()));
    }

    /// An exchange as the command line opens one.
    pub fn command(&self, action: &'static str) -> Exchange {
        let id = uuid_v7(self.now(), self.app.random.as_ref()).to_string();
        let exchange = Exchange::new(id, self.now(), None, None);
        exchange.note_action(action);
        exchange.note_command();
        exchange
    }

    /// A request to be sent.
    pub fn call(&self, method: &str, path: &str) -> Call {
        Call::new(self.router.clone(), self.peer, method, path)
    }

    /// A POST to be sent.
    pub fn post(&self, path: &str) -> Call {
        self.call("POST", path)
    }

    /// A GET to be sent.
    pub fn get(&self, path: &str) -> Call {
        self.call("GET", path)
    }

    /// The audit log, log by log, in the order of commits.
    pub async fn records(&self) -> Vec<Located> {
        self.app
            .store
            .read(|mut tx| {
                Box::pin(async move {
                    let mut records = Vec::new();
                    for log in audit::logs(&mut tx).await? {
                        records.extend(audit::records(&mut tx, log, 0, i64::MAX).await?);
                    }
                    Ok(records)
                })
            })
            .await
            .unwrap()
    }

    /// The audit records of one request.
    pub async fn records_of(&self, request_id: &str) -> Vec<Located> {
        let mut records = self.records().await;
        records.retain(|located| *located.record.request_id == *request_id);
        records
    }

    /// How many requests were answered, by action, according to the audit log.
    pub async fn recorded(&self) -> BTreeMap<String, i64> {
        let mut actions = BTreeMap::new();
        for located in self.records().await {
            *actions.entry(located.record.action.into()).or_default() += located.record.occurrences;
        }
        actions
    }

    /// `audit verify`, which has to find nothing.
    pub async fn assert_audit_is_clean(&self) {
        let faults = self.audit_faults().await;
        assert!(faults.is_empty(), "the audit log is not whole: {faults:?}");
    }

    /// What `audit verify` finds.
    pub async fn audit_faults(&self) -> Vec<String> {
        self.verified_against(&[]).await
    }

    /// What `audit verify --checkpoints` finds.
    pub async fn verified_against(&self, kept: &[app::audit::Kept]) -> Vec<String> {
        let ring = key_ring(&[("k1", [0x42; 32]), ("k2", [0x43; 32])]);
        let kept_from = self.app.retention.must_be_kept_from(self.app.clock.now());
        let report = app::audit::verify(&self.app.store, Some(&ring), kept_from, kept, |_| {});
        let faults = report.await.unwrap().faults;
        faults.iter().map(ToString::to_string).collect()
    }

    /// Where requests are counted now.
    pub fn quota_health(&self) -> QuotaHealth {
        self.server.limiter.quota().health()
    }

    /// Random bytes, for names that no other test uses.
    pub fn nonce(&self) -> String {
        data_encoding::HEXLOWER.encode(&random::bytes::<8>(self.app.random.as_ref()))
    }
}

/// The public part of a key.
pub fn key_id(key: &str) -> &str {
    key.split('_').nth(1).unwrap()
}

fn key_ring(keys: &[(&'static str, [u8; 32])]) -> KeyRing {
    KeyRing::new(keys.iter().map(|(name, key)| (*name, key))).unwrap()
}

async fn quota(ground: &Ground) -> Arc<dyn Quota> {
    let clock = ground.clock.clone();
    let milliseconds: bonafide::quota::Milliseconds = Arc::new(move || clock.milliseconds());
    match &ground.redis {
        None => Arc::new(MemoryQuota::new(milliseconds)),
        Some(redis) => Arc::new(
            RedisQuota::connect(redis.url(), milliseconds, GENEROUS)
                .await
                .unwrap(),
        ),
    }
}
