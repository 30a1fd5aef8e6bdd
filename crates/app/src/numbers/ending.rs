//! How a session goes on, inside the transaction that was asked for it.

use std::sync::Arc;

use domain::audit::{Outcome, Record};
use domain::clock::Clock;
use domain::number::{Session, Status};
use domain::random::{Random, uuid_v7};
use domain::seal::{DataKey, KeyRing, SealError};
use jiff::{SignedDuration, Timestamp};
use store::Tx;
use store::tables::verification_sessions::{self, Found, Progress};

use super::shown::{Shown, place};
use super::{Event, Policy};
use crate::App;
use crate::deliveries::{Outgoing, Sealed, WEBHOOK};
use crate::people::sealing;

/// How long a session whose time is over is left to those who have its master key: keys are rotated one
/// process after the other. After that nobody has it, and the session ends without being told.
const LEFT_TO_OTHERS: SignedDuration = SignedDuration::from_hours(24);

/// What came of a look at whether a session's time is over.
pub(super) enum Expiry {
    /// It is not, or that has been written down.
    None,
    /// It is, and that is written down now; the record of it.
    Ended(Box<Record>),
    /// It is, but this process lacks the master key to tell of it.
    Elsewhere,
}

/// What it takes to write how a session goes on.
#[derive(Clone)]
pub(super) struct Pen {
    pub ring: Arc<KeyRing>,
    pub random: Arc<dyn Random>,
    /// What is decided about a locked row is decided as of then: whoever looked while it was
    /// locked must not have seen a later state.
    pub clock: Arc<dyn Clock>,
    pub policy: Policy,
}

impl Pen {
    pub fn of(app: &App) -> Self {
        Self {
            ring: app.key_ring.clone(),
            random: app.random.clone(),
            clock: app.clock.clone(),
            policy: app.numbers.clone(),
        }
    }

    /// Writes where a locked, pending session stands now. When that is an end, whoever the company
    /// wants told of it will be.
    pub async fn write(
        &self,
        tx: &mut Tx<'_>,
        found: &Found,
        session: Session,
        app_user_id: Option<&str>,
        now: Timestamp,
    ) -> store::Result<()> {
        let key = found.data_key.as_ref().ok_or(SealError::DoesNotOpen);
        let key = key.and_then(|key| self.ring.unwrap(key)).map_err(sealing)?;
        let id = &found.verification_id;
        let app_user_id = app_user_id
            .map(|user| key.seal(place(id, "app_user_id"), user.as_bytes(), &*self.random))
            .transpose()
            .map_err(sealing)?;
        let progress = Progress {
            verification_id: id,
            session,
            app_user_id: app_user_id.as_deref(),
            at: now,
        };
        let written = match topic(session.status) {
            None => verification_sessions::update(tx, &progress).await?,
            Some(topic) => self.end(tx, &key, found, &progress, topic).await?,
        };
        if written {
            return Ok(());
        }
        Err(store::Error::Conflict("session ended elsewhere".into()))
    }

    /// Writes an end, with the message about it.
    async fn end(
        &self,
        tx: &mut Tx<'_>,
        key: &DataKey,
        found: &Found,
        progress: &Progress<'_>,
        topic: &'static str,
    ) -> store::Result<bool> {
        let Progress { session, at, .. } = *progress;
        let ended = Found {
            session,
            app_user_id: progress.app_user_id.map(<[u8]>::to_vec),
            verified_at: (session.status == Status::Verified).then_some(at),
            ..found.clone()
        };
        let event = Event {
            topic,
            at,
            session: Shown::open_with(key, &ended, at).map_err(sealing)?,
        };
        let outgoing = Outgoing {
            channel: WEBHOOK,
            company: &found.company_id,
            topic,
            // A session tells one thing, its end: there is nothing that it could overtake.
            stream: None,
            key,
            body: &(self.policy.render_event)(&event),
            at,
        };
        let message = Sealed::new(&*self.random, &outgoing).map_err(sealing)?;
        verification_sessions::end(tx, progress, &message.row()).await
    }

    /// Ends a pending session that nobody can verify any more, because its time is over or it was
    /// erased; returns the record of it.
    pub async fn make_way(&self, tx: &mut Tx<'_>, found: &Found) -> store::Result<Option<Record>> {
        let now = self.clock.now();
        if found.data_key.is_some() || found.session.status != Status::Pending {
            return match self.expire(tx, found, now).await? {
                Expiry::None => Ok(None),
                Expiry::Ended(record) => Ok(Some(*record)),
                Expiry::Elsewhere => Err(sealing(SealError::UnknownMasterKey)),
            };
        }
        let session = Session {
            status: Status::Expired,
            ..found.session
        };
        self.expire_untold(tx, found, session, now).await?;
        Ok(Some(self.record(found, now)))
    }

    /// Writes the end of a session of which nothing can be told.
    async fn expire_untold(
        &self,
        tx: &mut Tx<'_>,
        found: &Found,
        session: Session,
        now: Timestamp,
    ) -> store::Result<()> {
        let progress = Progress {
            verification_id: &found.verification_id,
            session,
            app_user_id: None,
            at: now,
        };
        if verification_sessions::update(tx, &progress).await? {
            return Ok(());
        }
        Err(store::Error::Conflict("session ended elsewhere".into()))
    }

    /// Writes down that a session's time is over, if it is and nobody has.
    pub async fn expire(
        &self,
        tx: &mut Tx<'_>,
        found: &Found,
        now: Timestamp,
    ) -> store::Result<Expiry> {
        let Some(session) = found.session.expired(now) else {
            return Ok(Expiry::None);
        };
        match Shown::open(&self.ring, found, now) {
            Ok(_) => self.write(tx, found, session, None, now).await?,
            Err(SealError::UnknownMasterKey)
                if now.duration_since(session.expires_at) < LEFT_TO_OTHERS =>
            {
                return Ok(Expiry::Elsewhere);
            }
            Err(error) => {
                // It must not keep others from being told, nor its request id for ever.
                if found.data_key.is_some() {
                    let id = found.verification_id.as_str();
                    tracing::error!(%error, id, "nobody is told of the end of a session");
                }
                self.expire_untold(tx, found, session, now).await?;
            }
        }
        Ok(Expiry::Ended(Box::new(self.record(found, now))))
    }

    /// What the audit log keeps of a session that nobody ended.
    fn record(&self, found: &Found, now: Timestamp) -> Record {
        Record {
            at: now,
            request_id: uuid_v7(now, &*self.random).to_string().into(),
            company: found.company_id.as_str().into(),
            credential: "system".into(),
            action: "number.expire".into(),
            subject: Some(found.number_index),
            outcome: Outcome {
                code: "expired".into(),
                status: 0,
            },
            latency: 0,
            occurrences: 1,
            data_key: None,
            client: None,
            detail: None,
        }
    }
}

/// What the end of a session is called; `None` for one that goes on.
const fn topic(status: Status) -> Option<&'static str> {
    match status {
        Status::Pending => None,
        Status::Verified => Some("verification.verified"),
        Status::Failed => Some("verification.failed"),
        Status::Expired => Some("verification.expired"),
    }
}
