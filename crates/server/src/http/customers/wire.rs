//! The bodies of the surface, exactly as clients know them.

use std::net::IpAddr;

use app::customers::{BulkChecked, Checked, Metadata, Question, Update, Updated};
use domain::contact::Email;
use domain::standing::{Proof, ProofState};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::http::conventions::fields::{Fields, Raw};

/// How many addresses one bulk request may name.
const BULK: usize = 500;

/// How far a sender's clock may be ahead of ours.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// The body of check-verification.
#[derive(Deserialize)]
pub struct CheckRequest<'a> {
    #[serde(borrow, default)]
    email: Raw<'a>,
    #[serde(borrow, default)]
    phone: Raw<'a>,
}

impl CheckRequest<'_> {
    pub fn validate(self, fields: &mut Fields) -> Option<Question> {
        let email = fields.email("email", self.email);
        let phone = fields.phone("phone", self.phone);
        if self.email.is_none() && self.phone.is_none() {
            fields.refuse("email", "is required, unless there is a phone");
        }
        match (email, phone) {
            (Some(email), Some(phone)) => Some(Question::Both(email, phone)),
            (Some(email), None) => Some(Question::Email(email)),
            (None, Some(phone)) => Some(Question::Phone(phone)),
            (None, None) => None,
        }
    }
}

/// The body of update-verification.
#[derive(Deserialize)]
pub struct UpdateRequest<'a> {
    #[serde(borrow, default)]
    email: Raw<'a>,
    #[serde(borrow, default)]
    phone: Raw<'a>,
    #[serde(borrow, default)]
    verification_type: Raw<'a>,
    #[serde(borrow, default)]
    status: Raw<'a>,
    #[serde(borrow, default)]
    metadata: Raw<'a>,
}

#[derive(Deserialize)]
struct MetadataRequest<'a> {
    #[serde(borrow, default)]
    ip_address: Raw<'a>,
    #[serde(borrow, default)]
    user_agent: Raw<'a>,
    #[serde(borrow, default)]
    verification_id: Raw<'a>,
    #[serde(borrow, default)]
    occurred_at: Raw<'a>,
}

impl UpdateRequest<'_> {
    pub fn validate(self, fields: &mut Fields, now: Timestamp) -> Option<Update> {
        let email = fields.email("email", self.email);
        let email = fields.required("email", email, self.email);
        let phone = fields.phone("phone", self.phone);
        let proof = proof(fields, self.verification_type);
        let proof = fields.required("verification_type", proof, self.verification_type);
        let status = fields.boolean("status", self.status);
        let status = fields.required("status", status, self.status);
        let (metadata, occurred_at) = fields
            .object(
                "metadata",
                self.metadata,
                |metadata: MetadataRequest<'_>, fields| metadata.validate(fields, now),
            )
            .unwrap_or_default();
        Some(Update {
            email: email?,
            phone,
            proof: proof?,
            status: status?,
            metadata,
            occurred_at,
        })
    }
}

impl MetadataRequest<'_> {
    fn validate(self, fields: &mut Fields, now: Timestamp) -> (Metadata, Option<Timestamp>) {
        let ip_address = fields.text("ip_address", self.ip_address).and_then(|text| {
            let address = text.trim().parse::<IpAddr>().ok();
            if address.is_none() {
                fields.refuse("ip_address", "must be an IP address");
            }
            address.map(|address| address.to_string())
        });
        let user_agent = fields.text("user_agent", self.user_agent);
        let verification_id = fields.text("verification_id", self.verification_id);
        let occurred_at = fields.time("occurred_at", self.occurred_at);
        if occurred_at.is_some_and(|at| at.duration_since(now) > AHEAD) {
            fields.refuse("occurred_at", "must not lie in the future");
        }
        (
            Metadata {
                ip_address,
                user_agent,
                verification_id,
            },
            occurred_at,
        )
    }
}

