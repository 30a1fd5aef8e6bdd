//! Ages: is this customer old enough?
//!
//! Customers go by the shop's own names for them. Whoever was found old enough once is answered
//! from that verification until it expires; who was refused too often in a day is not checked at
//! all. Both rules and the decision are applied in one transaction, over rows: they hold for any
//! number of instances, and survive restarts and the loss of Redis.

mod decide;
mod figures;
mod link;
mod recount;
mod statistics;
mod status;
mod verify;

pub use figures::{Figures, OfDay, figures};
pub use recount::{Recount, recount};
pub use store::tables::age_customers::Verification;

pub use statistics::{Days, Statistics, statistics};
pub use status::{Status, status};
pub use verify::{Answer, Claimed, Outcome, Request, note_subject, verify};

use domain::access::CompanyId;
use domain::age::{AgePolicy, AttemptPolicy};
use domain::seal::IndexKey;
use domain::span::Span;
use jiff::Timestamp;
use store::tables::customers::Key;

/// The operator's rules.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// How old a customer must be.
    pub age: AgePolicy,
    /// How often one may be refused.
    pub attempts: AttemptPolicy,
    /// How long a verification holds.
    pub lifetime: Span,
    /// Whether a verification that is linked to a customer proves the customer's identity.
    pub proves_identity: bool,
}

impl Policy {
    /// Whether a customer's identity is proven at `now` by an age verification that holds until
    /// then, if one is linked.
    pub(crate) fn identity_by_age(&self, age_until: Option<Timestamp>, now: Timestamp) -> bool {
        self.proves_identity && age_until.is_some_and(|until| now < until)
    }
}

impl Default for Policy {
    /// 21 years; three refused attempts in 24 hours; a year; and no proof of identity.
    fn default() -> Self {
        Self {
            age: AgePolicy::default(),
            attempts: AttemptPolicy::default(),
            lifetime: Span::years(1),
            proves_identity: false,
        }
    }
}

/// How customers of the age surface are looked up.
pub(crate) fn key(index: &IndexKey, company: &CompanyId, customer_id: &str) -> Key {
    Key {
        company: company.clone(),
        index: index.index("age customer", company.as_str(), customer_id),
    }
}
