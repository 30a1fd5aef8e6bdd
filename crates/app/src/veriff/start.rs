//! A customer is sent to Veriff: into the session that is under way, or into a new one.
//!
//! A new session is written down before Veriff is asked, and whoever asks for the same customer
//! meanwhile is told to come back. What Veriff surely did not do may be asked for again at once;
//! where that is not known, a minute later, under the same reference: Veriff knows no idempotency
//! keys, and every session is paid for.

use std::sync::Arc;
use std::time::Duration;

use domain::access::CompanyId;
use domain::age::Assurance;
use domain::contact::Email;
use domain::random;
use domain::seal::{BlindIndex, DataKey};
use domain::veriff::{LIFETIME, next_poll};
use jiff::{SignedDuration, Timestamp};
use store::tables::customers;
use store::tables::veriff_sessions::{self, NewSession, Session, State};
use store::{Lane, Tx, Unit, Written};
use uuid::Uuid;

use super::{Opened, Veriff, VeriffProblem, place};
use crate::audit::Draft;
use crate::customers::{Piece, email_index};
use crate::idempotency::Reply;
use crate::orders::Pen;
use crate::people::sealing;
use crate::{App, Code, Ctx, Error, Result};

/// How long nobody else asks Veriff for the same customer.
const ASKING: SignedDuration = SignedDuration::from_secs(60);

/// How long it waits before it tries again to note what Veriff has made.
const AGAIN: Duration = Duration::from_millis(500);

/// A session that the customer can go to.
#[derive(Clone)]
pub struct Started {
    /// Where the customer goes.
    pub url: String,
    /// Our reference, which says nothing of the customer.
    pub session_id: Uuid,
    /// Whether it was made for this request.
    pub is_new: bool,
}

/// Whoever has the address can go on in the customer's place.
impl std::fmt::Debug for Started {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Started({})", self.session_id)
    }
}

/// Finds the customer's session, or has one made; the customer is created if need be. From a session
/// that is made now the customer's browser goes `back` to an HTTPS address, if one is given.
///
/// # Errors
/// [`Code::NotConfigured`] when the company has no Veriff, [`Code::Unavailable`] when Veriff or the
/// database is away, or the session is just being made.
pub async fn start(
    app: &Arc<App>,
    veriff: Option<&Veriff>,
    ctx: &Ctx,
    email: Email,
    back: Option<String>,
    reply: Reply<Started>,
) -> Result<Started> {
    let veriff = veriff.filter(|veriff| veriff.company == ctx.caller.company());
    let veriff = veriff.ok_or_else(not_configured)?;
    let company = ctx.caller.company_id().clone();
    let index = email_index(&app.index_key, &company, &email);
    ctx.exchange.note_subject(index);
    let now = app.clock.now();
    let reply = Arc::new(reply);
    let draft = app.recorder.draft(&ctx.exchange).await?;
    let unit = Intend {
        pen: Pen::of(app),
        company,
        email_index: index,
        email,
        credential: ctx.caller.credential().to_owned(),
        request_id: ctx.exchange.request_id.to_string(),
        reference: uuid::Builder::from_random_bytes(random::bytes(&*app.random)).into_uuid(),
        now,
        draft: draft.clone(),
        reply: reply.clone(),
    };
    let started = match app.store.write(unit).await? {
        Intent::Ready(started) => started,
        Intent::Wait(pause) => return Err(being_made().retry_after(pause)),
        Intent::Ask(asked) => {
            let work = Asking {
                app: app.clone(),
                veriff: veriff.clone(),
                asked,
                back,
                until: now.saturating_add(ASKING).unwrap_or(now),
                draft,
                reply,
            };
            // What was bought is noted even when the caller hangs up.
            let done = tokio::spawn(work.see_through()).await;
            done.map_err(Error::internal)??
        }
    };
    ctx.exchange.mark_recorded();
    Ok(started)
}

fn not_configured() -> Error {
    Error::new(Code::NotConfigured, "Veriff is not configured here.")
}

fn being_made() -> Error {
    Error::unavailable("a session is being made, or it is not known whether one was")
}

