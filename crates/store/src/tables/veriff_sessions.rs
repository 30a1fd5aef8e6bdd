//! Sessions of Veriff: whom each is about, its address, and what was decided.
//!
//! A row is there before Veriff is asked; while it is asked, the row says until when nobody else may
//! do so. Of a customer one session at most is not over. Whoever writes a session has locked its
//! customer.

use domain::seal::BlindIndex;
use domain::veriff::{Decided, Judgement, Reason, Status, Verdict};
use jiff::Timestamp;
use uuid::Uuid;

use crate::{Error, Readable, Result, Row, Tx, Value};

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Veriff is asked for it, or was and it is not known what it answered.
    Asking,
    /// It has an address.
    Open,
    /// Its address is not given to anybody any more.
    Over,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Asking, Self::Open, Self::Over];

    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asking => "asking",
            Self::Open => "open",
            Self::Over => "over",
        }
    }

    /// Reads what [`State::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// A session.
#[derive(Debug, Clone)]
pub struct Session {
    /// Our name for it, which Veriff is told.
    pub id: Uuid,
    /// Whose customer.
    pub company_id: String,
    /// Which customer.
    pub email_index: BlindIndex,
    /// The customer's data key.
    pub data_key: Uuid,
    /// Where it stands.
    pub state: State,
    /// How often Veriff was asked for it.
    pub attempts: i64,
    /// Until when nobody else asks for it.
    pub ask_until: Timestamp,
    /// Veriff's name for it.
    pub veriff_id: Option<String>,
    /// The sealed address.
    pub url: Option<Vec<u8>>,
    /// The decision that stands.
    pub decided: Option<Decided>,
    /// The word of what that means here.
    pub verdict: Option<String>,
    /// When it began.
    pub created_at: Timestamp,
}

impl Session {
    /// What stands.
    pub fn judgement(&self) -> Option<Judgement> {
        let verdict = self.verdict.as_deref().and_then(Verdict::parse);
        let judged = self.decided.zip(verdict);
        judged.map(|(decided, verdict)| Judgement { decided, verdict })
    }

    /// Whether its document says that the customer is too young.
    pub fn is_too_young(&self) -> bool {
        let too_young = Verdict::Refused(Reason::TooYoung);
        self.verdict.as_deref() == Some(too_young.as_str())
    }
}

/// A session to be inserted.
#[derive(Debug, Clone)]
pub struct NewSession<'a> {
    /// Our name for it.
    pub id: Uuid,
    /// Whose customer.
    pub company_id: &'a str,
    /// Which customer.
    pub email_index: BlindIndex,
    /// The customer's data key.
    pub data_key: Uuid,
    /// Until when nobody else asks for it.
    pub ask_until: Timestamp,
    /// Now.
    pub at: Timestamp,
}

/// What Veriff answered.
#[derive(Debug, Clone)]
pub struct Opened<'a> {
    /// Veriff's name for the session.
    pub veriff_id: &'a str,
    /// Its sealed address.
    pub url: &'a [u8],
    /// When to ask for its decision.
    pub poll_at: Option<Timestamp>,
}

/// A decision that stands now.
#[derive(Debug, Clone)]
pub struct Decision<'a> {
    /// What was decided.
    pub decided: Decided,
    /// The number that came with it, which decides nothing.
    pub code: Option<i64>,
    /// What it means here.
    pub verdict: Verdict,
    /// Veriff's name for the session.
    pub veriff_id: &'a str,
}

macro_rules! select {
    () => {
        "SELECT id, company_id, email_index, data_key, state, attempts, ask_until, veriff_id, url, \
         status, decided_at, verdict, created_at FROM veriff_sessions "
    };
}

fn session(row: &Row) -> Result<Session> {
    const INDEX: &str = "veriff_sessions.email_index";
    const STATE: &str = "veriff_sessions.state";
    const STATUS: &str = "veriff_sessions.status";
    let status = row.find_text(9, STATUS)?;
    let status = status
        .map(|word| Status::parse(&word).ok_or_else(|| Error::corrupt(STATUS, "not a status")));
    let at = row.find_time(10, "veriff_sessions.decided_at")?;
    Ok(Session {
        id: row.uuid(0, "veriff_sessions.id")?,
        company_id: row.text(1, "veriff_sessions.company_id")?,
        email_index: BlindIndex::from_bytes(&row.bytes(2, INDEX)?)
            .ok_or_else(|| Error::corrupt(INDEX, "wrong length"))?,
        data_key: row.uuid(3, "veriff_sessions.data_key")?,
        state: State::parse(&row.text(4, STATE)?)
            .ok_or_else(|| Error::corrupt(STATE, "not a state"))?,
        attempts: row.int(5, "veriff_sessions.attempts")?,
        ask_until: row.time(6, "veriff_sessions.ask_until")?,
        veriff_id: row.find_text(7, "veriff_sessions.veriff_id")?,
        url: row.find_bytes(8, "veriff_sessions.url")?,
        decided: status.transpose()?.map(|status| Decided { status, at }),
        verdict: row.find_text(11, "veriff_sessions.verdict")?,
        created_at: row.time(12, "veriff_sessions.created_at")?,
    })
}

