//! Idempotency keys: a request that is sent again gets the answer it got before.
//!
//! The key is taken in a transaction of its own before the work begins; the
//! answer is stored in the transaction that does the work. A request that died in
//! between leaves a key without an answer, which is free again after a minute.

use std::sync::Arc;
use std::time::Duration;

use domain::random::Random;
use domain::seal::{BlindIndex, DataKey, Place, SealError};
use jiff::{SignedDuration, Timestamp};
use store::tables::idempotency::{self, Entry, SealedAnswer};
use store::{Lane, Tx, Unit, Written};

use crate::exchange::Exchange;
use crate::{App, Code, Ctx, Error, Result};

/// How long an answer is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// How long a request may be under way before its key is free again.
const UNDER_WAY: SignedDuration = SignedDuration::from_secs(60);

/// How soon a key that could not be given up is given up again: the store has waited already.
const AGAIN: Duration = Duration::from_millis(100);

/// A key as a caller sent it, and what it was sent with.
#[derive(Debug, Clone)]
pub struct IdempotencyKey {
    /// The key.
    pub key: String,
    /// The path it was used on: the same key on another path is another key.
    pub route: &'static str,
    /// SHA-256 of the body.
    pub fingerprint: [u8; 32],
}

impl IdempotencyKey {
    /// The same key of callers who share nothing but what `whose` names.
    #[must_use]
    pub fn within(self, whose: &str) -> Self {
        Self {
            key: format!("{whose}\0{}", self.key),
            ..self
        }
    }
}

/// What to do with a request that carries a key.
pub enum Begun {
    /// It is the first: do the work and store the answer with this ticket.
    First(Ticket),
    /// It was answered before, like this.
    Replay {
        /// HTTP status.
        status: u16,
        /// The body.
        body: Vec<u8>,
    },
}

/// The right to store the answer of one key.
#[derive(Clone)]
pub struct Ticket {
    hold: Hold,
    data_key: Arc<DataKey>,
    /// Knows whom the answer is about, once the work does.
    exchange: Arc<Exchange>,
    random: Arc<dyn Random>,
    expires_at: Timestamp,
}

/// A key as one request has taken it.
#[derive(Clone)]
struct Hold {
    company: String,
    key: BlindIndex,
    taken_at: Timestamp,
}

impl Hold {
    /// Gives it up, again and again until the database takes that, the key is free anyway, or the
    /// program ends.
    fn release_in_time(self, app: &Arc<App>) {
        let app = Arc::downgrade(app);
        tokio::spawn(async move {
            while let Some(app) = app.upgrade() {
                let is_taken = app.clock.now().duration_since(self.taken_at) < UNDER_WAY;
                match app.store.write(Release(self.clone())).await {
                    Err(error) if error.is_transient() && is_taken => {}
                    _ => return,
                }
                drop(app);
                tokio::time::sleep(AGAIN).await;
            }
        });
    }
}

/// How a use case stores its answer together with its work: not at all, or under
/// a ticket, as the surface renders it.
pub struct Reply<T> {
    ticket: Option<Ticket>,
    render: fn(&T) -> (u16, Vec<u8>),
}

impl<T> Reply<T> {
    /// Under a ticket, if there is one.
    pub fn new(ticket: Option<Ticket>, render: fn(&T) -> (u16, Vec<u8>)) -> Self {
        Self { ticket, render }
    }

    /// For callers that send no keys.
    pub fn unkept() -> Self {
        Self {
            ticket: None,
            render: |_| (200, Vec::new()),
        }
    }

    /// Whether the answer is to be stored.
    pub fn is_kept(&self) -> bool {
        self.ticket.is_some()
    }

    /// Stores the answer, inside the transaction of the work.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn store(&self, tx: &mut Tx<'_>, output: &T) -> store::Result<()> {
        let exchange = self.ticket.as_ref().map(|ticket| &ticket.exchange);
        let subject = exchange.and_then(|exchange| exchange.subject());
        self.store_about(tx, output, subject).await
    }

    /// The same for an answer that is about nobody any more, and does not go with anybody.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn store_about_nobody(&self, tx: &mut Tx<'_>, output: &T) -> store::Result<()> {
        self.store_about(tx, output, None).await
    }

    async fn store_about(
        &self,
        tx: &mut Tx<'_>,
        output: &T,
        subject: Option<BlindIndex>,
    ) -> store::Result<()> {
        let Some(ticket) = &self.ticket else {
            return Ok(());
        };
        let (status, body) = (self.render)(output);
        ticket.store(tx, status, &body, subject).await
    }

    /// Has a fuller answer given from now on, of which a part is known only when the work is done.
    ///
    /// # Errors
    /// When the database is away; then the answer that was stored with the work is given.
    pub async fn replace(&self, app: &App, output: &T) -> Result<()> {
        let Some(ticket) = &self.ticket else {
            return Ok(());
        };
        let (status, body) = (self.render)(output);
        let unit = Replace {
            answer: ticket.seal(status, &body).map_err(Error::internal)?,
            ticket: ticket.clone(),
        };
        Ok(app.store.write(unit).await?)
    }
}