/// What there is to do.
enum Intent {
    /// Nothing: there is a session.
    Ready(Started),
    /// Veriff is to be asked.
    Ask(Asked),
    /// Somebody else asks, or has asked.
    Wait(Duration),
}

/// A session that Veriff is asked for.
#[derive(Clone)]
struct Asked {
    reference: Uuid,
    email_index: BlindIndex,
    key: Arc<DataKey>,
    created_at: Timestamp,
}

/// Finds the session, or writes down that Veriff is asked for one.
struct Intend {
    pen: Pen,
    company: CompanyId,
    email_index: BlindIndex,
    email: Email,
    credential: String,
    request_id: String,
    reference: Uuid,
    now: Timestamp,
    draft: Draft,
    reply: Arc<Reply<Started>>,
}

impl Unit for Intend {
    type Output = Intent;

    fn lane(&self) -> Lane {
        Lane::of(self.email_index.as_bytes())
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Intent>> {
        let key = self.key(tx).await?;
        let company = self.company.as_str();
        let found =
            veriff_sessions::find_unfinished_for_update(tx, company, self.email_index).await?;
        let intent = match found {
            None => self.ask(tx, key).await?,
            Some(session) => self.go_on(tx, key, session).await?,
        };
        let mut records = Vec::new();
        if let Intent::Ready(started) = &intent {
            self.reply.store(tx, started).await?;
            let detail = Some("reused".to_owned());
            records.push(self.draft.clone().finish("ok", 200, detail));
        }
        Ok(Written {
            output: intent,
            records,
        })
    }
}

impl Intend {
    /// The customer's key; the customer is locked, or created.
    async fn key(&self, tx: &mut Tx<'_>) -> store::Result<DataKey> {
        let company = self.company.as_str();
        if let Some(known) = customers::find_for_update(tx, company, self.email_index).await? {
            return self.pen.ring.unwrap(&known.data_key).map_err(sealing);
        }
        let piece = Piece {
            company,
            email_index: self.email_index,
            proof: "veriff_session",
            assurance: Assurance::SelfDeclared.as_str(),
            source: &self.credential,
            request_id: &self.request_id,
            occurred_at: self.now,
            now: self.now,
            metadata: b"{}".to_vec(),
        };
        let (ring, random) = (&*self.pen.ring, &*self.pen.random);
        let newcomer = piece
            .make_customer(tx, ring, random, &self.email, None)
            .await?;
        Ok(newcomer.key)
    }

    async fn go_on(
        &self,
        tx: &mut Tx<'_>,
        key: DataKey,
        session: Session,
    ) -> store::Result<Intent> {
        let is_old = self.now.duration_since(session.created_at) >= LIFETIME;
        if is_old || session.data_key != key.id() {
            veriff_sessions::close(tx, session.id, self.now).await?;
            return self.ask(tx, key).await;
        }
        match (session.state, &session.url) {
            (State::Open, Some(url)) => {
                let url = key.open(place(&session.id), url).map_err(sealing)?;
                Ok(Intent::Ready(Started {
                    url: String::from_utf8_lossy(&url).into_owned(),
                    session_id: session.id,
                    is_new: false,
                }))
            }
            _ if self.now < session.ask_until => {
                let left = session.ask_until.duration_since(self.now);
                Ok(Intent::Wait(Duration::try_from(left).unwrap_or_default()))
            }
            _ => {
                veriff_sessions::ask_again(tx, session.id, self.until(), self.now).await?;
                Ok(self.asked(session.id, key, session.created_at))
            }
        }
    }

    async fn ask(&self, tx: &mut Tx<'_>, key: DataKey) -> store::Result<Intent> {
        let new = NewSession {
            id: self.reference,
            company_id: self.company.as_str(),
            email_index: self.email_index,
            data_key: key.id(),
            ask_until: self.until(),
            at: self.now,
        };
        if veriff_sessions::insert(tx, &new).await? {
            return Ok(self.asked(self.reference, key, self.now));
        }
        Err(store::Error::Conflict("session begun elsewhere".into()))
    }

