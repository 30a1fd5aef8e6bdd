//! Putting the parts together as the configuration says, and the work that goes
//! on beside the requests.

use std::sync::Arc;
use std::time::Duration;

use app::archive::{self, Follower};
use app::audit::{Announcements, CHECKPOINT};
use app::deliveries::{self, Channels, Dispatcher, WEBHOOK, Webhooks};
use app::limits::{Limiter, Limits};
use app::mail::{Letters, MAIL, Mailer, Mails};
use app::orders::OrderLetters;
use app::quota::Quota;
use app::veriff::{Polled, Veriff};
use app::{App, Parts, ages, idempotency, inbox, numbers, orders, square};
use domain::age::{AgePolicy, AttemptPolicy};
use domain::clock::Clock;
use domain::delivery::Schedule;
use domain::random::Random;
use domain::seal::{IndexKey, KeyRing};
use futures_util::future::BoxFuture;
use store::postgres::Target;
use store::{Connections, Location, Store};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::ambient::{SystemClock, SystemRandom};
use crate::checkpoint_file::CheckpointFile;
use crate::cli::failure::Failure;
use crate::config::{self, Ages, Config, DatabaseUrl, IdentityProofs};
use crate::erasure_list::ErasureList;
use crate::http;
use crate::http::conventions::edge;
use crate::http::{Server, Shared};
use crate::integrations::{self, Integrations, gate};
use crate::mail::{self, MailServer, PrintedMail, SmtpMailer};
use crate::metrics;
use crate::outbound::HttpSender;
use crate::quota::memory::MemoryQuota;
use crate::quota::redis::{Patience, RedisQuota};
use crate::quota::steady_clock;
use crate::telemetry::traces::Tracer;
use crate::tokens::{Expected, Jwks, Tokens};

/// How often changed credentials are taken in.
const REFRESH: Duration = Duration::from_millis(250);

/// How often the counts of floods are looked at.
const FLOODS: Duration = Duration::from_secs(1);

/// How often the audit log's heads are signed.
const CHECKPOINTS: Duration = Duration::from_secs(60);

/// How often checkpoints are looked for that `CHECKPOINT_FILE` lacks.
const PUBLISHING: Duration = Duration::from_secs(5);
/// How often what was recorded is taken into the index of the audit log.
const INDEXING: Duration = Duration::from_secs(5);

/// How often it is looked for months to be made, and for what has been kept for long enough.
const RETENTION: Duration = Duration::from_secs(60 * 60);

/// How often idempotency keys whose time is over are cleared.
const CLEARING: Duration = Duration::from_secs(60);

/// How often sessions and orders are looked for whose time has come.
const SWEEPING: Duration = Duration::from_secs(1);

/// How often sessions of Veriff are looked for that are to be asked about.
const POLLING: Duration = Duration::from_secs(60);

/// How often the metrics learn how many deliveries wait and orders are held.
const DEPTH: Duration = Duration::from_secs(10);

/// How often what was observed is taken into the histograms.
const UPKEEP: Duration = Duration::from_secs(5);

/// How often the metrics learn where limits are counted.
const LIMITS_HEALTH: Duration = Duration::from_secs(1);

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
        hooks: integrations::hooks(config),
        veriff,
        archives: config.bigquery.is_some(),
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

/// Work that is done again and again beside the requests.
type Chore = fn(&App) -> BoxFuture<'_, app::Result<()>>;

/// When a chore is not done any more.
#[derive(Clone)]
struct Until {
    /// It is not begun again.
    begun: CancellationToken,
    /// It is cut off where it is.
    done: CancellationToken,
}

