//! The groups of settings that the parts of the server take, and how each is read.
//!
//! Each reads all of its settings before it gives up on one, so that all mistakes are noted.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use domain::agreement::Agreement;
use domain::order::Schedule;
use domain::rate::Limit;
use domain::retention::Retention;
use domain::span::Span;
use ipnet::IpNet;
use tracing_subscriber::filter::Targets;
use url::Url;

use super::kinds::{BaseUrl, DatabaseUrl, LogFormat};
use super::reader::Reader;
use super::secret::Secret;
use super::settings;
use crate::http::tls::TlsFiles;

/// Where everything is kept.
#[derive(Clone, Debug)]
pub struct Storage {
    /// The database.
    pub database: DatabaseUrl,
    /// Certificates to trust when connecting to PostgreSQL.
    pub ca_file: Option<PathBuf>,
    /// Whether `serve` migrates.
    pub auto_migrate: bool,
    /// Where generated secrets are kept.
    pub data_dir: PathBuf,
}

impl Storage {
    pub(super) fn read(read: &mut Reader<'_>) -> Option<Self> {
        let database = read.value(&settings::DATABASE_URL);
        let ca_file = read.optional(&settings::DATABASE_CA_FILE);
        let auto_migrate = read.value(&settings::AUTO_MIGRATE);
        let data_dir = read.value(&settings::DATA_DIR);
        Some(Self {
            database: database?,
            ca_file,
            auto_migrate: auto_migrate?,
            data_dir: data_dir?,
        })
    }
}

/// The server's address and its connections.
#[derive(Clone, Debug)]
pub struct Http {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The address that others use.
    pub base_url: BaseUrl,
    /// Whether plain requests are refused.
    pub require_https: bool,
    /// The certificate and its key, to serve HTTPS directly.
    pub tls: Option<TlsFiles>,
    /// Whose forwarded headers count.
    pub trusted_proxies: Vec<IpNet>,
    /// Web pages that may call, as `scheme://host[:port]`.
    pub cors_origins: Vec<String>,
    /// The longest request.
    pub request_timeout: Duration,
    /// The longest shutdown.
    pub shutdown_timeout: Duration,
    /// Connections served at once.
    pub max_connections: u32,
}

impl Http {
    pub(super) fn read(read: &mut Reader<'_>) -> Option<Self> {
        let bind = read.value(&settings::BIND);
        let port = read.value(&settings::PORT);
        let base_url = read.optional(&settings::API_BASE_URL);
        let tls = tls_files(read);
        let trusted_proxies = read.optional(&settings::TRUSTED_PROXIES);
        let cors_origins = read.optional(&settings::CORS_ORIGINS);
        let request_timeout = read.value(&settings::REQUEST_TIMEOUT);
        let shutdown_timeout = read.value(&settings::SHUTDOWN_TIMEOUT);
        let max_connections = read.value(&settings::MAX_CONNECTIONS);
        let base_url =
            base_url.unwrap_or_else(|| BaseUrl::localhost(tls.is_some(), port.unwrap_or_default()));
        let require_https = require_https(read, &base_url);
        Some(Self {
            listen: SocketAddr::new(bind?, port?),
            base_url,
            require_https,
            tls,
            trusted_proxies: trusted_proxies.unwrap_or_default(),
            cors_origins: cors_origins.unwrap_or_default(),
            request_timeout: request_timeout?,
            shutdown_timeout: shutdown_timeout?,
            max_connections: max_connections?,
        })
    }
}

/// Tokens of others.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// Where their public keys are.
    pub jwks_url: Option<Url>,
    /// The `iss` they must carry.
    pub issuer: Option<String>,
    /// The `aud` they must carry.
    pub audience: Option<String>,
    /// The secret of our own before, whose tokens are still accepted.
    pub previous_secret: Option<Secret>,
}

