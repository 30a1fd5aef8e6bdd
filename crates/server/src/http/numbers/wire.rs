//! The bodies of the surface and of its webhooks, exactly as clients know them.

use app::numbers::{Event, Initiated, Outcome, Request, Shown, Submission};
use app::{Code, FieldProblem};
use domain::number::MobileNumber;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::conventions::fields::{Fields, Raw};
use crate::http::conventions::json::{Milliseconds, render};

/// The longest name that a company may have for a session or a user, in characters.
const LONGEST_ID: usize = 200;

/// The number to be verified.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NumberInitiateRequest)]
pub struct InitiateRequest<'a> {
    /// A possible mobile number, with `+` and the country code first.
    #[serde(borrow, default)]
    #[schema(value_type = String, required, max_length = 64, examples("+14155550123"))]
    mobile_number: Raw<'a>,
    /// The company's own name for the session.
    #[serde(borrow, default)]
    #[schema(value_type = String, required, min_length = 1, max_length = 200, examples("order-81"))]
    request_id: Raw<'a>,
}

impl InitiateRequest<'_> {
    pub fn validate(self, fields: &mut Fields) -> Option<Request> {
        let number = number(fields, self.mobile_number);
        let request_id = fields.parsed("requestId", self.request_id, id);
        let request_id = fields.required("requestId", request_id, self.request_id);
        Some(Request {
            number: number?,
            request_id: request_id?,
        })
    }
}

fn number(fields: &mut Fields, raw: Raw<'_>) -> Option<MobileNumber> {
    const FIELD: &str = "mobileNumber";
    let text = fields.text(FIELD, raw);
    let text = fields.required(FIELD, text, raw)?;
    MobileNumber::parse(&text)
        .map_err(|error| fields.refuse_as(Code::InvalidNumber, FIELD, error.to_string()))
        .ok()
}

/// A name that a company has for something; otherwise what is wrong with it.
fn id(text: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() {
        Err(FieldProblem::MISSING)
    } else if text.chars().count() > LONGEST_ID {
        Err("must have 1 to 200 characters")
    } else {
        Ok(text.to_owned())
    }
}

/// An open session.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NumberSession)]
pub struct InitiateAnswer<'a> {
    /// The session's id.
    #[schema(examples("nv_06a1uabs000020g30g2gc1o81450m30d1o7g"))]
    verification_id: &'a str,
    /// The company's own name for it.
    #[schema(examples("order-81"))]
    request_id: &'a str,
    /// Always `pending`.
    #[schema(examples("pending"))]
    status: &'a str,
    /// The link to send to the number.
    #[schema(examples(
        "https://verify.example.com/v/nv_06a1uabs000020g30g2gc1o81450m30d1o7g#AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
    ))]
    deep_link: &'a str,
    /// When its time is over.
    #[schema(value_type = String, format = DateTime, examples("2025-01-01T00:10:00.000Z"))]
    expires_at: Milliseconds,
}

/// The answer to an initiation.
pub fn initiated(session: &Initiated) -> (u16, Vec<u8>) {
    let status = if session.is_new { 201 } else { 200 };
    let body = render(&InitiateAnswer {
        verification_id: session.verification_id.as_str(),
        request_id: &session.request_id,
        status: "pending",
        deep_link: &session.deep_link,
        expires_at: Milliseconds(session.expires_at),
    });
    (status, body)
}

/// The number that somebody says they hold.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NumberSubmitRequest)]
pub struct SubmitRequest<'a> {
    /// The session's id.
    #[serde(borrow, default)]
    #[schema(value_type = String, required, max_length = 200, examples("nv_06a1uabs000020g30g2gc1o81450m30d1o7g"))]
    verification_id: Raw<'a>,
    /// The number.
    #[serde(borrow, default)]
    #[schema(value_type = String, required, max_length = 64, examples("+14155550123"))]
    mobile_number: Raw<'a>,
    /// What the app calls its user.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200, examples("user-7"))]
    app_user_id: Raw<'a>,
    /// The link's one-time token; not needed beside a credential of the company.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, examples("AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"))]
    token: Raw<'a>,
}

impl SubmitRequest<'_> {
    pub fn validate(self, fields: &mut Fields) -> Option<Submission> {
        let session = fields.parsed("verificationId", self.verification_id, id);
        let session = fields.required("verificationId", session, self.verification_id);
        let number = number(fields, self.mobile_number);
        let app_user_id = fields.parsed("appUserId", self.app_user_id, id);
        fields.text("token", self.token);
        Some(Submission {
            id: session?,
            number: number?,
            app_user_id,
            token: None,
        })
    }
}

