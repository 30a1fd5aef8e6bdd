//! All that is stored about a person, opened, in one document.

use domain::access::CompanyId;
use domain::seal::{DataKey, Place, WrappedKey};
use jiff::Timestamp;
use serde::Serialize;
use store::Tx;
use store::tables::erasure::Lock;
use store::tables::personal::{self, Message};
use uuid::Uuid;

use super::{Indexes, Refusal, Whom};
use crate::exchange::Exchange;
use crate::{App, Result, customers, orders};

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
    email: Option<String>,
    phone: Option<String>,
    veriff_date: Option<Timestamp>,
    membership_date: Option<Timestamp>,
    optin_date: Option<Timestamp>,
    legal_hold: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// A piece of evidence.
#[derive(Serialize)]
pub struct Evidence {
    proof: String,
    given: bool,
    source: String,
    occurred_at: Timestamp,
    recorded_at: Timestamp,
    metadata: Option<serde_json::Value>,
}

/// An order.
#[derive(Serialize)]
pub struct Order {
    order_id: String,
    source: String,
    status: String,
    placed_at: Timestamp,
    timeline: Vec<Moment>,
}

/// Something that happened to an order.
#[derive(Serialize)]
pub struct Moment {
    at: Timestamp,
    event: String,
    detail: Option<String>,
    reason: Option<String>,
}

/// A decision about an age.
#[derive(Serialize)]
pub struct AgeDecision {
    verification_id: String,
    decided_at: Timestamp,
    passed: bool,
    reason: String,
    age: Option<i64>,
    claim: Option<serde_json::Value>,
}

/// A verification of a number.
#[derive(Serialize)]
pub struct NumberVerification {
    verification_id: String,
    status: String,
    created_at: Timestamp,
    verified_at: Option<Timestamp>,
}

/// A check of an ID.
#[derive(Serialize)]
pub struct IdentityCheck {
    id: Uuid,
    veriff_id: Option<String>,
    status: Option<String>,
    verdict: Option<String>,
    created_at: Timestamp,
}

/// Something that somebody else was told, or told us.
#[derive(Serialize)]
pub struct Told {
    party: String,
    topic: String,
    status: String,
    at: Timestamp,
    content: Option<serde_json::Value>,
}

/// Puts together what is stored about a person.
///
/// # Errors
/// [`crate::Code::NotFound`] when nothing is known of them, [`crate::Code::Conflict`] when the number
/// is that of several customers.
pub async fn export(
    app: &App,
    exchange: &Exchange,
    company: &CompanyId,
    whom: &Whom,
) -> Result<Document> {
    let indexes = Indexes::of(app, exchange, company, whom);
    let name = company.as_str().to_owned();
    let found = app.store.read(move |mut tx| {
        let name = name.clone();
        Box::pin(async move { Found::read(&mut tx, &name, indexes).await })
    });
    let found = found.await??;
    found.open(app, company)
}

/// What the database has, still sealed.
#[derive(Default)]
struct Found {
    indexes: Option<Indexes>,
    key: Option<WrappedKey>,
    customer: Option<personal::Customer>,
    evidence: Vec<personal::Piece>,
    orders: Vec<personal::Order>,
    ages: Vec<personal::AgeDecision>,
    numbers: Vec<personal::NumberSession>,
    checks: Vec<personal::IdentityCheck>,
    received: Vec<Message>,
    sent: Vec<Message>,
}

impl Found {
    async fn read(
        tx: &mut Tx<'_>,
        company: &str,
        mut indexes: Indexes,
    ) -> store::Result<Result<Self, Refusal>> {
        let mut found = Self::default();
        match indexes.find(tx, company, Lock::None).await? {
            Err(refusal) => return Ok(Err(refusal)),
            Ok(None) => {}
            Ok(Some(person)) => {
                indexes.email = Some(person.email_index);
                found.customer = personal::find_customer(tx, company, person.email_index).await?;
                found.evidence = personal::list_evidence(tx, person.last_evidence).await?;
                found.orders = personal::list_orders(tx, company, person.email_index).await?;
                found.sent = personal::list_sent(tx, person.data_key).await?;
                found.key = person.key;
            }
        }
        if let Some(email) = indexes.email {
            found.ages = personal::list_ages(tx, company, email).await?;
            found.checks = personal::list_identity_checks(tx, company, email).await?;
        }
        if let Some(number) = indexes.number {
            found.numbers = personal::list_numbers(tx, company, number).await?;
        }
        for index in indexes.each() {
            found
                .received
                .extend(personal::list_received(tx, company, index).await?);
        }
        found.indexes = Some(indexes);
        let is_empty = found.customer.is_none() && found.ages.is_empty();
        if is_empty && found.numbers.is_empty() && found.received.is_empty() {
            return Ok(Err(Refusal::Unknown));
        }
        Ok(Ok(found))
    }

