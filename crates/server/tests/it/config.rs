//! The configuration: what it gives, everything it objects to, and what it must not show.

mod secrets;
mod sources;
pub mod table;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bonafide::config::{
    Config, DatabaseUrl, IdentityProofs, LogFormat, Outside, Problem, Problems, Secrets,
};
use domain::rate::Limit;
use domain::retention::Retention;
use domain::span::Span;

/// 32 zero bytes, and 32 other ones.
const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const OTHER_KEY: &str = "__________________________________________8";
const LONG: &str = "a secret of at least thirty-two bytes";

const SECRETS: [(&str, &str); 3] = [
    (
        "ENCRYPTION_KEYS",
        "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    ),
    ("INDEX_KEY", LONG),
    ("JWT_SECRET", LONG),
];

fn owned(variables: &[(&str, &str)]) -> Vec<(String, String)> {
    variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn no_file(_: &Path) -> io::Result<String> {
    Err(io::ErrorKind::NotFound.into())
}

fn nothing_stored(_: &Path) -> Result<Secrets, Problem> {
    panic!("nothing may be generated here")
}

fn load(variables: &[(&str, &str)]) -> Result<Config, Problems> {
    let outside = Outside {
        read_file: &no_file,
        stored_secrets: &nothing_stored,
    };
    Config::load(owned(variables), &outside)
}

/// Loads these variables with all secrets given.
fn sound(variables: &[(&str, &str)]) -> Config {
    load(&[&SECRETS, variables].concat()).unwrap()
}

/// What is wrong with these variables, with all secrets given.
fn problems(variables: &[(&str, &str)]) -> Vec<(String, String)> {
    load(&[&SECRETS, variables].concat())
        .unwrap_err()
        .0
        .into_iter()
        .map(|Problem { name, text }| (name, text))
        .collect()
}

/// The single problem with one value.
fn problem(name: &str, value: &str) -> String {
    let problems = problems(&[(name, value)]);
    assert_eq!(problems.len(), 1, "{name}={value}: {problems:?}");
    assert_eq!(problems[0].0, name);
    problems[0].1.clone()
}

#[test]
fn defaults_hold_for_what_is_not_set() {
    let config = sound(&[("REDIS_URL", ""), ("PORT", " ")]);
    assert_eq!(
        config.storage.database,
        DatabaseUrl::Sqlite(PathBuf::from("data/bonafide.db"))
    );
    assert!(config.storage.auto_migrate);
    assert!(config.redis.is_empty());
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:3000");
    assert_eq!(config.http.base_url.as_str(), "http://localhost:3000");
    assert!(!config.http.require_https);
    assert_eq!(config.http.shutdown_timeout, Duration::from_secs(25));
    assert_eq!(config.limits.customers, Limit::parse("100/1m").unwrap());
    assert_eq!(config.identity_proofs, IdentityProofs::Veriff);
    assert_eq!(config.ages.minimum, 21);
    assert_eq!(config.ages.validity, Span::years(1));
    assert_eq!(config.retention, Retention::default());
    assert_eq!(config.orders.schedule.steps(), 4);
    assert_eq!(config.webhooks.backoff.len(), 7);
    assert_eq!(config.telemetry.log_format, LogFormat::Text);
    assert_eq!(config.integration_company, "default");
    assert!(config.lightspeed.is_none() && config.square.is_none());
    assert!(config.veriff.is_none() && config.bigquery.is_none());
    assert!(config.openid.is_none());
}

#[test]
fn an_identity_provider_is_configured_whole_and_safe() {
    let with = |issuer, admins| {
        [
            ("OIDC_ISSUER", issuer),
            ("OIDC_CLIENT_ID", "bonafide"),
            ("OIDC_ADMINS", admins),
        ]
    };
    let public = sound(&with(
        "http://localhost:8080/realms/shop",
        "maria@example.com",
    ));
    assert!(public.openid.as_ref().unwrap().client_secret.is_none());
    assert!(!format!("{public:?}").contains("maria"), "nobody is shown");
    for (variables, name, words) in [
        (
            &with("http://id.example.com", "1")[..],
            "OIDC_ISSUER",
            "must begin with https://",
        ),
        (
            &with("id.example.com", "1")[..],
            "OIDC_ISSUER",
            "is not an address",
        ),
        (
            &with("https://id.example.com?x", "1")[..],
            "OIDC_ISSUER",
            "may hold no",
        ),
        (
            &with("https://id.example.com", ",")[..],
            "OIDC_ADMINS",
            "lists nobody",
        ),
        (
            &with("https://id.example.com", "1,maria@")[..],
            "OIDC_ADMINS",
            "is no e-mail address",
        ),
        (
            &with("https://id.example.com", "1")[..2],
            "OIDC_ADMINS",
            "is missing",
        ),
        (
            &[("OIDC_CLIENT_SECRET", "hunter2")][..],
            "OIDC_CLIENT_SECRET",
            "only with OIDC_ISSUER",
        ),
        (
            &[("OIDC_ADMIN", "1")][..],
            "OIDC_ADMIN",
            "did you mean OIDC_ADMINS?",
        ),
    ] {
        let wrong = problems(variables);
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert_eq!(wrong[0].0, name);
        let text = &wrong[0].1;
        assert!(text.contains(words), "{text}");
        assert!(
            !text.contains("maria") && !text.contains("hunter"),
            "{text}"
        );
    }
}

#[test]
fn every_setting_can_be_set() {
    let config = sound(&[
        ("DATABASE_URL", "postgresql://u:p@db/bonafide"),
        ("DATABASE_CA_FILE", "/ca.pem"),
        ("AUTO_MIGRATE", "false"),
        ("REDIS_URL", "rediss://:pw@one:6379, rediss://two"),
        ("BIND", "::"),
        ("PORT", "8080"),
        ("API_BASE_URL", "https://verify.example.com/base/"),
        ("TLS_CERT_FILE", "/cert.pem"),
        ("TLS_KEY_FILE", "/key.pem"),
        ("TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.7,2001:db8::/32"),
        (
            "CORS_ORIGINS",
            "https://shop.example.com,http://localhost:8080/",
        ),
        ("WEBHOOK_TIMEOUT", "30"),
        ("LIMIT_CUSTOMERS", "off"),
        ("LIMIT_SUBMIT", "7/2m"),
        ("IDENTITY_PROOFS", "age, veriff"),
        ("JWT_JWKS_URL", "https://id.example.com/keys?p=shop"),
        ("OIDC_ISSUER", "https://id.example.com/"),
        ("OIDC_CLIENT_ID", "bonafide"),
        ("OIDC_CLIENT_SECRET", "s"),
        ("OIDC_ADMINS", "maria@example.com, 248289761001"),
        ("SMTP_URL", "smtps://u:p@mail.example.com"),
        ("MAIL_FROM", "Shop <verify@example.com>"),
        ("LOG_LEVEL", "warn,bonafide=debug"),
        ("LOG_FORMAT", "json"),
        ("METRICS_BIND", "127.0.0.1:9090"),
        ("SENTRY_DSN", "https://key@sentry.example.com/1"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318"),
        ("LIGHTSPEED_STORE_ID", "1003"),
        ("LIGHTSPEED_TOKEN", "t"),
        ("LIGHTSPEED_CLIENT_SECRET", "s"),
        ("SQUARE_ACCESS_TOKEN", "t"),
        ("SQUARE_SIGNATURE_KEY", "s"),
        (
            "SQUARE_NOTIFICATION_URL",
            "https://verify.example.com/hooks/square",
        ),
        ("VERIFF_API_KEY", "k"),
        ("VERIFF_SHARED_SECRET", "s"),
        ("BIGQUERY_ENABLED", "true"),
        ("BIGQUERY_PROJECT", "p"),
        ("BIGQUERY_DATASET", "d"),
    ]);
    assert!(
        matches!(config.storage.database, DatabaseUrl::Postgres(ref url)
        if url.expose() == "postgresql://u:p@db/bonafide")
    );
    assert!(!config.storage.auto_migrate);
    assert_eq!(config.redis.len(), 2);
    assert_eq!(config.redis[1].expose(), "rediss://two");
    assert_eq!(config.http.listen.to_string(), "[::]:8080");
    assert_eq!(
        config.http.base_url.as_str(),
        "https://verify.example.com/base"
    );
    assert!(
        config.http.require_https,
        "on whenever the address is https"
    );
    assert_eq!(config.http.tls.unwrap().key, PathBuf::from("/key.pem"));
    let proxies: Vec<String> = config
        .http
        .trusted_proxies
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(proxies, ["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32"]);
    assert_eq!(
        config.http.cors_origins,
        ["https://shop.example.com", "http://localhost:8080"]
    );
    let openid = config.openid.unwrap();
    assert_eq!(openid.issuer.as_str(), "https://id.example.com/");
    assert_eq!(openid.administrators, ["maria@example.com", "248289761001"]);
    assert_eq!(openid.client_secret.unwrap().expose(), "s");
    assert_eq!(config.webhooks.timeout, Duration::from_secs(30));
    assert_eq!(config.limits.customers, Limit::parse("off").unwrap());
    assert_eq!(config.identity_proofs, IdentityProofs::VeriffOrAge);
    assert_eq!(
        config.lightspeed.unwrap().api_url.as_str(),
        "https://app.ecwid.com/api/v3"
    );
    assert_eq!(config.square.unwrap().signature_key.expose(), "s");
    assert_eq!(config.veriff.unwrap().shared_secret.expose(), "s");
    assert_eq!(config.bigquery.unwrap().dataset, "d");
}

#[test]
fn all_problems_are_told_at_once() {
    let wrong = load(&[
        ("DATABASE_URL", "postgres://u:hunter2@db/bonafide"),
        ("INDEX_KEY", "hunter3-too-short"),
        ("LIMIT_CUSTOMERS", "many"),
        ("PORT", "http"),
        ("AGE_MINIMUN", "21"),
        ("REDIS_URI", "redis://localhost"),
        ("TLS_CERT_FILE", "/cert.pem"),
        ("VERIFF_API_KEY", "hunter4"),
        ("BIGQUERY_ENABLED", "true"),
    ])
    .unwrap_err();
    let mut names: Vec<&str> = wrong
        .0
        .iter()
        .map(|problem| problem.name.as_str())
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "AGE_MINIMUN",
            "BIGQUERY_DATASET",
            "BIGQUERY_PROJECT",
            "ENCRYPTION_KEYS",
            "INDEX_KEY",
            "JWT_SECRET",
            "LIMIT_CUSTOMERS",
            "PORT",
            "REDIS_URI",
            "TLS_KEY_FILE",
            "VERIFF_SHARED_SECRET",
        ]
    );
    let text = wrong.to_string();
    assert!(text.starts_with("the configuration has 11 problems\n"));
    assert!(text.contains("AGE_MINIMUN is not a setting, did you mean AGE_MINIMUM?"));
    assert!(text.contains("REDIS_URI is not a setting, did you mean REDIS_URL?"));
    assert!(text.contains("PORT is not a port, 0 to 65535: `http`"));
    assert!(!text.contains("hunter"), "{text}");
}

#[test]
fn unknown_variables_count_only_when_they_are_ours() {
    for (name, value) in [
        ("PATH", "/bin"),
        ("REDIS_PORT", "tcp://10.0.0.1:6379"),
        ("REDIS_TLS_URL", "rediss://x"),
        ("SESSION_MANAGER", "local/x"),
        ("OTEL_SERVICE_NAME", "bonafide"),
        ("SENTRY_RELEASE", "1"),
        ("CHECKPOINT_DISABLE", "1"),
        ("HOSTNAME", "x"),
    ] {
        sound(&[(name, value)]);
    }
    for name in [
        "LIMIT_ORDERS",
        "AGE_X",
        "JWT_ALGORITHM",
        "WEBHOOK_RETRIES",
        "SQUARE_TOKEN",
        "VERIFF_X",
        "LIGHTSPEED_X",
        "BIGQUERY_TABLE",
        "SMTP_HOST",
        "TLS_CERT",
        "AUDIT_X",
        "CHECKPOINT_FLIE",
        "ERASURE_LIST",
        "MEMBERSHIP_TEXT",
        "SENTRY_DNS",
    ] {
        assert!(problem(name, "1").starts_with("is not a setting"));
    }
}

#[test]
fn an_access_token_does_not_travel_in_the_clear() {
    let enabled = |url| {
        [
            ("BIGQUERY_ENABLED", "true"),
            ("BIGQUERY_PROJECT", "p"),
            ("BIGQUERY_DATASET", "d"),
            ("BIGQUERY_API_URL", url),
        ]
    };
    let wrong = problems(&enabled("http://bigquery.example.com/v2"));
    assert_eq!(wrong.len(), 1);
    assert_eq!(wrong[0].0, "BIGQUERY_API_URL");
    assert!(wrong[0].1.contains("https://"), "{}", wrong[0].1);
    sound(&enabled("http://127.0.0.1:9050/v2"));
}

#[test]
fn malformed_values_are_refused_with_words() {
    for (name, value, words) in [
        ("DATABASE_URL", "sqlite::memory:", "must name a file"),
        ("DATABASE_URL", "sqlite://", "needs a file"),
        ("DATABASE_URL", "sqlite://x.db?mode=rwc", "nothing after it"),
        (
            "DATABASE_URL",
            "mysql://localhost",
            "neither sqlite:// nor postgres://",
        ),
        ("REDIS_URL", "localhost:6379", "redis://"),
        ("BIND", "localhost", "IP address"),
        ("PORT", "65536", "0 to 65535"),
        (
            "API_BASE_URL",
            "verify.example.com",
            "https://verify.example.com",
        ),
        ("API_BASE_URL", "https://example.com/?x", "may hold no"),
        (
            "JWT_JWKS_URL",
            "ftp://id.example.com/keys",
            "is not an address",
        ),
        (
            "JWT_JWKS_URL",
            "https://me@id.example.com/keys",
            "may hold no",
        ),
        ("TRUSTED_PROXIES", "10.0.0.0/33", "networks"),
        ("CORS_ORIGINS", "*", "one by one"),
        ("CORS_ORIGINS", "https://example.com/path", "origins"),
        ("AUTO_MIGRATE", "maybe", "neither true nor false"),
        ("AGE_MINIMUM", "0", "from 1 to 120"),
        ("MAX_CONNECTIONS", "0", "from 1"),
        ("AGE_VALIDITY", "1 year", "duration"),
        ("AGE_VALIDITY", "0y", "longer than nothing"),
        ("AGE_ATTEMPT_WINDOW", "0", "longer than nothing"),
        ("SESSION_TTL", "0", "longer than nothing"),
        ("HOLD_DEADLINE", "0h", "longer than nothing"),
        ("REMINDERS", "0h,soon", "duration"),
        ("REMINDERS", "24h,0h", "after the one before it"),
        ("REMINDERS", "0h,72h", "before the deadline"),
        ("REQUEST_TIMEOUT", "0s", "longer than nothing"),
        ("WEBHOOK_TIMEOUT", "1y", "shorter than a year"),
        ("LIMIT_STATUS", "100", "is not a limit"),
        ("LOG_LEVEL", "inof", "is not a level"),
        ("LOG_FORMAT", "xml", "neither text nor json"),
        ("IDENTITY_PROOFS", "age", "neither"),
        ("SMTP_URL", "mail.example.com", "smtp://"),
        ("SENTRY_DSN", "x", "http(s)"),
        ("MAIL_FROM", "Shop", "is not a sender"),
        ("METRICS_BIND", "9090", "address and port"),
    ] {
        let text = problem(name, value);
        assert!(text.contains(words), "{name}={value}: {text}");
    }
}

#[test]
fn a_server_with_a_certificate_is_reached_by_https() {
    let tls = [
        ("TLS_CERT_FILE", "cert.pem"),
        ("TLS_KEY_FILE", "key.pem"),
        ("PORT", "3443"),
    ];
    let http = sound(&tls).http;
    assert_eq!(http.base_url.as_str(), "https://localhost:3443");
    assert!(http.require_https);
    let text = problems(&[&tls[..], &[("REQUIRE_HTTPS", "false")]].concat());
    assert_eq!(text.len(), 1);
    assert_eq!(text[0].0, "REQUIRE_HTTPS");
    let elsewhere = [&tls[..], &[("API_BASE_URL", "https://verify.example.com")]].concat();
    let base_url = sound(&elsewhere).http.base_url;
    assert_eq!(base_url.as_str(), "https://verify.example.com");
}

#[test]
fn https_outside_cannot_be_contradicted() {
    assert!(sound(&[("REQUIRE_HTTPS", "true")]).http.require_https);
    let text = problems(&[
        ("API_BASE_URL", "https://verify.example.com"),
        ("REQUIRE_HTTPS", "false"),
    ]);
    assert_eq!(text.len(), 1);
    assert_eq!(text[0].0, "REQUIRE_HTTPS");
}

#[test]
fn encryption_keys_are_read_newest_first() {
    let keys = |text: &str| {
        load(&[
            ("ENCRYPTION_KEYS", text),
            ("INDEX_KEY", LONG),
            ("JWT_SECRET", LONG),
        ])
    };
    let config = keys(&format!("k2:{OTHER_KEY}, k1:{KEY}")).unwrap();
    let ids: Vec<&str> = config
        .secrets
        .encryption_keys
        .iter()
        .map(|key| key.id.as_str())
        .collect();
    assert_eq!(ids, ["k2", "k1"]);
    assert_eq!(config.secrets.encryption_keys[0].key, [0xFF; 32]);
    assert_eq!(config.secrets.encryption_keys[1].key, [0; 32]);
    for (text, words) in [
        (format!("k1:{KEY},k1:{OTHER_KEY}"), "a different id"),
        (KEY.to_owned(), "id:base64"),
        (format!(":{KEY}"), "1 to 32 letters"),
        ("k1:AAAA".to_owned(), "3 bytes instead of 32"),
        ("k1:%%%%".to_owned(), "id:base64"),
        (",".to_owned(), "at least one key"),
    ] {
        let problems = keys(&text).unwrap_err().to_string();
        assert!(problems.contains(words), "{problems}");
        assert!(!problems.contains(KEY));
    }
}

#[test]
fn nothing_secret_is_shown() {
    let config = sound(&[
        ("DATABASE_URL", "postgres://u:hunter2@db/bonafide"),
        ("REDIS_URL", "redis://:hunter2@redis"),
        ("SMTP_URL", "smtp://u:hunter2@mail.example.com"),
        ("SENTRY_DSN", "https://hunter2@sentry.example.com/1"),
        ("VERIFF_API_KEY", "hunter2"),
        ("VERIFF_SHARED_SECRET", "hunter2"),
    ]);
    let shown = format!("{config:?}");
    assert!(
        !shown.contains("hunter2") && !shown.contains(LONG),
        "{shown}"
    );
    assert!(!shown.contains("0, 0, 0"), "{shown}");
}
