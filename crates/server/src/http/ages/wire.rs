//! The bodies of the surface, exactly as clients know them.

use app::ages::{self, Answer, Claimed, Days, Outcome, Request, Verification};
use app::{Code, FieldProblem};
use axum::response::Response;
use domain::age::{ClaimField, Decision, Method, UsedUp as Exhausted};
use domain::contact::Email;
use domain::span::Span;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::conventions::failure::{Failure, finished};
use crate::http::conventions::fields::{Fields, Raw};
use crate::http::conventions::json::{Milliseconds, render};
use crate::http::conventions::once::answer;
use crate::http::conventions::page::Query;
use crate::http::conventions::surface::AgeFailure;

/// The longest name that a shop may have for a customer, in characters.
const LONGEST_ID: usize = 200;

/// What the customer says.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerifyRequest<'a> {
    /// The shop's own name for the customer.
    #[serde(borrow, default)]
    #[schema(value_type = String, required, min_length = 1, max_length = 200, examples("customer-81"))]
    customer_id: Raw<'a>,
    /// First and last name.
    #[serde(borrow, default)]
    #[schema(value_type = String, required, max_length = 1024, examples("Ada Lovelace"))]
    full_name: Raw<'a>,
    /// The birth date, `YYYY-MM-DD`.
    #[serde(borrow, default)]
    #[schema(value_type = String, required, max_length = 1024, examples("1990-06-15"))]
    date_of_birth: Raw<'a>,
    /// The last four digits of the number of the ID.
    #[serde(borrow, default)]
    #[schema(value_type = String, required, max_length = 1024, examples("1234"))]
    id_number_last4: Raw<'a>,
    /// The two-letter code of a US state, DC or territory.
    #[serde(borrow, default)]
    #[schema(value_type = String, required, max_length = 1024, examples("TX"))]
    state: Raw<'a>,
    /// The e-mail address of the customer to link the verification to.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, format = Email, max_length = 254, examples("ada@example.com"))]
    email: Raw<'a>,
}

impl VerifyRequest<'_> {
    pub fn validate(self, fields: &mut Fields, anew: bool) -> Option<Request> {
        let customer_id = fields.parsed("customerId", self.customer_id, customer_id);
        let customer_id = fields.required("customerId", customer_id, self.customer_id);
        let full_name = fields.filled("fullName", self.full_name);
        let date_of_birth = fields.filled("dateOfBirth", self.date_of_birth);
        let id_number_last4 = fields.filled("idNumberLast4", self.id_number_last4);
        let state = fields.filled("state", self.state);
        let email = email(fields, self.email);
        Some(Request {
            customer_id: customer_id?,
            claimed: Claimed {
                full_name: full_name?,
                date_of_birth: date_of_birth?,
                id_number_last4: id_number_last4?,
                state: state?,
            },
            email,
            anew,
        })
    }
}

/// An address that may be left out; as with the other fields, an empty one is.
fn email(fields: &mut Fields, raw: Raw<'_>) -> Option<Email> {
    let text = fields.text("email", raw)?;
    if text.trim().is_empty() {
        return None;
    }
    Email::parse(&text)
        .map_err(|error| fields.refuse("email", error.to_string()))
        .ok()
}

/// A shop's name for a customer; otherwise what is wrong with it.
fn customer_id(text: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() {
        Err(FieldProblem::MISSING)
    } else if text.chars().count() > LONGEST_ID {
        Err("must have 1 to 200 characters")
    } else {
        Ok(text.to_owned())
    }
}

/// The customer that a path names.
///
/// # Errors
/// When it is longer than any name of a customer, or blank.
pub fn customer_id_in_path(text: &str) -> Result<String, Failure> {
    customer_id(text).map_err(|problem| app::Error::invalid_field("customerId", problem).into())
}

/// Old enough.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AgePassed)]
pub struct Passed<'a> {
    /// Always true.
    #[schema(examples(true))]
    success: bool,
    /// The verification's id.
    #[schema(examples("av_1704067200000_a1b2c3d4e5f6g7h8"))]
    verification_id: &'a str,
    /// Always true.
    #[schema(examples(true))]
    verified: bool,
    /// `full_verification`, or `cache` when an earlier verification still holds.
    #[schema(examples("full_verification"))]
    method: &'a str,
    /// For people.
    #[schema(examples("All checks passed"))]
    reason: &'a str,
    /// The age in years, when it was verified.
    #[schema(examples(33))]
    age: i64,
    /// When it was verified.
    #[schema(value_type = String, format = DateTime, examples("2025-01-01T00:00:00.000Z"))]
    verified_at: Milliseconds,
    /// When it ceases to hold.
    #[schema(value_type = String, format = DateTime, examples("2026-01-01T00:00:00.000Z"))]
    expires_at: Milliseconds,
    /// When this was answered.
    #[schema(value_type = String, format = DateTime, examples("2025-01-01T00:00:00.000Z"))]
    timestamp: Milliseconds,
    /// How long it took, in milliseconds.
    #[schema(examples(45))]
    processing_time: i64,
}

