//! Forgetting a person: their rows go, or stay with nothing in them that leads to anybody.
//!
//! Every table that names a data key or holds a keyed hash of a person has its part here. What is
//! counted or proves what the company did (orders, decisions about ages) stays, under a random
//! value in the place of the keyed hash; what is only about the person goes. Functions that take
//! rows away return the data keys of those rows: destroying them is the caller's last step.
//! Must not: touch the audit log, which stays as it was written.

use domain::seal::{BlindIndex, WrappedKey};
use jiff::Timestamp;
use uuid::Uuid;

use super::data_keys;
use super::verification_sessions::of_number;
use crate::{Error, Result, Row, Tx, Value};

/// A customer who is to be forgotten, held, or told what is known.
#[derive(Debug, Clone)]
pub struct Person {
    /// The keyed hash of the e-mail address.
    pub email_index: BlindIndex,
    /// The sealed e-mail address.
    pub email: Vec<u8>,
    /// The keyed hash of the phone number.
    pub phone_index: Option<BlindIndex>,
    /// The sealed phone number.
    pub phone: Option<Vec<u8>>,
    /// The name of the data key.
    pub data_key: Uuid,
    /// The data key; `None` once it is destroyed.
    pub key: Option<WrappedKey>,
    /// The newest evidence.
    pub last_evidence: Uuid,
    /// Since when the customer is under legal hold.
    pub legal_hold_at: Option<Timestamp>,
}

/// Whether a row is locked until the transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// To be changed.
    ForUpdate,
    /// Only to be read.
    None,
}

macro_rules! find_person {
    () => {
        "SELECT email_index, phone_index, phone, data_key, last_evidence, legal_hold_at, email \
         FROM customer_verification WHERE company_id = $1 AND email_index = $2"
    };
}

/// Finds a customer.
///
/// # Errors
/// Those of the database.
pub async fn find_person(
    tx: &mut Tx<'_>,
    company_id: &str,
    email_index: BlindIndex,
    lock: Lock,
) -> Result<Option<Person>> {
    let sql = match lock {
        Lock::ForUpdate => concat!(find_person!(), " FOR UPDATE"),
        Lock::None => find_person!(),
    };
    let values = [company_id.into(), email_index.as_bytes().into()];
    let found = tx.find(sql, &values).await?;
    let Some(row) = found else { return Ok(None) };
    let data_key = row.uuid(3, "customer_verification.data_key")?;
    let phone_index = row.find_bytes(1, "customer_verification.phone_index")?;
    Ok(Some(Person {
        email_index: index(&row, 0, "customer_verification.email_index")?,
        email: row.bytes(6, "customer_verification.email")?,
        phone_index: phone_index.and_then(|bytes| BlindIndex::from_bytes(&bytes)),
        phone: row.find_bytes(2, "customer_verification.phone")?,
        data_key,
        key: data_keys::find_by_id(tx, data_key).await?,
        last_evidence: row.uuid(4, "customer_verification.last_evidence")?,
        legal_hold_at: row.find_time(5, "customer_verification.legal_hold_at")?,
    }))
}

/// The customers who have a phone number; two of them at most.
///
/// # Errors
/// Those of the database.
pub async fn list_by_phone(
    tx: &mut Tx<'_>,
    company_id: &str,
    phone_index: BlindIndex,
) -> Result<Vec<BlindIndex>> {
    tx.query(
        "SELECT email_index FROM customer_verification \
         WHERE company_id = $1 AND phone_index = $2 LIMIT 2",
        &[company_id.into(), phone_index.as_bytes().into()],
    )
    .await?
    .iter()
    .map(|row| index(row, 0, "customer_verification.email_index"))
    .collect()
}

/// Whether another customer who is under legal hold has this phone number as well.
///
/// # Errors
/// Those of the database.
pub async fn is_held_by_another(
    tx: &mut Tx<'_>,
    company_id: &str,
    phone_index: BlindIndex,
    email_index: Option<BlindIndex>,
) -> Result<bool> {
    let none = [].as_slice();
    let own = email_index.as_ref().map_or(none, |index| index.as_bytes());
    let held = tx
        .find(
            "SELECT 1 FROM customer_verification WHERE company_id = $1 AND phone_index = $2 \
             AND email_index <> $3 AND legal_hold_at IS NOT NULL LIMIT 1",
            &[company_id.into(), phone_index.as_bytes().into(), own.into()],
        )
        .await?;
    Ok(held.is_some())
}

