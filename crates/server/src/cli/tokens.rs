//! `bonafide tokens …`: signing tokens.
//!
//! `JWT_SECRET` is all that a token needs. When the database can be reached, the
//! token is tried on it before it is shown, and the audit log gets its record.

use std::io::Write as _;

use app::App;
use app::credentials::Claims;
use clap::{Args, Subcommand, ValueEnum};
use domain::access::{CompanyId, Scope, Scopes};
use domain::clock::Clock as _;
use domain::span::Span;
use jiff::Timestamp;
use serde::Serialize;

use super::failure::Failure;
use super::output::Output;
use super::session;
use crate::ambient::SystemClock;
use crate::config::Config;
use crate::runtime;

/// Tokens (JWT) signed with `JWT_SECRET`.
#[derive(Subcommand, Clone, Debug)]
pub enum TokensCommand {
    /// Sign a token and print it
    Issue(IssueArguments),
}

/// What a new token says.
#[derive(Args, Clone, Debug)]
pub struct IssueArguments {
    /// Who the token speaks for (`sub`)
    #[arg(long)]
    pub subject: String,
    /// The company (`company`)
    #[arg(long, value_name = "ID", default_value = "default", value_parser = CompanyId::parse)]
    pub company: CompanyId,
    /// What it may do; repeat it for more. Without any it may use the Ages surface only
    #[arg(long = "scope", value_name = "SCOPE", value_parser = Scope::parse)]
    pub scopes: Vec<Scope>,
    /// A role that comes with every scope
    #[arg(long, value_enum)]
    pub role: Option<TokenRole>,
    /// How long it is valid
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = Span::parse)]
    pub ttl: Span,
}

/// The roles a token can have.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenRole {
    /// May do everything
    Admin,
}

impl TokenRole {
    fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
        }
    }
}

/// Does what was asked for.
///
/// # Errors
/// Why it was not done.
pub async fn run(command: &TokensCommand, output: Output, config: &Config) -> Result<(), Failure> {
    let TokensCommand::Issue(arguments) = command;
    let issued = issue(arguments, config).await?;
    output.print(&issued, || issued.token.clone())
}

/// What programs are told of a new token.
#[derive(Serialize)]
struct Issued {
    token: String,
    expires_at: Timestamp,
    subject: String,
    scopes: Vec<&'static str>,
}

async fn issue(arguments: &IssueArguments, config: &Config) -> Result<Issued, Failure> {
    let now = SystemClock.now();
    let claims = claims(arguments)?;
    let expires_at = end(arguments.ttl, now)?;
    let scopes = Scopes::of_token(claims.scope.as_deref(), claims.role.as_deref());
    let token = runtime::tokens(config)?
        .sign(&claims, now, expires_at)
        .map_err(|error| Failure::failed(format!("the token cannot be signed: {error}")))?;
    let recorded = session::with_app(config, async |app| {
        Ok(record(app, &claims, scopes, expires_at).await)
    });
    match recorded.await {
        Ok(recorded) => recorded?,
        Err(failure) => warn(&failure),
    }
    Ok(Issued {
        token,
        expires_at,
        subject: claims.subject,
        scopes: scopes.iter().map(Scope::as_str).collect(),
    })
}

fn claims(arguments: &IssueArguments) -> Result<Claims, Failure> {
    if arguments.subject.trim().is_empty() {
        return Err(Failure::usage(
            "--subject must say who the token speaks for",
        ));
    }
    let scopes: Scopes = arguments.scopes.iter().copied().collect();
    Ok(Claims {
        subject: arguments.subject.clone(),
        company: Some(arguments.company.to_string()),
        scope: (!scopes.is_empty()).then(|| scopes.to_string()),
        role: arguments.role.map(|role| role.as_str().to_owned()),
        key: None,
    })
}

/// The token's end, in whole seconds as tokens have it.
fn end(ttl: Span, now: Timestamp) -> Result<Timestamp, Failure> {
    let end = ttl.after(now).as_second();
    match Timestamp::from_second(end) {
        Ok(end) if end > now => Ok(end),
        _ => Err(Failure::usage("--ttl must be longer than a second")),
    }
}

/// Tries the token's claims and records that it was made; the log names it as it
/// will name its requests.
async fn record(
    app: &App,
    claims: &Claims,
    scopes: Scopes,
    expires_at: Timestamp,
) -> Result<(), Failure> {
    let exchange = session::exchange(app, "token.issue");
    let caller = app
        .directory
        .authenticate_claims(claims, exchange.at)
        .await
        .map_err(super::of_app)?
        .map_err(|refusal| {
            Failure::failed(format!("the token would be refused: {}", refusal.as_str()))
                .with_hint("`bonafide companies list` shows the companies and which are active")
        })?;
    exchange.note_detail(format!(
        "company={} credential={} scopes={scopes} expires_at={expires_at}",
        caller.company(),
        caller.credential(),
    ));
    app.recorder
        .record(&exchange, "ok", 201)
        .await
        .map_err(super::of_app)
}

fn warn(failure: &Failure) {
    // When even that output is closed, nobody is there to be warned.
    let _ = writeln!(
        std::io::stderr(),
        "warning: the audit log has no record of this token: {failure}"
    );
}
