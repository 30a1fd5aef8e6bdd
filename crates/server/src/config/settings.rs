//! The table of settings: one entry for each variable of the environment.
//!
//! Everything that knows about settings is made from this table: reading, the report of mistakes,
//! `.env.example` and `docs/configuration.md`. A variable that is not here does not exist.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use domain::age::State;
use domain::agreement::Agreement;
use domain::rate::Limit;
use domain::span::Span;
use ipnet::IpNet;
use tracing_subscriber::filter::Targets;
use url::Url;

use super::kinds::{self, BaseUrl, DatabaseUrl, IdentityProofs, LogFormat};
use super::openid::Issuer;
use super::secret::{EncryptionKey, Secret};

/// The part of the product that a setting belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Where everything is kept.
    Storage,
    /// Keys of our own.
    Secrets,
    /// The server's address and its connections.
    Http,
    /// Tokens of others.
    Tokens,
    /// Signing in to the console by an identity provider.
    Console,
    /// How often each caller may ask.
    Limits,
    /// Identity, ages, numbers and orders.
    Verification,
    /// Records and their retention.
    Audit,
    /// Outgoing webhooks.
    Webhooks,
    /// Outgoing mail.
    Mail,
    /// Logs, metrics, traces, errors.
    Telemetry,
    /// Lightspeed eCom.
    Lightspeed,
    /// Square.
    Square,
    /// Veriff.
    Veriff,
    /// BigQuery.
    BigQuery,
}

impl Part {
    /// The heading of this part in the documentation.
    pub fn title(self) -> &'static str {
        match self {
            Self::Storage => "Storage",
            Self::Secrets => "Secrets",
            Self::Http => "Server",
            Self::Tokens => "Tokens signed elsewhere",
            Self::Console => "Signing in to the console (OpenID Connect)",
            Self::Limits => "Limits",
            Self::Verification => "Verification",
            Self::Audit => "Audit",
            Self::Webhooks => "Webhooks",
            Self::Mail => "Mail",
            Self::Telemetry => "Watching it",
            Self::Lightspeed => "Lightspeed eCom",
            Self::Square => "Square",
            Self::Veriff => "Veriff",
            Self::BigQuery => "BigQuery",
        }
    }
}

/// What holds when a variable is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// This value, as one would write it.
    Default(&'static str),
    /// What the words say.
    Nothing(&'static str),
    /// It is generated with the embedded database and required with PostgreSQL.
    Generated,
}

/// What everybody may know about a setting.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// The name of the variable.
    pub name: &'static str,
    /// What it belongs to.
    pub part: Part,
    /// How its values are written.
    pub form: &'static str,
    /// Whether its value must not be shown.
    pub secret: bool,
    /// What holds when it is not set.
    pub otherwise: Otherwise,
    /// What it does, line by line.
    pub help: &'static [&'static str],
}

impl About {
    /// The help as one line of text.
    pub fn help_text(&self) -> String {
        let lines: Vec<&str> = self.help.iter().map(|line| line.trim()).collect();
        lines.join(" ")
    }
}

/// A setting whose values are read as `T`.
pub struct Setting<T: 'static> {
    /// What everybody may know about it.
    pub about: About,
    /// Reads a value; the error completes the sentence "NAME …".
    pub parse: fn(&str) -> Result<T, String>,
}

