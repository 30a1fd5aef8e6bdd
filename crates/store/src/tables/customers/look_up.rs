//! Looking customers up by the keyed hash of an address or a number, each engine in the way that costs
//! it least.

use domain::access::CompanyId;
use domain::seal::BlindIndex;

use super::{FOUND, Found, found, standing_columns};
use crate::Result;

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

pub(crate) mod sqlite {
    //! Point look-ups in place.

    use super::{Found, Key, Result, Wanted, found, standing_columns};
    use crate::sqlite::Connection;

    const BY_EMAIL: &str = concat!(
        "SELECT ",
        standing_columns!(),
        ", c.updated_at, c.age_verified_until FROM customer_verification c WHERE c.company_id = $1 AND c.email_index = $2"
    );

    const BY_PHONE: &str = concat!(
        "SELECT ",
        standing_columns!(),
        ", c.updated_at, c.age_verified_until FROM customer_verification c WHERE c.company_id = $1 \
         AND c.phone_index = $2 ORDER BY c.updated_at DESC LIMIT 1"
    );

    pub fn find(connection: &mut Connection, wanted: &Wanted) -> Result<Option<Found>> {
        if let Some(email) = &wanted.by_email
            && let Some(found) = find_by(connection, BY_EMAIL, email)?
        {
            return Ok(Some(found));
        }
        match &wanted.by_phone {
            Some(phone) => find_by(connection, BY_PHONE, phone),
            None => Ok(None),
        }
    }

    /// Many look-ups of one moment: in one transaction, so that the pages on the
    /// way to them are found once.
    pub fn by_emails(connection: &mut Connection, keys: &[Key]) -> Result<Vec<Option<Found>>> {
        connection.control("BEGIN")?;
        let found = keys
            .iter()
            .map(|key| find_by(connection, BY_EMAIL, key))
            .collect();
        connection.control("COMMIT")?;
        found
    }

    fn find_by(connection: &mut Connection, sql: &'static str, key: &Key) -> Result<Option<Found>> {
        let values = [key.company.as_str().into(), key.index.as_bytes().into()];
        connection
            .query(sql, &values)?
            .first()
            .map(found)
            .transpose()
    }
}

pub(crate) mod postgres {
    //! Set-based look-ups: many keys, one statement.

    use super::{FOUND, Found, Key, Result, found, standing_columns};
    use crate::postgres::Connection;
    use crate::{Error, Row};

    const BY_EMAIL: &str = concat!(
        "SELECT ",
        standing_columns!(),
        ", c.updated_at, c.age_verified_until, asked.row FROM UNNEST($1::text[], $2::bytea[]) WITH ORDINALITY \
         AS asked(company_id, email_index, row) JOIN customer_verification c \
         ON c.company_id = asked.company_id AND c.email_index = asked.email_index"
    );

    const BY_PHONE: &str = concat!(
        "SELECT ",
        standing_columns!(),
        ", c.updated_at, c.age_verified_until, asked.row FROM UNNEST($1::text[], $2::bytea[]) WITH ORDINALITY \
         AS asked(company_id, phone_index, row) JOIN customer_verification c \
         ON c.company_id = asked.company_id AND c.phone_index = asked.phone_index"
    );

    pub async fn by_email(connection: &Connection, keys: &[Key]) -> Result<Vec<Option<Found>>> {
        find(connection, BY_EMAIL, keys).await
    }

    pub async fn by_phone(connection: &Connection, keys: &[Key]) -> Result<Vec<Option<Found>>> {
        find(connection, BY_PHONE, keys).await
    }

    async fn find(
        connection: &Connection,
        sql: &'static str,
        keys: &[Key],
    ) -> Result<Vec<Option<Found>>> {
        // Of several customers with one phone, the one that changed last.
        let newer = |found: &Found, other: &Found| other.updated_at < found.updated_at;
        asked_in_order(connection, sql, keys, FOUND, found, newer).await
    }

    /// Runs a statement over companies and indexes whose rows end, at `position`, with the number
    /// of the key that asked for them; of several for one key the `preferred` one is kept.
    pub async fn asked_in_order<T: Clone>(
        connection: &Connection,
        sql: &'static str,
        keys: &[Key],
        position: usize,
        read: fn(&Row) -> Result<T>,
        preferred: impl Fn(&T, &T) -> bool,
    ) -> Result<Vec<Option<T>>> {
        let companies: Vec<&str> = keys.iter().map(|key| key.company.as_str()).collect();
        let indexes: Vec<&[u8]> = keys
            .iter()
            .map(|key| key.index.as_bytes().as_slice())
            .collect();
        let mut answers: Vec<Option<T>> = vec![None; keys.len()];
        for row in connection
            .query_native(sql, &[&companies, &indexes])
            .await?
        {
            let row = Row::Postgres(row);
            let found = read(&row)?;
            let asked = row.int(position, "row")?;
            let answer = usize::try_from(asked - 1)
                .ok()
                .and_then(|at| answers.get_mut(at))
                .ok_or_else(|| Error::corrupt("a look-up", "unasked row"))?;
            if answer.as_ref().is_none_or(|other| preferred(&found, other)) {
                *answer = Some(found);
            }
        }
        Ok(answers)
    }
}
