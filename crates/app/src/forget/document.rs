//! The document that tells a person what is stored about them.

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::audit::ExportedRecord;

/// What is stored about somebody. Times are UTC.
#[derive(Serialize)]
pub struct Document {
    /// When it was put together.
    pub exported_at: Timestamp,
    /// Who keeps it.
    pub company: String,
    /// The customer.
    pub customer: Option<Customer>,
    /// What the customer's proofs rest on.
    pub evidence: Vec<Evidence>,
    /// The customer's orders.
    pub orders: Vec<Order>,
    /// Decisions about the customer's age.
    pub age_decisions: Vec<AgeDecision>,
    /// Verifications of the customer's number.
    pub number_verifications: Vec<NumberVerification>,
    /// Checks of the customer's ID.
    pub identity_checks: Vec<IdentityCheck>,
    /// What others told about the customer.
    pub received: Vec<Told>,
    /// What others were told about the customer.
    pub sent: Vec<Told>,
    /// Customers of Square with the customer's address.
    pub square_customers: Vec<SquareCustomer>,
    /// Until when no mail is sent to the address, since it refused one.
    pub left_alone_until: Option<Timestamp>,
    /// What the audit log tells of the customer, the newest first.
    pub audit_records: Vec<AuditRecord>,
}

/// Never printed by accident.
impl std::fmt::Debug for Document {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Document(…)")
    }
}

/// A customer.
#[derive(Serialize)]
pub struct Customer {
    pub(super) email: Option<String>,
    pub(super) phone: Option<String>,
    pub(super) veriff_date: Option<Timestamp>,
    pub(super) membership_date: Option<Timestamp>,
    pub(super) optin_date: Option<Timestamp>,
    pub(super) legal_hold: Option<String>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

/// A piece of evidence.
#[derive(Serialize)]
pub struct Evidence {
    pub(super) proof: String,
    pub(super) given: bool,
    pub(super) source: String,
    pub(super) occurred_at: Timestamp,
    pub(super) recorded_at: Timestamp,
    pub(super) metadata: Option<String>,
}

/// An order.
#[derive(Serialize)]
pub struct Order {
    pub(super) order_id: String,
    pub(super) source: String,
    pub(super) status: String,
    pub(super) placed_at: Timestamp,
    pub(super) timeline: Vec<Moment>,
}

/// Something that happened to an order.
#[derive(Serialize)]
pub struct Moment {
    pub(super) at: Timestamp,
    pub(super) event: String,
    pub(super) detail: Option<String>,
    pub(super) reason: Option<String>,
}

/// A decision about an age.
#[derive(Serialize)]
pub struct AgeDecision {
    pub(super) verification_id: String,
    pub(super) decided_at: Timestamp,
    pub(super) passed: bool,
    pub(super) reason: String,
    pub(super) age: Option<i64>,
    pub(super) claim: Option<String>,
}

/// A verification of a number.
#[derive(Serialize)]
pub struct NumberVerification {
    pub(super) verification_id: String,
    pub(super) status: String,
    pub(super) created_at: Timestamp,
    pub(super) verified_at: Option<Timestamp>,
    pub(super) mobile_number: Option<String>,
    pub(super) request_id: Option<String>,
    pub(super) app_user_id: Option<String>,
}

/// A check of an ID.
#[derive(Serialize)]
pub struct IdentityCheck {
    pub(super) id: Uuid,
    pub(super) veriff_id: Option<String>,
    pub(super) status: Option<String>,
    pub(super) verdict: Option<String>,
    pub(super) created_at: Timestamp,
}

/// Something that somebody else was told, or told us.
#[derive(Serialize)]
pub struct Told {
    pub(super) party: String,
    pub(super) topic: String,
    pub(super) status: String,
    pub(super) at: Timestamp,
    pub(super) content: Option<String>,
}

/// A customer of Square.
#[derive(Serialize)]
pub struct SquareCustomer {
    /// Square's id and the address, as JSON text.
    pub(super) contact: Option<String>,
    pub(super) created_at: Timestamp,
}

/// A record of the audit log. Whose address the request came from is told where it was the
/// customer's own.
#[derive(Serialize)]
pub struct AuditRecord {
    pub(super) id: String,
    pub(super) at: String,
    pub(super) request_id: String,
    pub(super) action: String,
    pub(super) outcome: String,
    pub(super) status: i64,
    pub(super) ip_address: Option<String>,
    pub(super) user_agent: Option<String>,
    pub(super) detail: Option<String>,
}

impl From<ExportedRecord> for AuditRecord {
    fn from(record: ExportedRecord) -> Self {
        Self {
            id: record.id,
            at: record.at,
            request_id: record.request_id,
            action: record.action,
            outcome: record.outcome,
            status: record.status,
            ip_address: record.ip_address,
            user_agent: record.user_agent,
            detail: record.detail,
        }
    }
}