/// A session by our name for it.
///
/// # Errors
/// Those of the database.
pub async fn find(tx: &mut Tx<'_>, company_id: &str, id: Uuid) -> Result<Option<Session>> {
    const FIND: &str = concat!(select!(), "WHERE company_id = $1 AND id = $2");
    let found = tx.find(FIND, &[company_id.into(), id.into()]).await?;
    found.as_ref().map(session).transpose()
}

/// A session by Veriff's name for it.
///
/// # Errors
/// Those of the database.
pub async fn find_by_veriff_id(
    tx: &mut Tx<'_>,
    company_id: &str,
    veriff_id: &str,
) -> Result<Option<Session>> {
    const FIND: &str = concat!(
        select!(),
        "WHERE company_id = $1 AND veriff_id = $2 ORDER BY id LIMIT 1"
    );
    let values: [Value<'_>; 2] = [company_id.into(), veriff_id.into()];
    let found = tx.find(FIND, &values).await?;
    found.as_ref().map(session).transpose()
}

/// The newest session of a customer.
///
/// # Errors
/// Those of the database.
pub async fn find_newest(
    tx: &mut Tx<'_>,
    company_id: &str,
    email_index: BlindIndex,
) -> Result<Option<Session>> {
    const FIND: &str = concat!(
        select!(),
        "WHERE company_id = $1 AND email_index = $2 ORDER BY created_at DESC, id DESC LIMIT 1"
    );
    let values: [Value<'_>; 2] = [company_id.into(), email_index.as_bytes().into()];
    let found = tx.find(FIND, &values).await?;
    found.as_ref().map(session).transpose()
}

/// The session of a customer whose document said last how old its holder is: old enough, or too
/// young. That was so under the customer's data key; who was erased and came again has another.
///
/// # Errors
/// Those of the database.
pub async fn find_newest_on_age(
    tx: &mut Tx<'_>,
    company_id: &str,
    email_index: BlindIndex,
    data_key: Uuid,
) -> Result<Option<Session>> {
    const FIND: &str = concat!(
        select!(),
        "WHERE company_id = $1 AND email_index = $2 AND data_key = $3 AND verdict IN ($4, $5) \
         ORDER BY decided_at DESC, id DESC LIMIT 1"
    );
    let [young, old] = [Verdict::Refused(Reason::TooYoung), Verdict::Approved];
    let values: [Value<'_>; 5] = [
        company_id.into(),
        email_index.as_bytes().into(),
        data_key.into(),
        young.as_str().into(),
        old.as_str().into(),
    ];
    let found = tx.find(FIND, &values).await?;
    found.as_ref().map(session).transpose()
}

/// The session of a customer that is not over, locked.
///
/// # Errors
/// Those of the database.
pub async fn find_unfinished_for_update(
    tx: &mut Tx<'_>,
    company_id: &str,
    email_index: BlindIndex,
) -> Result<Option<Session>> {
    const FIND: &str = concat!(
        select!(),
        "WHERE company_id = $1 AND email_index = $2 AND state <> 'over' FOR UPDATE"
    );
    let values: [Value<'_>; 2] = [company_id.into(), email_index.as_bytes().into()];
    let found = tx.find(FIND, &values).await?;
    found.as_ref().map(session).transpose()
}

/// A session, locked.
///
/// # Errors
/// Those of the database.
pub async fn find_for_update(tx: &mut Tx<'_>, id: Uuid) -> Result<Option<Session>> {
    const FIND: &str = concat!(select!(), "WHERE id = $1 FOR UPDATE");
    let found = tx.find(FIND, &[id.into()]).await?;
    found.as_ref().map(session).transpose()
}

/// Inserts a session that Veriff is going to be asked for; `false` when the customer has one that is
/// not over.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx<'_>, new: &NewSession<'_>) -> Result<bool> {
    let inserted = tx
        .execute(
            "INSERT INTO veriff_sessions (id, company_id, email_index, data_key, state, attempts, \
             ask_until, created_at, updated_at) VALUES ($1, $2, $3, $4, 'asking', 1, $5, $6, $6) \
             ON CONFLICT DO NOTHING",
            &[
                new.id.into(),
                new.company_id.into(),
                new.email_index.as_bytes().into(),
                new.data_key.into(),
                new.ask_until.into(),
                new.at.into(),
            ],
        )
        .await?;
    Ok(inserted == 1)
}

/// Notes that Veriff is asked once more.
///
/// # Errors
/// Those of the database.
pub async fn ask_again(
    tx: &mut Tx<'_>,
    id: Uuid,
    ask_until: Timestamp,
    at: Timestamp,
) -> Result<()> {
    tx.execute(
        "UPDATE veriff_sessions SET attempts = attempts + 1, ask_until = $2, updated_at = $3 \
         WHERE id = $1",
        &[id.into(), ask_until.into(), at.into()],
    )
    .await
    .map(drop)
}

/// Notes that Veriff has surely made no session: anybody may ask at once.
///
/// # Errors
/// Those of the database.
pub async fn release(tx: &mut Tx<'_>, id: Uuid, at: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE veriff_sessions SET ask_until = $2, updated_at = $2 \
         WHERE id = $1 AND state = 'asking'",
        &[id.into(), at.into()],
    )
    .await
    .map(drop)
}

/// Notes what Veriff answered; `false` when the session does not wait for that any more.
///
/// # Errors
/// Those of the database.
pub async fn open(tx: &mut Tx<'_>, id: Uuid, opened: &Opened<'_>, at: Timestamp) -> Result<bool> {
    let written = tx
        .execute(
            "UPDATE veriff_sessions SET state = 'open', veriff_id = $2, url = $3, poll_at = $4, \
             updated_at = $5 WHERE id = $1 AND state = 'asking'",
            &[
                id.into(),
                opened.veriff_id.into(),
                opened.url.into(),
                opened.poll_at.into(),
                at.into(),
            ],
        )
        .await?;
    Ok(written == 1)
}

/// Gives a session's address to nobody any more.
///
/// # Errors
/// Those of the database.
pub async fn close(tx: &mut Tx<'_>, id: Uuid, at: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE veriff_sessions SET state = 'over', url = NULL, updated_at = $2 WHERE id = $1",
        &[id.into(), at.into()],
    )
    .await
    .map(drop)
}

