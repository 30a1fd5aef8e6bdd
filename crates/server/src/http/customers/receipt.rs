//! The receipt for an erasure, as it is given out and read back.
//!
//! Guarantees: a receipt that is borne out says nothing but what the audit log says: a count or a time
//! that was changed, or a proof of another record, makes it none.

use app::forget::{self, Counts, Receipt};
use domain::audit::Proof;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::schema;
use crate::http::audit::ProofDocument;
use crate::http::conventions::json::Milliseconds;

/// That somebody was erased. It names nobody.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiptDocument {
    /// The name of the erasure, as on the erasure list.
    #[schema(value_type = String, format = Uuid, examples("01997b0c-8d3e-7c41-9a64-6f6f0f0f5a11"))]
    erasure_id: Uuid,
    /// When.
    #[schema(value_type = String, format = DateTime, examples("2025-01-01T00:00:00.000Z"))]
    erased_at: Milliseconds,
    /// How many of each kind of row were deleted or lead to nobody now, and how many data keys were
    /// destroyed.
    #[schema(value_type = schema::Erased)]
    erased: Counts,
    /// Where the audit log tells of it; `null` when that could not be found out.
    #[schema(examples("1.5211.0"))]
    audit_record: Option<String>,
    /// The proof that it stands there, as of any record; `null` when it could not be made just now:
    /// ask for it under `/api/v1/audit/{id}/proof`.
    proof: Option<ProofDocument>,
}

impl ReceiptDocument {
    /// A receipt as it is given out.
    pub fn of(receipt: &Receipt) -> Self {
        Self {
            erasure_id: receipt.erasure_id,
            erased_at: Milliseconds(receipt.erased_at),
            erased: receipt.erased,
            audit_record: receipt.audit_record.map(|place| place.id()),
            proof: receipt.proof.as_ref().map(ProofDocument::of),
        }
    }

    /// Its proof, if it has one.
    pub const fn proof(&self) -> Option<&ProofDocument> {
        self.proof.as_ref()
    }

    /// Whether the proven record says all that the receipt says.
    pub fn is_borne_out_by(&self, proof: &Proof) -> bool {
        let at = self.erased_at.0;
        let record = &proof.record;
        let place = [proof.batch.log, proof.batch.number, proof.position];
        let place = place.map(|number| number.to_string()).join(".");
        record.action == "customer.erase"
            && record.outcome.code == "ok"
            && record.detail.as_ref() == Some(&forget::detail(self.erasure_id, at, &self.erased))
            && self.audit_record.as_ref() == Some(&place)
    }
}