/// Starts what an instance that answers requests needs beside them, until `stop`. What is begun by
/// then is ended.
pub fn start_beside_requests(app: &Arc<App>, tasks: &TaskTracker, stop: &CancellationToken) {
    let until = Until {
        begun: stop.clone(),
        done: CancellationToken::new(),
    };
    let every = |period, failing, chore| {
        tasks.spawn(again(app.clone(), until.clone(), period, failing, chore))
    };
    every(REFRESH, "credentials are not refreshed", |app| {
        Box::pin(app.directory.refresh())
    });
    every(FLOODS, "floods are not recorded", |app| {
        Box::pin(app.recorder.record_floods(false))
    });
}

/// Starts the work that no request waits for, until `stop`. It is done in small transactions, and what
/// is left of it then is done after the next start.
pub fn start_workers(app: &Arc<App>, tasks: &TaskTracker, stop: &CancellationToken) {
    let until = Until {
        begun: stop.clone(),
        done: stop.clone(),
    };
    let every = |period, failing, chore| {
        tasks.spawn(again(app.clone(), until.clone(), period, failing, chore))
    };
    every(CHECKPOINTS, "checkpoints are not made", |app| {
        Box::pin(async { app.checkpoints.make().await.map(drop) })
    });
    every(INDEXING, "the audit log is not indexed", |app| {
        Box::pin(async { app::audit::extend_index(app).await.map(drop) })
    });
    every(INDEXING, "requests are not counted by the hour", |app| {
        Box::pin(app::audit::count_hours(app))
    });
    every(
        RETENTION,
        "old counts of requests are not forgotten",
        |app| Box::pin(async { app::audit::forget_hours(app).await.map(drop) }),
    );
    every(CLEARING, "sessions of the console are not cleared", |app| {
        Box::pin(app::console::clear(app))
    });
    every(RETENTION, "months of the audit log are not made", |app| {
        Box::pin(app::audit::make_months(app))
    });
    every(RETENTION, "what is too old is not taken away", |app| {
        Box::pin(async { app::retention::take_away(app).await.map(drop) })
    });
    every(
        SWEEPING,
        "sessions whose time is over are not swept",
        |app| Box::pin(async { numbers::sweep(app).await.map(drop) }),
    );
    tasks.spawn(look_at_held_orders(app.clone(), stop.clone()));
    every(SWEEPING, "held orders are not swept", |app| {
        Box::pin(async { orders::sweep(app).await.map(drop) })
    });
    every(SWEEPING, "proofs are not carried along merges", |app| {
        Box::pin(async { square::sweep(app).await.map(drop) })
    });
    every(DEPTH, "it is not known how many orders are held", |app| {
        Box::pin(async {
            metrics::orders::note_held(orders::held(app).await?);
            Ok(())
        })
    });
    every(DEPTH, "it is not known how many deliveries wait", |app| {
        Box::pin(async {
            let depth = deliveries::depth(app).await?;
            metrics::deliveries::note_depth(depth, app.clock.now());
            Ok(())
        })
    });
    every(DEPTH, "it is not known how many events wait", |app| {
        Box::pin(async {
            let depth = inbox::depth(app).await?;
            metrics::inbox::note_depth(depth, app.clock.now());
            Ok(())
        })
    });
    every(CLEARING, "old events are not deleted", |app| {
        Box::pin(async { inbox::clear(app).await.map(drop) })
    });
    every(
        CLEARING,
        "customers gone at Square are not forgotten",
        |app| Box::pin(async { square::clear(app).await.map(drop) }),
    );
    every(CLEARING, "idempotency keys are not cleared", |app| {
        Box::pin(async { idempotency::clean_up(app).await.map(drop) })
    });
    every(CLEARING, "addresses left alone are not cleared", |app| {
        Box::pin(async { app::mail::clean_up(app).await.map(drop) })
    });
}

/// Appends checkpoints to a file, until `stop`.
pub async fn publish_checkpoints(app: Arc<App>, file: CheckpointFile, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(PUBLISHING);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut well = true;
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let written = file.catch_up(&app).await;
        if let (Err(trouble), true) = (&written, well) {
            tracing::warn!(%trouble, "checkpoints are not written to CHECKPOINT_FILE");
        }
        well = written.is_ok();
        if !well {
            metrics::audit::note_file_failure();
        }
    }
}

