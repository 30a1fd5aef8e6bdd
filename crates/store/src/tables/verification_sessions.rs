//! Sessions of number verification.
//!
//! What is sealed (the number, the company's request id, the app's user id) comes and goes as
//! bytes, under the session's own data key.

use domain::number::{Session, SessionId, Status};
use domain::seal::{BlindIndex, WrappedKey};
use domain::secret_hash::SecretHash;
use jiff::Timestamp;
use uuid::Uuid;

use super::data_keys::{self, Purpose};
use super::deliveries::{self, NewDelivery};
use crate::look::{Question, Sought};
use crate::tx::Statement;
use crate::{Error, Result, Row, Tx, Value};

/// A session as it is stored.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its public name.
    pub verification_id: SessionId,
    /// Whose it is.
    pub company_id: String,
    /// The keyed hash of the number.
    pub number_index: BlindIndex,
    /// The sealed number.
    pub mobile_number: Vec<u8>,
    /// The sealed request id.
    pub request_id: Vec<u8>,
    /// The hash of the token that opens it.
    pub token_hash: SecretHash,
    /// Where it stands.
    pub session: Session,
    /// The sealed user id that the app told, once it is verified.
    pub app_user_id: Option<Vec<u8>>,
    /// When it began.
    pub created_at: Timestamp,
    /// When the number was named.
    pub verified_at: Option<Timestamp>,
    /// The session's data key; `None` once it is destroyed, and with it all that it can tell.
    pub data_key: Option<WrappedKey>,
}

/// A session to be inserted.
#[derive(Debug, Clone)]
pub struct NewSession<'a> {
    /// Its public name.
    pub verification_id: &'a SessionId,
    /// Its row's own name.
    pub id: Uuid,
    /// Whose it is.
    pub company_id: &'a str,
    /// The keyed hash of the number.
    pub number_index: BlindIndex,
    /// The sealed number.
    pub mobile_number: &'a [u8],
    /// The keyed hash of the request id.
    pub request_index: BlindIndex,
    /// The sealed request id.
    pub request_id: &'a [u8],
    /// The hash of the token that opens it.
    pub token_hash: SecretHash,
    /// When it begins.
    pub created_at: Timestamp,
    /// When its time is over.
    pub expires_at: Timestamp,
}

/// What changes of a session when a number is submitted or its time is over.
#[derive(Debug, Clone)]
pub struct Progress<'a> {
    /// Which.
    pub verification_id: &'a SessionId,
    /// Where it stands now.
    pub session: Session,
    /// The sealed user id that the app told, if it is verified.
    pub app_user_id: Option<&'a [u8]>,
    /// Now.
    pub at: Timestamp,
}

/// Whose session, and which.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// Only sessions of this company are found; `None` finds anybody's.
    pub company: Option<domain::access::CompanyId>,
    /// Which.
    pub id: SessionId,
}

macro_rules! columns {
    () => {
        "s.verification_id, s.company_id, s.number_index, s.mobile_number, s.request_id, \
         s.token_hash, s.status, s.mismatches, s.app_user_id, s.created_at, s.verified_at, \
         s.expires_at, k.id, k.master_key, k.wrapped"
    };
}

/// On PostgreSQL, the data key of each session `s`, sought as `each!` seeks.
macro_rules! its_key {
    () => {
        "LEFT JOIN LATERAL (SELECT k.id, k.master_key, k.wrapped FROM data_keys k \
         WHERE k.id = s.data_key OFFSET 0) k ON TRUE"
    };
}

/// How many columns a look-up has.
const FOUND: usize = 15;

mod due;
mod groups;

pub use due::{end_spoilt, forget_deadlines, list_due_for_update, put_off};
pub use groups::list_of_company;
pub(super) use groups::{group, of_number};

