//! A customer asks to be found old enough.
//!
//! In this order: attempts used up, a verification that still holds, then the checks. Where units
//! run beside each other the customer is looked at first: where the first two settle it and nothing
//! has to change, that is all, and otherwise it tells in which lanes the decision has to stand. Where
//! they run one after another, the unit that decides looks for itself.

use domain::age::{Attempts, Claim, Decision, Method, UsedUp};
use domain::contact::Email;
use domain::seal::BlindIndex;
use jiff::Timestamp;
use store::tables::age_customers::{Found, Verification};
use store::tables::customers::Key;

use super::decide::Decide;
use super::{Policy, key};
use crate::audit::Draft;
use crate::customers::email_index;
use crate::idempotency::Reply;
use crate::{App, Ctx, Result};

/// What is asked.
#[derive(Clone)]
pub struct Request {
    /// Who, by the shop's own name.
    pub customer_id: String,
    /// What the customer says.
    pub claimed: Claimed,
    /// The e-mail address of the customer that a verification is to be linked to.
    pub email: Option<Email>,
    /// Whether an earlier verification is set aside.
    pub anew: bool,
}

impl std::fmt::Debug for Request {
    /// The shop's name for a customer may be an address; it is hidden like all the rest.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Request(…)")
    }
}

/// What a customer says, as it was typed.
#[derive(Clone, serde::Serialize)]
pub struct Claimed {
    /// First and last name.
    pub full_name: String,
    /// `YYYY-MM-DD`.
    pub date_of_birth: String,
    /// The last four digits of the number of the ID.
    pub id_number_last4: String,
    /// The state, as its two-letter code.
    pub state: String,
}

impl Claimed {
    pub(super) fn as_claim(&self) -> Claim<'_> {
        Claim {
            full_name: &self.full_name,
            date_of_birth: &self.date_of_birth,
            id_number_last4: &self.id_number_last4,
            state: &self.state,
        }
    }
}

impl std::fmt::Debug for Claimed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Claimed(…)")
    }
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Too many refused attempts; nothing was checked.
    UsedUp(UsedUp),
    /// An earlier verification still holds; nothing was checked.
    Cached(Verification),
    /// The checks passed.
    Passed(Verification),
    /// One of the checks did not.
    Refused {
        /// The decision's id.
        verification_id: String,
        /// What was decided.
        decision: Decision,
    },
}

impl Outcome {
    /// Which check, or which rule before the checks, settled it.
    pub fn method(&self) -> Method {
        match self {
            Self::UsedUp(_) => Method::RateLimit,
            Self::Cached(_) => Method::Cache,
            Self::Passed(_) => Method::FullVerification,
            Self::Refused { decision, .. } => decision.method(),
        }
    }

    /// The word and the status that the audit log has for it.
    fn word(&self) -> (&'static str, u16) {
        match self {
            Self::UsedUp(_) => ("rate_limited", 429),
            Self::Cached(_) | Self::Passed(_) => ("ok", 200),
            Self::Refused { .. } => ("refused", 400),
        }
    }

    /// What the audit log says beyond that; it names nobody. Of a decision its name stands last, by which
    /// the archive finds it.
    fn detail(&self) -> String {
        let method = self.method().as_str();
        match self {
            Self::Passed(verification) => format!("{method} {}", verification.id),
            Self::Refused {
                verification_id,
                decision,
            } => format!("{method} {} {verification_id}", decision.code()),
            Self::UsedUp(_) | Self::Cached(_) => method.to_owned(),
        }
    }

    pub(super) fn record(&self, draft: &Draft) -> domain::audit::Record {
        let (code, status) = self.word();
        draft.clone().finish(code, status, Some(self.detail()))
    }
}

/// An outcome, and when and how long it took.
#[derive(Debug, Clone)]
pub struct Answer {
    /// How it ended.
    pub outcome: Outcome,
    /// When it was asked.
    pub at: Timestamp,
    /// From arrival until the answer was handed to the log, in microseconds.
    pub took: i64,
}