/// Puts a customer under legal hold, with a sealed reason, or ends it; the row is locked.
///
/// # Errors
/// Those of the database.
pub async fn set_legal_hold(
    tx: &mut Tx<'_>,
    company_id: &str,
    email_index: BlindIndex,
    hold: Option<(Timestamp, &[u8])>,
) -> Result<()> {
    tx.execute(
        "UPDATE customer_verification SET legal_hold_at = $3, legal_hold_reason = $4 \
         WHERE company_id = $1 AND email_index = $2",
        &[
            company_id.into(),
            email_index.as_bytes().into(),
            hold.map(|(at, _)| at).into(),
            hold.map(|(_, reason)| reason).into(),
        ],
    )
    .await
    .map(drop)
}

/// Deletes a customer and all evidence; returns how many pieces there were.
///
/// # Errors
/// Those of the database.
pub async fn customer(tx: &mut Tx<'_>, company_id: &str, person: &Person) -> Result<u64> {
    let evidence = tx
        .execute(
            "WITH RECURSIVE chain (id, previous) AS (\
             SELECT id, previous FROM evidence WHERE id = $1 UNION \
             SELECT e.id, e.previous FROM evidence e JOIN chain c ON e.id = c.previous) \
             DELETE FROM evidence WHERE id IN (SELECT id FROM chain)",
            &[person.last_evidence.into()],
        )
        .await?;
    tx.execute(
        "DELETE FROM customer_verification WHERE company_id = $1 AND email_index = $2",
        &[company_id.into(), person.email_index.as_bytes().into()],
    )
    .await?;
    Ok(evidence)
}

/// The shop's numbers of a customer's orders, and where each came from.
///
/// # Errors
/// Those of the database.
pub async fn list_orders(
    tx: &mut Tx<'_>,
    company_id: &str,
    email_index: BlindIndex,
) -> Result<Vec<(String, String)>> {
    tx.query(
        "SELECT order_id, source FROM orders WHERE company_id = $1 AND email_index = $2 ORDER BY id",
        &[company_id.into(), email_index.as_bytes().into()],
    )
    .await?
    .iter()
    .map(|row| Ok((row.text(0, "orders.order_id")?, row.text(1, "orders.source")?)))
    .collect()
}

/// Lets a customer's orders lead to nobody: what staff said of them goes, and none comes back when its
/// shop wants it again.
///
/// # Errors
/// Those of the database.
pub async fn orders(
    tx: &mut Tx<'_>,
    company_id: &str,
    email_index: BlindIndex,
    nobody: BlindIndex,
) -> Result<u64> {
    tx.execute(
        "UPDATE order_events SET reason = NULL WHERE reason IS NOT NULL AND order_row IN \
         (SELECT id FROM orders WHERE company_id = $1 AND email_index = $2)",
        &[company_id.into(), email_index.as_bytes().into()],
    )
    .await?;
    tx.execute(
        "UPDATE orders SET email_index = $3, ended_in_shop = FALSE \
         WHERE company_id = $1 AND email_index = $2",
        &[
            company_id.into(),
            email_index.as_bytes().into(),
            nobody.as_bytes().into(),
        ],
    )
    .await
}