/// Has orders that were held under other rules looked at under those of this instance: once, when the
/// database lets it.
async fn look_at_held_orders(app: Arc<App>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(SWEEPING);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        match orders::look_at_all(&app).await {
            Ok(_) => return,
            Err(error) => tracing::warn!(cause = error.cause(), "held orders are not looked at"),
        }
    }
}

/// Asks Veriff for decisions that no hook brought, until `stop`.
pub async fn poll_veriff(app: Arc<App>, veriff: Veriff, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(POLLING);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let polled = stop.run_until_cancelled(app::veriff::poll_due(&app, &veriff));
        match polled.await {
            Some(Ok(Polled {
                problem: Some(problem),
                ..
            })) => tracing::warn!(%problem, "missed decisions are not asked for"),
            Some(Err(error)) => {
                tracing::warn!(cause = error.cause(), "missed decisions are not asked for");
            }
            _ => {}
        }
    }
}

/// Copies to the archive, until `stop`; then another instance may go on at once.
pub async fn follow(mut follower: Follower, stop: CancellationToken) {
    let mut well = true;
    loop {
        let Some(step) = stop.run_until_cancelled(follower.step()).await else {
            break;
        };
        let pause = match step {
            Ok(next) => {
                well = true;
                next.pause()
            }
            Err(error) => {
                if std::mem::take(&mut well) {
                    tracing::warn!(cause = error.cause(), "nothing is archived");
                }
                SWEEPING
            }
        };
        let paused = stop.run_until_cancelled(tokio::time::sleep(pause));
        if paused.await.is_none() {
            break;
        }
    }
    if let Err(error) = follower.release().await {
        tracing::debug!(cause = error.cause(), "the archive's lease ends by itself");
    }
}

/// Tells the metrics how the archive stands, until `stop`.
pub async fn watch_archive(app: Arc<App>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(DEPTH);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let state = stop.run_until_cancelled(archive::state(&app));
        // What the database does not tell now, it tells later.
        if let Some(Ok(state)) = state.await {
            metrics::archive::note(&state, app.clock.now());
        }
    }
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

/// Keeps the metrics of this process in order, until `stop`.
pub async fn keep_metrics(stop: CancellationToken) {
    regularly(UPKEEP, &stop, metrics::upkeep).await;
}

/// Tells the metrics where limits are counted, until `stop`.
pub async fn watch_limits(server: Shared, stop: CancellationToken) {
    let note = || metrics::refusals::note_health(server.limiter.quota().health());
    regularly(LIMITS_HEALTH, &stop, note).await;
}

async fn regularly(period: Duration, stop: &CancellationToken, work: impl Fn()) {
    let mut ticks = tokio::time::interval(period);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        work();
    }
}

/// Records what is still only counted, and signs the log's end, for the file too if there is one.
pub async fn finish(app: &App, file: Option<&CheckpointFile>) {
    for result in [
        app.recorder.record_floods(true).await,
        app.checkpoints.make().await.map(drop),
    ] {
        if let Err(error) = result {
            tracing::warn!(cause = error.cause(), "the audit log's end is not signed");
        }
    }
    if let Some(file) = file
        && let Err(trouble) = file.catch_up(app).await
    {
        tracing::warn!(%trouble, "the last checkpoint is not in CHECKPOINT_FILE");
    }
}

async fn again(app: Arc<App>, until: Until, period: Duration, failing: &'static str, chore: Chore) {
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut well = true;
    while until
        .begun
        .run_until_cancelled(ticks.tick())
        .await
        .is_some()
    {
        let Some(result) = until.done.run_until_cancelled(chore(&app)).await else {
            return;
        };
        // One line when it begins to fail, not one every time.
        if let (Err(error), true) = (&result, well) {
            tracing::warn!(cause = error.cause(), "{failing}");
        }
        well = result.is_ok();
    }
}
