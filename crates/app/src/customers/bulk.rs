//! Many customers in one question.

use domain::contact::Email;
use domain::standing::Completeness;
use store::tables::customers::Key;

use super::{Checked, email_index};
use crate::{App, Ctx, Result};

/// The answers, in the order of the question, and their sums.
#[derive(Debug, Clone)]
pub struct BulkChecked {
    /// One answer per address.
    pub customers: Vec<Checked>,
    /// Everything proven.
    pub fully_verified: usize,
    /// Something proven, but not everything.
    pub partially_verified: usize,
    /// Nothing proven.
    pub unverified: usize,
}

/// Answers for every address.
///
/// # Errors
/// [`crate::Code::Unavailable`] when the database is away.
pub async fn bulk_check(app: &App, ctx: &Ctx, emails: &[Email]) -> Result<BulkChecked> {
    let company = ctx.caller.company_id();
    ctx.exchange
        .note_detail(format!("addresses={}", emails.len()));
    let keys: Vec<_> = emails
        .iter()
        .map(|email| Key {
            company: company.clone(),
            index: email_index(&app.index_key, company, email),
        })
        .collect();
    let customers: Vec<_> = app
        .store
        .find_customers(&keys)
        .await?
        .iter()
        .map(|found| Checked::of(found.as_ref(), app))
        .collect();
    let count = |wanted| {
        customers
            .iter()
            .filter(|customer| customer.completeness() == wanted)
            .count()
    };
    Ok(BulkChecked {
        fully_verified: count(Completeness::Full),
        partially_verified: count(Completeness::Partial),
        unverified: count(Completeness::None),
        customers,
    })
}
