//! Everything that is stored about one person, as it is told to that person: read, never written.
//!
//! Sealed values come as bytes, with the row that they were sealed for.

use domain::seal::{BlindIndex, WrappedKey};
use jiff::Timestamp;
use uuid::Uuid;

use super::data_keys;
use super::verification_sessions::of_number;
use crate::{Error, Result, Row, Tx, Value};

/// A customer.
#[derive(Debug, Clone)]
pub struct Customer {
    /// The sealed address.
    pub email: Vec<u8>,
    /// The sealed phone number.
    pub phone: Option<Vec<u8>>,
    /// Why the customer is under legal hold, sealed.
    pub hold_reason: Option<Vec<u8>>,
    /// Which proofs are given: identity, membership, newsletter.
    pub proofs: [Option<Timestamp>; 3],
    /// When the customer was first heard of.
    pub created_at: Timestamp,
    /// When anything last changed.
    pub updated_at: Timestamp,
}

/// Finds the customer.
///
/// # Errors
/// Those of the database.
pub async fn find_customer(
    tx: &mut Tx<'_>,
    company_id: &str,
    email_index: BlindIndex,
) -> Result<Option<Customer>> {
    tx.find(
        "SELECT email, phone, legal_hold_reason, veriff_date, membership_date, optin_date, \
         created_at, updated_at FROM customer_verification \
         WHERE company_id = $1 AND email_index = $2",
        &[company_id.into(), email_index.as_bytes().into()],
    )
    .await?
    .map(|row| {
        Ok(Customer {
            email: row.bytes(0, "customer_verification.email")?,
            phone: row.find_bytes(1, "customer_verification.phone")?,
            hold_reason: row.find_bytes(2, "customer_verification.legal_hold_reason")?,
            proofs: [
                row.find_time(3, "customer_verification.veriff_date")?,
                row.find_time(4, "customer_verification.membership_date")?,
                row.find_time(5, "customer_verification.optin_date")?,
            ],
            created_at: row.time(6, "customer_verification.created_at")?,
            updated_at: row.time(7, "customer_verification.updated_at")?,
        })
    })
    .transpose()
}

/// A piece of evidence.
#[derive(Debug, Clone)]
pub struct Piece {
    /// Its name, which it was sealed for.
    pub id: Uuid,
    /// What it proves.
    pub proof: String,
    /// Given, or withdrawn.
    pub status: bool,
    /// Who told.
    pub source: String,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// When it was learnt of.
    pub recorded_at: Timestamp,
    /// What came with it, sealed.
    pub metadata: Vec<u8>,
}

/// All evidence about a customer, from the last piece on.
///
/// # Errors
/// Those of the database.
pub async fn list_evidence(tx: &mut Tx<'_>, last: Uuid) -> Result<Vec<Piece>> {
    tx.query(
        "WITH RECURSIVE chain (id, previous) AS (\
         SELECT id, previous FROM evidence WHERE id = $1 UNION \
         SELECT e.id, e.previous FROM evidence e JOIN chain c ON e.id = c.previous) \
         SELECT e.id, e.proof, e.status, e.source, e.occurred_at, e.recorded_at, e.metadata \
         FROM chain c JOIN evidence e ON e.id = c.id ORDER BY e.id",
        &[last.into()],
    )
    .await?
    .iter()
    .map(|row| {
        Ok(Piece {
            id: row.uuid(0, "evidence.id")?,
            proof: row.text(1, "evidence.proof")?,
            status: row.bool(2, "evidence.status")?,
            source: row.text(3, "evidence.source")?,
            occurred_at: row.time(4, "evidence.occurred_at")?,
            recorded_at: row.time(5, "evidence.recorded_at")?,
            metadata: row.bytes(6, "evidence.metadata")?,
        })
    })
    .collect()
}

/// A decision about an age.
#[derive(Debug, Clone)]
pub struct AgeDecision {
    /// Its name, which it was sealed for.
    pub verification_id: String,
    /// When.
    pub decided_at: Timestamp,
    /// How it ended.
    pub passed: bool,
    /// Why.
    pub reason: String,
    /// The age in years.
    pub age: Option<i64>,
    /// What was claimed, sealed.
    pub claim: Vec<u8>,
    /// The shop's own name for the customer, as it is looked up.
    pub customer_index: BlindIndex,
    /// The key.
    pub key: WrappedKey,
}

