//! The settings of an instance under test: those of the product, unless a test changes them.

use std::sync::Arc;
use std::time::Duration;

use app::limits::Limits;
use bonafide::config::OpenId;
use bonafide::http::conventions::edge;
use bonafide::http::hooks::Hooks;
use bonafide::outbound::{OpenIdClient, openid};
use bonafide::tokens::{Expected, Tokens};
use domain::order::Schedule;
use domain::rate::Limit;
use domain::span::Span;

/// `JWT_SECRET` of every instance whose settings say nothing else.
pub const JWT_SECRET: &[u8] = b"a secret for the tokens of tests, long enough";

/// `API_BASE_URL` of every instance.
pub const BASE_URL: &str = "https://verify.example.com";

/// What an operator can configure, as far as the router sees it.
#[derive(Clone)]
pub struct Settings {
    /// The master keys, the newest first.
    pub master_keys: Vec<(&'static str, [u8; 32])>,
    /// The general limits.
    pub limits: Limits,
    /// For how long things are kept.
    pub retention: domain::retention::Retention,
    /// The rules about ages.
    pub ages: app::ages::Policy,
    /// The rules about numbers.
    pub numbers: app::numbers::Policy,
    /// The rules about orders.
    pub orders: app::orders::Policy,
    /// What tokens are accepted.
    pub tokens: Arc<Tokens>,
    /// The identity provider that administrators sign in by.
    pub openid: Option<IdentityProvider>,
    /// Who may sign in by it.
    pub administrators: Option<app::console::Administrators>,
    /// Whose hooks are taken.
    pub hooks: Hooks,
    /// Where customers show their ID.
    pub veriff: Option<app::veriff::Veriff>,
    /// Whether records are archived at BigQuery.
    pub archives: bool,
    /// Whether mails leave by a mail server.
    pub mails: bool,
    pub erasure_list: Option<bonafide::erasure_list::ErasureList>,
    /// How checkpoints are told to whoever keeps them elsewhere.
    pub announce_checkpoints: Option<app::audit::Announce>,
    /// Whose requests are traced.
    pub tracer: Option<bonafide::telemetry::traces::Tracer>,
    /// How the edge behaves.
    pub edge: edge::Settings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            master_keys: vec![("k1", [0x42; 32])],
            limits: Limits {
                customers: limit("100/1m"),
                initiate: limit("100/1h"),
                status: limit("1000/1h"),
                submit: limit("10/1m"),
            },
            retention: domain::retention::Retention::default(),
            ages: app::ages::Policy::default(),
            numbers: app::numbers::Policy {
                lifetime: Span::seconds(600),
                base_url: BASE_URL.into(),
                render_event: bonafide::http::numbers::event,
                count: bonafide::metrics::numbers::count,
            },
            orders: app::orders::Policy {
                schedule: schedule(72, &[0, 24, 48, 68]),
                agreement: None,
                base_url: BASE_URL.into(),
                render_event: bonafide::http::orders::event,
                writes_back: None,
                square: None,
                count: bonafide::metrics::orders::count,
            },
            tokens: Arc::new(Tokens::new(JWT_SECRET, None, Expected::default())),
            openid: None,
            administrators: None,
            hooks: Hooks::default(),
            veriff: None,
            archives: false,
            mails: false,
            erasure_list: None,
            announce_checkpoints: None,
            tracer: None,
            edge: edge::Settings {
                trusted_proxies: Vec::new(),
                require_https: false,
                cors_origins: Vec::new(),
                timeout: Duration::from_secs(30),
            },
        }
    }
}

/// An identity provider, and how it is asked.
#[derive(Clone)]
pub struct IdentityProvider {
    pub openid: OpenId,
    pub patience: Duration,
    pub allow_private: bool,
}

impl IdentityProvider {
    /// A client of it, for an instance.
    pub fn client(self) -> OpenIdClient {
        let back = bonafide::http::console::sign_in_address(BASE_URL);
        let settings = openid::Settings {
            patience: self.patience,
            ..openid::Settings::usual(self.allow_private)
        };
        OpenIdClient::new(&self.openid, back, settings).unwrap()
    }
}

impl Settings {
    /// The same with another limit of Customers: `2/1m`, `off`.
    pub fn customers(mut self, text: &str) -> Self {
        self.limits.customers = limit(text);
        self
    }
}

/// A schedule in hours.
pub fn schedule(deadline: u64, reminders: &[u64]) -> Schedule {
    let hours = |hours: u64| Span::seconds(3600 * hours);
    let reminders = reminders.iter().map(|step| hours(*step)).collect();
    Schedule::new(hours(deadline), reminders).unwrap()
}

fn limit(text: &str) -> Limit {
    Limit::parse(text).unwrap()
}

/// How deliveries are made: with the pauses of the product.
pub fn deliveries() -> app::deliveries::Settings {
    let minutes = |count: u64| Duration::from_secs(60 * count);
    let pauses = vec![
        Duration::from_secs(5),
        Duration::from_secs(30),
        minutes(2),
        minutes(10),
        minutes(60),
        minutes(6 * 60),
        minutes(24 * 60),
    ];
    app::deliveries::Settings {
        schedule: domain::delivery::Schedule::new(pauses),
        timeout: Duration::from_secs(30),
    }
}
