//! An authenticated caller.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use domain::access::{CompanyId, Credential, KeyId, Principal, Scope};
use domain::rate::Limit;
use domain::seal::IndexKey;

use crate::limits::LimitName;

/// Whoever presented a good credential. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Caller(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    principal: Principal,
    limits: KeyLimits,
}

/// Limits that a key has of its own, in place of the general ones.
pub type KeyLimits = BTreeMap<LimitName, Limit>;

impl Caller {
    /// A caller that has been authenticated.
    pub fn new(principal: Principal, limits: KeyLimits) -> Self {
        Self(Arc::new(Inner { principal, limits }))
    }

    /// Who it is.
    pub fn principal(&self) -> &Principal {
        &self.0.principal
    }

    /// On whose behalf it calls.
    pub fn company(&self) -> &str {
        self.0.principal.company.as_str()
    }

    /// The same, to keep.
    pub fn company_id(&self) -> &CompanyId {
        &self.0.principal.company
    }

    /// Whether it may do what `scope` names.
    pub fn may(&self, scope: Scope) -> bool {
        self.0.principal.may(scope)
    }

    /// Its key's own limit of that name.
    pub fn own_limit(&self, name: LimitName) -> Option<Limit> {
        self.0.limits.get(&name).copied()
    }

    /// All limits of its key's own.
    pub fn own_limits(&self) -> &KeyLimits {
        &self.0.limits
    }

    /// The key it came with, or from which its token was made.
    pub fn key(&self) -> Option<KeyId> {
        self.0.principal.credential.key()
    }

    /// How the audit log names the credential: a key by its id, a token by the
    /// keyed hash of its subject (which may be a person's address).
    pub fn credential(&self, index_key: &IndexKey) -> String {
        match &self.0.principal.credential {
            Credential::Key(id) => format!("key:{}", id.as_str()),
            Credential::Token { subject, key } => {
                let index = index_key.index("token", self.company(), subject);
                let mut name = String::from("token:");
                for byte in index.as_bytes() {
                    // Writing to a string cannot fail.
                    let _ = write!(name, "{byte:02x}");
                }
                if let Some(key) = key {
                    let _ = write!(name, " key:{}", key.as_str());
                }
                name
            }
        }
    }

    /// The subject of its token.
    pub fn token_subject(&self) -> Option<&str> {
        match &self.0.principal.credential {
            Credential::Key(_) => None,
            Credential::Token { subject, .. } => Some(subject),
        }
    }
}
