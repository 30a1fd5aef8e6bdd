//! The kinds of values a setting can have: how each is written, and how it is read.
//!
//! A reader answers with words for the person who set the value; it never repeats the value itself
//! (the caller adds it where it is no secret).

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use app::console::Administrators;
use data_encoding::BASE64_NOPAD;
use domain::access::CompanyId;
use domain::age::State;
use domain::agreement::Agreement;
use domain::rate::Limit;
use domain::span::Span;
use ipnet::IpNet;
use tracing_subscriber::filter::{LevelFilter, Targets};
use url::{Host, Url};
use zeroize::Zeroizing;

use super::openid::Issuer;
use super::secret::{EncryptionKey, Secret};

/// How values of one kind are written and read.
pub struct Kind<T> {
    /// For the documentation: what such a value is, with an example.
    pub form: &'static str,
    /// Whether values of this kind must not be shown.
    pub secret: bool,
    /// Reads one; the error completes the sentence "NAME …".
    pub parse: fn(&str) -> Result<T, String>,
}

const fn open<T>(form: &'static str, parse: fn(&str) -> Result<T, String>) -> Kind<T> {
    Kind {
        form,
        secret: false,
        parse,
    }
}

const fn hidden<T>(form: &'static str, parse: fn(&str) -> Result<T, String>) -> Kind<T> {
    Kind {
        form,
        secret: true,
        parse,
    }
}

/// Any text.
pub const TEXT: Kind<String> = open("text", |text| Ok(text.to_owned()));
/// `true` or `false`.
pub const FLAG: Kind<bool> = open("`true` or `false`", flag);
/// A file or directory.
pub const PATH: Kind<PathBuf> = open("path", |text| Ok(PathBuf::from(text)));
/// A TCP port; 0 lets the system choose.
pub const PORT: Kind<u16> = open("port number", |text| parsed(text, "a port, 0 to 65535"));
/// An IP address to listen on.
pub const IP_ADDRESS: Kind<IpAddr> = open("IP address", |text| {
    parsed(text, "an IP address such as 127.0.0.1 or 0.0.0.0")
});
/// An IP address and port to listen on.
pub const SOCKET_ADDRESS: Kind<SocketAddr> = open("IP address and port", |text| {
    parsed(text, "an address and port such as 127.0.0.1:9090")
});
/// An age in years.
pub const AGE: Kind<u8> = open("years, 1 to 120", |text| {
    within(text, 1, 120, "a number of years from 1 to 120")
});
/// How often something may happen.
pub const COUNT: Kind<u32> = open("number", |text| {
    within(text, 1, 1_000_000, "a number from 1 to 1000000")
});
/// A length of time.
pub const SPAN: Kind<Span> = open("duration such as `90s`, `10m`, `24h`, `7d`, `1y`", span);
/// A length of time in which something can happen.
pub const PERIOD: Kind<Span> = open(SPAN.form, |text| {
    let period = Some(span(text)?).filter(|period| !period.is_nothing());
    period.ok_or_else(|| "must be longer than nothing".to_owned())
});
/// Lengths of time.
pub const SPANS: Kind<Vec<Span>> = open("durations such as `0h,24h,48h`", |text| {
    items(text).map(span).collect()
});
/// The longest wait for something, in seconds to days.
pub const TIMEOUT: Kind<Duration> = open("duration such as `30s`", timeout);
/// Pauses that follow each other.
pub const PAUSES: Kind<Vec<Duration>> = open("durations such as `5s,30s,2m`", |text| {
    items(text).map(timeout).collect()
});
/// How often each caller may ask.
pub const LIMIT: Kind<Limit> = open("`100/1m`, or `off`", |text| {
    Limit::parse(text).map_err(|error| format!("is not a limit ({error})"))
});
/// IP networks.
pub const NETWORKS: Kind<Vec<IpNet>> = open("networks such as `10.0.0.0/8, 192.0.2.7`", networks);
/// Origins of web pages.
pub const ORIGINS: Kind<Vec<String>> = open("origins such as `https://shop.example.com`", origins);
/// The address of an HTTP service.
pub const BASE_URL: Kind<BaseUrl> = open("http(s) address", base_url);
/// The same, with a key in it.
pub const SECRET_URL: Kind<Secret> = hidden("http(s) address", |text| {
    base_or_key_url(text).map(|()| Secret::new(text))
});
/// The address of one document; it may have a query.
pub const DOCUMENT_URL: Kind<Url> = open("http(s) address", document_url);
/// What an identity provider calls itself.
pub const ISSUER: Kind<Issuer> = open("http(s) address", Issuer::parse);
/// Who may sign in to the console by an identity provider: people, so they are not shown.
pub const ADMINISTRATORS: Kind<Vec<String>> = hidden(
    "e-mail addresses, and names that the provider gives",
    administrators,
);
/// What is logged: a level, or a level and exceptions to it.
pub const LOG_LEVEL: Kind<Targets> = open("`info`, `info,bonafide=debug`, …", log_level);
/// How log lines look.
pub const LOG_FORMAT: Kind<LogFormat> = open("`text` or `json`", log_format);
/// A state of the United States.
pub const STATE: Kind<State> = open("two-letter code of a state", |text| {
    State::parse(text)
        .ok_or_else(|| "must be the two-letter code of a state, such as TX".to_owned())
});
/// What counts as proof of identity.
pub const IDENTITY_PROOFS: Kind<IdentityProofs> = open("`veriff` or `veriff,age`", identity_proofs);
/// The database.
pub const DATABASE: Kind<DatabaseUrl> = hidden("`sqlite://…` or `postgres://…`", database);
/// The nodes of Redis.
pub const REDIS: Kind<Vec<Secret>> =
    hidden("`redis://…` or `rediss://…`, several for a cluster", redis);