/// Notes the decision that stands now. One that ends the session ends asking for it as well.
///
/// # Errors
/// Those of the database.
pub async fn decide(
    tx: &mut Tx<'_>,
    id: Uuid,
    decision: &Decision<'_>,
    at: Timestamp,
) -> Result<()> {
    tx.execute(
        "UPDATE veriff_sessions SET status = $2, code = $3, decided_at = $4, verdict = $5, \
         veriff_id = COALESCE(veriff_id, $6), updated_at = $7 WHERE id = $1",
        &[
            id.into(),
            decision.decided.status.as_str().into(),
            decision.code.into(),
            decision.decided.at.into(),
            decision.verdict.as_str().into(),
            decision.veriff_id.into(),
            at.into(),
        ],
    )
    .await?;
    if !decision.verdict.ends_session() {
        return Ok(());
    }
    let stop = "UPDATE veriff_sessions SET poll_at = NULL WHERE id = $1";
    tx.execute(stop, &[id.into()]).await?;
    close(tx, id, at).await
}

/// Which sessions are to be asked about.
#[derive(Debug, Clone, Copy)]
pub enum Wanted {
    /// Those that are due at this time.
    Due(Timestamp),
    /// All without a decision that were not asked about since then.
    NotSince(Timestamp),
}

/// At most `count` sessions that are to be asked about, locked; what others have locked is left out.
/// Those that cannot be read are to be asked about [later](note_poll) as well.
///
/// # Errors
/// Those of the database.
pub async fn list_to_poll_for_update(
    tx: &mut Tx<'_>,
    company_id: &str,
    wanted: Wanted,
    count: i64,
) -> Result<Readable<Session>> {
    macro_rules! due {
        () => {
            concat!(
                select!(),
                "WHERE company_id = $1 AND poll_at IS NOT NULL AND poll_at <= $2 \
                 ORDER BY poll_at, id LIMIT $3"
            )
        };
    }
    macro_rules! not_since {
        () => {
            concat!(
                select!(),
                "WHERE company_id = $1 AND poll_at IS NOT NULL AND COALESCE(polled_at, 0) < $2 \
                 ORDER BY poll_at, id LIMIT $3"
            )
        };
    }
    const SKIP: (&str, &str) = (
        concat!(due!(), " FOR UPDATE SKIP LOCKED"),
        concat!(not_since!(), " FOR UPDATE SKIP LOCKED"),
    );
    let is_postgres = matches!(tx, Tx::Postgres(_));
    let (sql, at) = match (wanted, is_postgres) {
        (Wanted::Due(at), false) => (due!(), at),
        (Wanted::Due(at), true) => (SKIP.0, at),
        (Wanted::NotSince(at), false) => (not_since!(), at),
        (Wanted::NotSince(at), true) => (SKIP.1, at),
    };
    let values: [Value<'_>; 3] = [company_id.into(), at.into(), count.into()];
    Readable::read(&tx.query(sql, &values).await?, "veriff_sessions", session)
}

/// Notes that a session is asked about now, and when the next time is.
///
/// # Errors
/// Those of the database.
pub async fn note_poll(
    tx: &mut Tx<'_>,
    id: Uuid,
    next: Option<Timestamp>,
    at: Timestamp,
) -> Result<()> {
    tx.execute(
        "UPDATE veriff_sessions SET poll_at = $2, polled_at = $3 WHERE id = $1",
        &[id.into(), next.into(), at.into()],
    )
    .await
    .map(drop)
}