/// The decisions about everybody of age verification who is linked to an address, or `named` so.
///
/// # Errors
/// Those of the database.
pub async fn list_ages(
    tx: &mut Tx<'_>,
    company_id: &str,
    email_index: BlindIndex,
    named: Option<BlindIndex>,
) -> Result<Vec<AgeDecision>> {
    let named = named.map(|index| *index.as_bytes());
    tx.query(
        "WITH RECURSIVE customers (last_decision) AS (\
         SELECT last_decision FROM age_customers WHERE company_id = $1 AND email_index = $2 UNION \
         SELECT last_decision FROM age_customers WHERE company_id = $1 AND customer_index = $3), \
         chain (verification_id, previous) AS (\
         SELECT d.verification_id, d.previous FROM age_decisions d JOIN customers a \
         ON a.last_decision = d.verification_id UNION \
         SELECT d.verification_id, d.previous FROM age_decisions d \
         JOIN chain c ON d.verification_id = c.previous) \
         SELECT d.verification_id, d.decided_at, d.passed, d.reason, d.age, d.claim, \
         d.customer_index, k.id, k.master_key, k.wrapped FROM chain c \
         JOIN age_decisions d ON d.verification_id = c.verification_id \
         JOIN data_keys k ON k.id = d.data_key ORDER BY d.verification_id",
        &[
            company_id.into(),
            email_index.as_bytes().into(),
            named.as_ref().map(<[u8; 16]>::as_slice).into(),
        ],
    )
    .await?
    .iter()
    .map(|row| {
        Ok(AgeDecision {
            verification_id: row.text(0, "age_decisions.verification_id")?,
            decided_at: row.time(1, "age_decisions.decided_at")?,
            passed: row.bool(2, "age_decisions.passed")?,
            reason: row.text(3, "age_decisions.reason")?,
            age: row.find_int(4, "age_decisions.age")?,
            claim: row.bytes(5, "age_decisions.claim")?,
            customer_index: index(row, 6, "age_decisions.customer_index")?,
            key: data_keys::from_row_at(row, 7)?,
        })
    })
    .collect()
}

/// A session about a mobile number.
#[derive(Debug, Clone)]
pub struct NumberSession {
    /// Its name.
    pub verification_id: String,
    /// Where it stands.
    pub status: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When the number was verified.
    pub verified_at: Option<Timestamp>,
    /// The number, sealed.
    pub mobile_number: Vec<u8>,
    /// The company's own name for it, sealed.
    pub request_id: Vec<u8>,
    /// What the app told of its user, sealed.
    pub app_user_id: Option<Vec<u8>>,
    /// The key.
    pub key: WrappedKey,
}

/// The sessions about a number.
///
/// # Errors
/// Those of the database.
pub async fn list_numbers(
    tx: &mut Tx<'_>,
    company_id: &str,
    number_index: BlindIndex,
) -> Result<Vec<NumberSession>> {
    let sql = of_number!(
        tx,
        "SELECT v.verification_id, v.status, v.created_at, v.verified_at, v.mobile_number, \
         v.request_id, v.app_user_id, k.id, k.master_key, k.wrapped FROM verification_sessions v \
         JOIN data_keys k ON k.id = v.data_key",
        "ORDER BY v.verification_id"
    );
    tx.query(sql, &[company_id.into(), number_index.as_bytes().into()])
        .await?
        .iter()
        .map(|row| {
            Ok(NumberSession {
                verification_id: row.text(0, "verification_sessions.verification_id")?,
                status: row.text(1, "verification_sessions.status")?,
                created_at: row.time(2, "verification_sessions.created_at")?,
                verified_at: row.find_time(3, "verification_sessions.verified_at")?,
                mobile_number: row.bytes(4, "verification_sessions.mobile_number")?,
                request_id: row.bytes(5, "verification_sessions.request_id")?,
                app_user_id: row.find_bytes(6, "verification_sessions.app_user_id")?,
                key: data_keys::from_row_at(row, 7)?,
            })
        })
        .collect()
}

