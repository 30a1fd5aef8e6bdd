//! `bonafide keys …`: API keys.
//!
//! A key is printed by the command that made it and never again: to the standard
//! output, alone, so that `KEY=$(bonafide keys create …)` holds the key.

use std::collections::BTreeMap;
use std::io::Write as _;

use app::App;
use app::credentials::KeyLimits;
use app::idempotency::Reply;
use app::keys::{self, CreatedKey, NewKey};
use app::limits::{self, LimitName};
use clap::{Args, Subcommand};
use domain::access::{CompanyId, KeyId, Scope, Scopes};
use domain::rate::Limit;
use domain::span::Span;
use jiff::Timestamp;
use serde::Serialize;
use store::tables::api_keys::ApiKeyRow;

use super::failure::Failure;
use super::output::{Output, Table};
use super::session::{self, with_app};
use super::{companies, name, of_app};
use crate::config::Config;

/// API keys.
#[derive(Subcommand, Clone, Debug)]
pub enum KeysCommand {
    /// Make a key and print it, once
    Create(CreateArguments),
    /// List keys, without their secrets
    List(ListArguments),
    /// Replace a key by a new one and print that, once
    Rotate(RotateArguments),
    /// End a key and every token made from it, at once
    Revoke(RevokeArguments),
}

/// What a new key is.
#[derive(Args, Clone, Debug)]
pub struct CreateArguments {
    /// The company the key speaks for; a fresh installation has `default`
    #[arg(long, value_name = "ID", value_parser = CompanyId::parse)]
    pub company: CompanyId,
    /// What the key is for, for those who read the list of keys
    #[arg(long, value_parser = name)]
    pub name: String,
    /// What the key may do; repeat it for more
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_parser = Scope::parse, help = scope_help())]
    pub scopes: Vec<Scope>,
    /// A limit of its own, for example `customers=6000/1m` or `customers=off`; repeat it for more.
    /// The limits are customers, initiate, status and submit
    #[arg(long = "limit", value_name = "LIMIT=RATE", value_parser = limits::parse)]
    pub limits: Vec<(LimitName, Limit)>,
    /// When the key ends, counted from now, for example `90d`; without it, never
    #[arg(long, value_name = "DURATION", value_parser = Span::parse)]
    pub expires: Option<Span>,
}

/// Which keys to list.
#[derive(Args, Clone, Debug)]
pub struct ListArguments {
    /// Only the keys of this company
    #[arg(long, value_name = "ID", value_parser = CompanyId::parse)]
    pub company: Option<CompanyId>,
}

/// Which key to replace, and how.
#[derive(Args, Clone, Debug)]
pub struct RotateArguments {
    /// The key's id: the part between `bf_` and the next `_`
    #[arg(value_name = "ID", value_parser = KeyId::parse)]
    pub id: KeyId,
    /// How long the old key is still accepted
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = Span::parse)]
    pub grace: Span,
}

/// Which key to end.
#[derive(Args, Clone, Debug)]
pub struct RevokeArguments {
    /// The key's id: the part between `bf_` and the next `_`
    #[arg(value_name = "ID", value_parser = KeyId::parse)]
    pub id: KeyId,
}

fn scope_help() -> String {
    let words: Vec<_> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
    format!(
        "What the key may do; repeat it for more. The scopes are {}",
        words.join(", ")
    )
}

/// A key as programs read it.
#[derive(Serialize)]
struct Shown<'a> {
    id: &'a str,
    /// The key itself, only when it was just made.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    company: &'a str,
    name: &'a str,
    scopes: Vec<&'a str>,
    limits: BTreeMap<&'a str, &'a str>,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    replaced_by: Option<&'a str>,
}

/// Does what is asked.
///
/// # Errors
/// Why it was not done.
pub async fn run(command: KeysCommand, output: Output, config: &Config) -> Result<(), Failure> {
    with_app(config, async |app| match command {
        KeysCommand::Create(arguments) => create(app, arguments, output).await,
        KeysCommand::List(arguments) => list(app, arguments, output).await,
        KeysCommand::Rotate(arguments) => rotate(app, &arguments, output).await,
        KeysCommand::Revoke(arguments) => revoke(app, &arguments, output).await,
    })
    .await
}

async fn create(app: &App, arguments: CreateArguments, output: Output) -> Result<(), Failure> {
    companies::find(app, &arguments.company).await?;
    let now = app.clock.now();
    let new = NewKey {
        company: arguments.company,
        name: arguments.name,
        scopes: arguments
            .scopes
            .into_iter()
            .fold(Scopes::NONE, Scopes::with),
        limits: one_each(arguments.limits)?,
        expires_at: arguments.expires.map(|span| span.after(now)),
    };
    let exchange = session::exchange(app, "key.create");
    let created = keys::create(app, &exchange, new, Reply::unkept())
        .await
        .map_err(of_app)?;
    print_new(output, &created, "")
}