    fn open(self, app: &App, company: &CompanyId) -> Result<Document> {
        let key = self.key.as_ref().map(|key| app.key_ring.unwrap(key));
        let key = key.transpose()?;
        let key = key.as_ref();
        let unwrap = |wrapped: &WrappedKey| app.key_ring.unwrap(wrapped).ok();
        let email_index = self.indexes.and_then(|indexes| indexes.email);
        let customer = self.customer.zip(email_index).map(|(stored, index)| {
            let open =
                |column, sealed: &Vec<u8>| text(key, customers::place(&index, column), sealed);
            let [veriff_date, membership_date, optin_date] = stored.proofs;
            Customer {
                email: open("email", &stored.email),
                phone: stored
                    .phone
                    .as_ref()
                    .and_then(|sealed| open("phone", sealed)),
                legal_hold: stored
                    .hold_reason
                    .as_ref()
                    .and_then(|sealed| open("legal_hold_reason", sealed)),
                veriff_date,
                membership_date,
                optin_date,
                created_at: stored.created_at,
                updated_at: stored.updated_at,
            }
        });
        let evidence = self.evidence.into_iter().map(|piece| Evidence {
            metadata: json(
                key,
                place("evidence", "metadata", piece.id.as_bytes()),
                &piece.metadata,
            ),
            proof: piece.proof,
            given: piece.status,
            source: piece.source,
            occurred_at: piece.occurred_at,
            recorded_at: piece.recorded_at,
        });
        let ages = self.ages.into_iter().map(|decision| AgeDecision {
            claim: json(
                unwrap(&decision.key).as_ref(),
                place(
                    "age_decisions",
                    "claim",
                    decision.verification_id.as_bytes(),
                ),
                &decision.claim,
            ),
            verification_id: decision.verification_id,
            decided_at: decision.decided_at,
            passed: decision.passed,
            reason: decision.reason,
            age: decision.age,
        });
        let numbers = self.numbers.into_iter().map(|session| NumberVerification {
            verification_id: session.verification_id,
            status: session.status,
            created_at: session.created_at,
            verified_at: session.verified_at,
        });
        let checks = self.checks.into_iter().map(|check| IdentityCheck {
            id: check.id,
            veriff_id: check.veriff_id,
            status: check.status,
            verdict: check.verdict,
            created_at: check.created_at,
        });
        let told = |(table, column): (&'static str, &'static str), messages: Vec<Message>| {
            let told = messages.into_iter().map(|message| Told {
                content: message.body.as_ref().and_then(|body| {
                    let place = place(table, column, message.id.as_bytes());
                    json(unwrap(&message.key).as_ref(), place, body)
                }),
                party: message.party,
                topic: message.topic,
                status: message.status,
                at: message.at,
            });
            told.collect::<Vec<_>>()
        };
        Ok(Document {
            exported_at: app.clock.now(),
            company: company.as_str().to_owned(),
            customer,
            evidence: evidence.collect(),
            orders: self
                .orders
                .into_iter()
                .map(|order| opened(order, key))
                .collect(),
            age_decisions: ages.collect(),
            number_verifications: numbers.collect(),
            identity_checks: checks.collect(),
            received: told(("inbox", "event"), self.received),
            sent: told(("deliveries", "payload"), self.sent),
        })
    }
}

fn opened(order: personal::Order, key: Option<&DataKey>) -> Order {
    let id = order.id;
    let timeline = order.timeline.into_iter().map(|event| Moment {
        reason: event.reason.as_ref().and_then(|sealed| {
            let row = orders::event_row(id, event.number);
            text(key, place("order_events", "reason", &row), sealed)
        }),
        at: event.at,
        event: event.event,
        detail: event.detail,
    });
    Order {
        timeline: timeline.collect(),
        order_id: order.order_id,
        source: order.source,
        status: order.status,
        placed_at: order.placed_at,
    }
}

const fn place<'a>(table: &'static str, column: &'static str, row: &'a [u8]) -> Place<'a> {
    Place { table, column, row }
}

fn text(key: Option<&DataKey>, place: Place<'_>, sealed: &[u8]) -> Option<String> {
    let plain = key?.open(place, sealed).ok()?;
    Some(String::from_utf8_lossy(&plain).into_owned())
}

/// What was sealed, as JSON if it is, and as text otherwise.
fn json(key: Option<&DataKey>, place: Place<'_>, sealed: &[u8]) -> Option<serde_json::Value> {
    let plain = text(key, place, sealed)?;
    Some(serde_json::from_str(&plain).unwrap_or(serde_json::Value::String(plain)))
}