/// Notes whom a request is about, for the audit log.
pub fn note_subject(app: &App, ctx: &Ctx, customer_id: &str) {
    let key = key(&app.index_key, ctx.caller.company_id(), customer_id);
    ctx.exchange.note_subject(key.index);
}

/// Answers the question; whom it is about is noted before, with [`note_subject`].
///
/// # Errors
/// [`crate::Code::Unavailable`] when the database is away.
pub async fn verify(
    app: &App,
    ctx: &Ctx,
    request: Request,
    reply: Reply<Answer>,
) -> Result<Answer> {
    let company = ctx.caller.company_id();
    let question = Question {
        key: key(&app.index_key, company, &request.customer_id),
        email_index: request
            .email
            .as_ref()
            .map(|email| email_index(&app.index_key, company, email)),
        anew: request.anew,
        policy: app.ages,
        now: app.clock.now(),
    };
    let draft = app.recorder.draft(&ctx.exchange).await?;
    let mut looked = None;
    if app.store.runs_units_side_by_side() {
        // An answer that is to be stored is settled in the transaction that stores it.
        let settles = !reply.is_kept();
        match look(app, &question, &draft, settles).await? {
            Look::Settled(answer) => {
                ctx.exchange.mark_recorded();
                return Ok(answer);
            }
            Look::Open(open) => looked = Some(open),
        }
    }
    let unit = Decide::new(app, ctx, question, request, draft, reply, looked);
    let (answer, news) = app.store.write(unit).await?;
    ctx.exchange.mark_recorded();
    news.announce(app);
    Ok(answer)
}

/// What the rules before the checks need to know.
#[derive(Clone)]
pub(super) struct Question {
    pub key: Key,
    pub email_index: Option<BlindIndex>,
    pub anew: bool,
    pub policy: Policy,
    pub now: Timestamp,
}

impl Question {
    /// What is settled before anything is checked.
    pub fn settled(&self, attempts: Attempts, known: Option<&Verification>) -> Option<Outcome> {
        if let Some(used_up) = attempts.used_up(self.policy.attempts, self.now) {
            return Some(Outcome::UsedUp(used_up));
        }
        let holds = |known: &&Verification| !self.anew && known.validity.is_valid(self.now);
        known.filter(holds).cloned().map(Outcome::Cached)
    }

    /// The same, if nothing has to be written for it.
    pub fn settled_at_once(&self, found: Option<&Found>) -> Option<Outcome> {
        let found = found?;
        let outcome = self.settled(found.attempts, found.verification.as_ref())?;
        let links = matches!(outcome, Outcome::Cached(_))
            && self.email_index.is_some()
            && self.email_index != found.email_index;
        (!links).then_some(outcome)
    }
}

/// What a look at the customer tells.
enum Look {
    /// The answer, and nothing has to be written for it.
    Settled(Answer),
    /// It has to be decided.
    Open(Looked),
}

/// What was known of the customer a moment ago.
#[derive(Clone, Copy)]
pub(super) struct Looked {
    /// Whether nothing was.
    pub new: bool,
    /// The address that the customer was linked to.
    pub linked: Option<BlindIndex>,
}

async fn look(app: &App, question: &Question, draft: &Draft, settles: bool) -> Result<Look> {
    let settle = {
        let (question, draft) = (question.clone(), draft.clone());
        move |found: Option<&Found>| {
            let outcome = question.settled_at_once(found).filter(|_| settles)?;
            Some(outcome.record(&draft))
        }
    };
    let key = question.key.clone();
    let found = app.store.find_age_customer(key, settle).await?;
    let outcome = question.settled_at_once(found.as_ref());
    Ok(match outcome.filter(|_| settles) {
        Some(outcome) => Look::Settled(Answer {
            outcome,
            at: question.now,
            took: draft.elapsed(),
        }),
        None => Look::Open(Looked {
            new: found.is_none(),
            linked: found.and_then(|found| found.email_index),
        }),
    })
}