impl Tokens {
    pub(super) fn read(read: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            jwks_url: read.optional(&settings::JWT_JWKS_URL),
            issuer: read.optional(&settings::JWT_ISSUER),
            audience: read.optional(&settings::JWT_AUDIENCE),
            previous_secret: read.optional(&settings::JWT_PREVIOUS_SECRET),
        })
    }
}

/// How often each caller may ask.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Customers and Orders, per API key.
    pub customers: Limit,
    /// Number verifications begun, per company.
    pub initiate: Limit,
    /// Status of number verifications, per company.
    pub status: Limit,
    /// Submissions, per number verification.
    pub submit: Limit,
}

impl Limits {
    pub(super) fn read(read: &mut Reader<'_>) -> Option<Self> {
        let customers = read.value(&settings::LIMIT_CUSTOMERS);
        let initiate = read.value(&settings::LIMIT_INITIATE);
        let status = read.value(&settings::LIMIT_STATUS);
        let submit = read.value(&settings::LIMIT_SUBMIT);
        Some(Self {
            customers: customers?,
            initiate: initiate?,
            status: status?,
            submit: submit?,
        })
    }
}

/// The rules of age verifications.
#[derive(Clone, Debug)]
pub struct Ages {
    /// In years.
    pub minimum: u8,
    /// Refused attempts before a pause.
    pub max_attempts: u32,
    /// What they are counted in.
    pub attempt_window: Span,
    /// How long a verification holds.
    pub validity: Span,
}

impl Ages {
    pub(super) fn read(read: &mut Reader<'_>) -> Option<Self> {
        let minimum = read.value(&settings::AGE_MINIMUM);
        let max_attempts = read.value(&settings::AGE_MAX_ATTEMPTS);
        let attempt_window = read.value(&settings::AGE_ATTEMPT_WINDOW);
        let validity = read.value(&settings::AGE_VALIDITY);
        Some(Self {
            minimum: minimum?,
            max_attempts: max_attempts?,
            attempt_window: attempt_window?,
            validity: validity?,
        })
    }
}

/// How long things are kept.
pub(super) fn retention(read: &mut Reader<'_>) -> Option<Retention> {
    let records = read.value(&settings::AUDIT_RETENTION);
    let minimum = read.value(&settings::RETENTION_MINIMUM);
    let sessions = read.value(&settings::SESSION_RETENTION);
    let retention = Retention::new(records?, minimum?, sessions?).map_err(|error| {
        let about = &settings::AUDIT_RETENTION.about;
        read.problems.add(about.name, error.to_string());
    });
    retention.ok()
}

/// Held orders.
#[derive(Clone, Debug)]
pub struct Orders {
    /// How long an order is held, and when its customer is reminded.
    pub schedule: Schedule,
    /// What customers can sign on their page.
    pub agreement: Option<Agreement>,
}

impl Orders {
    pub(super) fn read(read: &mut Reader<'_>) -> Option<Self> {
        let deadline = read.value(&settings::HOLD_DEADLINE);
        let reminders = read.value(&settings::REMINDERS);
        let agreement = read.optional(&settings::MEMBERSHIP_AGREEMENT);
        let schedule = Schedule::new(deadline?, reminders?).map_err(|error| {
            let about = &settings::REMINDERS.about;
            let text = format!("do not go with HOLD_DEADLINE: {error}");
            read.problems.add(about.name, text);
        });
        Some(Self {
            schedule: schedule.ok()?,
            agreement,
        })
    }
}

/// Where checkpoints of the audit log are kept beside the database.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    /// A file that they are appended to.
    pub file: Option<PathBuf>,
    /// An address that they are sent to.
    pub webhook_url: Option<Secret>,
}

impl Checkpoints {
    pub(super) fn read(read: &mut Reader<'_>) -> Self {
        Self {
            file: read.optional(&settings::CHECKPOINT_FILE),
            webhook_url: read.optional(&settings::CHECKPOINT_WEBHOOK_URL),
        }
    }
}