/// Lets the sessions of Veriff lead to nobody, here or there; returns Veriff's names for them. The
/// rows stay: a decision that comes later finds that it is about somebody who was erased.
///
/// # Errors
/// Those of the database.
pub async fn veriff_sessions(
    tx: &mut Tx<'_>,
    company_id: &str,
    email_index: BlindIndex,
    nobody: BlindIndex,
    now: Timestamp,
) -> Result<Vec<String>> {
    let values: [Value<'_>; 2] = [company_id.into(), email_index.as_bytes().into()];
    let names = tx
        .query(
            "SELECT veriff_id FROM veriff_sessions WHERE company_id = $1 AND email_index = $2 \
             AND veriff_id IS NOT NULL",
            &values,
        )
        .await?
        .iter()
        .map(|row| row.text(0, "veriff_sessions.veriff_id"))
        .collect::<Result<Vec<_>>>()?;
    tx.execute(
        "UPDATE veriff_sessions SET email_index = $3, state = 'over', veriff_id = NULL, url = NULL, \
         poll_at = NULL, updated_at = $4 WHERE company_id = $1 AND email_index = $2",
        &[
            company_id.into(),
            email_index.as_bytes().into(),
            nobody.as_bytes().into(),
            now.into(),
        ],
    )
    .await?;
    Ok(names)
}

/// A customer of age verification who is gone.
#[derive(Debug, Clone, Copy)]
pub struct AgeCustomer {
    /// As whom they were looked up.
    pub index: BlindIndex,
    /// Their data key.
    pub data_key: Uuid,
}

/// Deletes the customers of age verification that are linked to an address, and the one `named` so, and
/// lets their decisions lead to nobody: those stay, as they are counted.
///
/// # Errors
/// Those of the database.
pub async fn ages(
    tx: &mut Tx<'_>,
    company_id: &str,
    email_index: BlindIndex,
    named: Option<BlindIndex>,
    nobody: BlindIndex,
) -> Result<Vec<AgeCustomer>> {
    const LINKED: &str = "DELETE FROM age_customers WHERE company_id = $1 AND email_index = $2 \
        RETURNING data_key, last_decision, customer_index";
    const NAMED: &str = "DELETE FROM age_customers WHERE company_id = $1 AND customer_index = $2 \
        RETURNING data_key, last_decision, customer_index";
    let mut gone = Vec::new();
    for (sql, index) in [(LINKED, Some(email_index)), (NAMED, named)] {
        if let Some(index) = index {
            let values = [company_id.into(), index.as_bytes().into()];
            gone.extend(tx.query(sql, &values).await?);
        }
    }
    forget_decisions(tx, &gone, nobody).await
}

/// The same for those whose data key is on the list of erased ones.
///
/// # Errors
/// Those of the database.
pub async fn listed_ages(tx: &mut Tx<'_>, nobody: BlindIndex) -> Result<Vec<AgeCustomer>> {
    let listed = tx
        .query(
            "DELETE FROM age_customers WHERE data_key IN (SELECT data_key FROM erased_keys) \
             RETURNING data_key, last_decision, customer_index",
            &[],
        )
        .await?;
    forget_decisions(tx, &listed, nobody).await
}

async fn forget_decisions(
    tx: &mut Tx<'_>,
    customers: &[Row],
    nobody: BlindIndex,
) -> Result<Vec<AgeCustomer>> {
    let mut gone = Vec::with_capacity(customers.len());
    for row in customers {
        let last = row.text(1, "age_customers.last_decision")?;
        tx.execute(
            "WITH RECURSIVE chain (verification_id, previous) AS (\
             SELECT verification_id, previous FROM age_decisions WHERE verification_id = $1 UNION \
             SELECT d.verification_id, d.previous FROM age_decisions d \
             JOIN chain c ON d.verification_id = c.previous) \
             UPDATE age_decisions SET customer_index = $2, claim = $3 \
             WHERE verification_id IN (SELECT verification_id FROM chain)",
            &[(&last).into(), nobody.as_bytes().into(), Value::Bytes(&[])],
        )
        .await?;
        gone.push(AgeCustomer {
            index: index(row, 2, "age_customers.customer_index")?,
            data_key: row.uuid(0, "age_customers.data_key")?,
        });
    }
    Ok(gone)
}

/// Deletes the sessions about a mobile number.
///
/// # Errors
/// Those of the database.
pub async fn numbers(
    tx: &mut Tx<'_>,
    company_id: &str,
    number_index: BlindIndex,
) -> Result<Vec<Uuid>> {
    let sql = of_number!(
        tx,
        "DELETE FROM verification_sessions",
        "RETURNING data_key"
    );
    let deleted = tx
        .query(sql, &[company_id.into(), number_index.as_bytes().into()])
        .await?;
    keys_of(&deleted)
}

/// The same for those whose data key is on the list of erased ones.
///
/// # Errors
/// Those of the database.
pub async fn listed_numbers(tx: &mut Tx<'_>) -> Result<Vec<Uuid>> {
    let deleted = tx
        .query(
            "DELETE FROM verification_sessions WHERE data_key IN (SELECT data_key FROM erased_keys) \
             RETURNING data_key",
            &[],
        )
        .await?;
    keys_of(&deleted)
}

macro_rules! forget_events {
    ($which:literal) => {
        (
            concat!("SELECT data_key FROM inbox WHERE ", $which, " AND data_key IS NOT NULL"),
            concat!(
                "UPDATE inbox SET data_key = NULL, event = NULL, subject_index = NULL, lease = NULL, \
                 finished_at = COALESCE(finished_at, $3), outcome = 'erased', status = CASE \
                 WHEN status IN ('waiting', 'parked') THEN 'ignored' ELSE status END WHERE ",
                $which
            ),
        )
    };
}

/// Lets what came in about somebody say nothing any more; the rows stay, so that it is not taken in
/// a second time.
///
/// # Errors
/// Those of the database.
pub async fn events_about(
    tx: &mut Tx<'_>,
    company_id: &str,
    subject: BlindIndex,
    now: Timestamp,
) -> Result<Vec<Uuid>> {
    let sql = forget_events!("company_id = $1 AND subject_index = $2");
    forget_events(tx, sql, company_id, subject, now).await
}

/// The same for what is still to be processed, or was parked, of a stream.
///
/// # Errors
/// Those of the database.
pub async fn events_of_stream(
    tx: &mut Tx<'_>,
    company_id: &str,
    stream: BlindIndex,
    now: Timestamp,
) -> Result<Vec<Uuid>> {
    let waiting = forget_events!("company_id = $1 AND stream = $2 AND status = 'waiting'");
    let parked = forget_events!("company_id = $1 AND stream = $2 AND status = 'parked'");
    let mut keys = forget_events(tx, waiting, company_id, stream, now).await?;
    keys.extend(forget_events(tx, parked, company_id, stream, now).await?);
    Ok(keys)
}

/// The same for all that came about somebody at Square, whatever address they had there by then. Every
/// hook of Square that is kept is looked at.
///
/// # Errors
/// Those of the database.
pub async fn events_of_square(
    tx: &mut Tx<'_>,
    company_id: &str,
    stream: BlindIndex,
    now: Timestamp,
) -> Result<Vec<Uuid>> {
    let sql = forget_events!("company_id = $1 AND source = 'square' AND stream = $2");
    forget_events(tx, sql, company_id, stream, now).await
}

async fn forget_events(
    tx: &mut Tx<'_>,
    (select, update): (&'static str, &'static str),
    company_id: &str,
    index: BlindIndex,
    now: Timestamp,
) -> Result<Vec<Uuid>> {
    let values: [Value<'_>; 2] = [company_id.into(), index.as_bytes().into()];
    let keys = keys_of(&tx.query(select, &values).await?)?;
    let values: [Value<'_>; 3] = [company_id.into(), index.as_bytes().into(), now.into()];
    tx.execute(update, &values).await?;
    Ok(keys)
}

/// Deletes what is known of Square's customers who are this one, and that others were merged into them;
/// returns how many there were, too.
///
/// # Errors
/// Those of the database.
pub async fn square(
    tx: &mut Tx<'_>,
    company_id: &str,
    email_index: BlindIndex,
) -> Result<(u64, Vec<Uuid>)> {
    tx.execute(
        "UPDATE square_customers SET merged_at = NULL, merged_into = NULL, holder_index = NULL \
         WHERE company_id = $1 AND merged_into IN (SELECT square_index FROM square_customers \
         WHERE company_id = $1 AND subject_index = $2)",
        &[company_id.into(), email_index.as_bytes().into()],
    )
    .await?;
    let deleted = tx
        .query(
            "DELETE FROM square_customers WHERE company_id = $1 AND subject_index = $2 \
             RETURNING data_key",
            &[company_id.into(), email_index.as_bytes().into()],
        )
        .await?;
    tx.execute(
        "DELETE FROM square_carries WHERE company_id = $1 AND email_index = $2",
        &[company_id.into(), email_index.as_bytes().into()],
    )
    .await?;
    Ok((deleted.len() as u64, keys_of(&deleted)?))
}

/// Gives up what waits to leave in a stream and is sealed under a key that is destroyed.
///
/// # Errors
/// Those of the database.
pub async fn deliveries(
    tx: &mut Tx<'_>,
    stream: &[u8],
    data_key: Uuid,
    now: Timestamp,
) -> Result<u64> {
    tx.execute(
        "UPDATE deliveries SET status = 'exhausted', outcome = 'erased', finished_at = $3, \
         lease = NULL, payload = $4 WHERE stream = $1 AND status = 'waiting' AND data_key = $2",
        &[
            stream.into(),
            data_key.into(),
            now.into(),
            Value::Bytes(&[]),
        ],
    )
    .await
}

/// Deletes stored answers about somebody, and that an address is left alone; returns how many rows
/// there were.
///
/// # Errors
/// Those of the database.
pub async fn answers_and_suppressions(
    tx: &mut Tx<'_>,
    company_id: &str,
    index: BlindIndex,
) -> Result<u64> {
    let mut deleted = 0;
    for sql in [
        "DELETE FROM idempotency_keys WHERE company_id = $1 AND subject_index = $2",
        "DELETE FROM mail_suppressions WHERE company_id = $1 AND address_index = $2",
    ] {
        deleted += tx
            .execute(sql, &[company_id.into(), index.as_bytes().into()])
            .await?;
    }
    Ok(deleted)
}

fn keys_of(rows: &[Row]) -> Result<Vec<Uuid>> {
    let key = |row: &Row| row.find_uuid(0, "data_key").transpose();
    rows.iter().filter_map(key).collect()
}

fn index(row: &Row, at: usize, name: &str) -> Result<BlindIndex> {
    BlindIndex::from_bytes(&row.bytes(at, name)?)
        .ok_or_else(|| Error::corrupt(name, "wrong length"))
}
