//! A customer's standing, as Customers and Orders show it.

use app::customers::Checked;
use domain::standing::ProofState;
use serde::Serialize;
use utoipa::ToSchema;

use super::json::Seconds;

/// What is proven about a customer.
#[derive(Serialize, ToSchema)]
pub struct CheckAnswer {
    /// Whether the customer is known.
    #[schema(examples(true))]
    customer_found: bool,
    /// Whether the identity was approved.
    #[schema(examples(true))]
    veriff_approved: bool,
    /// Since when; null without it.
    #[schema(value_type = Option<String>, required, format = DateTime, examples("2024-09-15T14:32:00Z"))]
    veriff_date: Option<Seconds>,
    /// Whether the membership agreement was signed.
    #[schema(examples(true))]
    membership_signed: bool,
    /// Since when; null without it.
    #[schema(value_type = Option<String>, required, format = DateTime, examples("2024-09-15T14:32:00Z"))]
    membership_date: Option<Seconds>,
    /// Whether mail was agreed to.
    #[schema(examples(true))]
    email_optin: bool,
    /// Since when; null without it.
    #[schema(value_type = Option<String>, required, format = DateTime, examples("2024-09-15T14:32:00Z"))]
    optin_date: Option<Seconds>,
    /// Whether everything is proven.
    #[schema(examples(true))]
    all_verified: bool,
}

impl CheckAnswer {
    /// As it is shown.
    pub fn of(checked: &Checked) -> Self {
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
