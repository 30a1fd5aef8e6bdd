//! Customers of the age surface: the attempts rule, and the verification that holds.

use domain::age::{Attempts, Validity};
use domain::seal::{BlindIndex, WrappedKey};
use jiff::Timestamp;
use uuid::Uuid;

use super::age_decisions::AgeDecision;
use super::customers::Key;
use super::data_keys;
use crate::look::{Question, Sought};
use crate::tx::Statement;
use crate::{Error, Result, Row, Tx, Value};

/// What a look-up finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Refused attempts.
    pub attempts: Attempts,
    /// The verification that holds, or held until it expired.
    pub verification: Option<Verification>,
    /// The customer by e-mail address that it is linked to.
    pub email_index: Option<BlindIndex>,
}

/// A passed verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// Its id.
    pub id: String,
    /// From when until when it holds.
    pub validity: Validity,
    /// The customer's age in years when it was decided.
    pub age: i64,
    /// The customer's state, as its two-letter code.
    pub state: String,
}

/// A customer as found for a decision: locked until the transaction ends.
#[derive(Debug, Clone)]
pub struct ForUpdate {
    /// What any look-up finds.
    pub found: Found,
    /// The newest decision.
    pub last_decision: String,
    /// The person's data key.
    pub data_key: WrappedKey,
}

/// A customer to be written.
#[derive(Debug, Clone)]
pub struct AgeCustomer<'a> {
    /// Whose customer, and which.
    pub key: &'a Key,
    /// The person's data key.
    pub data_key: Uuid,
    /// The newest decision.
    pub last_decision: &'a str,
    /// What look-ups are to find.
    pub found: &'a Found,
    /// Now.
    pub at: Timestamp,
}

macro_rules! found_columns {
    () => {
        "c.attempts, c.attempts_since, c.verification_id, c.verified_at, c.expires_at, c.age, \
         c.state, c.email_index"
    };
}

macro_rules! customer_columns {
    () => {
        "company_id, customer_index, attempts, attempts_since, verification_id, verified_at, \
         expires_at, age, state, email_index, last_decision, updated_at, data_key"
    };
}

/// How many columns a look-up has.
const FOUND: usize = 8;

fn found(row: &Row) -> Result<Found> {
    let count = row.int(0, "age_customers.attempts")?;
    Ok(Found {
        attempts: Attempts {
            count: u32::try_from(count)
                .map_err(|_| Error::corrupt("age_customers.attempts", "out of range"))?,
            since: row.find_time(1, "age_customers.attempts_since")?,
        },
        verification: row
            .find_text(2, "age_customers.verification_id")?
            .map(|id| verification(row, id))
            .transpose()?,
        email_index: row
            .find_bytes(7, "age_customers.email_index")?
            .map(|bytes| {
                BlindIndex::from_bytes(&bytes)
                    .ok_or_else(|| Error::corrupt("age_customers.email_index", "wrong length"))
            })
            .transpose()?,
    })
}

fn verification(row: &Row, id: String) -> Result<Verification> {
    Ok(Verification {
        id,
        validity: Validity {
            verified_at: row.time(3, "age_customers.verified_at")?,
            expires_at: row.time(4, "age_customers.expires_at")?,
        },
        age: row.int(5, "age_customers.age")?,
        state: row.text(6, "age_customers.state")?,
    })
}

static FIND: Statement = Statement {
    one: sqlite::FIND,
    many: postgres::FIND,
};

/// Finds a customer.
///
/// # Errors
/// Those of the database.
pub async fn find(tx: &mut Tx<'_>, key: &Key) -> Result<Option<Found>> {
    let row = tx.find_together(&FIND, &key.values()).await?;
    row.as_ref().map(found).transpose()
}

/// A customer that is looked up.
pub(crate) struct Wanted(pub Key);

impl Sought for Wanted {
    type Found = Found;

    fn question(&self, vain: usize) -> Option<Question<'_>> {
        (vain == 0).then(|| Question {
            statement: &FIND,
            values: self.0.values().into(),
        })
    }

    fn read(&self, _: usize, row: &Row) -> Result<Option<Found>> {
        found(row).map(Some)
    }
}

/// Finds a customer and locks the row.
///
/// # Errors
/// Those of the database.
pub async fn find_for_update(tx: &mut Tx<'_>, key: &Key) -> Result<Option<ForUpdate>> {
    tx.find(
        concat!(
            "SELECT ",
            found_columns!(),
            ", c.last_decision, k.id, k.master_key, k.wrapped FROM age_customers c \
             JOIN data_keys k ON k.id = c.data_key \
             WHERE c.company_id = $1 AND c.customer_index = $2 FOR UPDATE"
        ),
        &[key.company.as_str().into(), key.index.as_bytes().into()],
    )
    .await?
    .map(|row| {
        Ok(ForUpdate {
            found: found(&row)?,
            last_decision: row.text(FOUND, "age_customers.last_decision")?,
            data_key: data_keys::from_row_at(&row, FOUND + 1)?,
        })
    })
    .transpose()
}

/// Inserts a customer with the data key and the first decision; `false`, and nothing is written,
/// when there is such a customer.
///
/// # Errors
/// Those of the database.
pub async fn insert(
    tx: &mut Tx<'_>,
    customer: &AgeCustomer<'_>,
    data_key: &WrappedKey,
    decision: &AgeDecision<'_>,
) -> Result<bool> {
    match tx {
        Tx::Sqlite(_) => sqlite::insert(tx, customer, data_key, decision).await,
        Tx::Postgres(shared) => postgres::insert(shared, customer, data_key, decision).await,
    }
}

