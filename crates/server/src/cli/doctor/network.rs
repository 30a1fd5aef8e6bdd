//! Neighbours on the network: Redis, the mail server, and who has our addresses.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use domain::mail::Outcome;
use redis::{AsyncConnectionConfig, Client, InfoDict, RedisResult};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::check::Check;
use crate::cli::health;
use crate::config::{Config, Http, Secret};
use crate::mail::{self, Conversation, Sender};
use crate::runtime;

/// How long a neighbour may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// The same of a mail server, which may let somebody wait who came with a wrong password.
const MAIL_PATIENCE: Duration = Duration::from_secs(10);

/// Every node of Redis.
pub async fn redis(nodes: &[Secret]) -> Vec<Check> {
    let mut checks = Vec::new();
    for node in nodes {
        checks.push(redis_node(node).await);
    }
    checks
}

/// What is known of a Redis that answers.
struct Answered {
    version: String,
    /// Unknown where the provider keeps the configuration to itself.
    policy: Option<String>,
}

async fn redis_node(node: &Secret) -> Check {
    const NAME: &str = "redis";
    let cure = "check that Redis runs and that REDIS_URL is right; until then every instance \
                counts for itself";
    let Answered { version, policy } = match timeout(PATIENCE, ask_redis(node)).await {
        Ok(Ok(answered)) => answered,
        // The error's kind: its text could repeat the address.
        Ok(Err(error)) => {
            let finding = format!("it cannot be used: {}", error.category());
            return Check::wrong(NAME, finding, cure);
        }
        Err(_) => return Check::wrong(NAME, "it does not answer", cure),
    };
    match policy.as_deref() {
        None | Some("noeviction" | "volatile-ttl") => Check::fine(NAME, format!("Redis {version}")),
        Some(policy) => Check::warning(
            NAME,
            format!("Redis {version} forgets counters when it is full (`{policy}`)"),
            "set its maxmemory-policy to noeviction or volatile-ttl",
        ),
    }
}

async fn ask_redis(node: &Secret) -> RedisResult<Answered> {
    let client = Client::open(node.expose())?;
    let config = AsyncConnectionConfig::new().set_connection_timeout(Some(PATIENCE));
    let mut connection = client
        .get_multiplexed_async_connection_with_config(&config)
        .await?;
    let _: String = redis::cmd("PING").query_async(&mut connection).await?;
    let info: RedisResult<InfoDict> = redis::cmd("INFO")
        .arg("server")
        .query_async(&mut connection)
        .await;
    let policy: RedisResult<(String, String)> = redis::cmd("CONFIG")
        .arg("GET")
        .arg("maxmemory-policy")
        .query_async(&mut connection)
        .await;
    Ok(Answered {
        version: info
            .ok()
            .and_then(|info| info.get("redis_version"))
            .unwrap_or_else(|| "of unknown version".to_owned()),
        policy: policy.ok().map(|(_, policy)| policy),
    })
}

/// An address that the server listens on.
struct Door {
    name: &'static str,
    address: SocketAddr,
    /// What to do when another program has it.
    when_taken: &'static str,
    /// What to do when nobody can have it.
    when_unusable: &'static str,
}

impl Door {
    /// Free, or ours already, which is asked only where somebody listens.
    async fn check(&self, is_ours: impl Future<Output = bool>) -> Check {
        let (name, address) = (self.name, self.address);
        match TcpListener::bind(address).await {
            Ok(_) => Check::fine(name, format!("{address} is free")),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                if is_ours.await {
                    Check::fine(name, format!("{address} is served by bonafide"))
                } else {
                    let finding = format!("{address} is taken by another program");
                    Check::wrong(name, finding, self.when_taken)
                }
            }
            Err(error) => {
                let finding = format!("{address} cannot be listened on: {}", error.kind());
                Check::wrong(name, finding, self.when_unusable)
            }
        }
    }
}

/// The port: free, or ours already.
pub async fn port(http: &Http) -> Check {
    let door = Door {
        name: "port",
        address: http.listen,
        when_taken: "set PORT to a free one, or stop that program",
        when_unusable: "set BIND to an address of this machine, and PORT to one this user may use",
    };
    door.check(is_ours(http)).await
}

