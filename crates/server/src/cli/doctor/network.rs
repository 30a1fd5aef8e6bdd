//! Neighbours on the network: Redis, the mail server, and who has our port.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use redis::{AsyncConnectionConfig, Client, InfoDict, RedisResult};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use url::Url;

use super::check::Check;
use crate::config::{Http, Secret};

/// How long a neighbour may take.
const PATIENCE: Duration = Duration::from_secs(3);

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

/// The port: free, or ours already.
pub async fn port(http: &Http) -> Check {
    const NAME: &str = "port";
    let address = http.listen;
    match TcpListener::bind(address).await {
        Ok(_) => Check::fine(NAME, format!("{address} is free")),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            if is_ours(address, http.tls.is_some()).await {
                Check::fine(NAME, format!("{address} is served by bonafide"))
            } else {
                Check::wrong(
                    NAME,
                    format!("{address} is taken by another program"),
                    "set PORT to a free one, or stop that program",
                )
            }
        }
        Err(error) => Check::wrong(
            NAME,
            format!("{address} cannot be listened on: {}", error.kind()),
            "set BIND to an address of this machine, and PORT to one this user may use",
        ),
    }
}

/// Whether a server like this one answers there.
async fn is_ours(address: SocketAddr, encrypted: bool) -> bool {
    let scheme = if encrypted { "https" } else { "http" };
    let host = match address.ip() {
        ip if !ip.is_unspecified() => SocketAddr::new(ip, address.port()),
        _ => SocketAddr::from(([127, 0, 0, 1], address.port())),
    };
    // Who answers is all that is asked, so the name in a certificate does not matter.
    let client = reqwest::Client::builder()
        .timeout(PATIENCE)
        .no_proxy()
        .tls_danger_accept_invalid_certs(true)
        .build();
    let asked = async {
        let answer = client.ok()?.get(format!("{scheme}://{host}/health/live"));
        answer.send().await.ok()?.text().await.ok()
    };
    asked
        .await
        .is_some_and(|body| body == r#"{"status":"live"}"#)
}

/// The mail server, if there is one.
pub async fn mail(smtp: Option<&Secret>) -> Option<Check> {
    const NAME: &str = "mail";
    let cure = "check SMTP_URL and that the mail server can be reached from here";
    let url = Url::parse(smtp?.expose()).ok()?;
    let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
    let is_encrypted = url.scheme() == "smtps";
    let port = url.port().unwrap_or(if is_encrypted { 465 } else { 587 });
    let answered = timeout(PATIENCE, ask_mail(&host, port, is_encrypted)).await;
    Some(match answered {
        Ok(Ok(())) if is_encrypted => {
            Check::fine(NAME, format!("{host}:{port} accepts connections"))
        }
        Ok(Ok(())) => Check::fine(NAME, format!("{host}:{port} greets as a mail server does")),
        Ok(Err(error)) => Check::wrong(NAME, format!("{host}:{port} {error}"), cure),
        Err(_) => Check::wrong(NAME, format!("{host}:{port} does not answer"), cure),
    })
}

/// Connects and, where the conversation begins in the clear, hears the greeting and
/// the answer to EHLO (RFC 5321).
async fn ask_mail(host: &str, port: u16, is_encrypted: bool) -> Result<(), String> {
    let stream = TcpStream::connect((host, port))
        .await
        .map_err(|error| format!("cannot be reached: {}", error.kind()))?;
    if is_encrypted {
        return Ok(());
    }
    let mut stream = BufReader::new(stream);
    expect(&mut stream, "220").await?;
    let said = stream.write_all(b"EHLO localhost\r\n").await;
    said.map_err(|error| format!("hung up: {}", error.kind()))?;
    expect(&mut stream, "250").await?;
    // Good manners; the answer is clear already.
    let _ = stream.write_all(b"QUIT\r\n").await;
    Ok(())
}

/// Reads one answer, of one line or several, and compares its code.
async fn expect(stream: &mut BufReader<TcpStream>, code: &str) -> Result<(), String> {
    loop {
        let mut line = String::new();
        let read = stream.read_line(&mut line).await;
        read.map_err(|error| format!("hung up: {}", error.kind()))?;
        match line.strip_prefix(code) {
            None => return Err("does not speak SMTP".to_owned()),
            Some(rest) if rest.starts_with('-') => {}
            Some(_) => return Ok(()),
        }
    }
}
