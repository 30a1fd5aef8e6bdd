//! Looking customers up by the keyed hash of an address or a number, each engine in the way that costs
//! it least.

use domain::access::CompanyId;
use domain::seal::BlindIndex;

use super::{FOUND, Found, found, standing_columns};
use crate::{Result, Tx};

/// What a customer is looked up by: an e-mail or a phone index of one company.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// Whose customer.
    pub company: CompanyId,
    /// The keyed hash of the address or number.
    pub index: BlindIndex,
}

/// Whom to look for: by e-mail index, and by phone index if there is nobody.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// The e-mail address.
    pub by_email: Option<Key>,
    /// The phone number; of several customers with one phone, the one that was
    /// updated last is meant.
    pub by_phone: Option<Key>,
}

/// Finds a customer: by e-mail address, and by phone if there is nobody.
///
/// # Errors
/// Those of the database.
pub async fn find(tx: &mut Tx<'_>, wanted: &Wanted) -> Result<Option<Found>> {
    if let Some(email) = &wanted.by_email {
        let customer = find_by(tx, sqlite::BY_EMAIL, postgres::BY_EMAIL, email).await?;
        if customer.is_some() {
            return Ok(customer);
        }
    }
    let Some(phone) = &wanted.by_phone else {
        return Ok(None);
    };
    let customer = find_by(tx, sqlite::BY_PHONE, postgres::BY_PHONE, phone).await?;
    Ok(customer.map(|customer| Found {
        by_phone: true,
        ..customer
    }))
}

async fn find_by(
    tx: &mut Tx<'_>,
    one: &'static str,
    many: &'static str,
    key: &Key,
) -> Result<Option<Found>> {
    let values = [key.company.as_str().into(), key.index.as_bytes().into()];
    let row = tx.find_together(one, many, &values).await?;
    row.as_ref().map(found).transpose()
}

pub(crate) mod sqlite {
    //! Point look-ups in place.

    use super::{Found, Key, Result, found, standing_columns};
    use crate::sqlite::Connection;

    pub const BY_EMAIL: &str = concat!(
        "SELECT ",
        standing_columns!(),
        ", c.updated_at, c.age_verified_until FROM customer_verification c WHERE c.company_id = $1 AND c.email_index = $2"
    );

    pub const BY_PHONE: &str = concat!(
        "SELECT ",
        standing_columns!(),
        ", c.updated_at, c.age_verified_until FROM customer_verification c WHERE c.company_id = $1 \
         AND c.phone_index = $2 ORDER BY c.updated_at DESC LIMIT 1"
    );

    /// Many look-ups of one moment: in one transaction, so that the pages on the
    /// way to them are found once.
    pub fn by_emails(connection: &mut Connection, keys: &[Key]) -> Result<Vec<Option<Found>>> {
        connection.control("BEGIN")?;
        let found = keys.iter().map(|key| by_email(connection, key)).collect();
        connection.control("COMMIT")?;
        found
    }

    fn by_email(connection: &mut Connection, key: &Key) -> Result<Option<Found>> {
        let values = [key.company.as_str().into(), key.index.as_bytes().into()];
        let rows = connection.query(BY_EMAIL, &values)?;
        rows.first().map(found).transpose()
    }
}

pub(crate) mod postgres {
    //! Set-based look-ups: many keys, one statement.

    use super::{FOUND, Found, Key, Result, found, standing_columns};
    use crate::postgres::Connection;
    use crate::{Error, Row};

    pub const BY_EMAIL: &str = concat!(
        "SELECT c.*, asked.row FROM UNNEST($1::text[], $2::bytea[]) WITH ORDINALITY \
         AS asked(company_id, email_index, row) ",
        each!(
            concat!(standing_columns!(), ", c.updated_at, c.age_verified_until"),
            "customer_verification c",
            "c.company_id = asked.company_id AND c.email_index = asked.email_index"
        ),
        "c"
    );

    /// Of several customers with one phone, the one that changed last.
    pub const BY_PHONE: &str = concat!(
        "SELECT c.*, asked.row FROM UNNEST($1::text[], $2::bytea[]) WITH ORDINALITY \
         AS asked(company_id, phone_index, row) ",
        each!(
            concat!(standing_columns!(), ", c.updated_at, c.age_verified_until"),
            "customer_verification c",
            "c.company_id = asked.company_id AND c.phone_index = asked.phone_index \
             ORDER BY c.updated_at DESC LIMIT 1"
        ),
        "c"
    );

    pub async fn by_emails(connection: &Connection, keys: &[Key]) -> Result<Vec<Option<Found>>> {
        let companies: Vec<&str> = keys.iter().map(|key| key.company.as_str()).collect();
        let indexes: Vec<&[u8]> = keys
            .iter()
            .map(|key| key.index.as_bytes().as_slice())
            .collect();
        let mut answers: Vec<Option<Found>> = vec![None; keys.len()];
        for row in connection
            .query_native(BY_EMAIL, &[&companies, &indexes])
            .await?
        {
            let row = Row::Postgres(row);
            let asked = usize::try_from(row.int(FOUND, "row")? - 1).ok();
            let answer = asked.and_then(|at| answers.get_mut(at));
            *answer.ok_or_else(|| Error::corrupt("a look-up", "unasked row"))? = Some(found(&row)?);
        }
        Ok(answers)
    }
}
