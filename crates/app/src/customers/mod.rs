//! Customers: what is proven about a shop's customers.

mod bulk;
mod check;
mod keys_fit;
mod newcomer;
mod person;
mod proving;
mod update;

pub use bulk::{BulkChecked, bulk_check};
pub use check::{Checked, Question, check};
pub use keys_fit::{Fit, keys_fit};
pub(crate) use newcomer::{Newcomer, Piece};
pub use person::{Person, Piece as Evidence, Reveal, address_of, find, see};
pub(crate) use proving::{Proving, assurance, place};
pub use update::{Metadata, Update, Updated, update};

use domain::access::CompanyId;
use domain::contact::{E164, Email};
use domain::seal::{BlindIndex, IndexKey};

/// How customers of a company are looked up by e-mail address.
pub(crate) fn email_index(key: &IndexKey, company: &CompanyId, email: &Email) -> BlindIndex {
    key.index("email", company.as_str(), email.as_str())
}

/// How customers of a company are looked up by phone number.
pub(crate) fn phone_index(key: &IndexKey, company: &CompanyId, phone: &E164) -> BlindIndex {
    key.index("phone", company.as_str(), phone.as_str())
}