/// A session of Veriff.
#[derive(Debug, Clone)]
pub struct IdentityCheck {
    /// Our name for it.
    pub id: Uuid,
    /// Veriff's.
    pub veriff_id: Option<String>,
    /// What Veriff said.
    pub status: Option<String>,
    /// What was made of it.
    pub verdict: Option<String>,
    /// When it began.
    pub created_at: Timestamp,
}

/// The sessions of a customer.
///
/// # Errors
/// Those of the database.
pub async fn list_identity_checks(
    tx: &mut Tx<'_>,
    company_id: &str,
    email_index: BlindIndex,
) -> Result<Vec<IdentityCheck>> {
    tx.query(
        "SELECT id, veriff_id, status, verdict, created_at FROM veriff_sessions \
         WHERE company_id = $1 AND email_index = $2 ORDER BY created_at, id",
        &[company_id.into(), email_index.as_bytes().into()],
    )
    .await?
    .iter()
    .map(|row| {
        Ok(IdentityCheck {
            id: row.uuid(0, "veriff_sessions.id")?,
            veriff_id: row.find_text(1, "veriff_sessions.veriff_id")?,
            status: row.find_text(2, "veriff_sessions.status")?,
            verdict: row.find_text(3, "veriff_sessions.verdict")?,
            created_at: row.time(4, "veriff_sessions.created_at")?,
        })
    })
    .collect()
}

/// A customer of Square.
#[derive(Debug, Clone)]
pub struct SquareCustomer {
    /// Square's id, as it is looked up: what the contact was sealed for.
    pub square_index: BlindIndex,
    /// Square's id and the address, sealed.
    pub contact: Vec<u8>,
    /// When Square first told of them.
    pub created_at: Timestamp,
    /// The key.
    pub key: WrappedKey,
}

/// The customers of Square who have an address.
///
/// # Errors
/// Those of the database.
pub async fn list_square(
    tx: &mut Tx<'_>,
    company_id: &str,
    email_index: BlindIndex,
) -> Result<Vec<SquareCustomer>> {
    tx.query(
        "SELECT s.square_index, s.contact, s.created_at, k.id, k.master_key, k.wrapped \
         FROM square_customers s JOIN data_keys k ON k.id = s.data_key \
         WHERE s.company_id = $1 AND s.subject_index = $2 AND s.contact IS NOT NULL \
         ORDER BY s.created_at, s.square_index",
        &[company_id.into(), email_index.as_bytes().into()],
    )
    .await?
    .iter()
    .map(|row| {
        Ok(SquareCustomer {
            square_index: index(row, 0, "square_customers.square_index")?,
            contact: row.bytes(1, "square_customers.contact")?,
            created_at: row.time(2, "square_customers.created_at")?,
            key: data_keys::from_row_at(row, 3)?,
        })
    })
    .collect()
}

/// Until when mails are kept from an address that refused one.
///
/// # Errors
/// Those of the database.
pub async fn left_alone_until(
    tx: &mut Tx<'_>,
    company_id: &str,
    email_index: BlindIndex,
) -> Result<Option<Timestamp>> {
    let sql = "SELECT ends_at FROM mail_suppressions WHERE company_id = $1 AND address_index = $2";
    let values = [company_id.into(), email_index.as_bytes().into()];
    let found = tx.find(sql, &values).await?;
    found
        .map(|row| row.time(0, "mail_suppressions.ends_at"))
        .transpose()
}

/// A message to or from somebody else.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its name, which it was sealed for.
    pub id: Uuid,
    /// From or to whom.
    pub party: String,
    /// What it is about.
    pub topic: String,
    /// Where it stands.
    pub status: String,
    /// When it came or was enqueued.
    pub at: Timestamp,
    /// What it says, sealed; `None` when that is forgotten.
    pub body: Option<Vec<u8>>,
    /// The key.
    pub key: WrappedKey,
}

