//! The bodies of the surface, exactly as clients know them.

use std::net::IpAddr;

use app::customers::{BulkChecked, Checked, Metadata, Question, Update, Updated};
use app::veriff::Started;
use domain::contact::Email;
use domain::standing::Proof;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::conventions::customer::CheckAnswer;
use crate::http::conventions::fields::{Fields, Raw};
use crate::http::conventions::json::{Seconds, render};

/// How many addresses one bulk request may name.
const BULK: usize = 500;

/// How far a sender's clock may be ahead of ours.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// Whom to look for; at least one of the two.
#[derive(Deserialize, ToSchema)]
pub struct CheckRequest<'a> {
    /// The e-mail address.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, format = Email, max_length = 254, examples("ada@example.com"))]
    email: Raw<'a>,
    /// The phone number, as in E.164.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, examples("+12345678900"))]
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

/// What was proven, or is no longer.
#[derive(Deserialize, ToSchema)]
pub struct UpdateRequest<'a> {
    /// The customer's e-mail address.
    #[serde(borrow, default)]
    #[schema(value_type = String, required, format = Email, max_length = 254, examples("ada@example.com"))]
    email: Raw<'a>,
    /// The customer's phone number, as in E.164.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, examples("+12345678900"))]
    phone: Raw<'a>,
    /// Which proof: `veriff`, `membership` or `email_optin`.
    #[serde(borrow, default)]
    #[schema(value_type = String, required, pattern = "^(veriff|membership|email_optin)$", examples("veriff"))]
    verification_type: Raw<'a>,
    /// Whether it is given; false withdraws it.
    #[serde(borrow, default)]
    #[schema(value_type = bool, required, examples(true))]
    status: Raw<'a>,
    /// Evidence, kept sealed with the change.
    #[serde(borrow, default)]
    #[schema(value_type = Option<MetadataRequest>)]
    metadata: Raw<'a>,
}

/// Evidence of a change.
#[derive(Deserialize, ToSchema)]
struct MetadataRequest<'a> {
    /// Where the customer was.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, examples("203.0.113.7"))]
    ip_address: Raw<'a>,
    /// What the customer used.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, max_length = 1024, examples("Mozilla/5.0"))]
    user_agent: Raw<'a>,
    /// The provider's name of the proof.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, max_length = 1024, examples("veriff-7f3a"))]
    verification_id: Raw<'a>,
    /// When it happened; now unless told otherwise.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, format = DateTime, examples("2024-09-15T14:32:00Z"))]
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
                ..Metadata::default()
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

/// Whom to look for.
#[derive(Deserialize, ToSchema)]
pub struct BulkRequest<'a> {
    /// 1 to 500 e-mail addresses.
    #[serde(borrow, default)]
    #[schema(value_type = Vec<String>, required, min_items = 1, max_items = 500, examples(json!(["ada@example.com"])))]
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

/// The answer of check-verification.
pub fn checked(checked: &Checked) -> Vec<u8> {
    render(&CheckAnswer::of(checked))
}

/// What was recorded.
#[derive(Serialize, ToSchema)]
pub struct UpdateAnswer<'a> {
    /// Always true.
    #[schema(examples(true))]
    success: bool,
    /// For people.
    #[schema(examples("Verification status updated"))]
    message: &'a str,
    /// The address in its canonical form.
    #[schema(format = Email, examples("ada@example.com"))]
    customer_email: &'a str,
    /// The field of check-verification that it is about.
    #[schema(examples("veriff_approved"))]
    updated_field: &'a str,
    /// When it was recorded.
    #[schema(value_type = String, format = DateTime, examples("2024-09-15T14:32:00Z"))]
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

/// What is proven about each.
#[derive(Serialize, ToSchema)]
pub struct BulkAnswer<'a> {
    /// In the order of the addresses.
    results: Vec<BulkResult<'a>>,
    /// How many addresses there were.
    #[schema(examples(50))]
    total_checked: usize,
    /// How many have every proof.
    #[schema(examples(42))]
    fully_verified_count: usize,
    /// How many have some proofs but not all.
    #[schema(examples(8))]
    partially_verified_count: usize,
    /// How many have none.
    #[schema(examples(0))]
    unverified_count: usize,
}

/// One customer's standing.
#[derive(Serialize, ToSchema)]
pub struct BulkResult<'a> {
    /// The address in its canonical form.
    #[schema(format = Email, examples("ada@example.com"))]
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

/// Who is to show an ID.
#[derive(Deserialize, ToSchema)]
pub struct StartVeriffRequest<'a> {
    /// The customer's e-mail address; Veriff is not told.
    #[serde(borrow, default)]
    #[schema(value_type = String, required, format = Email, max_length = 254, examples("ada@example.com"))]
    email: Raw<'a>,
}

impl StartVeriffRequest<'_> {
    pub fn validate(self, fields: &mut Fields) -> Option<Email> {
        let email = fields.email("email", self.email);
        fields.required("email", email, self.email)
    }
}

/// Where the customer goes.
#[derive(Serialize, ToSchema)]
pub struct StartVeriffAnswer<'a> {
    /// An address at Veriff.
    #[schema(examples("https://magic.veriff.me/v/eyJhbGciOi"))]
    url: &'a str,
    /// Our name for the session, which Veriff's pages call `vendorData`.
    #[schema(format = Uuid, examples("7f6a3c1e-54b7-4c0e-9d0a-2f3b7a4c5d6e"))]
    session_id: String,
}

/// The answer of start-veriff.
pub fn started(started: &Started) -> (u16, Vec<u8>) {
    let answer = StartVeriffAnswer {
        url: &started.url,
        session_id: started.session_id.to_string(),
    };
    (200, render(&answer))
}