    fn asked(&self, reference: Uuid, key: DataKey, created_at: Timestamp) -> Intent {
        Intent::Ask(Asked {
            reference,
            email_index: self.email_index,
            key: Arc::new(key),
            created_at,
        })
    }

    fn until(&self) -> Timestamp {
        self.now.saturating_add(ASKING).unwrap_or(self.now)
    }
}

/// Veriff is asked, and what it answers is noted.
struct Asking {
    app: Arc<App>,
    veriff: Veriff,
    asked: Asked,
    back: Option<String>,
    until: Timestamp,
    draft: Draft,
    reply: Arc<Reply<Started>>,
}

impl Asking {
    async fn see_through(self) -> Result<Started> {
        let api = &self.veriff.api;
        match api.open(self.asked.reference, self.back.as_deref()).await {
            Ok(opened) => self.note(opened).await,
            Err(problem) => {
                self.give_up(problem).await;
                Err(away(problem))
            }
        }
    }

    /// Notes what Veriff has made; it is tried as long as nobody else asks.
    async fn note(self, opened: Opened) -> Result<Started> {
        let now = self.app.clock.now();
        let random = &*self.app.random;
        let at = place(&self.asked.reference);
        let url = self.asked.key.seal(at, opened.url.as_bytes(), random)?;
        let unit = Note {
            started: Started {
                url: opened.url,
                session_id: self.asked.reference,
                is_new: true,
            },
            veriff_id: opened.id,
            url,
            asked: self.asked,
            now,
            draft: self.draft,
            reply: self.reply,
        };
        loop {
            match self.app.store.write(unit.clone()).await {
                Err(error) if error.is_transient() && self.app.clock.now() < self.until => {
                    tokio::time::sleep(AGAIN).await;
                }
                written => return Ok(written?),
            }
        }
    }

    /// Lets the next one ask at once, if Veriff has surely made nothing.
    async fn give_up(&self, problem: VeriffProblem) {
        let reference = self.asked.reference;
        tracing::warn!(%problem, %reference, "Veriff makes no session");
        if problem.may_be_done() {
            return;
        }
        let release = Release {
            reference,
            email_index: self.asked.email_index,
            now: self.app.clock.now(),
        };
        if let Err(error) = self.app.store.write(release).await {
            tracing::warn!(%error, "a session can be asked for only in a minute");
        }
    }
}

/// What the caller is told of a Veriff that does not do its part.
fn away(problem: VeriffProblem) -> Error {
    let pause = match problem {
        VeriffProblem::Busy(pause) => pause,
        _ if problem.may_be_done() => Duration::from_secs(60),
        _ => Duration::from_secs(5),
    };
    Error::unavailable(problem).retry_after(pause)
}

#[derive(Clone)]
struct Note {
    started: Started,
    veriff_id: String,
    url: Vec<u8>,
    asked: Asked,
    now: Timestamp,
    draft: Draft,
    reply: Arc<Reply<Started>>,
}

impl Unit for Note {
    type Output = Started;

    fn lane(&self) -> Lane {
        Lane::of(self.asked.email_index.as_bytes())
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Started>> {
        let opened = veriff_sessions::Opened {
            veriff_id: &self.veriff_id,
            url: &self.url,
            poll_at: next_poll(self.asked.created_at, self.now),
        };
        if !veriff_sessions::open(tx, self.asked.reference, &opened, self.now).await? {
            // It was decided or erased meanwhile.
            return Err(store::Error::Refused(
                "the session is not waited for".into(),
            ));
        }
        self.reply.store(tx, &self.started).await?;
        let detail = Some("opened".to_owned());
        Ok(Written {
            output: self.started.clone(),
            records: vec![self.draft.clone().finish("ok", 200, detail)],
        })
    }
}

struct Release {
    reference: Uuid,
    email_index: BlindIndex,
    now: Timestamp,
}

impl Unit for Release {
    type Output = ();

    fn lane(&self) -> Lane {
        Lane::of(self.email_index.as_bytes())
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<()>> {
        veriff_sessions::release(tx, self.reference, self.now).await?;
        Ok(Written {
            output: (),
            records: Vec::new(),
        })
    }
}
