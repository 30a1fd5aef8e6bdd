//! Looking customers up by the keyed hash of an address or a number, each engine in the way that costs
//! it least.

use domain::access::CompanyId;
use domain::seal::BlindIndex;

use super::{FOUND, Found, found, standing_columns};
use crate::look::{Question, Sought};
use crate::tx::Statement;
use crate::{Result, Row, Value};

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

impl Key {
    /// What the statements take.
    pub(crate) fn values(&self) -> [Value<'_>; 2] {
        [self.company.as_str().into(), self.index.as_bytes().into()]
    }
}

/// What leads to a customer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Email,
    Phone,
}

impl By {
    const fn statement(self) -> &'static Statement {
        static BY_EMAIL: Statement = Statement {
            one: sqlite::BY_EMAIL,
            many: postgres::BY_EMAIL,
        };
        static BY_PHONE: Statement = Statement {
            one: sqlite::BY_PHONE,
            many: postgres::BY_PHONE,
        };
        match self {
            Self::Email => &BY_EMAIL,
            Self::Phone => &BY_PHONE,
        }
    }
}

impl Wanted {
    /// The way to take when so many led nowhere.
    fn way(&self, vain: usize) -> Option<(By, &Key)> {
        let by_email = self.by_email.iter().map(|key| (By::Email, key));
        let by_phone = self.by_phone.iter().map(|key| (By::Phone, key));
        by_email.chain(by_phone).nth(vain)
    }
}

impl Sought for Wanted {
    type Found = Found;

    fn question(&self, vain: usize) -> Option<Question<'_>> {
        let (by, key) = self.way(vain)?;
        Some(Question {
            statement: by.statement(),
            values: key.values().into(),
        })
    }

    fn read(&self, vain: usize, row: &Row) -> Result<Option<Found>> {
        let by_phone = self.way(vain).is_some_and(|(by, _)| by == By::Phone);
        let customer = found(row)?;
        Ok(Some(Found {
            by_phone,
            ..customer
        }))
    }
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
        let rows = connection.query(BY_EMAIL, &key.values())?;
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
