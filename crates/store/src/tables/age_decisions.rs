//! Decisions about ages: the evidence of every verification, passed or refused.
//!
//! A customer's decisions are a chain: the customer names the last, each the one before it. Rows
//! are written one behind the other, whoever they are about.

use domain::seal::BlindIndex;
use jiff::Timestamp;
use uuid::Uuid;

use crate::{Result, Tx, Value};

/// One decision.
#[derive(Debug, Clone)]
pub struct AgeDecision<'a> {
    /// Its id; later ones sort behind.
    pub verification_id: &'a str,
    /// Whose customer.
    pub company_id: &'a str,
    /// Which customer.
    pub customer_index: BlindIndex,
    /// The customer's decision before it.
    pub previous: Option<&'a str>,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// How it ended.
    pub passed: bool,
    /// Which check decided: `full_verification`, `age_check`, …
    pub method: &'a str,
    /// Why: `passed`, or what was wrong.
    pub reason: &'a str,
    /// The customer's state, as far as it is one.
    pub state: &'a str,
    /// The customer's age in years, where it could be told.
    pub age: Option<i64>,
    /// How strong the evidence is: `self_declared`, `document`, `provider`.
    pub assurance: &'a str,
    /// Who asked: the credential.
    pub source: &'a str,
    /// The request that brought it.
    pub request_id: &'a str,
    /// The person's data key.
    pub data_key: Uuid,
    /// What was claimed, sealed.
    pub claim: &'a [u8],
}

/// The columns of a decision, in the order in which they are written.
macro_rules! columns {
    () => {
        "verification_id, company_id, customer_index, previous, decided_at, passed, method, \
         reason, state, age, assurance, source, request_id, data_key, claim"
    };
}
pub(super) use columns;

pub(super) fn values<'v>(decision: &'v AgeDecision<'_>) -> [Value<'v>; 15] {
    [
        decision.verification_id.into(),
        decision.company_id.into(),
        decision.customer_index.as_bytes().into(),
        decision.previous.into(),
        decision.decided_at.into(),
        decision.passed.into(),
        decision.method.into(),
        decision.reason.into(),
        decision.state.into(),
        decision.age.into(),
        decision.assurance.into(),
        decision.source.into(),
        decision.request_id.into(),
        decision.data_key.into(),
        decision.claim.into(),
    ]
}

/// Inserts a decision.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx<'_>, decision: &AgeDecision<'_>) -> Result<()> {
    const INSERT: &str = concat!(
        "INSERT INTO age_decisions (",
        columns!(),
        ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
    );
    tx.execute(INSERT, &values(decision)).await.map(drop)
}
