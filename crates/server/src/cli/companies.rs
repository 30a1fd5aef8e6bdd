//! `bonafide companies …`: companies, their webhook address and its secret.
//!
//! A webhook secret is printed by the command that made it and never again.

use app::App;
use app::companies::{self, CompanyChange, Endpoint, NewCompany, WithSecret};
use app::idempotency::Reply;
use clap::{ArgGroup, Args, Subcommand};
use domain::access::CompanyId;
use domain::link::{AppLink, LinkError, WebhookUrl};
use domain::span::Span;
use jiff::Timestamp;
use serde::Serialize;
use store::tables::companies::Company;

use super::failure::Failure;
use super::output::{Output, Table};
use super::session::{self, with_app};
use super::{name, of_app};
use crate::config::Config;

/// Companies, their webhook address and its secret.
#[derive(Subcommand, Clone, Debug)]
pub enum CompaniesCommand {
    /// Add a company and show the secret of its webhooks, once
    Create(CreateArguments),
    /// List all companies
    List,
    /// Show one company
    Show(ShowArguments),
    /// Change a company
    Update(UpdateArguments),
}

/// What a new company is.
#[derive(Args, Clone, Debug)]
pub struct CreateArguments {
    /// The company's id, for example `acme`; it cannot be changed later
    #[arg(value_name = "ID", value_parser = CompanyId::parse)]
    pub id: CompanyId,
    /// The name that people read
    #[arg(long, value_parser = name)]
    pub name: String,
    /// Where its webhooks go
    #[arg(long, value_name = "URL", value_parser = webhook_url)]
    pub webhook_url: Option<String>,
    /// The address that opens its app, for example `acme://verify`
    #[arg(long, value_name = "URL", value_parser = app_link)]
    pub app_link: Option<String>,
}

/// Which company to show.
#[derive(Args, Clone, Debug)]
pub struct ShowArguments {
    /// The company's id
    #[arg(value_name = "ID", value_parser = CompanyId::parse)]
    pub id: CompanyId,
}

/// What to change about a company; at least one thing.
#[derive(Args, Clone, Debug)]
#[command(
    group = ArgGroup::new("change").required(true).multiple(true),
    override_usage = "bonafide companies update <ID> <CHANGE>..."
)]
pub struct UpdateArguments {
    /// The company's id
    #[arg(value_name = "ID", value_parser = CompanyId::parse)]
    pub id: CompanyId,
    /// A new name
    #[arg(long, group = "change", value_parser = name)]
    pub name: Option<String>,
    /// A new address for its webhooks
    #[arg(long, value_name = "URL", group = "change", value_parser = webhook_url)]
    pub webhook_url: Option<String>,
    /// Send it no more webhooks
    #[arg(long, group = "change", conflicts_with = "webhook_url")]
    pub no_webhook: bool,
    /// Accept its keys and tokens again
    #[arg(long, group = "change", conflicts_with = "inactive")]
    pub active: bool,
    /// Refuse its keys and tokens, all of them, at once
    #[arg(long, group = "change")]
    pub inactive: bool,
    /// The address that opens its app, for example `acme://verify`
    #[arg(long, value_name = "URL", group = "change", value_parser = app_link)]
    pub app_link: Option<String>,
    /// Send its customers to the web page instead of its app
    #[arg(long, group = "change", conflicts_with = "app_link")]
    pub no_app_link: bool,
    /// Make a new webhook secret and show it, once
    #[arg(long, group = "change")]
    pub rotate_secret: bool,
    /// How long the old secret signs as well
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = Span::parse, requires = "rotate_secret")]
    pub grace: Span,
}

/// A company as programs read it.
#[derive(Serialize)]
struct Shown<'a> {
    company_id: &'a str,
    name: &'a str,
    webhook_url: Option<&'a str>,
    app_link: Option<&'a str>,
    is_active: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
    /// Only when it was just made.
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_secret: Option<&'a str>,
}

/// Does what is asked.
///
/// # Errors
/// Why it was not done.
pub async fn run(
    command: CompaniesCommand,
    output: Output,
    config: &Config,
) -> Result<(), Failure> {
    with_app(config, async |app| match command {
        CompaniesCommand::Create(arguments) => create(app, arguments, output).await,
        CompaniesCommand::List => list(app, output).await,
        CompaniesCommand::Show(arguments) => {
            let company = find(app, &arguments.id).await?;
            let endpoint = companies::endpoint(app, arguments.id.as_str()).await;
            print_with_endpoint(output, &company, &endpoint.map_err(of_app)?)
        }
        CompaniesCommand::Update(arguments) => update(app, arguments, output).await,
    })
    .await
}

async fn create(app: &App, arguments: CreateArguments, output: Output) -> Result<(), Failure> {
    let exchange = session::exchange(app, "company.create");
    let new = NewCompany {
        company_id: arguments.id,
        name: arguments.name,
        webhook_url: arguments.webhook_url,
        app_link: arguments.app_link,
    };
    let created = companies::create(app, &exchange, new, Reply::unkept())
        .await
        .map_err(|error| {
            of_app(error).with_hint("`bonafide companies update` changes a company")
        })?;
    print_with_secret(output, &created)
}

