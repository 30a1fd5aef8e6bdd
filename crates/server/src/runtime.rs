//! Putting the parts together as the configuration says.

use std::sync::Arc;
use std::time::Duration;

use app::audit::{Announcements, CHECKPOINT};
use app::console::Administrators;
use app::deliveries::{self, Channels, Dispatcher, WEBHOOK, Webhooks};
use app::limits::{Limiter, Limits};
use app::mail::{Letters, MAIL, Mailer, Mails};
use app::orders::OrderLetters;
use app::quota::Quota;
use app::{App, Parts, ages, numbers, orders, square};
use domain::access::CompanyId;
use domain::age::{AgePolicy, AttemptPolicy};
use domain::clock::Clock;
use domain::delivery::Schedule;
use domain::random::Random;
use domain::seal::{IndexKey, KeyRing};
use store::postgres::Target;
use store::{Connections, Location, Store};

use crate::ambient::{SystemClock, SystemRandom};
use crate::cli::failure::Failure;
use crate::config::{self, Ages, Config, DatabaseUrl, IdentityProofs};
use crate::erasure_list::ErasureList;
use crate::http;
use crate::http::conventions::edge;
use crate::http::{Server, Shared};
use crate::integrations::{self, Integrations, gate};
use crate::mail::{self, MailServer, PrintedMail, SmtpMailer};
use crate::metrics;
use crate::outbound::{HttpSender, OpenIdClient, openid};
use crate::quota::memory::MemoryQuota;
use crate::quota::redis::{Patience, RedisQuota};
use crate::quota::steady_clock;
use crate::telemetry::traces::Tracer;
use crate::tokens::{Expected, Jwks, Tokens};

/// How long a start waits for a database that is away.
pub const START_PATIENCE: Duration = Duration::from_secs(30);

/// Which database the configuration names.
///
/// # Errors
/// When its address is not understood.
pub fn location(config: &Config) -> Result<Location, Failure> {
    match &config.storage.database {
        DatabaseUrl::Sqlite(path) => Ok(Location::Sqlite(path.clone())),
        DatabaseUrl::Postgres(url) => {
            let target = Target::parse(url.expose(), config.storage.ca_file.as_deref())
                .map_err(|problem| Failure::usage(format!("DATABASE_URL: {problem}")))?;
            Ok(Location::Postgres(Box::new(target)))
        }
    }
}

/// Brings the database up to date, waiting for one that is away as long as there
/// is patience.
///
/// # Errors
/// When it stays away, or refuses.
pub async fn migrate(location: &Location, patience: Duration) -> Result<usize, Failure> {
    if let Location::Sqlite(path) = location
        && let Some(folder) = path.parent()
    {
        std::fs::create_dir_all(folder).map_err(|error| {
            Failure::failed(format!(
                "the folder of the database cannot be made: {error}"
            ))
        })?;
    }
    let started = tokio::time::Instant::now();
    loop {
        match location.migrate().await {
            Ok(applied) => return Ok(applied),
            Err(error) if error.is_transient() && started.elapsed() < patience => {
                tracing::warn!(%error, "the database is away, trying again");
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            Err(error) => return Err(unusable(error)),
        }
    }
}

/// A database that stays away, or refuses.
#[allow(clippy::needless_pass_by_value, reason = "it is what map_err calls")]
pub fn unusable(error: store::Error) -> Failure {
    Failure::failed(format!("the database cannot be used: {error}"))
        .with_hint("`bonafide doctor` looks for the cause")
}

/// Opens the use cases over an up-to-date database.
///
/// # Errors
/// When the database is away or the keys are unusable.
pub async fn open(
    config: &Config,
    location: &Location,
    connections: Connections,
) -> Result<Arc<App>, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let random: Arc<dyn Random> = Arc::new(SystemRandom);
    let store = Store::open(location, connections, clock.clone())
        .await
        .map_err(|error| Failure::failed(format!("the database cannot be opened: {error}")))?;
    store.watch(metrics::audit::Watch);
    let parts = Parts {
        store: Arc::new(store),
        clock,
        random,
        index_key: IndexKey::new(config.secrets.index_key.expose().as_bytes()),
        key_ring: key_ring(config)?,
        retention: config.retention,
        ages: ages(config)?,
        numbers: numbers::Policy {
            lifetime: config.session_ttl,
            base_url: config.http.base_url.as_str().into(),
            render_event: http::numbers::event,
            count: metrics::numbers::count,
        },
        orders: orders::Policy {
            schedule: config.orders.schedule.clone(),
            agreement: config.orders.agreement.clone().map(Arc::new),
            base_url: config.http.base_url.as_str().into(),
            render_event: http::orders::event,
            writes_back: config
                .lightspeed
                .as_ref()
                .map(|_| config.integration_company.as_str().into()),
            square: config.square.as_ref().map(|square| square::Policy {
                company: config.integration_company.as_str().into(),
                shows: square.attribute.is_some(),
            }),
            count: metrics::orders::count,
        },
        administrators: administrators(config)?,
        announce_checkpoints: config
            .checkpoints
            .webhook_url
            .as_ref()
            .map(|_| http::audit::announcement as _),
    };
    let app = App::open(parts).await.map_err(|error| {
        let cause = error.cause().unwrap_or("no cause is known");
        Failure::failed(format!("the database cannot be read: {cause}"))
    })?;
    Ok(Arc::new(app))
}

