//! An authenticated caller.

use std::collections::BTreeMap;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use domain::access::{CompanyId, Credential, KeyId, Principal, Scope, Scopes};
use domain::rate::Limit;
use domain::seal::IndexKey;

use crate::limits::LimitName;
use crate::quota::QuotaKey;

/// Whoever presented a good credential. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Caller(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    principal: Principal,
    limits: KeyLimits,
    credential: Arc<str>,
    customers_quota: QuotaKey,
}

/// Limits that a key has of its own, in place of the general ones.
pub type KeyLimits = BTreeMap<LimitName, Limit>;

impl Caller {
    /// A caller that has been authenticated.
    pub fn new(principal: Principal, limits: KeyLimits, index_key: &IndexKey) -> Self {
        let credential = name(&principal, index_key);
        let customers_quota = match principal.credential.key() {
            Some(id) => QuotaKey::new("customers", id.as_str()),
            None => QuotaKey::new("customers", &credential),
        };
        Self(Arc::new(Inner {
            principal,
            limits,
            credential: credential.into(),
            customers_quota,
        }))
    }

    /// Whoever came by the link of a mail: on its company's behalf, and with no scope at all.
    pub(crate) fn by_link(company: CompanyId, index_key: &IndexKey) -> Self {
        let principal = Principal {
            company,
            credential: Credential::Link,
            scopes: Scopes::NONE,
            role_admin: false,
        };
        Self::new(principal, KeyLimits::new(), index_key)
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
    pub fn credential(&self) -> &str {
        &self.0.credential
    }

    /// The same, shared.
    pub fn shared_credential(&self) -> Arc<str> {
        Arc::clone(&self.0.credential)
    }

    /// What its requests of Customers and Orders count against: the key, or for
    /// tokens that come from no key the company and subject.
    pub fn customers_quota(&self) -> &QuotaKey {
        &self.0.customers_quota
    }

    /// The subject of its token.
    pub fn token_subject(&self) -> Option<&str> {
        match &self.0.principal.credential {
            Credential::Token { subject, .. } => Some(subject),
            Credential::Key(_) | Credential::Session | Credential::Hook | Credential::Link => None,
        }
    }
}

fn name(principal: &Principal, index_key: &IndexKey) -> String {
    match &principal.credential {
        Credential::Key(id) => format!("key:{id}"),
        Credential::Session => "session".to_owned(),
        Credential::Hook => "hook".to_owned(),
        Credential::Link => "link".to_owned(),
        Credential::Token { subject, key } => {
            let index = index_key.index("token", principal.company.as_str(), subject);
            let subject = HEXLOWER.encode(index.as_bytes());
            match key {
                Some(key) => format!("token:{subject} key:{key}"),
                None => format!("token:{subject}"),
            }
        }
    }
}
