//! What the documentation says of the receipt and of the export; `app::forget` has what is answered.

#![allow(dead_code, reason = "describes what others serialise")]

use utoipa::ToSchema;

/// What an erasure took away.
#[derive(ToSchema)]
pub struct Erased {
    /// Customers: one or none.
    customers: u64,
    /// Pieces of evidence.
    evidence: u64,
    /// Orders that lead to nobody now.
    orders: u64,
    /// Those of them that were open, and are cancelled.
    orders_cancelled: u64,
    /// Names under which an age was verified.
    age_customers: u64,
    /// Sessions of number verification.
    number_sessions: u64,
    /// Sessions of Veriff.
    veriff_sessions: u64,
    /// Hooks about the person.
    events: u64,
    /// Messages that had not left yet.
    deliveries: u64,
    /// Customers of Square.
    square_customers: u64,
    /// Stored answers, and addresses that mails were kept from.
    other: u64,
    /// Data keys that were destroyed.
    keys: u64,
}

/// Everything that is stored about a person. Times are UTC.
#[derive(ToSchema)]
pub struct PersonalData {
    /// When it was put together.
    #[schema(value_type = String, format = DateTime)]
    exported_at: String,
    /// Who keeps it.
    company: String,
    /// The customer.
    customer: Option<PersonalCustomer>,
    /// What the proofs rest on.
    evidence: Vec<PersonalEvidence>,
    /// The orders.
    orders: Vec<PersonalOrder>,
    /// Decisions about the age.
    age_decisions: Vec<PersonalAgeDecision>,
    /// Verifications of the number.
    number_verifications: Vec<PersonalNumberVerification>,
    /// Checks of the ID.
    identity_checks: Vec<PersonalIdentityCheck>,
    /// What others told.
    received: Vec<PersonalTold>,
    /// What others were told.
    sent: Vec<PersonalTold>,
    /// Customers of Square with the address.
    square_customers: Vec<PersonalSquareCustomer>,
    /// Until when no mail is sent to the address, since it refused one.
    #[schema(value_type = Option<String>, format = DateTime)]
    left_alone_until: Option<String>,
    /// What the audit log tells, the newest first.
    audit_records: Vec<PersonalAuditRecord>,
}

/// A customer.
#[derive(ToSchema)]
pub struct PersonalCustomer {
    /// The address.
    email: Option<String>,
    /// The phone number.
    phone: Option<String>,
    /// Since when the identity is proven.
    #[schema(value_type = Option<String>, format = DateTime)]
    veriff_date: Option<String>,
    /// Since when the membership is signed.
    #[schema(value_type = Option<String>, format = DateTime)]
    membership_date: Option<String>,
    /// Since when mails are wanted.
    #[schema(value_type = Option<String>, format = DateTime)]
    optin_date: Option<String>,
    /// Why the customer is under legal hold.
    legal_hold: Option<String>,
    /// When the customer was first heard of.
    #[schema(value_type = String, format = DateTime)]
    created_at: String,
    /// When anything last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: String,
}

/// A piece of evidence.
#[derive(ToSchema)]
pub struct PersonalEvidence {
    /// What it proves.
    proof: String,
    /// Given, or withdrawn.
    given: bool,
    /// Who told.
    source: String,
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    occurred_at: String,
    /// When it was learnt of.
    #[schema(value_type = String, format = DateTime)]
    recorded_at: String,
    /// What came with it, as JSON text.
    metadata: Option<String>,
}

/// An order.
#[derive(ToSchema)]
pub struct PersonalOrder {
    /// The shop's number.
    order_id: String,
    /// Which shop.
    source: String,
    /// Where it stands.
    status: String,
    /// When it was placed.
    #[schema(value_type = String, format = DateTime)]
    placed_at: String,
    /// What happened to it.
    timeline: Vec<PersonalToldMoment>,
}

/// Something that happened to an order.
#[derive(ToSchema)]
pub struct PersonalToldMoment {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: String,
    /// What.
    event: String,
    /// More of it.
    detail: Option<String>,
    /// What staff wrote.
    reason: Option<String>,
}

/// A decision about an age.
#[derive(ToSchema)]
pub struct PersonalAgeDecision {
    /// Its id.
    verification_id: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    decided_at: String,
    /// How it ended.
    passed: bool,
    /// Why.
    reason: String,
    /// The age in years.
    age: Option<i64>,
    /// What was claimed, as JSON text.
    claim: Option<String>,
}

/// A verification of a number.
#[derive(ToSchema)]
pub struct PersonalNumberVerification {
    /// Its id.
    verification_id: String,
    /// Where it stands.
    status: String,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    created_at: String,
    /// When the number was verified.
    #[schema(value_type = Option<String>, format = DateTime)]
    verified_at: Option<String>,
    /// The number.
    mobile_number: Option<String>,
    /// The company's own name for it.
    request_id: Option<String>,
    /// What the app told of its user.
    app_user_id: Option<String>,
}

/// A check of an ID.
#[derive(ToSchema)]
pub struct PersonalIdentityCheck {
    /// Our name for it.
    id: String,
    /// Veriff's.
    veriff_id: Option<String>,
    /// What Veriff said.
    status: Option<String>,
    /// What was made of it.
    verdict: Option<String>,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    created_at: String,
}

/// A customer of Square.
#[derive(ToSchema)]
pub struct PersonalSquareCustomer {
    /// Square's id and the address, as JSON text.
    contact: Option<String>,
    /// When Square first told of them.
    #[schema(value_type = String, format = DateTime)]
    created_at: String,
}

/// A record of the audit log.
#[derive(ToSchema)]
pub struct PersonalAuditRecord {
    /// Where it stands: log, batch, and place in the batch.
    id: String,
    /// When the request arrived.
    #[schema(value_type = String, format = DateTime)]
    at: String,
    /// Its id.
    request_id: String,
    /// What was asked.
    action: String,
    /// What came of it.
    outcome: String,
    /// The HTTP status; 0 for what did not come by HTTP.
    status: i64,
    /// Where it came from, if the person sent it.
    ip_address: Option<String>,
    /// The user agent, if the person sent it.
    user_agent: Option<String>,
    /// What else is to say.
    detail: Option<String>,
}

/// Something that somebody else was told, or told us.
#[derive(ToSchema)]
pub struct PersonalTold {
    /// Who.
    party: String,
    /// What it is about.
    topic: String,
    /// Where it stands.
    status: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: String,
    /// What it says.
    content: Option<String>,
}