/// Two values for one limit would leave open which one holds.
fn one_each(given: Vec<(LimitName, Limit)>) -> Result<KeyLimits, Failure> {
    let count = given.len();
    let limits: KeyLimits = given.into_iter().collect();
    if limits.len() < count {
        return Err(Failure::usage("a limit is given twice")
            .with_hint("repeat --limit for different limits only"));
    }
    Ok(limits)
}

async fn rotate(app: &App, arguments: &RotateArguments, output: Output) -> Result<(), Failure> {
    let now = app.clock.now();
    let grace = arguments
        .grace
        .after(now)
        .duration_since(now)
        .unsigned_abs();
    let exchange = session::exchange(app, "key.rotate");
    let id = arguments.id.as_str();
    let created = keys::rotate(app, &exchange, id, grace, Reply::unkept())
        .await
        .map_err(with_hint)?;
    let remark = format!(
        " The old key {id} is accepted for {} more.",
        arguments.grace
    );
    print_new(output, &created, &remark)
}

async fn revoke(app: &App, arguments: &RevokeArguments, output: Output) -> Result<(), Failure> {
    let exchange = session::exchange(app, "key.revoke");
    let id = arguments.id.as_str();
    let revoked = keys::revoke(app, &exchange, id, Reply::unkept())
        .await
        .map_err(with_hint)?;
    output.print(&shown(&revoked, None), || {
        format!("The key {id} is revoked. Running servers refuse it within a second.")
    })
}

async fn list(app: &App, arguments: ListArguments, output: Output) -> Result<(), Failure> {
    if let Some(company) = &arguments.company {
        companies::find(app, company).await?;
    }
    let company = arguments.company.as_ref().map(CompanyId::as_str);
    let mut keys = keys::list(app, company).await.map_err(of_app)?;
    keys.sort_by(|one, other| {
        (&one.company_id, one.created_at, &one.id).cmp(&(
            &other.company_id,
            other.created_at,
            &other.id,
        ))
    });
    let shown: Vec<_> = keys.iter().map(|key| shown(key, None)).collect();
    output.print(&shown, || {
        let mut table = Table::new(["ID", "COMPANY", "NAME", "SCOPES", "LIMITS", "STATE"]);
        for key in &keys {
            table.add([
                key.id.clone(),
                key.company_id.clone(),
                key.name.clone(),
                key.scopes.clone(),
                key.limits.clone(),
                state(key, app.clock.now()),
            ]);
        }
        table.render()
    })
}

fn with_hint(error: app::Error) -> Failure {
    of_app(error).with_hint("`bonafide keys list` shows the keys and their state")
}

/// The key alone to the standard output; what is said about it to the other.
fn print_new(output: Output, created: &CreatedKey, remark: &str) -> Result<(), Failure> {
    let key = created.key.expose();
    output.print(&shown(&created.row, Some(key)), || key.to_owned())?;
    if !output.is_json() {
        // Who cannot hear the remark has the key all the same.
        let _ = writeln!(
            std::io::stderr(),
            "Keep it now: it is not shown again. Its id is {}.{remark}",
            created.row.id
        );
    }
    Ok(())
}

fn shown<'a>(row: &'a ApiKeyRow, key: Option<&'a str>) -> Shown<'a> {
    Shown {
        id: &row.id,
        key,
        company: &row.company_id,
        name: &row.name,
        scopes: row.scopes.split_whitespace().collect(),
        limits: row
            .limits
            .split_whitespace()
            .filter_map(|limit| limit.split_once('='))
            .collect(),
        created_at: row.created_at,
        expires_at: row.expires_at,
        revoked_at: row.revoked_at,
        replaced_by: row.replaced_by.as_deref(),
    }
}

fn state(key: &ApiKeyRow, now: Timestamp) -> String {
    match (key.revoked_at, key.expires_at) {
        (Some(at), _) => format!("revoked {at:.0}"),
        (None, Some(end)) if end <= now => format!("expired {end:.0}"),
        (None, Some(end)) => format!("until {end:.0}"),
        (None, None) => "active".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_given_once() {
        let limit = |text| limits::parse(text).unwrap();
        let two = vec![limit("customers=6000/1m"), limit("submit=off")];
        assert_eq!(one_each(two).unwrap().len(), 2);
        let twice = vec![limit("customers=6000/1m"), limit("customers=off")];
        assert_eq!(one_each(twice).unwrap_err().exit_code(), 2);
    }
}