/// The mail server.
pub const SMTP: Kind<Secret> = hidden("`smtp://user:password@host:587` or `smtps://…`", smtp);
/// The sender of mails.
pub const MAILBOX: Kind<String> = open("`Name <address@example.com>`", mailbox);
/// What members sign.
pub const AGREEMENT: Kind<Agreement> = open("plain text", |text| {
    Agreement::new(text).map_err(|error| format!("is no agreement: {error}"))
});
/// A key or token given by somebody else.
pub const TOKEN: Kind<Secret> = hidden("text", |text| Ok(Secret::new(text)));
/// Headers of HTTP, some of which hold keys.
pub const HEADERS: Kind<Secret> = hidden("`name=value,name=value`", |text| Ok(Secret::new(text)));
/// A part of a whole.
pub const SHARE: Kind<f64> = open("number from `0` to `1`", |text| {
    let share = text.parse().ok();
    let share = share.filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "must be a number from 0 to 1".to_owned())
});
/// A word of a service's own.
pub const WORD: Kind<String> = open("word such as `CUSTOM_FULFILLMENT_STATUS_1`", word);
/// The key of a custom attribute.
pub const ATTRIBUTE: Kind<String> = open("key such as `id-verification`", attribute);
/// A secret of our own.
pub const LONG_SECRET: Kind<Secret> = hidden("text of at least 32 bytes", long_secret);
/// The keys of the seal.
pub const ENCRYPTION_KEYS: Kind<Vec<EncryptionKey>> =
    hidden("`id:base64-32-bytes`, newest first", encryption_keys);

/// Where everything is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// The embedded database, in this file.
    Sqlite(PathBuf),
    /// A PostgreSQL server, by its address with user and password.
    Postgres(Secret),
}

/// The address of an HTTP service, without a slash at its end: paths are appended to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(String);

impl BaseUrl {
    /// The address, for example `https://verify.example.com`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name or address of the host alone, without its port.
    pub fn host(&self) -> &str {
        let (_, rest) = self.0.split_once("://").unwrap_or(("", &self.0));
        let host = rest.split('/').next().unwrap_or_default();
        match host.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => host,
        }
    }

    /// Whether it is an `https` address.
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// Whether what is sent there stays between us: it is encrypted, or does not leave this machine.
    pub fn is_confidential(&self) -> bool {
        Url::parse(&self.0).is_ok_and(|url| is_confidential(&url))
    }

    /// The address of this machine, for those that did not set one.
    pub fn localhost(encrypted: bool, port: u16) -> Self {
        let scheme = if encrypted { "https" } else { "http" };
        Self(format!("{scheme}://localhost:{port}"))
    }
}

