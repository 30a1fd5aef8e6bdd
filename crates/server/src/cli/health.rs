//! `bonafide health`: asks the server on this machine how it is, for images and supervisors that have
//! no client of HTTP.
//!
//! Must not: need a credential, the database, or anything but the address that the server listens on.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use clap::Args;
use http::StatusCode;
use serde::Serialize;

use super::failure::Failure;
use super::output::Output;
use crate::config::{Config, Http};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Ask the server on this machine how it is.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct HealthArguments {
    /// Ask only whether the process answers, whatever its database does
    #[arg(long)]
    pub live: bool,
}

#[derive(Serialize)]
struct Well {
    status: &'static str,
}

/// Asks, and says that all is well.
///
/// # Errors
/// When it is not.
pub async fn run(
    arguments: &HealthArguments,
    output: Output,
    config: &Config,
) -> Result<(), Failure> {
    let (path, status) = match arguments.live {
        true => ("/health/live", "live"),
        false => ("/health/ready", "ready"),
    };
    match ask(&config.http, path).await {
        Ok((StatusCode::OK, _)) => output.print(&Well { status }, || status.to_owned()),
        Ok(_) => Err(Failure::failed(format!("the server is not {status}"))
            .with_hint("`bonafide doctor` looks for the cause")),
        Err(_) => Err(
            Failure::failed(format!("no server answers on {}", config.http.listen))
                .with_hint("PORT and BIND say where it listens"),
        ),
    }
}

/// What the server at the configured address answers to `path`, if one answers.
///
/// # Errors
/// When nobody answers in time.
pub async fn ask(http: &Http, path: &str) -> reqwest::Result<(StatusCode, String)> {
    let scheme = if http.tls.is_some() { "https" } else { "http" };
    // Who answers is all that is asked, so the name in a certificate does not matter.
    let client = reqwest::Client::builder()
        .timeout(PATIENCE)
        .no_proxy()
        .tls_danger_accept_invalid_certs(true)
        .build()?;
    let url = format!("{scheme}://{}{path}", reachable(http.listen));
    let answer = client.get(url).send().await?;
    Ok((answer.status(), answer.text().await?))
}

/// An address at which a listener is reached from its own machine.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let address = match listen.ip() {
        address if !address.is_unspecified() => address,
        address if address.is_ipv4() => Ipv4Addr::LOCALHOST.into(),
        _ => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(address, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_everywhere_is_reached_at_home() {
        for (listen, reached) in [
            ("127.0.0.1:3000", "127.0.0.1:3000"),
            ("192.0.2.7:80", "192.0.2.7:80"),
            ("0.0.0.0:3000", "127.0.0.1:3000"),
            ("[::]:3000", "[::1]:3000"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()).to_string(), reached);
        }
    }
}
