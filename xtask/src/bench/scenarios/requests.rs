//! What the requests of a scenario are, whom they are about, and what their answers say.

use super::{Action, BULK, FEW_CUSTOMERS, Filter, Records};
use crate::bench::{past, seed, sessions};
use crate::http::{Request, SESSION};

/// Those who are verified for the first time are drawn from so many: hardly anybody comes twice.
const STRANGERS: u64 = 10_000_000;

impl Action {
    /// How many customers the requests are about.
    pub(super) fn customers(self, records: Records) -> u64 {
        match (self, records) {
            (Self::Verify | Self::Initiate, _) => STRANGERS,
            (
                _,
                Records::Customers(customers)
                | Records::Ages(customers)
                | Records::Sessions(customers)
                | Records::Shop(customers)
                | Records::Answers(customers),
            ) => customers,
            (Self::AuditPage(_), Records::Past(records)) => past::people(records),
            (_, Records::Past(_)) => FEW_CUSTOMERS,
            (_, Records::Decisions(_)) => 1,
        }
    }

    pub(super) fn request(self, key: &str, customers: u64) -> Request {
        match self {
            Self::Check => Request::post(seed::CHECK_PATH, key, seed::CHECK),
            Self::CheckByPhone => Request::post(seed::CHECK_PATH, key, seed::CHECK_BY_PHONE),
            Self::Update => Request::post(seed::UPDATE_PATH, key, &seed::update("membership")),
            Self::Bulk => {
                let addresses = vec!["\"customer-#######@example.com\""; BULK as usize];
                let body = format!("{{\"emails\":[{}]}}", addresses.join(","));
                Request::post("/api/v1/customer/bulk-check", key, &body).spread_over(customers)
            }
            Self::Verify => Request::post(seed::VERIFY_PATH, key, &seed::verify("stranger")),
            Self::VerifyAgain => Request::post(seed::VERIFY_PATH, key, &seed::verify("known")),
            Self::AgeStatus => Request::get("/api/age-verification/status/known-#######", key),
            Self::AgeStatistics => Request::get("/api/age-verification/statistics?days=2557", key),
            Self::Initiate => {
                Request::post(sessions::INITIATE_PATH, key, &sessions::initiation("new"))
            }
            Self::AuditPage(filter) => {
                Request::get(&format!("/api/v1/audit?{}", filter.query()), key)
            }
            Self::NumberStatus
            | Self::Submit
            | Self::Deliver
            | Self::AuditVerify
            | Self::Console(_)
            | Self::Erase
            | Self::Retire => Request::get(&format!("/api/v1/verification/status/{SESSION}"), key),
        }
    }

    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::Check | Self::CheckByPhone => "\"customer_found\":true",
            Self::Update => "\"success\":true",
            Self::Bulk => "\"total_checked\":100",
            Self::Verify => "\"verified\":true",
            Self::VerifyAgain => "\"method\":\"cache\"",
            Self::AgeStatus => "\"verified\":true",
            Self::AgeStatistics => "\"successRate\"",
            Self::Initiate
            | Self::NumberStatus
            | Self::Submit
            | Self::Deliver
            | Self::AuditVerify
            | Self::Erase
            | Self::Retire => "\"status\":\"pending\"",
            Self::AuditPage(filter) => filter.expected(),
            Self::Console(page) => page.expected(),
        }
    }
}

impl Filter {
    fn query(self) -> &'static str {
        match self {
            Self::Rare => "action=key.create",
            Self::Person => "subject=0000000000000000000000000#######",
            Self::Nothing => "action=never.happened",
            Self::Request => "request_id=cart-#######",
        }
    }

    fn expected(self) -> &'static str {
        match self {
            Self::Rare | Self::Person => "\"id\":\"1.",
            Self::Nothing | Self::Request => "\"records\":[]",
        }
    }
}