fn found(row: &Row) -> Result<Found> {
    const ID: &str = "verification_sessions.verification_id";
    const INDEX: &str = "verification_sessions.number_index";
    const STATUS: &str = "verification_sessions.status";
    const MISMATCHES: &str = "verification_sessions.mismatches";
    let status = row.text(6, STATUS)?;
    Ok(Found {
        verification_id: SessionId::parse(&row.text(0, ID)?)
            .ok_or_else(|| Error::corrupt(ID, "not an id"))?,
        company_id: row.text(1, "verification_sessions.company_id")?,
        number_index: BlindIndex::from_bytes(&row.bytes(2, INDEX)?)
            .ok_or_else(|| Error::corrupt(INDEX, "wrong length"))?,
        mobile_number: row.bytes(3, "verification_sessions.mobile_number")?,
        request_id: row.bytes(4, "verification_sessions.request_id")?,
        token_hash: SecretHash::from_bytes(row.array(5, "verification_sessions.token_hash")?),
        session: Session {
            status: Status::parse(&status).ok_or_else(|| Error::corrupt(STATUS, "not a status"))?,
            mismatches: u32::try_from(row.int(7, MISMATCHES)?)
                .map_err(|_| Error::corrupt(MISMATCHES, "out of range"))?,
            expires_at: row.time(11, "verification_sessions.expires_at")?,
        },
        app_user_id: row.find_bytes(8, "verification_sessions.app_user_id")?,
        created_at: row.time(9, "verification_sessions.created_at")?,
        verified_at: row.find_time(10, "verification_sessions.verified_at")?,
        data_key: row
            .find_uuid(12, "data_keys.id")?
            .map(|_| data_keys::from_row_at(row, 12))
            .transpose()?,
    })
}

/// Inserts a session with its deadline and its data key; `false`, and nothing is written, when a
/// pending session of the company has that request id.
///
/// # Errors
/// Those of the database.
pub async fn insert(
    tx: &mut Tx<'_>,
    session: &NewSession<'_>,
    data_key: &WrappedKey,
) -> Result<bool> {
    let values = new_values(session, data_key.id);
    match tx {
        Tx::Sqlite(_) => {
            if tx.execute(sqlite::INSERT, &values).await? == 0 {
                return Ok(false);
            }
            let deadline = [
                session.expires_at.into(),
                session.verification_id.as_str().into(),
            ];
            tx.execute(sqlite::INSERT_DEADLINE, &deadline).await?;
            let (company, at) = (session.company_id, session.created_at);
            data_keys::insert(tx, company, Purpose::Person, None, data_key, at).await
        }
        Tx::Postgres(shared) => {
            let mut all = Vec::with_capacity(14);
            all.extend(values);
            all.extend::<[Value<'_>; 3]>([
                Purpose::Person.as_str().into(),
                (&data_key.master_key).into(),
                (&data_key.wrapped).into(),
            ]);
            Ok(shared.together(postgres::INSERT, &all).await?.is_some())
        }
    }
}

/// Which session of its request a new one is, counted from zero: one more than the last, or, while
/// that is pending, as much, which the index of requests refuses. Where others write meanwhile the last
/// is held with `$hold`: were it erased before the next is committed, counting would begin anew.
macro_rules! occasion {
    ($company_id:literal, $request_index:literal, $hold:literal) => {
        concat!(
            "COALESCE((SELECT l.occasion + CASE l.status WHEN 'pending' THEN 0 ELSE 1 END \
             FROM verification_sessions l WHERE l.company_id = ",
            $company_id,
            " AND l.request_index = ",
            $request_index,
            " ORDER BY l.occasion DESC LIMIT 1",
            $hold,
            "), 0)"
        )
    };
}

macro_rules! new_columns {
    () => {
        "verification_id, id, company_id, number_index, mobile_number, request_index, request_id, \
         token_hash, data_key, created_at, expires_at"
    };
}

fn new_values<'v>(session: &'v NewSession<'_>, data_key: Uuid) -> [Value<'v>; 11] {
    [
        session.verification_id.as_str().into(),
        session.id.into(),
        session.company_id.into(),
        session.number_index.as_bytes().into(),
        session.mobile_number.into(),
        session.request_index.as_bytes().into(),
        session.request_id.into(),
        session.token_hash.as_bytes().into(),
        data_key.into(),
        session.created_at.into(),
        session.expires_at.into(),
    ]
}

impl Sought for Key {
    type Found = Found;

    fn question(&self, vain: usize) -> Option<Question<'_>> {
        static FIND: Statement = Statement {
            one: sqlite::FIND,
            many: postgres::FIND,
        };
        (vain == 0).then(|| Question {
            statement: &FIND,
            values: vec![self.id.as_str().into()],
        })
    }

    fn read(&self, _: usize, row: &Row) -> Result<Option<Found>> {
        let found = found(row)?;
        let company = self.company.as_ref();
        let is_theirs = company.is_none_or(|company| company.as_str() == found.company_id);
        Ok(is_theirs.then_some(found))
    }
}