/// Whether a server like this one answers there.
async fn is_ours(http: &Http) -> bool {
    health::ask(http, "/health/live")
        .await
        .is_ok_and(|(_, body)| body == r#"{"status":"live"}"#)
}

/// The address of the metrics, if they have one: the same, and another than the port's.
pub async fn metrics(config: &Config) -> Option<Check> {
    let address = config.telemetry.metrics?;
    let door = Door {
        name: "metrics",
        address,
        when_taken: "set METRICS_BIND to a free one, or stop that program: until then no server \
                     starts",
        when_unusable: "set METRICS_BIND to an address of this machine, and a port that this user \
                        may use",
    };
    if collide(address, config.http.listen) {
        let finding = format!("{address} is where requests are answered");
        return Some(Check::wrong(
            door.name,
            finding,
            "set METRICS_BIND to another port than PORT",
        ));
    }
    Some(door.check(has_our_metrics(&config.http, address)).await)
}

/// Whether two listeners are in each other's way.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    // Port 0 is another for each of them.
    let is_one_port = one.port() != 0 && one.port() == other.port();
    is_one_port && (takes(one.ip(), other.ip()) || takes(other.ip(), one.ip()))
}

/// Whether who listens at `all` also hears what is meant for `one`.
fn takes(all: IpAddr, one: IpAddr) -> bool {
    match all {
        // On nearly every system that is all of IPv4 as well.
        IpAddr::V6(address) if address.is_unspecified() => true,
        IpAddr::V4(address) if address.is_unspecified() => one.is_ipv4(),
        _ => all == one,
    }
}

/// Whether a server like this one shows its metrics there, in plain HTTP.
async fn has_our_metrics(http: &Http, address: SocketAddr) -> bool {
    let there = Http {
        listen: address,
        tls: None,
        ..http.clone()
    };
    health::ask(&there, "/metrics")
        .await
        .is_ok_and(|(_, body)| body.contains("bonafide_build_info"))
}

/// The mail server, if there is one: it is greeted, asked to encrypt and logged in to, and sent
/// nothing.
pub async fn mail(config: &Config) -> Option<Check> {
    const NAME: &str = "mail";
    let cure = "check SMTP_URL and that the mail server can be reached from here";
    if let Err(problem) = Sender::parse(&config.mail.from) {
        let finding = format!("MAIL_FROM is no sender: {problem}");
        return Some(Check::wrong(
            NAME,
            finding,
            "write it as `Shop <verify@example.com>`",
        ));
    }
    let server = match runtime::mail_server(config) {
        Ok(server) => server?,
        Err(failure) => return Some(Check::wrong(NAME, failure.to_string(), cure)),
    };
    let name = mail::hello(config.http.base_url.host());
    let opening = Conversation::open(&server, &name, MAIL_PATIENCE);
    let opened = timeout(MAIL_PATIENCE, opening).await;
    let outcome = match opened {
        Ok(Ok(conversation)) => {
            let finding = format!("{server} {}", conversation.manner());
            conversation.close().await;
            return Some(Check::fine(NAME, finding));
        }
        Ok(Err(trouble)) => trouble.outcome,
        Err(_) => Outcome::Timeout,
    };
    let (finding, cure) = match outcome {
        Outcome::NotServed { code: None } => (
            "knows no way to log in that we do",
            "it must offer AUTH PLAIN or LOGIN; without a login, leave user and password out",
        ),
        Outcome::NotServed { .. } => (
            "does not let us in",
            "check user and password in SMTP_URL, percent-encoded where they hold signs like @",
        ),
        Outcome::Tls => (
            "cannot prove who it is",
            "use the name in its certificate, or name its authority in SMTP_CA_FILE",
        ),
        Outcome::PlainText => (
            "offers no encryption",
            "use smtps://, or a mail server with STARTTLS: mails cross no network in the clear",
        ),
        Outcome::Timeout => ("does not answer", cure),
        Outcome::Deferred { .. } => ("is too busy for us now", "try again later"),
        _ => ("cannot be reached, or does not speak SMTP", cure),
    };
    Some(Check::wrong(NAME, format!("{server} {finding}"), cure))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_collide_where_one_takes_the_address_of_the_other() {
        for (one, other, expected) in [
            ("127.0.0.1:3000", "127.0.0.1:3000", true),
            ("127.0.0.1:3000", "127.0.0.1:9090", false),
            ("127.0.0.1:3000", "127.0.0.2:3000", false),
            ("127.0.0.1:3000", "0.0.0.0:3000", true),
            ("127.0.0.1:3000", "[::]:3000", true),
            ("[::1]:3000", "[::]:3000", true),
            ("[::1]:3000", "0.0.0.0:3000", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
        ] {
            let one: SocketAddr = one.parse().unwrap();
            let other: SocketAddr = other.parse().unwrap();
            assert_eq!(collide(one, other), expected, "{one} and {other}");
            assert_eq!(collide(other, one), expected, "{other} and {one}");
        }
    }
}
