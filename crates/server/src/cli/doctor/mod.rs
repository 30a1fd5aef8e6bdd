//! `bonafide doctor`: looks at everything the server leans on, and says what to put
//! right.
//!
//! It makes nothing and changes nothing: an installation is after the check what it
//! was before. It shows no secret.

mod check;
mod database;
mod files;
mod integrations;
mod network;
mod openid;
mod tls;

use clap::Args;
use domain::clock::Clock as _;
use serde::Serialize;

use super::failure::Failure;
use super::output::{Output, counted};
use super::session;
use super::style::Style;
use crate::ambient::SystemClock;
use crate::config::environment::{self, Looked};
use crate::config::{Problem, Problems};
use check::{Check, Verdict};

/// Check the installation and say what to put right.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct DoctorArguments {}

#[derive(Serialize)]
struct Examined {
    healthy: bool,
    checks: Vec<Check>,
}

/// Checks everything and prints what was found.
///
/// # Errors
/// When something has to be put right.
pub async fn run(output: Output) -> Result<(), Failure> {
    let checks = match environment::look() {
        Ok(looked) => examine(&looked).await?,
        Err(problems) => misconfigured(problems),
    };
    let wrong = checks
        .iter()
        .filter(|check| check.verdict == Verdict::Wrong)
        .count();
    let examined = Examined {
        healthy: wrong == 0,
        checks,
    };
    output.print(&examined, || in_words(&examined.checks, Style::of_output()))?;
    match wrong {
        0 => Ok(()),
        some => Err(Failure::failed(format!(
            "{} found something to put right",
            counted(some as u64, "check")
        ))
        .with_hint("each says above what to do")),
    }
}

async fn examine(looked: &Looked) -> Result<Vec<Check>, Failure> {
    let config = &looked.config;
    let _log = session::quiet_log(config)?;
    let now = SystemClock.now();
    let mut checks = vec![Check::fine("configuration", "every setting is understood")];
    checks.extend(files::checks(looked));
    checks.extend(database::checks(config).await);
    checks.extend(network::redis(&config.redis).await);
    checks.extend(tls::certificate(config.http.tls.as_ref(), now));
    checks.push(tls::outside_address(&config.http));
    checks.push(network::port(&config.http).await);
    checks.extend(network::metrics(config).await);
    checks.extend(network::mail(config).await);
    checks.extend(openid::provider(config).await);
    checks.extend(integrations::lightspeed(config).await);
    checks.extend(integrations::square(config).await);
    checks.extend(integrations::veriff(config).await);
    checks.extend(integrations::bigquery(config).await);
    Ok(checks)
}

/// Nothing else can be looked at before these are put right.
fn misconfigured(problems: Problems) -> Vec<Check> {
    let check = |Problem { name, text }| {
        Check::wrong(
            "configuration",
            format!("{name} {text}"),
            "correct it; docs/configuration.md explains every setting",
        )
    };
    problems.0.into_iter().map(check).collect()
}

fn in_words(checks: &[Check], style: Style) -> String {
    let lines = checks.iter().map(|check| check.in_words(style));
    lines.collect::<Vec<_>>().join("\n")
}