/// Who may sign in to the console by an identity provider.
fn administrators(config: &Config) -> Result<Option<Administrators>, Failure> {
    let Some(openid) = &config.openid else {
        return Ok(None);
    };
    let company = CompanyId::parse(&config.integration_company)
        .map_err(|error| Failure::usage(format!("INTEGRATION_COMPANY: {error}")))?;
    let issuer = openid.issuer.as_str();
    let listed = Administrators::new(issuer, company, &openid.administrators);
    let listed = listed.map_err(|error| Failure::usage(format!("OIDC_ADMINS {error}")))?;
    Ok(Some(listed))
}

/// The client of the identity provider that administrators sign in by, if there is one.
///
/// # Errors
/// When the system's certificates cannot be used.
pub fn openid_client(config: &Config) -> Result<Option<OpenIdClient>, Failure> {
    let Some(openid) = &config.openid else {
        return Ok(None);
    };
    let back = http::console::sign_in_address(config.http.base_url.as_str());
    let settings = openid::Settings::usual(config.webhooks.allow_private_receivers);
    let client = OpenIdClient::new(openid, back, settings)
        .map_err(|error| Failure::failed(format!("OIDC_ISSUER cannot be asked: {error}")))?;
    Ok(Some(client))
}

fn ages(config: &Config) -> Result<ages::Policy, Failure> {
    let Ages {
        minimum,
        max_attempts,
        attempt_window,
        validity,
    } = config.ages;
    let unusable =
        |name: &str, error: &dyn std::fmt::Display| Failure::usage(format!("{name}: {error}"));
    Ok(ages::Policy {
        age: AgePolicy::new(minimum).map_err(|error| unusable("AGE_MINIMUM", &error))?,
        attempts: AttemptPolicy::new(max_attempts, attempt_window)
            .map_err(|error| unusable("AGE_MAX_ATTEMPTS, AGE_ATTEMPT_WINDOW", &error))?,
        lifetime: validity,
        proves_identity: config.identity_proofs == IdentityProofs::VeriffOrAge,
    })
}

fn key_ring(config: &Config) -> Result<KeyRing, Failure> {
    let keys = config
        .secrets
        .encryption_keys
        .iter()
        .map(|key| (key.id.as_str(), &key.key));
    KeyRing::new(keys).map_err(|error| Failure::usage(format!("ENCRYPTION_KEYS: {error}")))
}

/// What the routes work with.
///
/// # Errors
/// When Redis' address is not understood, or no client can be made.
pub async fn server(
    config: &Config,
    app: Arc<App>,
    tracer: Option<Tracer>,
) -> Result<Shared, Failure> {
    let veriff = Integrations::open(config, &app.clock)?.veriff(config);
    let limits = Limits {
        customers: config.limits.customers,
        initiate: config.limits.initiate,
        status: config.limits.status,
        submit: config.limits.submit,
    };
    Ok(Arc::new(Server {
        app,
        limiter: Limiter::new(limits, quota(&config.redis).await?),
        tokens: Arc::new(tokens(config)?),
        openid: openid_client(config)?,
        hooks: integrations::hooks(config),
        veriff,
        archives: config.bigquery.is_some(),
        mails: config.mail.smtp.is_some(),
        integration_company: config.integration_company.as_str().into(),
        erasure_list: config.erasure_list.clone().map(ErasureList::at),
        tracer,
        edge: edge::Settings {
            trusted_proxies: config.http.trusted_proxies.clone(),
            require_https: config.http.require_https,
            cors_origins: config
                .http
                .cors_origins
                .iter()
                .filter_map(|origin| origin.parse().ok())
                .collect(),
            timeout: config.http.request_timeout,
        },
    }))
}