fn proof(fields: &mut Fields, raw: Raw<'_>) -> Option<Proof> {
    let word = fields.text("verification_type", raw)?;
    Proof::parse(&word)
        .map_err(|error| fields.refuse("verification_type", error.to_string()))
        .ok()
}

/// The body of bulk-check.
#[derive(Deserialize)]
pub struct BulkRequest<'a> {
    #[serde(borrow, default)]
    emails: Raw<'a>,
}

impl BulkRequest<'_> {
    pub fn validate(self, fields: &mut Fields) -> Option<Vec<Email>> {
        let emails = fields.list("emails", self.emails);
        let emails = fields.required("emails", emails, self.emails)?;
        if !(1..=BULK).contains(&emails.len()) {
            fields.refuse("emails", format!("must name 1 to {BULK} addresses"));
            return None;
        }
        let mut parsed = Vec::with_capacity(emails.len());
        for (at, raw) in emails.into_iter().enumerate() {
            parsed.extend(fields.indexed_email("emails", at, raw));
        }
        Some(parsed)
    }
}

#[derive(Serialize)]
struct CheckAnswer {
    customer_found: bool,
    veriff_approved: bool,
    veriff_date: Option<Seconds>,
    membership_signed: bool,
    membership_date: Option<Seconds>,
    email_optin: bool,
    optin_date: Option<Seconds>,
    all_verified: bool,
}

impl CheckAnswer {
    fn of(checked: &Checked) -> Self {
        let standing = &checked.standing;
        let date = |proof: &ProofState| proof.date.map(Seconds);
        Self {
            customer_found: checked.found,
            veriff_approved: standing.veriff.given,
            veriff_date: date(&standing.veriff),
            membership_signed: standing.membership.given,
            membership_date: date(&standing.membership),
            email_optin: standing.email_optin.given,
            optin_date: date(&standing.email_optin),
            all_verified: checked.all_verified,
        }
    }
}

/// The answer of check-verification.
pub fn checked(checked: &Checked) -> Vec<u8> {
    render(&CheckAnswer::of(checked))
}

#[derive(Serialize)]
struct UpdateAnswer<'a> {
    success: bool,
    message: &'a str,
    customer_email: &'a str,
    updated_field: &'a str,
    timestamp: Seconds,
}

/// The answer of update-verification; the same whether the change was newer than
/// what was known or not.
pub fn updated(updated: &Updated) -> (u16, Vec<u8>) {
    let answer = UpdateAnswer {
        success: true,
        message: "Verification status updated",
        customer_email: updated.email.as_str(),
        updated_field: updated.proof.field(),
        timestamp: Seconds(updated.at),
    };
    (200, render(&answer))
}

#[derive(Serialize)]
struct BulkAnswer<'a> {
    results: Vec<BulkResult<'a>>,
    total_checked: usize,
    fully_verified_count: usize,
    partially_verified_count: usize,
    unverified_count: usize,
}

#[derive(Serialize)]
struct BulkResult<'a> {
    email: &'a str,
    #[serde(flatten)]
    answer: CheckAnswer,
}

/// The answer of bulk-check.
pub fn bulk_checked(emails: &[Email], checked: &BulkChecked) -> Vec<u8> {
    let results = emails
        .iter()
        .zip(&checked.customers)
        .map(|(email, customer)| BulkResult {
            email: email.as_str(),
            answer: CheckAnswer::of(customer),
        });
    render(&BulkAnswer {
        results: results.collect(),
        total_checked: emails.len(),
        fully_verified_count: checked.fully_verified,
        partially_verified_count: checked.partially_verified,
        unverified_count: checked.unverified,
    })
}

fn render(answer: &impl Serialize) -> Vec<u8> {
    // Texts, numbers and truth values always serialise.
    serde_json::to_vec(answer).unwrap_or_default()
}

/// A time to the second, `2024-09-15T14:32:00Z`.
struct Seconds(Timestamp);

impl Serialize for Seconds {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let second = Timestamp::from_second(self.0.as_second()).unwrap_or(self.0);
        serializer.collect_str(&second)
    }
}