/// Outgoing webhooks.
#[derive(Clone, Debug)]
pub struct Webhooks {
    /// The longest wait for an answer.
    pub timeout: Duration,
    /// The pauses between attempts.
    pub backoff: Vec<Duration>,
    /// Whether they may reach loopback and private addresses.
    pub allow_private_receivers: bool,
}

impl Webhooks {
    pub(super) fn read(read: &mut Reader<'_>) -> Option<Self> {
        let timeout = read.value(&settings::WEBHOOK_TIMEOUT);
        let backoff = read.value(&settings::WEBHOOK_BACKOFF);
        let allow_private_receivers = read.value(&settings::ALLOW_PRIVATE_RECEIVERS);
        Some(Self {
            timeout: timeout?,
            backoff: backoff?,
            allow_private_receivers: allow_private_receivers?,
        })
    }
}

/// Outgoing mail.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The server; without it mails go to the log.
    pub smtp: Option<Secret>,
    /// Certificates to trust when connecting to it.
    pub ca_file: Option<PathBuf>,
    /// The sender.
    pub from: String,
}

impl Mail {
    pub(super) fn read(read: &mut Reader<'_>) -> Option<Self> {
        let smtp = read.optional(&settings::SMTP_URL);
        let ca_file = read.optional(&settings::SMTP_CA_FILE);
        let from = read.value(&settings::MAIL_FROM);
        Some(Self {
            smtp,
            ca_file,
            from: from?,
        })
    }
}

/// Logs, metrics, traces, errors.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// What is logged.
    pub log_level: Targets,
    /// How it looks.
    pub log_format: LogFormat,
    /// Where Prometheus finds the metrics without a credential.
    pub metrics: Option<SocketAddr>,
    /// Where errors are reported.
    pub sentry_dsn: Option<Secret>,
    /// Where traces go.
    pub otlp_endpoint: Option<BaseUrl>,
    /// What is sent along with them.
    pub otlp_headers: Option<Secret>,
    /// Of the requests that come without a trace, this share begins one: 0 to 1.
    pub traced_share: f64,
}

impl Telemetry {
    pub(super) fn read(read: &mut Reader<'_>) -> Option<Self> {
        let log_level = read.value(&settings::LOG_LEVEL);
        let log_format = read.value(&settings::LOG_FORMAT);
        let metrics = read.optional(&settings::METRICS_BIND);
        let sentry_dsn = read.optional(&settings::SENTRY_DSN);
        let otlp_endpoint = read.optional(&settings::OTEL_EXPORTER_OTLP_ENDPOINT);
        let otlp_headers = read.optional(&settings::OTEL_EXPORTER_OTLP_HEADERS);
        let traced_share = read.value(&settings::OTEL_TRACES_SAMPLER_ARG);
        Some(Self {
            log_level: log_level?,
            log_format: log_format?,
            metrics,
            sentry_dsn,
            otlp_endpoint,
            otlp_headers,
            traced_share: traced_share?,
        })
    }
}

/// On whenever the outside address is https. Switching it off there would let what the address
/// promises be broken unseen, so it is a mistake.
fn require_https(read: &mut Reader<'_>, base_url: &BaseUrl) -> bool {
    let explicit = read.optional(&settings::REQUIRE_HTTPS);
    if explicit == Some(false) && base_url.is_https() {
        let text =
            "cannot be false while API_BASE_URL is https, as it is by default where TLS is served";
        read.problems.add(settings::REQUIRE_HTTPS.about.name, text);
    }
    explicit.unwrap_or_default() || base_url.is_https()
}

fn tls_files(read: &mut Reader<'_>) -> Option<TlsFiles> {
    let certificate = read.optional(&settings::TLS_CERT_FILE);
    let key = read.optional(&settings::TLS_KEY_FILE);
    read.all_or_none(&[
        &settings::TLS_CERT_FILE.about,
        &settings::TLS_KEY_FILE.about,
    ]);
    Some(TlsFiles {
        certificate: certificate?,
        key: key?,
    })
}
