//! `bonafide keys …`: its arguments.

use clap::{Args, Subcommand, ValueEnum};
use domain::access::{CompanyId, KeyId, Scope};
use domain::rate::Limit;
use domain::span::Span;

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
    /// The company the key speaks for
    #[arg(long, value_name = "ID", value_parser = CompanyId::parse)]
    pub company: CompanyId,
    /// What the key is for, for those who read the list of keys
    #[arg(long)]
    pub name: String,
    /// What the key may do; repeat it for more
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_parser = Scope::parse)]
    pub scopes: Vec<Scope>,
    /// A limit of its own, for example `customers=6000/1m`; repeat it for more
    #[arg(long = "limit", value_name = "LIMIT=RATE", value_parser = KeyLimit::parse)]
    pub limits: Vec<KeyLimit>,
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

/// A limit that a key has of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyLimit {
    /// Which one.
    pub name: LimitName,
    /// How much; it may be off.
    pub limit: Limit,
}

/// The limits there are.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitName {
    /// Requests to Customers and Orders together
    Customers,
    /// Number verifications begun
    Initiate,
    /// Status of number verifications
    Status,
    /// Submissions to a number verification
    Submit,
}

impl KeyLimit {
    /// Reads `customers=6000/1m`.
    ///
    /// # Errors
    /// Words for the person who wrote it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, limit) = text
            .split_once('=')
            .ok_or("write it as LIMIT=RATE, for example customers=6000/1m")?;
        Ok(Self {
            name: LimitName::from_str(name, false)
                .map_err(|_| "the limits are customers, initiate, status and submit")?,
            limit: Limit::parse(limit).map_err(|error| error.to_string())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_names_what_it_limits() {
        let limit = KeyLimit::parse("customers=6000/1m").unwrap();
        assert_eq!(limit.name, LimitName::Customers);
        assert_eq!(limit.limit, Limit::parse("6000/1m").unwrap());
        for wrong in ["6000/1m", "orders=1/1m", "customers=many", "customers="] {
            assert!(KeyLimit::parse(wrong).is_err(), "{wrong}");
        }
    }
}