/// Not verified, or a request that could not be read.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = AgeNotVerified)]
#[allow(dead_code, reason = "describes the two shapes of one status")]
pub enum NotVerified<'a> {
    /// A check did not pass.
    Refused(Refused<'a>),
    /// Fields are missing or not acceptable; nothing was checked.
    Failure(AgeFailure<'a>),
}

/// A check did not pass.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AgeRefused)]
pub struct Refused<'a> {
    /// Always false.
    #[schema(examples(false))]
    success: bool,
    /// The decision's id.
    #[schema(examples("av_1704067200000_a1b2c3d4e5f6g7h8"))]
    verification_id: &'a str,
    /// Always false.
    #[schema(examples(false))]
    verified: bool,
    /// `input_validation`, `age_check` or `id_validation`.
    #[schema(examples("age_check"))]
    method: &'a str,
    /// For people.
    #[schema(examples("Must be at least 21 years old"))]
    reason: String,
    /// The field that it is about.
    #[schema(examples("dateOfBirth"))]
    field: &'a str,
    /// The age in years, where it could be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(examples(19))]
    age: Option<u16>,
    /// When this was answered.
    #[schema(value_type = String, format = DateTime, examples("2025-01-01T00:00:00.000Z"))]
    timestamp: Milliseconds,
    /// How long it took, in milliseconds.
    #[schema(examples(45))]
    processing_time: i64,
}

/// Too many refused attempts.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AgeAttemptsUsedUp)]
pub struct UsedUp<'a> {
    /// Always false.
    #[schema(examples(false))]
    success: bool,
    /// For people.
    #[schema(examples("Too many verification attempts"))]
    error: &'a str,
    /// For people.
    #[schema(examples(
        "You have exceeded the maximum number of verification attempts (3 per 24 hours). Please try again later."
    ))]
    message: String,
    /// A stable machine word.
    #[schema(examples("rate_limited"))]
    code: &'a str,
    /// As in `X-Request-Id`.
    #[schema(examples("0192f3a1-7c44-7d10-9b5e-3f8a2c6d1e07"))]
    request_id: &'a str,
    /// How many attempts were refused.
    #[schema(examples(3))]
    attempts: u32,
    /// How many may be.
    #[schema(examples(3))]
    max_attempts: u32,
    /// When attempts are checked again.
    #[schema(value_type = String, format = DateTime, examples("2025-01-02T00:00:00.000Z"))]
    reset_at: Milliseconds,
}

/// The answer of verify and resubmit.
pub fn answered(answer: &Answer) -> (u16, Vec<u8>) {
    match &answer.outcome {
        Outcome::Passed(verification) => (
            200,
            render(&passed(answer, verification, "All checks passed")),
        ),
        Outcome::Cached(verification) => (
            200,
            render(&passed(answer, verification, "Verified before")),
        ),
        Outcome::Refused {
            verification_id,
            decision,
        } => (400, render(&refused(answer, verification_id, decision))),
        // Never stored, and rendered by `used_up`: it names the request.
        Outcome::UsedUp(_) => (429, Vec::new()),
    }
}

fn passed<'a>(answer: &Answer, verification: &'a Verification, reason: &'a str) -> Passed<'a> {
    Passed {
        success: true,
        verification_id: &verification.id,
        verified: true,
        method: answer.outcome.method().as_str(),
        reason,
        age: verification.age,
        verified_at: Milliseconds(verification.validity.verified_at),
        expires_at: Milliseconds(verification.validity.expires_at),
        timestamp: Milliseconds(answer.at),
        processing_time: answer.took / 1000,
    }
}

fn refused<'a>(answer: &Answer, verification_id: &'a str, decision: &Decision) -> Refused<'a> {
    Refused {
        success: false,
        verification_id,
        verified: false,
        method: decision.method().as_str(),
        reason: decision.to_string(),
        field: decision
            .refusal()
            .map_or("", |refusal| name(refusal.field())),
        age: decision.age(),
        timestamp: Milliseconds(answer.at),
        processing_time: answer.took / 1000,
    }
}

fn name(field: ClaimField) -> &'static str {
    match field {
        ClaimField::FullName => "fullName",
        ClaimField::DateOfBirth => "dateOfBirth",
        ClaimField::IdNumberLast4 => "idNumberLast4",
        ClaimField::State => "state",
    }
}

/// The answer when the attempts are used up.
pub fn used_up(exhausted: &Exhausted, request_id: &str) -> Vec<u8> {
    let (maximum, window) = (exhausted.maximum, in_words(exhausted.window));
    render(&UsedUp {
        success: false,
        error: "Too many verification attempts",
        message: format!(
            "You have exceeded the maximum number of verification attempts ({maximum} per \
             {window}). Please try again later."
        ),
        code: Code::RateLimited.as_str(),
        request_id,
        attempts: exhausted.attempts,
        max_attempts: maximum,
        reset_at: Milliseconds(exhausted.reset_at),
    })
}