async fn list(app: &App, output: Output) -> Result<(), Failure> {
    let companies = companies::list(app).await.map_err(of_app)?;
    let shown: Vec<_> = companies
        .iter()
        .map(|company| shown(company, None))
        .collect();
    output.print(&shown, || {
        let mut table = Table::new(["ID", "NAME", "STATE", "WEBHOOKS"]);
        for company in &companies {
            table.add([
                company.company_id.clone(),
                company.name.clone(),
                state(company).to_owned(),
                company.webhook_url.clone().unwrap_or_default(),
            ]);
        }
        table.render()
    })
}

async fn update(app: &App, arguments: UpdateArguments, output: Output) -> Result<(), Failure> {
    let now = app.clock.now();
    let exchange = session::exchange(app, "company.update");
    let grace = arguments.grace.after(now).duration_since(now);
    let change = CompanyChange {
        name: arguments.name,
        webhook_url: changed(arguments.webhook_url, arguments.no_webhook),
        app_link: changed(arguments.app_link, arguments.no_app_link),
        is_active: (arguments.active || arguments.inactive).then_some(arguments.active),
        rotate_secret: arguments.rotate_secret.then(|| grace.unsigned_abs()),
    };
    // Asked first for the sake of the hint.
    find(app, &arguments.id).await?;
    let id = arguments.id.as_str();
    let changed = companies::change(app, &exchange, id, change, Reply::unkept())
        .await
        .map_err(of_app)?;
    print_with_secret(output, &changed)
}

/// What the use case calls a change: nothing, a new value, or none any more.
fn changed(value: Option<String>, none: bool) -> Option<Option<String>> {
    if none { Some(None) } else { value.map(Some) }
}

/// A company that must exist.
///
/// # Errors
/// With a hint when there is none of that id.
pub(super) async fn find(app: &App, id: &CompanyId) -> Result<Company, Failure> {
    companies::get(app, id.as_str()).await.map_err(|error| {
        of_app(error).with_hint(
            "`bonafide companies list` shows those there are, `bonafide companies create` adds one",
        )
    })
}

fn print_with_secret(output: Output, changed: &WithSecret) -> Result<(), Failure> {
    let secret = changed.webhook_secret.as_ref();
    print(
        output,
        &changed.company,
        secret.map(|secret| secret.as_str()),
    )
}

fn print(output: Output, company: &Company, secret: Option<&str>) -> Result<(), Failure> {
    output.print(&shown(company, secret), || in_words(company, secret))
}

/// How the webhooks of a company fare, as programs read it.
#[derive(Serialize)]
struct Fares<'a> {
    #[serde(flatten)]
    company: Shown<'a>,
    /// Since when every attempt has failed.
    webhook_failing_since: Option<Timestamp>,
    /// Since when, and why, nothing is sent.
    webhook_off_at: Option<Timestamp>,
    webhook_off_reason: Option<&'a str>,
}

fn print_with_endpoint(
    output: Output,
    company: &Company,
    endpoint: &Endpoint,
) -> Result<(), Failure> {
    let off = endpoint.off.as_ref();
    let fares = Fares {
        company: shown(company, None),
        webhook_failing_since: endpoint.failing_since,
        webhook_off_at: off.map(|(at, _)| *at),
        webhook_off_reason: off.map(|(_, reason)| reason.as_str()),
    };
    output.print(&fares, || {
        let mut words = in_words(company, None);
        if let Some(since) = endpoint.failing_since {
            words.push_str(&format!("\nfailing since   {since:.0}"));
        }
        if let Some((at, reason)) = off {
            words.push_str(&format!(
                "\nswitched off    {at:.0} ({reason}); name the webhook again to switch it on"
            ));
        }
        words
    })
}

fn shown<'a>(company: &'a Company, webhook_secret: Option<&'a str>) -> Shown<'a> {
    Shown {
        company_id: &company.company_id,
        name: &company.name,
        webhook_url: company.webhook_url.as_deref(),
        app_link: company.app_link.as_deref(),
        is_active: company.is_active,
        created_at: company.created_at,
        updated_at: company.updated_at,
        webhook_secret,
    }
}

fn in_words(company: &Company, secret: Option<&str>) -> String {
    let none = || "none".to_owned();
    let mut lines = vec![
        format!("company         {}", company.company_id),
        format!("name            {}", company.name),
        format!("state           {}", state(company)),
        format!(
            "webhooks to     {}",
            company.webhook_url.clone().unwrap_or_else(none)
        ),
        format!(
            "app link        {}",
            company.app_link.clone().unwrap_or_else(none)
        ),
    ];
    if let Some(secret) = secret {
        lines.push(format!("webhook secret  {secret}"));
        lines.push(
            "\nKeep the secret now: it is not shown again. Webhooks are signed with it.".into(),
        );
    }
    lines.join("\n")
}

fn state(company: &Company) -> &'static str {
    if company.is_active {
        "active"
    } else {
        "inactive"
    }
}

fn webhook_url(text: &str) -> Result<String, LinkError> {
    WebhookUrl::parse(text).map(|url| url.as_str().to_owned())
}

fn app_link(text: &str) -> Result<String, LinkError> {
    AppLink::parse(text).map(|link| link.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_sets_empties_or_leaves() {
        assert_eq!(changed(None, false), None);
        assert_eq!(changed(None, true), Some(None));
        assert_eq!(changed(Some("u".into()), false), Some(Some("u".into())));
    }
}
