//! What the documentation shows of the surface's own refusals.

use serde_json::{Value, json};

/// A request id.
const REQUEST_ID: &str = "0192f3a1-7c44-7d10-9b5e-3f8a2c6d1e07";

/// A check did not pass.
pub fn refused() -> Value {
    json!({
        "success": false,
        "verificationId": "av_1704067200000_a1b2c3d4e5f6g7h8",
        "verified": false,
        "method": "age_check",
        "reason": "Must be at least 21 years old",
        "field": "dateOfBirth",
        "age": 19,
        "timestamp": "2025-01-01T00:00:00.000Z",
        "processingTime": 45,
    })
}

/// The attempts are used up.
pub fn used_up() -> Value {
    json!({
        "success": false,
        "error": "Too many verification attempts",
        "message": "You have exceeded the maximum number of verification attempts (3 per 24 \
                    hours). Please try again later.",
        "code": "rate_limited",
        "requestId": REQUEST_ID,
        "attempts": 3,
        "maxAttempts": 3,
        "resetAt": "2025-01-02T00:00:00.000Z",
    })
}

/// Nothing is known of the customer.
pub fn never_verified() -> Value {
    json!({
        "success": false,
        "verified": false,
        "error": "Not found",
        "message": "No verification found for this customer",
        "code": "not_found",
        "requestId": REQUEST_ID,
        "customerId": "customer-81",
    })
}
