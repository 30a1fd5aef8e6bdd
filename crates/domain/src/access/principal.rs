//! The caller a request speaks for.
//!
//! A principal exists only for a credential that has been checked. It belongs to one company and
//! reaches no other company's data.

use std::fmt;
use std::sync::Arc;

use super::{KeyId, Scope, Scopes};

/// A company's name in programs and paths: 1 to 64 of `a-z`, `0-9`, `-` and `_`, beginning with a
/// letter or digit.
///
/// Upper case is refused instead of folded: what is written in a token, a path and a database is
/// then always the same text. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CompanyId(Arc<str>);

/// A text that cannot name a company.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a company id is 1 to 64 of a-z, 0-9, - and _, beginning with a letter or digit")]
pub struct CompanyIdError;

impl CompanyId {
    const LONGEST: usize = 64;

    /// Reads a company id.
    ///
    /// # Errors
    /// [`CompanyIdError`], which says what an id looks like.
    pub fn parse(text: &str) -> Result<Self, CompanyIdError> {
        let alphanumeric = |sign: u8| sign.is_ascii_lowercase() || sign.is_ascii_digit();
        let starts = text.bytes().next().is_some_and(alphanumeric);
        let written = text
            .bytes()
            .all(|sign| alphanumeric(sign) || b"-_".contains(&sign));
        if starts && written && text.len() <= Self::LONGEST {
            return Ok(Self(text.into()));
        }
        Err(CompanyIdError)
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as text that is shared.
    #[must_use]
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

/// The company every installation has.
impl Default for CompanyId {
    fn default() -> Self {
        Self("default".into())
    }
}

impl fmt::Display for CompanyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Debug for CompanyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "CompanyId({self})")
    }
}

/// What a caller identified itself with.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// An API key.
    Key(KeyId),
    /// A signed token.
    Token {
        /// Whom the token was issued for (`sub`); may name a person.
        subject: Arc<str>,
        /// The key the token was exchanged for, when it came from our token endpoint: the token
        /// lives no longer than that key.
        key: Option<KeyId>,
    },
    /// The one-time token of a number verification: it speaks for that session and nothing else.
    Session,
    /// A shop's or service's own signature: it speaks for what is processed because of its hook.
    Hook,
    /// The signed link of a mail: it speaks for what the mail was about and nothing else.
    Link,
}

impl Credential {
    /// The API key behind the credential, if there is one.
    #[must_use]
    pub const fn key(&self) -> Option<KeyId> {
        match self {
            Self::Key(key) => Some(*key),
            Self::Token { key, .. } => *key,
            Self::Session | Self::Hook | Self::Link => None,
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => write!(formatter, "Key({key})"),
            Self::Token { key, .. } => write!(formatter, "Token(…, {key:?})"),
            Self::Session => formatter.write_str("Session"),
            Self::Hook => formatter.write_str("Hook"),
            Self::Link => formatter.write_str("Link"),
        }
    }
}

/// A checked caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The company whose data the caller may reach.
    pub company: CompanyId,
    /// What it identified itself with.
    pub credential: Credential,
    /// What it may do.
    pub scopes: Scopes,
    /// Whether it came with the role `admin`.
    pub role_admin: bool,
}

impl Principal {
    /// Whether the caller has a permission; an administrator has them all.
    #[must_use]
    pub const fn may(&self, scope: Scope) -> bool {
        self.role_admin || self.scopes.contains(Scope::Admin) || self.scopes.contains(scope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(scopes: Scopes, role_admin: bool) -> Principal {
        let credential = Credential::Token {
            subject: "ann@example.com".into(),
            key: None,
        };
        Principal {
            company: CompanyId::default(),
            credential,
            scopes,
            role_admin,
        }
    }

    #[test]
    fn company_ids_have_one_spelling() {
        for id in ["default", "a", "7-eleven_2", &"x".repeat(64)] {
            assert_eq!(CompanyId::parse(id).unwrap().as_str(), id);
        }
        for id in ["", "-a", "_a", "Acme", "a b", "ä", "a/b", &"x".repeat(65)] {
            assert_eq!(CompanyId::parse(id), Err(CompanyIdError), "{id}");
        }
        assert_eq!(CompanyId::parse("default"), Ok(CompanyId::default()));
    }

    #[test]
    fn only_administrators_may_do_what_they_were_not_given() {
        let reader = caller(Scopes::NONE.with(Scope::CustomersRead), false);
        let by_scope = caller(Scopes::NONE.with(Scope::Admin), false);
        let by_role = caller(Scopes::NONE, true);
        for scope in Scope::ALL {
            assert_eq!(reader.may(scope), scope == Scope::CustomersRead);
            assert!(by_scope.may(scope) && by_role.may(scope));
        }
    }

    #[test]
    fn a_subject_stays_out_of_debug_output() {
        let key = KeyId::parse("abcdefghij23").unwrap();
        let mut caller = caller(Scopes::NONE, false);
        assert_eq!(caller.credential.key(), None);
        assert!(!format!("{caller:?}").contains("ann"));
        caller.credential = Credential::Token {
            subject: "ann".into(),
            key: Some(key),
        };
        assert_eq!(caller.credential.key(), Some(key));
        assert!(format!("{caller:?}").contains("abcdefghij23"));
        assert_eq!(Credential::Key(key).key(), Some(key));
        assert_eq!(format!("{:?}", Credential::Key(key)), "Key(abcdefghij23)");
    }
}
