//! Is this customer bona fide?

use domain::contact::{E164, Email};
use domain::standing::{Completeness, Standing};
use jiff::Timestamp;
use store::tables::customers::{Found, Key, Wanted};

use super::{email_index, phone_index};
use crate::ages::Policy;
use crate::{App, Ctx, Result};

/// Whom to look for: by e-mail first, then by phone.
#[derive(Debug, Clone)]
pub enum Question {
    /// By e-mail address alone.
    Email(Email),
    /// By phone number alone.
    Phone(E164),
    /// By e-mail address, and by phone number when nobody has that address.
    Both(Email, E164),
}

/// What is known of a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// Whether there is such a customer at all.
    pub found: bool,
    /// What is proven; nothing for an unknown customer.
    pub standing: Standing,
    /// Whether a valid age verification proves the customer's identity.
    pub identity_by_age: bool,
    /// Whether everything is proven.
    pub all_verified: bool,
}

impl Checked {
    pub(super) fn of(found: Option<&Found>, app: &App) -> Self {
        Self::at(found, &app.ages, app.clock.now())
    }

    /// What is known at `now`.
    pub(crate) fn at(found: Option<&Found>, policy: &Policy, now: Timestamp) -> Self {
        let standing = found.map(|found| found.standing).unwrap_or_default();
        let age_until = found.and_then(|found| found.age_verified_until);
        let identity_by_age = policy.identity_by_age(age_until, now);
        Self {
            found: found.is_some(),
            standing,
            identity_by_age,
            all_verified: standing.all_verified(identity_by_age),
        }
    }

    /// How much is proven.
    pub fn completeness(&self) -> Completeness {
        self.standing.completeness(self.identity_by_age)
    }
}

/// Answers the question.
///
/// # Errors
/// [`crate::Code::Unavailable`] when the database is away.
pub async fn check(app: &App, ctx: &Ctx, question: &Question) -> Result<Checked> {
    let company = ctx.caller.company_id();
    let (email, phone) = match question {
        Question::Email(email) => (Some(email), None),
        Question::Phone(phone) => (None, Some(phone)),
        Question::Both(email, phone) => (Some(email), Some(phone)),
    };
    let wanted = Wanted {
        by_email: email.map(|email| Key {
            company: company.clone(),
            index: email_index(&app.index_key, company, email),
        }),
        by_phone: phone.map(|phone| Key {
            company: company.clone(),
            index: phone_index(&app.index_key, company, phone),
        }),
    };
    if let Some(key) = wanted.by_email.as_ref().or(wanted.by_phone.as_ref()) {
        ctx.exchange.note_subject(key.index);
    }
    let draft = app.recorder.draft(&ctx.exchange).await?;
    let phone_index = wanted.by_phone.as_ref().map(|key| key.index);
    let record = move |found: Option<&Found>| {
        let mut record = draft.clone().finish("ok", 200, None);
        // Of two that were named, it was the number's owner of whom something was told.
        if found.is_some_and(|found| found.by_phone) {
            record.subject = phone_index;
        }
        record
    };
    let found = app.store.find_customer(wanted, record).await?;
    ctx.exchange.mark_recorded();
    Ok(Checked::of(found.as_ref(), app))
}