/// What checks and signs tokens.
///
/// # Errors
/// When no HTTP client can be made for the identity provider's keys.
pub fn tokens(config: &Config) -> Result<Tokens, Failure> {
    let jwks = config.tokens.jwks_url.as_ref();
    let jwks = jwks
        .map(|url| Jwks::new(url.as_str()))
        .transpose()
        .map_err(|error| Failure::failed(format!("JWT_JWKS_URL cannot be used: {error}")))?;
    let tokens = Tokens::new(
        config.secrets.jwt_secret.expose().as_bytes(),
        jwks,
        Expected {
            issuer: config.tokens.issuer.clone(),
            audience: config.tokens.audience.clone(),
        },
    );
    Ok(match &config.tokens.previous_secret {
        Some(secret) => tokens.with_previous(secret.expose().as_bytes()),
        None => tokens,
    })
}

async fn quota(nodes: &[config::Secret]) -> Result<Arc<dyn Quota>, Failure> {
    if nodes.is_empty() {
        return Ok(Arc::new(MemoryQuota::new(steady_clock())));
    }
    let url = nodes
        .iter()
        .map(config::Secret::expose)
        .collect::<Vec<_>>()
        .join(",");
    let quota = RedisQuota::connect(&url, steady_clock(), Patience::default())
        .await
        .map_err(|error| Failure::usage(format!("REDIS_URL: {error}")))?;
    Ok(Arc::new(quota))
}

/// What makes the deliveries.
///
/// # Errors
/// When the system's certificates cannot be used.
pub fn dispatcher(
    config: &Config,
    app: &Arc<App>,
    integrations: &Integrations,
) -> Result<Dispatcher, Failure> {
    let sender = HttpSender::new((&config.webhooks).into(), app.clock.clone())
        .map_err(|error| Failure::failed(format!("webhooks cannot be sent: {error}")))?;
    let settings = deliveries::Settings {
        schedule: Schedule::new(config.webhooks.backoff.clone()),
        timeout: config.webhooks.timeout,
    };
    let sender = Arc::new(metrics::deliveries::Counted(sender));
    let mut channels = Channels::default();
    if let Some(url) = &config.checkpoints.webhook_url {
        let announcements = Announcements::new(url.expose(), sender.clone());
        channels = channels.with(CHECKPOINT, announcements);
    }
    let channels = channels.with(WEBHOOK, Webhooks::new(app.clone(), sender));
    let letters = Arc::new(OrderLetters::new(app.clone()));
    let channels = channels.with(MAIL, mails(config, app, letters)?);
    let channels = integrations.channels(channels, config, app, &gate(app));
    Ok(Dispatcher::new(app.clone(), channels, settings))
}

/// The channel of mails; `letters` knows what there is to say.
///
/// # Errors
/// When the mail server or the sender is not understood.
pub fn mails(config: &Config, app: &Arc<App>, letters: Arc<dyn Letters>) -> Result<Mails, Failure> {
    let base_url = config.http.base_url.as_str();
    let mailer: Arc<dyn Mailer> = match mail_server(config)? {
        Some(server) => {
            let sender = mail::Sender::parse(&config.mail.from)
                .map_err(|error| Failure::usage(format!("MAIL_FROM: {error}")))?;
            let timeout = config.webhooks.timeout;
            let mailer = SmtpMailer::new(server, sender, config.http.base_url.host(), timeout);
            Arc::new(metrics::deliveries::Counted(mailer))
        }
        None => Arc::new(metrics::deliveries::Counted(PrintedMail::new(base_url))),
    };
    let policy = app::mail::Policy {
        base_url: base_url.into(),
        render: mail::render,
    };
    Ok(Mails::new(app.clone(), letters, mailer, policy))
}

/// The mail server, if there is one.
///
/// # Errors
/// When its address or its authorities are not understood.
pub fn mail_server(config: &Config) -> Result<Option<MailServer>, Failure> {
    let Some(url) = &config.mail.smtp else {
        return Ok(None);
    };
    let server = MailServer::parse(url, config.mail.ca_file.as_deref());
    let server = server.map_err(|problem| Failure::usage(format!("SMTP_URL: {problem}")))?;
    Ok(Some(server))
}
