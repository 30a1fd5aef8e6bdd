//! The things a credential may be allowed to do.
//!
//! The words are part of the wire contract. A set of scopes is a small value: checking one costs a
//! bit test.

use std::fmt;

/// One permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Scope {
    /// Read what is proven about a customer.
    CustomersRead,
    /// Record proofs about a customer.
    CustomersWrite,
    /// Read orders and their holds.
    OrdersRead,
    /// Report, release and cancel orders.
    OrdersWrite,
    /// Read number verifications.
    NumbersRead,
    /// Start and complete number verifications.
    NumbersWrite,
    /// Read age verifications.
    AgesRead,
    /// Make age verifications.
    AgesWrite,
    /// Read the statistics of age verifications.
    StatisticsRead,
    /// Read the audit log.
    AuditRead,
    /// Do everything, administration included.
    Admin,
}

/// A word that is no scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown scope; the scopes are {}", Scopes::ALL)]
pub struct UnknownScope;

impl Scope {
    /// Every scope, in the order they are documented and shown.
    pub const ALL: [Self; 11] = [
        Self::CustomersRead,
        Self::CustomersWrite,
        Self::OrdersRead,
        Self::OrdersWrite,
        Self::NumbersRead,
        Self::NumbersWrite,
        Self::AgesRead,
        Self::AgesWrite,
        Self::StatisticsRead,
        Self::AuditRead,
        Self::Admin,
    ];

    /// The scope's word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CustomersRead => "customers:read",
            Self::CustomersWrite => "customers:write",
            Self::OrdersRead => "orders:read",
            Self::OrdersWrite => "orders:write",
            Self::NumbersRead => "numbers:read",
            Self::NumbersWrite => "numbers:write",
            Self::AgesRead => "ages:read",
            Self::AgesWrite => "ages:write",
            Self::StatisticsRead => "statistics:read",
            Self::AuditRead => "audit:read",
            Self::Admin => "admin",
        }
    }

    /// What the scope allows, for people.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::CustomersRead => "Read what is proven about customers.",
            Self::CustomersWrite => "Record and withdraw proofs about customers.",
            Self::OrdersRead => "Read orders and their holds.",
            Self::OrdersWrite => "Report, release and cancel orders.",
            Self::NumbersRead => "Read number verifications.",
            Self::NumbersWrite => "Start and complete number verifications.",
            Self::AgesRead => "Read age verifications.",
            Self::AgesWrite => "Make age verifications.",
            Self::StatisticsRead => "Read the statistics of age verifications.",
            Self::AuditRead => "Read the audit log.",
            Self::Admin => "Do everything, administration included.",
        }
    }

    /// Reads a scope's word.
    ///
    /// # Errors
    /// [`UnknownScope`], which lists the words there are.
    pub fn parse(word: &str) -> Result<Self, UnknownScope> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.as_str() == word)
            .ok_or(UnknownScope)
    }

    const fn bit(self) -> u16 {
        1 << self as u8
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A set of scopes.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Scopes(u16);

impl Scopes {
    /// The set without any scope.
    pub const NONE: Self = Self(0);
    /// The set of all scopes.
    pub const ALL: Self = Self((1 << Scope::ALL.len()) - 1);

    /// Reads a set from its words.
    ///
    /// # Errors
    /// [`UnknownScope`] at the first word that is no scope.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, UnknownScope> {
        words.into_iter().map(Scope::parse).collect()
    }

    /// What a token may do, by its claims `scope` (words separated by spaces) and `role`.
    ///
    /// Words we do not know are ignored: a token may have been made for other services as well. A
    /// token that names no scope at all may use the Ages surface, statistics excepted, because
    /// shops issue such tokens to their visitors; naming only unknown ones gives nothing. The role
    /// `admin` adds the scope `admin`.
    #[must_use]
    pub fn of_token(scope: Option<&str>, role: Option<&str>) -> Self {
        let mut words = scope
            .unwrap_or_default()
            .split_ascii_whitespace()
            .peekable();
        let is_admin = role == Some("admin");
        if words.peek().is_none() && !is_admin {
            return Self::from_iter([Scope::AgesRead, Scope::AgesWrite]);
        }
        let named: Self = words.filter_map(|word| Scope::parse(word).ok()).collect();
        if is_admin {
            named.with(Scope::Admin)
        } else {
            named
        }
    }

    /// The set with one scope more.
    #[must_use]
    pub const fn with(self, scope: Scope) -> Self {
        Self(self.0 | scope.bit())
    }

    /// Whether the scope is a member. `admin` does not imply the others here: see
    /// [`Principal::may`](super::Principal::may).
    #[must_use]
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Whether each member is also in the other set.
    #[must_use]
    pub const fn is_subset(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// Whether there is no member.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members, in documented order.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL
            .into_iter()
            .filter(move |scope| self.contains(*scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        scopes.into_iter().fold(Self::NONE, Self::with)
    }
}

/// The words separated by spaces, as OAuth 2.0 writes them.
impl fmt::Display for Scopes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, scope) in self.iter().enumerate() {
            let separator = if place == 0 { "" } else { " " };
            write!(formatter, "{separator}{scope}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Scopes({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_scope_reads_back_and_stands_alone() {
        for scope in Scope::ALL {
            assert_eq!(Scope::parse(scope.as_str()), Ok(scope));
            assert_eq!(Scopes::NONE.with(scope).iter().collect::<Vec<_>>(), [scope]);
        }
        for word in ["", "Admin", "customers", "customers:read ", "ages:*"] {
            let error = Scope::parse(word).unwrap_err();
            assert!(error.to_string().contains("customers:read customers:write"));
        }
        assert_eq!(Scope::ALL.into_iter().collect::<Scopes>(), Scopes::ALL);
    }

    #[test]
    fn one_unknown_word_spoils_a_configured_set() {
        assert!(Scopes::parse(["admin", "audit:read"]).is_ok());
        assert!(Scopes::parse(["admin", "audit:reed"]).is_err());
    }

    #[test]
    fn a_token_gets_what_it_names() {
        let ages = "ages:read ages:write";
        for (scope, role, expected) in [
            (None, None, ages),
            (Some(""), None, ages),
            (Some("  "), Some("customer"), ages),
            (Some("statistics:read"), None, "statistics:read"),
            (Some("openid  audit:read"), None, "audit:read"),
            (Some("openid profile"), None, ""),
            (None, Some("admin"), "admin"),
            (Some("ages:read"), Some("admin"), "ages:read admin"),
            (None, Some("Admin"), ages),
        ] {
            assert_eq!(Scopes::of_token(scope, role).to_string(), expected);
        }
    }

    proptest! {
        #[test]
        fn a_set_is_a_set(left in 0..=Scopes::ALL.0, right in 0..=Scopes::ALL.0) {
            let (left, right) = (Scopes(left), Scopes(right));
            prop_assert_eq!(Scopes::parse(left.to_string().split(' ').filter(|w| !w.is_empty())), Ok(left));
            prop_assert_eq!(left.is_subset(right), left.iter().all(|scope| right.contains(scope)));
            prop_assert_eq!(left.is_empty(), left.iter().next().is_none());
        }
    }
}
