//! What is known of a customer's age.

use jiff::Timestamp;
use store::tables::age_customers::{Found, Verification};

use super::key;
use crate::{App, Ctx, Result};

/// What is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// No verification counts.
    Never,
    /// One does, or did until it expired.
    Verified {
        /// Which.
        verification: Verification,
        /// Whether it has expired.
        expired: bool,
    },
}

impl Status {
    fn of(found: Option<&Found>, now: Timestamp) -> Self {
        match found.and_then(|found| found.verification.clone()) {
            None => Self::Never,
            Some(verification) => Self::Verified {
                expired: !verification.validity.is_valid(now),
                verification,
            },
        }
    }
}

/// Looks a customer up.
///
/// # Errors
/// [`crate::Code::Unavailable`] when the database is away.
pub async fn status(app: &App, ctx: &Ctx, customer_id: &str) -> Result<Status> {
    let key = key(&app.index_key, ctx.caller.company_id(), customer_id);
    let now = app.clock.now();
    ctx.exchange.note_subject(key.index);
    let draft = app.recorder.draft(&ctx.exchange).await?;
    let record = move |found: Option<&Found>| {
        let (code, status) = match Status::of(found, now) {
            Status::Never => ("not_found", 404),
            Status::Verified { .. } => ("ok", 200),
        };
        Some(draft.clone().finish(code, status, None))
    };
    let found = app.store.find_age_customer(key, record).await?;
    ctx.exchange.mark_recorded();
    Ok(Status::of(found.as_ref(), now))
}