/// Writes a customer that [`find_for_update`] has locked; `false` when it is gone.
///
/// # Errors
/// Those of the database.
pub async fn update(tx: &mut Tx<'_>, customer: &AgeCustomer<'_>) -> Result<bool> {
    let updated = tx
        .execute(
            "UPDATE age_customers SET attempts = $3, attempts_since = $4, verification_id = $5, \
             verified_at = $6, expires_at = $7, age = $8, state = $9, email_index = $10, \
             last_decision = $11, updated_at = $12, data_key = $13 \
             WHERE company_id = $1 AND customer_index = $2",
            &values(customer),
        )
        .await?;
    Ok(updated == 1)
}

/// The columns of a customer, in the order in which they are written.
fn values<'v>(customer: &'v AgeCustomer<'_>) -> [Value<'v>; 13] {
    let Found {
        attempts,
        verification,
        email_index,
    } = customer.found;
    let verification = verification.as_ref();
    [
        customer.key.company.as_str().into(),
        customer.key.index.as_bytes().into(),
        i64::from(attempts.count).into(),
        attempts.since.into(),
        verification.map(|known| known.id.as_str()).into(),
        verification.map(|known| known.validity.verified_at).into(),
        verification.map(|known| known.validity.expires_at).into(),
        verification.map(|known| known.age).into(),
        verification.map(|known| known.state.as_str()).into(),
        email_index
            .as_ref()
            .map(|index| index.as_bytes().as_slice())
            .into(),
        customer.last_decision.into(),
        customer.at.into(),
        customer.data_key.into(),
    ]
}

pub(crate) mod sqlite {
    //! A point look-up, and one statement a table.

    use domain::seal::WrappedKey;

    use super::{AgeCustomer, Result, values};
    use crate::Tx;
    use crate::tables::age_decisions::{self, AgeDecision};
    use crate::tables::data_keys::{self, Purpose};

    const INSERT: &str = concat!(
        "INSERT INTO age_customers (",
        customer_columns!(),
        ", created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $12) \
         ON CONFLICT DO NOTHING"
    );

    pub async fn insert(
        tx: &mut Tx<'_>,
        customer: &AgeCustomer<'_>,
        key: &WrappedKey,
        decision: &AgeDecision<'_>,
    ) -> Result<bool> {
        if tx.execute(INSERT, &values(customer)).await? == 0 {
            return Ok(false);
        }
        let company = customer.key.company.as_str();
        data_keys::insert(tx, company, Purpose::Person, None, key, customer.at).await?;
        age_decisions::insert(tx, decision).await?;
        Ok(true)
    }

    pub const FIND: &str = concat!(
        "SELECT ",
        found_columns!(),
        " FROM age_customers c WHERE c.company_id = $1 AND c.customer_index = $2"
    );
}

pub(crate) mod postgres {
    //! Set-based: many customers, one statement, whatever tables it takes.

    use domain::seal::WrappedKey;

    use super::{AgeCustomer, Result, values};
    use crate::Value;
    use crate::postgres::Shared;
    use crate::tables::age_decisions::{self, AgeDecision};
    use crate::tables::data_keys::Purpose;

    /// Customers with their data keys and first decisions.
    const INSERT: &str = concat!(
        "WITH new AS MATERIALIZED (SELECT * FROM UNNEST($1::text[], $2::bytea[], $3::bigint[], \
         $4::bigint[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[], $9::text[], \
         $10::bytea[], $11::text[], $12::bigint[], $13::uuid[], $14::text[], $15::text[], \
         $16::bytea[]) WITH ORDINALITY AS given(",
        customer_columns!(),
        ", purpose, master_key, wrapped, row)), \
         decisions AS MATERIALIZED (SELECT * FROM UNNEST($17::text[], $18::text[], $19::bytea[], \
         $20::text[], $21::bigint[], $22::boolean[], $23::text[], $24::text[], $25::text[], \
         $26::bigint[], $27::text[], $28::text[], $29::text[], $30::uuid[], $31::bytea[]) AS given(",
        age_decisions::columns!(),
        ")), made AS (INSERT INTO age_customers (",
        customer_columns!(),
        ", created_at) SELECT ",
        customer_columns!(),
        ", updated_at FROM new ON CONFLICT DO NOTHING RETURNING data_key), \
         keys AS (INSERT INTO data_keys (id, company_id, purpose, master_key, wrapped, created_at) \
         SELECT data_key, company_id, purpose, master_key, wrapped, updated_at FROM new WHERE ",
        among!("data_key", "made"),
        "), first AS (INSERT INTO age_decisions (",
        age_decisions::columns!(),
        ") SELECT ",
        age_decisions::columns!(),
        " FROM decisions WHERE ",
        among!("data_key", "made"),
        ") SELECT row FROM new WHERE ",
        among!("data_key", "made"),
    );

    pub async fn insert(
        shared: &Shared<'_>,
        customer: &AgeCustomer<'_>,
        key: &WrappedKey,
        decision: &AgeDecision<'_>,
    ) -> Result<bool> {
        let key: [Value<'_>; 3] = [
            Purpose::Person.as_str().into(),
            (&key.master_key).into(),
            (&key.wrapped).into(),
        ];
        let mut all = Vec::with_capacity(31);
        all.extend(values(customer));
        all.extend(key);
        all.extend(age_decisions::values(decision));
        Ok(shared.together(INSERT, &all).await?.is_some())
    }

    pub const FIND: &str = concat!(
        "SELECT c.*, asked.row FROM UNNEST($1::text[], $2::bytea[]) WITH ORDINALITY \
         AS asked(company_id, customer_index, row) ",
        each!(
            found_columns!(),
            "age_customers c",
            "c.company_id = asked.company_id AND c.customer_index = asked.customer_index"
        ),
        "c"
    );
}