/// A length of time as people say it: in whole hours, if it is of hours.
fn in_words(window: Span) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    let Some(fixed) = window.as_duration() else {
        return window.to_string();
    };
    let (seconds, mut number, mut unit) = (fixed.as_secs(), fixed.as_secs(), "second");
    for (length, name) in [(MINUTE, "minute"), (HOUR, "hour")] {
        if seconds >= length && seconds.is_multiple_of(length) {
            (number, unit) = (seconds / length, name);
        }
    }
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural}")
}

/// What is known of a customer's age.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AgeStatus)]
pub struct Status<'a> {
    /// Always true.
    #[schema(examples(true))]
    success: bool,
    /// Whether the verification holds.
    #[schema(examples(true))]
    verified: bool,
    /// The verification's id.
    #[schema(examples("av_1704067200000_a1b2c3d4e5f6g7h8"))]
    verification_id: &'a str,
    /// When it was verified.
    #[schema(value_type = String, format = DateTime, examples("2025-01-01T00:00:00.000Z"))]
    verified_at: Milliseconds,
    /// When it ceases to hold, or did.
    #[schema(value_type = String, format = DateTime, examples("2026-01-01T00:00:00.000Z"))]
    expires_at: Milliseconds,
    /// Whether it has expired.
    #[schema(examples(false))]
    expired: bool,
    /// The age in years, when it was verified.
    #[schema(examples(33))]
    age: i64,
    /// The two-letter code of the customer's state.
    #[schema(examples("TX"))]
    state: &'a str,
    /// How it was verified.
    #[schema(examples("full_verification"))]
    method: &'a str,
}

/// No verification.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AgeNeverVerified)]
pub struct NeverVerified<'a> {
    /// Always false.
    #[schema(examples(false))]
    success: bool,
    /// Always false.
    #[schema(examples(false))]
    verified: bool,
    /// For people.
    #[schema(examples("Not found"))]
    error: &'a str,
    /// For people.
    #[schema(examples("No verification found for this customer"))]
    message: &'a str,
    /// A stable machine word.
    #[schema(examples("not_found"))]
    code: &'a str,
    /// As in `X-Request-Id`.
    #[schema(examples("0192f3a1-7c44-7d10-9b5e-3f8a2c6d1e07"))]
    request_id: &'a str,
    /// As it was asked.
    #[schema(examples("customer-81"))]
    customer_id: &'a str,
}

/// The answer of status.
pub fn status(status: &ages::Status, customer_id: &str, request_id: &str) -> Response {
    let response = match status {
        ages::Status::Never => {
            let body = NeverVerified {
                success: false,
                verified: false,
                error: "Not found",
                message: "No verification found for this customer",
                code: Code::NotFound.as_str(),
                request_id,
                customer_id,
            };
            answer(404, render(&body))
        }
        ages::Status::Verified {
            verification,
            expired,
        } => {
            let body = Status {
                success: true,
                verified: !expired,
                verification_id: &verification.id,
                verified_at: Milliseconds(verification.validity.verified_at),
                expires_at: Milliseconds(verification.validity.expires_at),
                expired: *expired,
                age: verification.age,
                state: &verification.state,
                method: Method::FullVerification.as_str(),
            };
            answer(200, render(&body))
        }
    };
    finished(response)
}

/// The period that a query asks for.
pub fn days(query: &Query, fields: &mut Fields) -> Option<Days> {
    let Some(text) = query.text("days", fields) else {
        return Some(Days::default());
    };
    let days = text.parse().ok().and_then(Days::new);
    if days.is_none() {
        let longest = Days::LONGEST;
        fields.refuse(
            "days",
            format!("must be a whole number from 1 to {longest}"),
        );
    }
    days
}

/// How many were decided.
#[derive(Serialize, ToSchema)]
#[schema(as = AgeStatistics)]
pub struct StatisticsAnswer {
    /// Always true.
    #[schema(examples(true))]
    success: bool,
    /// The counts.
    statistics: Counts,
    /// When this was answered.
    #[schema(value_type = String, format = DateTime, examples("2025-01-01T00:00:00.000Z"))]
    timestamp: Milliseconds,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AgeCounts)]
struct Counts {
    /// All decisions.
    #[schema(examples(1247))]
    total_attempts: i64,
    /// Those that passed.
    #[schema(examples(1089))]
    successful_verifications: i64,
    /// Those that did not.
    #[schema(examples(158))]
    failed_verifications: i64,
    /// The share that passed, in percent.
    #[schema(examples("87.33"))]
    success_rate: String,
    /// Of how many days.
    #[schema(examples("30 days"))]
    period: String,
}

/// The answer of statistics.
pub fn statistics(statistics: &ages::Statistics) -> Vec<u8> {
    let rate = statistics.success_rate();
    render(&StatisticsAnswer {
        success: true,
        statistics: Counts {
            total_attempts: statistics.attempts(),
            successful_verifications: statistics.totals.passed,
            failed_verifications: statistics.totals.refused,
            success_rate: format!("{}.{:02}", rate / 100, rate % 100),
            period: format!("{} days", statistics.days.count()),
        },
        timestamp: Milliseconds(statistics.at),
    })
}