/// What a submission says of who sends it. It is asked before the rest is looked at: a stranger is
/// not told what else is wrong.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Named {
    /// Which session; empty when that is not to be read.
    pub verification_id: String,
    /// The link's token.
    pub token: Option<String>,
}

impl Named {
    /// Reads it from a body that may be anything.
    pub fn of(body: &[u8]) -> Self {
        let named: Self = serde_json::from_slice(body).unwrap_or_default();
        Self {
            token: named.token.filter(|token| !token.is_empty()),
            ..named
        }
    }
}

/// What came of a submission.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NumberSubmitted)]
pub struct SubmitAnswer<'a> {
    /// The session's id.
    #[schema(examples("nv_06a1uabs000020g30g2gc1o81450m30d1o7g"))]
    verification_id: &'a str,
    /// `verified`; `pending` after another number, `failed` after the last of them.
    #[schema(examples("verified"))]
    status: &'a str,
    /// When it was verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, examples("2025-01-01T00:01:00.000Z"))]
    verified_at: Option<Milliseconds>,
    /// How many more numbers may be submitted; only after one that was not the right one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(examples(2))]
    attempts_left: Option<u32>,
}

/// The answer to a submission.
pub fn submitted(outcome: &Outcome) -> (u16, Vec<u8>) {
    let answer = match outcome {
        Outcome::Verified { id, at } => SubmitAnswer {
            verification_id: id.as_str(),
            status: "verified",
            verified_at: Some(Milliseconds(*at)),
            attempts_left: None,
        },
        Outcome::Mismatch { id, attempts_left } => SubmitAnswer {
            verification_id: id.as_str(),
            status: if *attempts_left > 0 {
                "pending"
            } else {
                "failed"
            },
            verified_at: None,
            attempts_left: Some(*attempts_left),
        },
    };
    (200, render(&answer))
}

/// How a session stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NumberStatus)]
pub struct StatusAnswer<'a> {
    /// The session's id.
    #[schema(examples("nv_06a1uabs000020g30g2gc1o81450m30d1o7g"))]
    verification_id: &'a str,
    /// The company's own name for it.
    #[schema(examples("order-81"))]
    request_id: &'a str,
    /// Country code and last digits.
    #[schema(examples("+1******0123"))]
    mobile_number: &'a str,
    /// `pending`, `verified`, `failed` or `expired`.
    #[schema(examples("verified"))]
    status: &'a str,
    /// What the app called its user, once verified.
    #[schema(examples("user-7"))]
    app_user_id: Option<&'a str>,
    /// When it began.
    #[schema(value_type = String, format = DateTime, examples("2025-01-01T00:00:00.000Z"))]
    created_at: Milliseconds,
    /// When it was verified.
    #[schema(value_type = Option<String>, format = DateTime, examples("2025-01-01T00:01:00.000Z"))]
    verified_at: Option<Milliseconds>,
    /// When its time is, or was, over.
    #[schema(value_type = String, format = DateTime, examples("2025-01-01T00:10:00.000Z"))]
    expires_at: Milliseconds,
}

impl<'a> StatusAnswer<'a> {
    fn of(session: &'a Shown) -> Self {
        Self {
            verification_id: session.verification_id.as_str(),
            request_id: &session.request_id,
            mobile_number: &session.masked_number,
            status: session.status.as_str(),
            app_user_id: session.app_user_id.as_deref(),
            created_at: Milliseconds(session.created_at),
            verified_at: session.verified_at.map(Milliseconds),
            expires_at: Milliseconds(session.expires_at),
        }
    }
}

/// The answer to a look-up.
pub fn status(session: &Shown) -> Vec<u8> {
    render(&StatusAnswer::of(session))
}

/// What a company's webhook is told when a session ends.
#[derive(Serialize, ToSchema)]
#[schema(as = NumberEvent)]
pub struct EventMessage<'a> {
    /// `verification.verified`, `verification.failed` or `verification.expired`.
    #[serde(rename = "type")]
    #[schema(examples("verification.verified"))]
    topic: &'a str,
    /// When the session ended.
    #[schema(value_type = String, format = DateTime, examples("2025-01-01T00:01:00.000Z"))]
    timestamp: Milliseconds,
    /// The session as it stands now.
    data: StatusAnswer<'a>,
}

/// The message about the end of a session.
pub fn event(event: &Event) -> Vec<u8> {
    render(&EventMessage {
        topic: event.topic,
        timestamp: Milliseconds(event.at),
        data: StatusAnswer::of(&event.session),
    })
}