/// Only the last session of a request may be pending. It alone is locked: what is joined to it may be
/// missing.
macro_rules! last_of_request {
    () => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM verification_sessions s LEFT JOIN data_keys k ON k.id = s.data_key \
             WHERE s.company_id = $1 AND s.request_index = $2 ORDER BY s.occasion DESC LIMIT 1"
        )
    };
}

/// Finds the pending session of a request id, whether or not its time is over, and locks it.
///
/// # Errors
/// Those of the database.
pub async fn find_pending_for_update(
    tx: &mut Tx<'_>,
    company_id: &str,
    request_index: BlindIndex,
) -> Result<Option<Found>> {
    let sql = match tx {
        Tx::Sqlite(_) => last_of_request!(),
        Tx::Postgres(_) => concat!(last_of_request!(), " FOR UPDATE OF s"),
    };
    let values = [company_id.into(), request_index.as_bytes().into()];
    let last = tx.find(sql, &values).await?;
    let last = last.as_ref().map(found).transpose()?;
    Ok(last.filter(|last| last.session.status == Status::Pending))
}

/// Finds a session of a company and locks it; another's is not even waited for.
///
/// # Errors
/// Those of the database.
pub async fn find_for_update(
    tx: &mut Tx<'_>,
    company_id: &str,
    id: &SessionId,
) -> Result<Option<Found>> {
    static FIND: Statement = Statement {
        one: sqlite::FIND_OF_COMPANY,
        many: postgres::FIND_FOR_UPDATE,
    };
    let values = [id.as_str().into(), company_id.into()];
    let row = tx.find_together(&FIND, &values).await?;
    row.as_ref().map(found).transpose()
}

/// Gives a pending session another token; the one before opens it no longer. `false` when it is
/// not pending.
///
/// # Errors
/// Those of the database.
pub async fn replace_token(tx: &mut Tx<'_>, id: &SessionId, token: SecretHash) -> Result<bool> {
    let replaced = tx
        .execute(
            "UPDATE verification_sessions SET token_hash = $2 \
             WHERE verification_id = $1 AND status = 'pending'",
            &[id.as_str().into(), token.as_bytes().into()],
        )
        .await?;
    Ok(replaced == 1)
}

macro_rules! progress {
    () => {
        "UPDATE verification_sessions SET status = $2, mismatches = $3, app_user_id = $4, \
         verified_at = $5, ended_at = $6 \
         WHERE verification_id = $1 AND status = 'pending'"
    };
}

/// Writes where a pending session stands now; `false` when it is pending no longer.
///
/// # Errors
/// Those of the database.
pub async fn update(tx: &mut Tx<'_>, progress: &Progress<'_>) -> Result<bool> {
    let updated = tx.execute(progress!(), &progress.values()).await?;
    Ok(updated == 1)
}

/// Writes the end of a pending session that this transaction has locked, and enqueues the message
/// about it, if the company has a webhook; `false`, and nothing is written, when it is pending no longer.
///
/// # Errors
/// Those of the database.
pub async fn end(
    tx: &mut Tx<'_>,
    progress: &Progress<'_>,
    message: &NewDelivery<'_>,
) -> Result<bool> {
    match tx {
        Tx::Sqlite(_) => {
            let ended = update(tx, progress).await?;
            if ended {
                deliveries::insert_webhook(tx, message).await?;
            }
            Ok(ended)
        }
        Tx::Postgres(shared) => {
            let mut values = Vec::with_capacity(14);
            values.extend(progress.values());
            values.extend(deliveries::values(message));
            Ok(shared.together(postgres::END, &values).await?.is_some())
        }
    }
}

impl Progress<'_> {
    fn values(&self) -> [Value<'_>; 6] {
        let is = |status| self.session.status == status;
        [
            self.verification_id.as_str().into(),
            self.session.status.as_str().into(),
            i64::from(self.session.mismatches).into(),
            self.app_user_id.into(),
            is(Status::Verified).then_some(self.at).into(),
            (!is(Status::Pending)).then_some(self.at).into(),
        ]
    }
}

pub(crate) mod sqlite {
    //! A point look-up, and one statement a table.

    pub const INSERT: &str = concat!(
        "INSERT INTO verification_sessions (",
        new_columns!(),
        ", status, mismatches, occasion) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'pending', 0, ",
        occasion!("$3", "$6", ""),
        ") ON CONFLICT DO NOTHING"
    );

