//! `bonafide tokens …`: its arguments.

use clap::{Args, Subcommand, ValueEnum};
use domain::access::{CompanyId, Scope};
use domain::span::Span;

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