/// Whether what is sent to an address stays between us: it is encrypted, or does not leave this machine.
pub fn is_confidential(url: &Url) -> bool {
    let is_near = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && is_near)
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What counts as proof of identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityProofs {
    /// An approved identity document only.
    Veriff,
    /// Also an unexpired age verification linked to the customer.
    VeriffOrAge,
}

/// The items of a comma-separated list.
pub fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

fn parsed<T: FromStr>(text: &str, what: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("is not {what}"))
}

fn within<T: FromStr + PartialOrd>(text: &str, low: T, high: T, what: &str) -> Result<T, String> {
    text.parse()
        .ok()
        .filter(|value| (low..=high).contains(value))
        .ok_or_else(|| format!("is not {what}"))
}

fn flag(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("is neither true nor false".to_owned()),
    }
}

fn span(text: &str) -> Result<Span, String> {
    Span::parse(text).map_err(|_| "is not a duration such as 90s, 10m, 24h, 7d or 1y".to_owned())
}

fn timeout(text: &str) -> Result<Duration, String> {
    span(text)?
        .as_duration()
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "must be longer than nothing and shorter than a year".to_owned())
}

fn networks(text: &str) -> Result<Vec<IpNet>, String> {
    let network = |item: &str| {
        item.parse()
            .or_else(|_| item.parse::<IpAddr>().map(IpNet::from))
            .map_err(|_| "is not a list of networks such as 10.0.0.0/8, 192.0.2.7".to_owned())
    };
    items(text).map(network).collect()
}

fn origins(text: &str) -> Result<Vec<String>, String> {
    items(text).map(origin).collect()
}

fn origin(item: &str) -> Result<String, String> {
    if item == "*" {
        return Err("may not be `*`: name the pages that may ask, one by one".to_owned());
    }
    let url = Url::parse(item)
        .ok()
        .filter(|url| is_http(url) && is_bare_origin(url));
    url.map(|url| url.origin().ascii_serialization())
        .ok_or_else(|| "is not a list of origins such as https://shop.example.com".to_owned())
}

fn is_bare_origin(url: &Url) -> bool {
    url.path() == "/" && url.query().is_none() && url.fragment().is_none() && !has_user(url)
}

fn is_http(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.has_host()
}

fn has_user(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

fn base_url(text: &str) -> Result<BaseUrl, String> {
    let url = Url::parse(text)
        .ok()
        .filter(is_http)
        .ok_or("is not an address such as https://verify.example.com")?;
    if url.query().is_some() || url.fragment().is_some() || has_user(&url) {
        return Err("may hold no user, `?` or `#`: other addresses are made from it".to_owned());
    }
    Ok(BaseUrl(url.as_str().trim_end_matches('/').to_owned()))
}

fn document_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text)
        .ok()
        .filter(is_http)
        .ok_or("is not an address such as https://id.example.com/keys")?;
    if url.fragment().is_some() || has_user(&url) {
        return Err("may hold no user and no `#`".to_owned());
    }
    Ok(url)
}

fn base_or_key_url(text: &str) -> Result<(), String> {
    match Url::parse(text) {
        Ok(url) if is_http(&url) => Ok(()),
        _ => Err("is not an http(s) address".to_owned()),
    }
}

fn administrators(text: &str) -> Result<Vec<String>, String> {
    let listed: Vec<String> = items(text).map(str::to_owned).collect();
    // Whom it may name is a rule of the console; here it only has to be one.
    let checked = Administrators::new("", CompanyId::default(), &listed);
    checked.map_err(|unlisted| unlisted.to_string())?;
    Ok(listed)
}

/// A bare word that is no level would be taken for a module's name, and silence everything else.
fn log_level(text: &str) -> Result<Targets, String> {
    let known = items(text).all(|item| item.contains('=') || LevelFilter::from_str(item).is_ok());
    Targets::from_str(text)
        .ok()
        .filter(|_| known)
        .ok_or_else(|| "is not a level: error, warn, info, debug or trace".to_owned())
}

fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("is neither text nor json".to_owned()),
    }
}

fn identity_proofs(text: &str) -> Result<IdentityProofs, String> {
    let mut proofs: Vec<&str> = items(text).collect();
    proofs.sort_unstable();
    match proofs.as_slice() {
        ["veriff"] => Ok(IdentityProofs::Veriff),
        ["age", "veriff"] => Ok(IdentityProofs::VeriffOrAge),
        _ => Err("is neither `veriff` nor `veriff,age`".to_owned()),
    }
}