impl<T> Clone for Reply<T> {
    fn clone(&self) -> Self {
        Self {
            ticket: self.ticket.clone(),
            render: self.render,
        }
    }
}

impl Ticket {
    async fn store(
        &self,
        tx: &mut Tx<'_>,
        status: u16,
        body: &[u8],
        subject: Option<BlindIndex>,
    ) -> store::Result<()> {
        let answer = self
            .seal(status, body)
            .map_err(|error| store::Error::Refused(error.to_string()))?;
        let Hold {
            company,
            key,
            taken_at,
        } = &self.hold;
        let expires_at = self.expires_at;
        if idempotency::complete(tx, company, *key, *taken_at, &answer, subject, expires_at).await?
        {
            return Ok(());
        }
        // The work waited so long that its key was given up: it must not be done after all, for
        // another request may be doing it.
        let given_up = "the idempotency key was given up";
        Err(store::Error::Refused(given_up.into()))
    }

    fn seal(&self, status: u16, body: &[u8]) -> Result<SealedAnswer, SealError> {
        Ok(SealedAnswer {
            status: i64::from(status),
            data_key: self.data_key.id(),
            body: self
                .data_key
                .seal(place(&self.hold.key), body, self.random.as_ref())?,
        })
    }
}

fn place(key: &BlindIndex) -> Place<'_> {
    Place {
        table: "idempotency_keys",
        column: "answer",
        row: key.as_bytes(),
    }
}

/// Begins a request that carries a key.
///
/// # Errors
/// [`Code::IdempotencyInProgress`], [`Code::IdempotencyKeyReused`], or the
/// database is away.
pub async fn begin(app: &Arc<App>, ctx: &Ctx, key: &IdempotencyKey) -> Result<Begun> {
    let company = ctx.caller.company();
    let now = app.clock.now();
    let index = app.index_key.index(key.route, company, &key.key);
    let data_key = app.keys.of_company(company, now).await?;
    let hold = Hold {
        company: company.to_owned(),
        key: index,
        taken_at: now,
    };
    let unit = Begin {
        company: company.to_owned(),
        key: index,
        // A body may be short enough to be guessed from a hash without a key.
        fingerprint: app
            .index_key
            .fingerprint("idempotent body", company, &key.fingerprint),
        now,
        inserted: false,
    };
    let taken = app.store.write(unit).await.inspect_err(|error| {
        // It may have been taken, and only the news of it was lost.
        if error.is_transient() {
            hold.clone().release_in_time(app);
        }
    });
    match taken? {
        Taken::First => Ok(Begun::First(Ticket {
            hold,
            data_key,
            exchange: ctx.exchange.clone(),
            random: app.random.clone(),
            expires_at: now.saturating_add(KEPT).map_err(Error::internal)?,
        })),
        Taken::UnderWay => Err(Error::new(
            Code::IdempotencyInProgress,
            "The first request with this Idempotency-Key is still under way.",
        )
        .retry_after(Duration::from_secs(1))),
        Taken::Other => Err(Error::new(
            Code::IdempotencyKeyReused,
            "This Idempotency-Key was used before with another request.",
        )),
        Taken::Answered(answer, subject) => {
            let body = data_key.open(place(&index), &answer.body)?.to_vec();
            ctx.exchange.note_detail("idempotency: stored answer");
            if let Some(subject) = subject {
                ctx.exchange.note_subject(subject);
            }
            Ok(Begun::Replay {
                status: u16::try_from(answer.status).unwrap_or(200),
                body,
            })
        }
    }
}

/// Frees a key whose request came to nothing. When it came to something after all, because only
/// the news of it was lost, its answer stays.
///
/// # Errors
/// When the database is away; the key is then free after a minute.
pub async fn release(app: &App, ticket: Ticket) -> Result<()> {
    Ok(app.store.write(Release(ticket.hold)).await?)
}

/// The same for whoever does not wait for it: as soon as the database is back.
pub fn release_in_time(app: &Arc<App>, ticket: Ticket) {
    ticket.hold.release_in_time(app);
}

/// Forgets keys whose time is over; returns how many.
///
/// # Errors
/// When the database is away.
pub async fn clean_up(app: &App) -> Result<u64> {
    Ok(app.store.write(CleanUp(app.clock.now())).await?)
}

enum Taken {
    First,
    UnderWay,
    Other,
    /// And whom the answer is about.
    Answered(SealedAnswer, Option<BlindIndex>),
}