    pub const INSERT_DEADLINE: &str =
        "INSERT INTO verification_deadlines (expires_at, verification_id) VALUES ($1, $2)";

    macro_rules! find {
        () => {
            concat!(
                "SELECT ",
                columns!(),
                " FROM verification_sessions s LEFT JOIN data_keys k ON k.id = s.data_key \
                 WHERE s.verification_id = $1"
            )
        };
    }

    pub const FIND: &str = find!();
    pub const FIND_OF_COMPANY: &str = concat!(find!(), " AND s.company_id = $2");
}

pub(crate) mod postgres {
    //! Set-based: many sessions, one statement.

    use super::super::deliveries;

    /// Sessions with their deadlines and their data keys.
    pub const INSERT: &str = concat!(
        "WITH new AS MATERIALIZED (SELECT * FROM UNNEST($1::text[], $2::uuid[], $3::text[], \
         $4::bytea[], $5::bytea[], $6::bytea[], $7::bytea[], $8::bytea[], $9::uuid[], \
         $10::bigint[], $11::bigint[], $12::text[], $13::text[], $14::bytea[]) WITH ORDINALITY \
         AS given(",
        new_columns!(),
        ", purpose, master_key, wrapped, row)), opened AS (INSERT INTO verification_sessions (",
        new_columns!(),
        ", status, mismatches, occasion) SELECT ",
        new_columns!(),
        ", 'pending', 0, ",
        occasion!("new.company_id", "new.request_index", " FOR KEY SHARE"),
        " FROM new ON CONFLICT DO NOTHING RETURNING data_key, expires_at, verification_id), \
         deadlines AS (INSERT INTO verification_deadlines (expires_at, verification_id) \
         SELECT expires_at, verification_id FROM opened), \
         keys AS (INSERT INTO data_keys (id, company_id, purpose, master_key, wrapped, created_at) \
         SELECT data_key, company_id, purpose, master_key, wrapped, created_at FROM new WHERE ",
        among!("data_key", "opened"),
        ") SELECT row FROM new WHERE ",
        among!("data_key", "opened"),
    );

    pub const FIND_FOR_UPDATE: &str = concat!(
        "SELECT ",
        columns!(),
        ", asked.row FROM UNNEST($1::text[], $2::text[]) WITH ORDINALITY \
         AS asked(verification_id, company_id, row) ",
        each!(
            "s.*",
            "verification_sessions s",
            "s.verification_id = asked.verification_id \
             AND (s.company_id = asked.company_id) IS TRUE FOR UPDATE"
        ),
        "s ",
        its_key!()
    );

    /// Ends of sessions, with the messages about them. Each row is found by its name, and then changed
    /// where it lies: joined by name it could be sought among all. It lies still, for it is locked.
    pub const END: &str = concat!(
        "WITH new AS MATERIALIZED (SELECT * FROM UNNEST($1::text[], $2::text[], $3::bigint[], \
         $4::bytea[], $5::bigint[], $6::bigint[], $7::uuid[], $8::text[], $9::text[], $10::text[], \
         $11::bytea[], $12::uuid[], $13::bytea[], $14::bigint[]) WITH ORDINALITY \
         AS asked(verification_id, status, mismatches, app_user_id, verified_at, ended_at, \
         delivery, company_id, topic, receiver, stream, data_key, payload, at, row) ",
        each!(
            "s.ctid AS place",
            "verification_sessions s",
            "s.verification_id = asked.verification_id"
        ),
        "s), ended AS (UPDATE verification_sessions s SET status = new.status, \
         mismatches = new.mismatches, app_user_id = new.app_user_id, \
         verified_at = new.verified_at, ended_at = new.ended_at FROM new \
         WHERE s.ctid = new.place AND s.status = 'pending' \
         RETURNING new.*), told AS (",
        deliveries::insert_delivery!(),
        "SELECT delivery, e.company_id, 'webhook', topic, receiver, stream, data_key, payload, \
         'waiting', 0, 0, at, at FROM ended e JOIN companies c ON c.company_id = e.company_id \
         WHERE c.webhook_url IS NOT NULL) \
         SELECT row FROM ended"
    );

    pub const FIND: &str = concat!(
        "SELECT ",
        columns!(),
        ", asked.row FROM UNNEST($1::text[]) WITH ORDINALITY AS asked(verification_id, row) ",
        each!(
            "s.*",
            "verification_sessions s",
            "s.verification_id = asked.verification_id"
        ),
        "s ",
        its_key!()
    );
}