/// What came in about a customer and is still kept.
///
/// # Errors
/// Those of the database.
pub async fn list_received(
    tx: &mut Tx<'_>,
    company_id: &str,
    subject: BlindIndex,
) -> Result<Vec<Message>> {
    const RECEIVED: &str = "SELECT i.id, i.source, i.topic, i.status, i.received_at, i.event, k.id, \
        k.master_key, k.wrapped FROM inbox i JOIN data_keys k ON k.id = i.data_key \
        WHERE i.company_id = $1 AND i.subject_index = $2 ORDER BY i.id";
    messages(
        tx,
        RECEIVED,
        &[company_id.into(), subject.as_bytes().into()],
    )
    .await
}

/// What came in about somebody at Square and is still kept, whatever address they had there by then.
/// Every hook of Square that is kept is looked at.
///
/// # Errors
/// Those of the database.
pub async fn list_received_from_square(
    tx: &mut Tx<'_>,
    company_id: &str,
    stream: BlindIndex,
) -> Result<Vec<Message>> {
    const RECEIVED: &str = "SELECT i.id, i.source, i.topic, i.status, i.received_at, i.event, k.id, \
        k.master_key, k.wrapped FROM inbox i JOIN data_keys k ON k.id = i.data_key \
        WHERE i.company_id = $1 AND i.source = 'square' AND i.stream = $2 ORDER BY i.id";
    messages(tx, RECEIVED, &[company_id.into(), stream.as_bytes().into()]).await
}

/// What was sent, or is still to leave, under a customer's key. Every delivery that is kept is looked
/// at.
///
/// # Errors
/// Those of the database.
pub async fn list_sent(tx: &mut Tx<'_>, data_key: Uuid) -> Result<Vec<Message>> {
    const SENT: &str = "SELECT d.id, d.receiver, d.topic, d.status, d.created_at, d.payload, k.id, \
        k.master_key, k.wrapped FROM deliveries d JOIN data_keys k ON k.id = d.data_key \
        WHERE d.data_key = $1 ORDER BY d.id";
    messages(tx, SENT, &[data_key.into()]).await
}

async fn messages(
    tx: &mut Tx<'_>,
    sql: &'static str,
    values: &[Value<'_>],
) -> Result<Vec<Message>> {
    let message = |row: &Row| {
        Ok(Message {
            id: row.uuid(0, "message.id")?,
            party: row.text(1, "message.party")?,
            topic: row.text(2, "message.topic")?,
            status: row.text(3, "message.status")?,
            at: row.time(4, "message.at")?,
            body: row.find_bytes(5, "message.body")?,
            key: data_keys::from_row_at(row, 6)?,
        })
    };
    tx.query(sql, values).await?.iter().map(message).collect()
}

/// An order, and the rows of its timeline.
#[derive(Debug, Clone)]
pub struct Order {
    /// Its row.
    pub id: Uuid,
    /// The shop's number.
    pub order_id: String,
    /// Which shop.
    pub source: String,
    /// Where it stands.
    pub status: String,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// What happened to it.
    pub timeline: Vec<super::order_events::OrderEvent>,
}

/// A customer's orders.
///
/// # Errors
/// Those of the database.
pub async fn list_orders(
    tx: &mut Tx<'_>,
    company_id: &str,
    email_index: BlindIndex,
) -> Result<Vec<Order>> {
    let rows = tx
        .query(
            "SELECT id, order_id, source, status, placed_at FROM orders \
             WHERE company_id = $1 AND email_index = $2 ORDER BY placed_at, id",
            &[company_id.into(), email_index.as_bytes().into()],
        )
        .await?;
    let mut orders = Vec::with_capacity(rows.len());
    for row in &rows {
        let id = row.uuid(0, "orders.id")?;
        orders.push(Order {
            id,
            order_id: row.text(1, "orders.order_id")?,
            source: row.text(2, "orders.source")?,
            status: row.text(3, "orders.status")?,
            placed_at: row.time(4, "orders.placed_at")?,
            timeline: super::order_events::list(tx, id).await?,
        });
    }
    Ok(orders)
}

fn index(row: &Row, at: usize, name: &str) -> Result<BlindIndex> {
    BlindIndex::from_bytes(&row.bytes(at, name)?)
        .ok_or_else(|| Error::corrupt(name, "wrong length"))
}