struct Begin {
    company: String,
    key: BlindIndex,
    fingerprint: [u8; 32],
    now: Timestamp,
    /// Whether an earlier run took the key. The news of its commit may have been lost.
    inserted: bool,
}

impl Begin {
    fn judge(&self, entry: Entry) -> Option<Taken> {
        let stale = entry.expires_at <= self.now
            || (entry.answer.is_none() && self.now.duration_since(entry.created_at) >= UNDER_WAY);
        match entry {
            _ if stale => None,
            Entry { fingerprint, .. } if fingerprint != self.fingerprint => Some(Taken::Other),
            Entry {
                answer: Some(answer),
                subject,
                ..
            } => Some(Taken::Answered(answer, subject)),
            Entry { created_at, .. } if self.is_own(created_at) => Some(Taken::First),
            Entry { answer: None, .. } => Some(Taken::UnderWay),
        }
    }

    /// Whether an unanswered entry is the one that an earlier run of this unit made.
    /// The time alone would not tell: two requests may come in one microsecond.
    fn is_own(&self, created_at: Timestamp) -> bool {
        self.inserted && created_at.as_microsecond() == self.now.as_microsecond()
    }
}

impl Unit for Begin {
    type Output = Taken;

    fn lane(&self) -> Lane {
        Lane::of(self.key.as_bytes())
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Taken>> {
        let records = Vec::new();
        if let Some(entry) = idempotency::find(tx, &self.company, self.key).await? {
            if let Some(output) = self.judge(entry) {
                return Ok(Written { output, records });
            }
            idempotency::delete(tx, &self.company, self.key).await?;
        }
        let expires_at = self
            .now
            .saturating_add(KEPT)
            .map_err(|error| store::Error::Refused(error.to_string()))?;
        let first = idempotency::insert(
            tx,
            &self.company,
            self.key,
            &self.fingerprint,
            self.now,
            expires_at,
        )
        .await?;
        self.inserted |= first;
        // Another instance took it a moment ago: its request is under way.
        let output = if first { Taken::First } else { Taken::UnderWay };
        Ok(Written { output, records })
    }
}

struct Replace {
    ticket: Ticket,
    answer: SealedAnswer,
}

impl Unit for Replace {
    type Output = ();

    fn lane(&self) -> Lane {
        Lane::of(self.ticket.hold.key.as_bytes())
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<()>> {
        let Hold {
            company,
            key,
            taken_at,
        } = &self.ticket.hold;
        idempotency::replace(tx, company, *key, *taken_at, &self.answer).await?;
        Ok(Written {
            output: (),
            records: Vec::new(),
        })
    }
}

struct Release(Hold);

impl Unit for Release {
    type Output = ();

    fn lane(&self) -> Lane {
        Lane::of(self.0.key.as_bytes())
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<()>> {
        let Hold {
            company,
            key,
            taken_at,
        } = &self.0;
        idempotency::release(tx, company, *key, *taken_at).await?;
        Ok(Written {
            output: (),
            records: Vec::new(),
        })
    }
}

struct CleanUp(Timestamp);

impl Unit for CleanUp {
    type Output = u64;

    fn lane(&self) -> Lane {
        Lane::of(b"idempotency clean-up")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<u64>> {
        let output = idempotency::delete_expired(tx, self.0).await?;
        Ok(Written {
            output,
            records: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::{Connections, Location, Store};

    struct Still(Timestamp);

    impl domain::clock::Clock for Still {
        fn now(&self) -> Timestamp {
            self.0
        }
    }

    /// Runs as it does when the news of a commit is lost: over its own row.
    struct Twice(Begin);

    impl Unit for Twice {
        type Output = Taken;

        fn lane(&self) -> Lane {
            self.0.lane()
        }

        async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Taken>> {
            self.0.run(tx).await?;
            self.0.run(tx).await
        }
    }

    #[tokio::test]
    async fn a_request_knows_its_own_entry_again() {
        let directory = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(directory.path().join("store.db"));
        location.migrate().await.unwrap();
        let now = Timestamp::from_nanosecond(1_735_689_600_000_000_123).unwrap();
        let store = Store::open(&location, Connections::default(), Arc::new(Still(now)))
            .await
            .unwrap();
        let index_key =
            domain::seal::IndexKey::new(b"an index key of more than 32 bytes, for tests");
        let begin = || Begin {
            company: "default".to_owned(),
            key: index_key.index("/path", "default", "key"),
            fingerprint: [7; 32],
            now,
            inserted: false,
        };
        let first = store.write(Twice(begin())).await.unwrap();
        assert!(matches!(first, Taken::First), "its own entry");
        // The same request again, in the same microsecond, is another one.
        let second = store.write(Twice(begin())).await.unwrap();
        assert!(matches!(second, Taken::UnderWay), "somebody else's entry");
    }
}