macro_rules! settings {
    ($($part:ident { $($(#[doc = $help:literal])+ $name:ident: $type:ty = $kind:path, $otherwise:expr;)+ })+) => {
        $($(
            $(#[doc = $help])+
            pub static $name: Setting<$type> = Setting {
                about: About {
                    name: stringify!($name),
                    part: Part::$part,
                    form: $kind.form,
                    secret: $kind.secret,
                    otherwise: $otherwise,
                    help: &[$($help),+],
                },
                parse: $kind.parse,
            };
        )+)+

        /// Every setting, in the order of the documentation.
        pub static ALL: &[&About] = &[$($(&$name.about),+),+];
    };
}

use Otherwise::{Default, Generated, Nothing};

settings! {
    Storage {
        /// Where everything is kept: a file (`sqlite://relative/path` or `sqlite:///absolute/path`), or
        /// PostgreSQL 13 or newer (`postgres://user:password@host/database`; several hosts with commas
        /// between them, and `target_session_attrs=read-write` to find the primary).
        DATABASE_URL: DatabaseUrl = kinds::DATABASE, Default("sqlite://data/bonafide.db");
        /// Certificates (PEM) to trust when connecting to PostgreSQL, for managed databases with an
        /// authority of their own.
        DATABASE_CA_FILE: PathBuf = kinds::PATH, Nothing("public authorities");
        /// Whether `serve` brings the database up to date by itself before it starts.
        AUTO_MIGRATE: bool = kinds::FLAG, Default("true");
        /// Where `secrets.toml` is kept when secrets are generated.
        DATA_DIR: PathBuf = kinds::PATH, Default("./data");
        /// Shares the limits between instances. For Redis Cluster name some of its nodes, separated by
        /// commas.
        REDIS_URL: Vec<Secret> = kinds::REDIS, Nothing("limits are kept in memory");
    }
    Secrets {
        /// The keys that personal data is sealed under. The first seals, all of them open. Make one with
        /// `echo "k1:$(openssl rand -base64 32)"`.
        ENCRYPTION_KEYS: Vec<EncryptionKey> = kinds::ENCRYPTION_KEYS, Generated;
        /// The key of the look-ups by e-mail address and phone number. It cannot be changed later.
        INDEX_KEY: Secret = kinds::LONG_SECRET, Generated;
        /// Signs and checks the tokens of this installation (HS256).
        JWT_SECRET: Secret = kinds::LONG_SECRET, Generated;
        /// The secret before, while `JWT_SECRET` is replaced: what it signed is still accepted.
        JWT_PREVIOUS_SECRET: Secret = kinds::LONG_SECRET, Nothing("none");
    }
    Http {
        /// The address to listen on; `0.0.0.0` for every network.
        BIND: IpAddr = kinds::IP_ADDRESS, Default("127.0.0.1");
        /// The port to listen on.
        PORT: u16 = kinds::PORT, Default("3000");
        /// The address that others reach this server at; links are made from it.
        API_BASE_URL: BaseUrl = kinds::BASE_URL, Nothing("`http://localhost:PORT`, with TLS `https://localhost:PORT`");
        /// Refuses requests that did not come by HTTPS. It is always on when `API_BASE_URL` is https; to say
        /// `false` there is a mistake.
        REQUIRE_HTTPS: bool = kinds::FLAG, Nothing("on when `API_BASE_URL` is https");
        /// The certificate chain (PEM) to serve HTTPS with, together with `TLS_KEY_FILE`. A renewed file
        /// is taken up by itself.
        TLS_CERT_FILE: PathBuf = kinds::PATH, Nothing("plain HTTP");
        /// The private key (PEM) of the certificate.
        TLS_KEY_FILE: PathBuf = kinds::PATH, Nothing("plain HTTP");
        /// The proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` headers count.
        TRUSTED_PROXIES: Vec<IpNet> = kinds::NETWORKS, Nothing("such headers are ignored");
        /// The web pages whose scripts may call this server.
        CORS_ORIGINS: Vec<String> = kinds::ORIGINS, Nothing("none");
        /// The longest that one request may take.
        REQUEST_TIMEOUT: Duration = kinds::TIMEOUT, Default("10s");
        /// The longest that a shutdown waits for requests and deliveries under way.
        SHUTDOWN_TIMEOUT: Duration = kinds::TIMEOUT, Default("25s");
        /// Connections served at once; further ones wait.
        MAX_CONNECTIONS: u32 = kinds::COUNT, Default("10000");
    }
    Tokens {
        /// Where the public keys are (JWKS) of an identity provider whose tokens are accepted too (RS256,
        /// ES256, EdDSA).
        JWT_JWKS_URL: Url = kinds::DOCUMENT_URL, Nothing("only `JWT_SECRET` counts");
        /// The `iss` that a token must carry.
        JWT_ISSUER: String = kinds::TEXT, Nothing("not checked");
        /// The `aud` that a token must carry.
        JWT_AUDIENCE: String = kinds::TEXT, Nothing("not checked");
    }
    Console {
        /// The identity provider, exactly as it calls itself: the `issuer` of its
        /// `/.well-known/openid-configuration`.
        OIDC_ISSUER: Issuer = kinds::ISSUER, Nothing("off");
        /// What the provider calls this installation.
        OIDC_CLIENT_ID: String = kinds::TEXT, Nothing("off");
        /// The secret that the provider gave for it; a public client has none.
        OIDC_CLIENT_SECRET: Secret = kinds::TOKEN, Nothing("none");
        /// Who may sign in, and nobody else: e-mail addresses that the provider has verified, and subjects
        /// (`sub`). They look after the company `INTEGRATION_COMPANY`.
        OIDC_ADMINS: Vec<String> = kinds::ADMINISTRATORS, Nothing("off");
    }
    Limits {
        /// Requests of one API key to Customers and Orders together.
        LIMIT_CUSTOMERS: Limit = kinds::LIMIT, Default("100/1m");
        /// Number verifications that a company may start.
        LIMIT_INITIATE: Limit = kinds::LIMIT, Default("100/1h");
        /// Status requests of a company for number verifications.
        LIMIT_STATUS: Limit = kinds::LIMIT, Default("1000/1h");
        /// Submissions to one number verification.
        LIMIT_SUBMIT: Limit = kinds::LIMIT, Default("10/1m");
    }
    Verification {
        /// What proves a customer's identity: `veriff` (an approved document), or `veriff,age` (an unexpired
        /// age verification does as well).
        IDENTITY_PROOFS: IdentityProofs = kinds::IDENTITY_PROOFS, Default("veriff");
        /// The age that a customer must have reached.
        AGE_MINIMUM: u8 = kinds::AGE, Default("21");
        /// Refused age verifications of a customer before a pause.
        AGE_MAX_ATTEMPTS: u32 = kinds::COUNT, Default("3");
        /// The time that refused age verifications are counted in, from the first of them.
        AGE_ATTEMPT_WINDOW: Span = kinds::PERIOD, Default("24h");
        /// How long an age verification holds.
        AGE_VALIDITY: Span = kinds::PERIOD, Default("1y");
        /// How long a number verification stays open.
        SESSION_TTL: Span = kinds::PERIOD, Default("10m");
        /// How long an order is held for what is missing.
        HOLD_DEADLINE: Span = kinds::PERIOD, Default("72h");
        /// When the customer of a held order is reminded, counted from the order: ascending, and all before
        /// the deadline.
        REMINDERS: Vec<Span> = kinds::SPANS, Default("0h,24h,48h,68h");
        /// The membership agreement that customers can sign on their page; without one the page leaves it
        /// to the shop.
        MEMBERSHIP_AGREEMENT: Agreement = kinds::AGREEMENT, Nothing("signed elsewhere");
        /// The company that the integrations below work for.
        INTEGRATION_COMPANY: String = kinds::TEXT, Default("default");
    }
    Audit {
        /// How long audit records and age verifications are kept.
        AUDIT_RETENTION: Span = kinds::SPAN, Default("7y");
        /// The shortest time that may be set for that, by law or by your own rule.
        RETENTION_MINIMUM: Span = kinds::SPAN, Default("2557d");
        /// How long number verifications that are over are kept, and what was sent and received.
        SESSION_RETENTION: Span = kinds::SPAN, Default("90d");
        /// Where the names of destroyed data keys are written down, one erasure a line; read at the start, so
        /// that a restored backup forgets again. Keep it apart from the backups.
        ERASURE_LIST_FILE: PathBuf = kinds::PATH, Nothing("only `bonafide customers erasures`");
        /// Each checkpoint of the audit log is appended to this file, as a line of JSON. Keep it where
        /// those who can write to the database cannot.
        CHECKPOINT_FILE: PathBuf = kinds::PATH, Nothing("none");
        /// Each checkpoint of the audit log is sent to this address.
        CHECKPOINT_WEBHOOK_URL: Secret = kinds::SECRET_URL, Nothing("none");
    }
    Webhooks {
        /// The longest wait for a receiver's answer.
        WEBHOOK_TIMEOUT: Duration = kinds::TIMEOUT, Default("30s");
        /// The pauses between the attempts of a delivery.
        WEBHOOK_BACKOFF: Vec<Duration> = kinds::PAUSES, Default("5s,30s,2m,10m,1h,6h,24h");
        /// Lets webhooks reach loopback and private addresses, and an identity provider name such.
        ALLOW_PRIVATE_RECEIVERS: bool = kinds::FLAG, Default("false");
    }
    Mail {
        /// The mail server. `smtp://` is encrypted when the server offers it, `smtps://` from the start.
        SMTP_URL: Secret = kinds::SMTP, Nothing("mails are printed to the log");
        /// The certificate authorities (PEM) to trust for the mail server, in place of the system's.
        SMTP_CA_FILE: PathBuf = kinds::PATH, Nothing("those of the system");
        /// The sender of mails.
        MAIL_FROM: String = kinds::MAILBOX, Default("Bonafide <bonafide@localhost>");
    }
    Telemetry {
        /// What is logged: a level, and levels of single modules.
        LOG_LEVEL: Targets = kinds::LOG_LEVEL, Default("info");
        /// How log lines look, which go to the standard error output.
        LOG_FORMAT: LogFormat = kinds::LOG_FORMAT, Default("text");
        /// Where Prometheus finds the metrics without a credential.
        METRICS_BIND: SocketAddr = kinds::SOCKET_ADDRESS, Nothing("`/metrics`, for administrators");
        /// Reports errors, panics and outages to Sentry, and nobody's data.
        SENTRY_DSN: Secret = kinds::SECRET_URL, Nothing("off");
        /// Sends traces to an OpenTelemetry collector, by OTLP over HTTP: to `/v1/traces` at this address.
        OTEL_EXPORTER_OTLP_ENDPOINT: BaseUrl = kinds::BASE_URL, Nothing("off");
        /// What is sent to the collector with each request, such as a key.
        OTEL_EXPORTER_OTLP_HEADERS: Secret = kinds::HEADERS, Nothing("none");
        /// Of the requests that come without a `traceparent`, this share begins a trace; with one, the
        /// caller decides.
        OTEL_TRACES_SAMPLER_ARG: f64 = kinds::SHARE, Default("0.1");
    }
    Lightspeed {
        /// The address of the API, with its version.
        LIGHTSPEED_API_URL: BaseUrl = kinds::BASE_URL, Default("https://app.ecwid.com/api/v3");
        /// The number of the store.
        LIGHTSPEED_STORE_ID: String = kinds::TEXT, Nothing("off");
        /// The access token of the app.
        LIGHTSPEED_TOKEN: Secret = kinds::TOKEN, Nothing("off");
        /// The client secret of the app, which signs its webhooks.
        LIGHTSPEED_CLIENT_SECRET: Secret = kinds::TOKEN, Nothing("off");
        /// The client secret before, while the app changes to another one.
        LIGHTSPEED_PREVIOUS_CLIENT_SECRET: Secret = kinds::TOKEN, Nothing("none");
        /// The fulfilment status of orders that must not ship. A change of status sends the customer a mail,
        /// unless the shop is told not to.
        LIGHTSPEED_HELD_STATUS: String = kinds::WORD, Nothing("the status is left alone");
        /// The fulfilment status of orders that were held and may ship.
        LIGHTSPEED_RELEASED_STATUS: String = kinds::WORD, Nothing("the status is left alone");
    }
    Square {
        /// The address of the API: scheme and host.
        SQUARE_API_URL: BaseUrl = kinds::BASE_URL, Default("https://connect.squareup.com");
        /// The access token.
        SQUARE_ACCESS_TOKEN: Secret = kinds::TOKEN, Nothing("off");
        /// The signature key of the webhook subscription.
        SQUARE_SIGNATURE_KEY: Secret = kinds::TOKEN, Nothing("off");
        /// The signature key before, while Square changes to another one.
        SQUARE_PREVIOUS_SIGNATURE_KEY: Secret = kinds::TOKEN, Nothing("none");
        /// The notification address of the webhook subscription, exactly as given there.
        SQUARE_NOTIFICATION_URL: String = kinds::TEXT, Nothing("off");
        /// The key of the custom attribute that shows who has shown an ID, for example `id-verification`.
        SQUARE_ATTRIBUTE: String = kinds::ATTRIBUTE, Nothing("not shown");
    }
    Veriff {
        /// The address of the API, from the integration's page: scheme and host.
        VERIFF_API_URL: BaseUrl = kinds::BASE_URL, Default("https://stationapi.veriff.com");
        /// The API key of the integration.
        VERIFF_API_KEY: Secret = kinds::TOKEN, Nothing("off");
        /// The shared secret of the integration, which signs its webhooks.
        VERIFF_SHARED_SECRET: Secret = kinds::TOKEN, Nothing("off");
        /// The shared secret before, while Veriff changes to another one.
        VERIFF_PREVIOUS_SECRET: Secret = kinds::TOKEN, Nothing("none");
        /// The state that the store is in: by its calendar a customer is old enough.
        VERIFF_STORE_STATE: State = kinds::STATE, Default("TX");
    }
    BigQuery {
        /// Streams age verifications and audit records to BigQuery.
        BIGQUERY_ENABLED: bool = kinds::FLAG, Default("false");
        /// The address of the API, with its version.
        BIGQUERY_API_URL: BaseUrl = kinds::BASE_URL, Default("https://bigquery.googleapis.com/bigquery/v2");
        /// The project.
        BIGQUERY_PROJECT: String = kinds::TEXT, Nothing("required when enabled");
        /// The dataset.
        BIGQUERY_DATASET: String = kinds::TEXT, Nothing("required when enabled");
        /// The key file (JSON) of a service account.
        BIGQUERY_CREDENTIALS_FILE: PathBuf = kinds::PATH, Nothing("the account of the machine (Google Cloud)");
    }
}
