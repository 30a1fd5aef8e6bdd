//! What the customer's page shows: plain words for everything that can be missing or go wrong.
//!
//! Must not: show who the customer is, or what they typed before, save in the answer to that.

use app::orders::{Identity, Visit};
use app::veriff::Check;
use axum::response::Response;
use domain::order::Status;
use domain::standing::Proof;
use jiff::Timestamp;
use minijinja::{Value, context};

use super::age_form::AgeForm;
use crate::http::conventions::failure::Failure;
use crate::http::pages::{leading_elsewhere, page};
use crate::in_words::time_left;

/// What has just happened.
#[derive(Default)]
pub struct Moment<'a> {
    /// The customer comes back from Veriff.
    pub is_back: bool,
    /// The customer could not be sent there.
    pub veriff_is_away: bool,
    /// What was typed about their age, and what is wrong with it.
    pub age_form: AgeForm<'a>,
    /// When the age checks are open again, if the attempts are used up.
    pub tries_end: Option<Timestamp>,
}

/// An order, as its customer sees it.
///
/// # Errors
/// When the template does not go with the values, a fault of ours.
pub fn order(visit: &Visit, moment: &Moment<'_>, now: Timestamp) -> Result<Response, Failure> {
    let shown = page("verify/order.html", values(visit, moment, now))?;
    let leads_to_veriff = visit.asks_for(Proof::Veriff) && visit.identity.check.is_some();
    Ok(match leads_to_veriff {
        true => leading_elsewhere(shown),
        false => shown,
    })
}

fn values(visit: &Visit, moment: &Moment<'_>, now: Timestamp) -> Value {
    let (headline, good) = headline(visit.status);
    let steps: Vec<Value> = Proof::ALL
        .into_iter()
        .map(|proof| step(visit, proof))
        .collect();
    let missing = visit.missing.proofs().count();
    context! {
        headline,
        good,
        outlook => outlook(visit.status),
        done => steps.len() - missing,
        steps,
        company => visit.company_name.as_str(),
        order => visit.order_id.as_str(),
        waits => visit.status == Status::Held,
        is_open => visit.is_open(),
        time_left => time_left(visit.deadline.duration_since(now)),
        deadline => visit.deadline.strftime("%A, %-d %B %Y, %H:%M UTC").to_string(),
        deadline_at => visit.deadline.to_string(),
        identity => identity(&visit.identity, moment, now),
    }
}

/// What is said below that once nothing is left to do.
const fn outlook(status: Status) -> &'static str {
    match status {
        Status::Released => "Thank you. There is nothing more for you to do.",
        Status::Late => "You will hear from the shop. There is nothing more for you to do.",
        Status::Cancelled => "If you did not expect that, please write to the shop.",
        Status::Held | Status::Expired => "",
    }
}

/// What is said of an order, and whether it is good news; neither while it is open.
const fn headline(status: Status) -> (&'static str, Option<bool>) {
    match status {
        Status::Held => ("Your order is waiting", None),
        Status::Expired => ("The time for your order is over", None),
        Status::Released => ("Your order is released", Some(true)),
        Status::Late => ("Thank you: the shop decides now", Some(true)),
        Status::Cancelled => ("Your order was cancelled", Some(false)),
    }
}

fn step(visit: &Visit, proof: Proof) -> Value {
    context! {
        name => proof.as_str(),
        title => title(proof),
        is_done => !visit.is_missing(proof),
        agreement => agreement(visit).filter(|_| proof == Proof::Membership),
    }
}

/// What can be signed.
fn agreement(visit: &Visit) -> Option<Value> {
    let agreement = visit.agreement.as_deref()?;
    Some(context! {
        version => agreement.version(),
        text => agreement.text(),
    })
}

const fn title(proof: Proof) -> &'static str {
    match proof {
        Proof::Veriff => "Your ID",
        Proof::Membership => "The membership agreement",
        Proof::EmailOptin => "Receiving e-mail",
    }
}

fn identity(identity: &Identity, moment: &Moment<'_>, now: Timestamp) -> Value {
    let (note, tone) = match identity.check {
        Some(check) => note(check, moment.is_back),
        None => ("", ""),
    };
    let tries_end = moment
        .tries_end
        .map(|end| time_left(end.duration_since(now)));
    context! {
        note,
        tone,
        is_away => moment.veriff_is_away,
        has_veriff => identity.check.is_some(),
        // What can be seen by coming again later.
        is_looked_at => matches!(identity.check, Some(Check::Begun | Check::InReview)),
        is_too_young => identity.check == Some(Check::TooYoung),
        button => identity.check.and_then(|check| button(check, moment.is_back)),
        // Whoever is through is not asked to begin again, but may.
        is_quiet => matches!(identity.check, Some(Check::ByHand)) || moment.is_back,
        by_age => identity.by_age,
        minimum_age => identity.minimum_age,
        age => moment.age_form.values(),
        tries_end,
    }
}

/// What is said of an ID check, and how: `calm` or `bad`, or nothing special.
const fn note(check: Check, is_back: bool) -> (&'static str, &'static str) {
    match check {
        Check::Begun if is_back => (
            "Thank you. Your ID is being looked at; mostly that takes a few minutes. You can close \
             this page.",
            "calm",
        ),
        Check::Begun => (
            "The check of your ID is under way. If you are through, it is being looked at and there \
             is nothing more to do. If not, go on where you were.",
            "calm",
        ),
        Check::InReview => (
            "Your ID is being looked at by a person. There is nothing more to do.",
            "calm",
        ),
        Check::Again => (
            "Your ID could not be made out well enough. Please try once more, in good light and \
             with the whole ID in the picture.",
            "bad",
        ),
        Check::Declined => (
            "Your ID was not accepted. You can try again, with another ID if you have one.",
            "bad",
        ),
        Check::DocumentExpired => (
            "Your ID is not valid any more. Please show one that is.",
            "bad",
        ),
        Check::ByHand => (
            "Something on your ID could not be read. The shop looks at it and decides; there is \
             nothing more to do.",
            "calm",
        ),
        Check::Lapsed => (
            "Last time the check was not finished. Please begin again.",
            "bad",
        ),
        Check::New | Check::TooYoung => ("", ""),
    }
}

/// What the button to Veriff says.
const fn button(check: Check, is_back: bool) -> Option<&'static str> {
    match check {
        Check::New | Check::Lapsed => Some("Show my ID"),
        Check::Begun if is_back => Some("Not finished? Go on"),
        Check::Begun => Some("Go on with my ID"),
        Check::Again | Check::Declined => Some("Try again"),
        Check::DocumentExpired | Check::ByHand => Some("Show another ID"),
        Check::InReview | Check::TooYoung => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_button_wherever_something_can_be_done() {
        for check in Check::ALL {
            for is_back in [false, true] {
                let can_go = button(check, is_back).is_some();
                assert_eq!(can_go, check.can_go_there(), "{check:?}");
            }
        }
    }

    #[test]
    fn only_who_has_begun_can_be_back() {
        for check in Check::ALL {
            let is_told_apart = note(check, true) != note(check, false);
            assert_eq!(is_told_apart, check == Check::Begun, "{check:?}");
        }
    }
}