fn database(text: &str) -> Result<DatabaseUrl, String> {
    if text.contains(":memory:") {
        return Err("must name a file: what was answered has to outlive the process".to_owned());
    }
    match text.split_once("://") {
        Some(("sqlite", path)) if path.is_empty() || path.contains(['?', '#']) => {
            Err("needs a file and nothing after it, such as sqlite://data/bonafide.db".to_owned())
        }
        Some(("sqlite", path)) => Ok(DatabaseUrl::Sqlite(PathBuf::from(path))),
        Some(("postgres" | "postgresql", rest)) if !rest.is_empty() => {
            Ok(DatabaseUrl::Postgres(Secret::new(text)))
        }
        _ => Err("starts with neither sqlite:// nor postgres://".to_owned()),
    }
}

fn redis(text: &str) -> Result<Vec<Secret>, String> {
    let node = |item: &str| match Url::parse(item) {
        Ok(url) if matches!(url.scheme(), "redis" | "rediss") && url.has_host() => {
            Ok(Secret::new(item))
        }
        _ => Err("is not a list of redis:// or rediss:// addresses".to_owned()),
    };
    items(text).map(node).collect()
}

fn smtp(text: &str) -> Result<Secret, String> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "smtp" | "smtps") && url.has_host() => {
            Ok(Secret::new(text))
        }
        _ => Err("is not an address such as smtp://user:password@host:587".to_owned()),
    }
}

fn mailbox(text: &str) -> Result<String, String> {
    let address = match text.rsplit_once('<') {
        Some((_, rest)) => rest.strip_suffix('>').unwrap_or_default(),
        None => text,
    };
    match address.split_once('@') {
        Some((local, domain)) if !local.is_empty() && !domain.is_empty() => Ok(text.to_owned()),
        _ => Err("is not a sender such as `Shop <verify@example.com>`".to_owned()),
    }
}

fn word(text: &str) -> Result<String, String> {
    let fits =
        |letter: char| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_';
    if (1..=64).contains(&text.len()) && text.chars().all(fits) {
        Ok(text.to_owned())
    } else {
        Err("is not a word of capitals, digits and `_`".to_owned())
    }
}

fn attribute(text: &str) -> Result<String, String> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    if (1..=60).contains(&text.len()) && text.chars().all(fits) {
        Ok(text.to_owned())
    } else {
        Err("is not a key of at most 60 letters, digits, `-` and `_`".to_owned())
    }
}

fn long_secret(text: &str) -> Result<Secret, String> {
    const SHORTEST: usize = 32;
    match text.len() {
        length if length < SHORTEST => Err(format!(
            "is too short: {length} bytes, at least {SHORTEST} are needed"
        )),
        _ => Ok(Secret::new(text)),
    }
}

fn encryption_keys(text: &str) -> Result<Vec<EncryptionKey>, String> {
    let keys: Vec<EncryptionKey> = items(text).map(encryption_key).collect::<Result<_, _>>()?;
    let mut ids: Vec<&str> = keys.iter().map(|key| key.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    if keys.is_empty() || ids.len() < keys.len() {
        return Err("needs at least one key, and a different id for each".to_owned());
    }
    Ok(keys)
}

/// One `id:base64`. Both alphabets of base64 are read, with or without padding.
fn encryption_key(item: &str) -> Result<EncryptionKey, String> {
    let malformed = || "is not a list of id:base64-32-bytes".to_owned();
    let (id, encoded) = item.split_once(':').ok_or_else(malformed)?;
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    if id.is_empty() || id.len() > 32 || !id.chars().all(fits) {
        return Err("has a key whose id is not 1 to 32 letters, digits, `-` or `_`".to_owned());
    }
    let plain = Zeroizing::new(
        encoded
            .trim_end_matches('=')
            .replace('-', "+")
            .replace('_', "/"),
    );
    let bytes = BASE64_NOPAD
        .decode(plain.as_bytes())
        .map(Zeroizing::new)
        .map_err(|_| malformed())?;
    let key = <[u8; 32]>::try_from(bytes.as_slice())
        .map_err(|_| format!("has the key `{id}` of {} bytes instead of 32", bytes.len()))?;
    Ok(EncryptionKey {
        id: id.to_owned(),
        key,
    })
}
