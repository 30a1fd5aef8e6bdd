//! `bonafide companies …`: its arguments.

use clap::{ArgGroup, Args, Subcommand};
use domain::access::CompanyId;
use domain::span::Span;
use url::Url;

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
    #[arg(long)]
    pub name: String,
    /// Where its webhooks go
    #[arg(long, value_name = "URL")]
    pub webhook_url: Option<Url>,
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
#[command(group = ArgGroup::new("change").required(true).multiple(true))]
pub struct UpdateArguments {
    /// The company's id
    #[arg(value_name = "ID", value_parser = CompanyId::parse)]
    pub id: CompanyId,
    /// A new name
    #[arg(long, group = "change")]
    pub name: Option<String>,
    /// A new address for its webhooks
    #[arg(long, value_name = "URL", group = "change")]
    pub webhook_url: Option<Url>,
    /// Send it no more webhooks
    #[arg(long, group = "change", conflicts_with = "webhook_url")]
    pub no_webhook: bool,
    /// Whether its credentials are accepted
    #[arg(long, value_name = "true|false", group = "change")]
    pub active: Option<bool>,
    /// The address that opens its app, for example `acme://verify`
    #[arg(long, value_name = "URL", group = "change")]
    pub app_link: Option<Url>,
    /// Make a new webhook secret and show it, once
    #[arg(long, group = "change")]
    pub rotate_secret: bool,
    /// How long the old secret signs as well
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = Span::parse)]
    pub grace: Span,
}
