//! The customers of the bench: made through the server's own interface, like anyone's.
//!
//! Guarantees: customers are numbered from zero; every one has at least one proof.
//! Must not: write to the database behind the server's back.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use test_support::waiting::wait_for;

use super::load::{self, Extent, Plan, Target};
use crate::http::Request;

const CONNECTIONS: usize = 256;

/// The body of a check, as a shop's checkout sends it.
pub const CHECK: &str = r#"{"email":"customer-#######@example.com","phone":"+44740#######"}"#;
/// The body of a check of somebody whose number is all that is known.
pub const CHECK_BY_PHONE: &str = r#"{"phone":"+44740#######"}"#;
/// The path of a check.
pub const CHECK_PATH: &str = "/api/v1/customer/check-verification";
/// The path of an age verification.
pub const VERIFY_PATH: &str = "/api/age-verification/verify";
/// The path of an update.
pub const UPDATE_PATH: &str = "/api/v1/customer/update-verification";

/// The path of an erasure.
pub const ERASE_PATH: &str = "/api/v1/customer/erase";
/// The body of an erasure.
pub const ERASE: &str = r#"{"email":"leaver-#######@example.com"}"#;

/// The body of an update with one proof of this type.
pub fn update(proof: &str) -> String {
    format!(
        "{{\"email\":\"customer-#######@example.com\",\"phone\":\"+44740#######\",\
         \"verification_type\":\"{proof}\",\"status\":true,\"metadata\":{{\
         \"ip_address\":\"192.0.2.17\",\"user_agent\":\"Mozilla/5.0 (X11; Linux x86_64)\",\
         \"verification_id\":\"session-#######\"}}}}"
    )
}

/// The body of an age verification of a customer who passes.
pub fn verify(kind: &str) -> String {
    format!(
        "{{\"customerId\":\"{kind}-#######\",\"fullName\":\"Ada Lovelace\",\
         \"dateOfBirth\":\"1985-12-10\",\"idNumberLast4\":\"1234\",\"state\":\"TX\"}}"
    )
}

/// Verifies the ages of so many customers.
pub fn ages(port: u16, key: &str, customers: u64) -> Result<()> {
    let request = Request::post(VERIFY_PATH, key, &verify("known"));
    each_once(port, request, "\"verified\":true", "age", customers)
}

/// Has so many customers place an order, which is held for what they lack.
pub fn orders(port: u16, key: &str, count: u64) -> Result<()> {
    let body = "{\"order_id\":\"order-#######\",\"source\":\"bench\",\
                \"email\":\"customer-#######@example.com\"}";
    let request = Request::post("/api/v1/orders", key, body);
    each_once(port, request, "\"status\":\"held\"", "order", count)
}

/// Has so many customers who are to be erased.
pub fn leavers(port: u16, key: &str, count: u64) -> Result<()> {
    let body = update("veriff").replace("customer-", "leaver-");
    let body = body.replace("\"phone\":\"+44740#######\",", "");
    let request = Request::post(UPDATE_PATH, key, &body);
    each_once(port, request, "\"success\":true", "leaver", count)
}

/// Asks about so many customers, who are all unknown: so many records in the audit log.
pub fn answers(port: u16, key: &str, count: u64) -> Result<()> {
    let request = Request::post(CHECK_PATH, key, CHECK);
    each_once(port, request, "\"customer_found\"", "answer", count)
}

/// Gives all customers a first proof; with `all_proofs` nine in ten a second, eight in ten a third.
pub fn customers(port: u16, key: &str, customers: u64, all_proofs: bool) -> Result<()> {
    prove(port, key, "veriff", customers)?;
    if all_proofs {
        prove(port, key, "membership", customers * 9 / 10)?;
        prove(port, key, "email_optin", customers * 8 / 10)?;
    }
    Ok(())
}

/// Waits until a new key, made by another process, is accepted: the server promises that within a
/// second.
pub fn accepted(port: u16, key: &str) -> Result<()> {
    let target = Target {
        port,
        request: Request::post(CHECK_PATH, key, CHECK),
        expected: "\"customer_found\"",
    };
    let plan = Plan {
        connections: 1,
        customers: 1,
        extent: Extent::EachOnce,
    };
    wait_for("the new key's acceptance", Duration::from_secs(1), || {
        let outcome = load::run(&target, plan, || ())?;
        Ok((outcome.failures() == 0).then_some(()))
    })
}

fn prove(port: u16, key: &str, proof: &str, customers: u64) -> Result<()> {
    let request = Request::post(UPDATE_PATH, key, &update(proof));
    each_once(port, request, "\"success\":true", proof, customers)
}

fn each_once(
    port: u16,
    request: Request,
    expected: &'static str,
    what: &str,
    customers: u64,
) -> Result<()> {
    let begin = Instant::now();
    let target = Target {
        port,
        request,
        expected,
    };
    let plan = Plan {
        connections: CONNECTIONS,
        customers,
        extent: Extent::EachOnce,
    };
    let outcome = load::run(&target, plan, || ())?;
    let failure = outcome
        .first_failure
        .as_deref()
        .unwrap_or("no reason known");
    ensure!(
        outcome.failures() == 0,
        "cannot seed the customers: {failure}"
    );
    let rate = outcome.per_second();
    eprintln!(
        "  {customers} × {what} in {:.1?}, {rate:.0}/s",
        begin.elapsed()
    );
    Ok(())
}
