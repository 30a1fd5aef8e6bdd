//! Somebody names the number.

use domain::access::CompanyId;
use domain::age::Assurance;
use domain::number::{Closed, MobileNumber, Session, SessionId, Status};
use domain::seal::{BlindIndex, IndexKey};
use jiff::Timestamp;
use std::sync::Arc;
use store::tables::verification_sessions::{self, Found};
use store::{Lane, Tx, Unit, Written};

use super::ending::{Expiry, Pen};
use super::{not_found, number_index};
use crate::audit::Draft;
use crate::exchange::Exchange;
use crate::idempotency::Reply;
use crate::{App, Code, Ctx, Error, Result};

/// Who vouches for a verified number.
const ASSURANCE: Assurance = Assurance::SelfDeclared;

/// What is submitted.
pub struct Submission {
    /// To which session.
    pub id: String,
    /// The number.
    pub number: MobileNumber,
    /// What the app calls its user.
    pub app_user_id: Option<String>,
    /// The token that the caller came with, if it was that.
    pub token: Option<String>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is the number.
    Verified {
        /// Which session.
        id: SessionId,
        /// When.
        at: Timestamp,
    },
    /// It is not.
    Mismatch {
        /// Which session.
        id: SessionId,
        /// How many more may be submitted; with none left the session has failed.
        attempts_left: u32,
    },
}

impl Outcome {
    /// How the session ended with it, if it did.
    const fn end(&self) -> Option<Status> {
        match self {
            Self::Verified { .. } => Some(Status::Verified),
            Self::Mismatch {
                attempts_left: 0, ..
            } => Some(Status::Failed),
            Self::Mismatch { .. } => None,
        }
    }
}

/// Submits a number.
///
/// # Errors
/// [`Code::NotFound`] when the company has no such session, [`Code::SessionExpired`],
/// [`Code::SessionClosed`], and [`Code::Unauthenticated`] when the token has died meanwhile.
pub async fn submit(
    app: &App,
    ctx: &Ctx,
    submission: Submission,
    reply: Reply<Outcome>,
) -> Result<Outcome> {
    let id = SessionId::parse(&submission.id).ok_or_else(not_found)?;
    let unit = Submit {
        pen: Pen::of(app),
        index_key: app.index_key.clone(),
        company: ctx.caller.company_id().clone(),
        id,
        submission,
        now: app.clock.now(),
        exchange: ctx.exchange.clone(),
        draft: app.recorder.draft(&ctx.exchange).await?,
        reply,
    };
    match app.store.write(unit).await? {
        Submitted::Taken(outcome) => {
            ctx.exchange.mark_recorded();
            if let Some(end) = outcome.end() {
                (app.numbers.count)(end, 1);
                app.outbox.wake();
            }
            Ok(outcome)
        }
        Submitted::Unknown => Err(not_found()),
        Submitted::DeadToken => Err(Error::new(
            Code::Unauthenticated,
            "The link is not accepted.",
        )),
        Submitted::Closed {
            closed,
            subject,
            is_expired_now,
        } => {
            ctx.exchange.note_subject(subject);
            if is_expired_now {
                (app.numbers.count)(Status::Expired, 1);
            }
            Err(refused(app, closed))
        }
    }
}

fn refused(app: &App, closed: Closed) -> Error {
    match closed {
        Closed::Expired => {
            app.outbox.wake();
            let message = "The time of this session is over.";
            Error::new(Code::SessionExpired, message)
        }
        Closed::Settled => {
            let message = "This session has been verified, or has failed.";
            Error::new(Code::SessionClosed, message)
        }
    }
}

enum Submitted {
    Taken(Outcome),
    Unknown,
    DeadToken,
    Closed {
        closed: Closed,
        subject: BlindIndex,
        /// Whether it was noticed here first that its time is over.
        is_expired_now: bool,
    },
}

struct Submit {
    pen: Pen,
    index_key: Arc<IndexKey>,
    company: CompanyId,
    id: SessionId,
    submission: Submission,
    now: Timestamp,
    exchange: Arc<Exchange>,
    draft: Draft,
    reply: Reply<Outcome>,
}

impl Unit for Submit {
    type Output = Submitted;

    fn lane(&self) -> Lane {
        Lane::of(self.id.as_str().as_bytes())
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Submitted>> {
        let nothing = |output| Written {
            output,
            records: Vec::new(),
        };
        let (company, id) = (self.company.as_str(), &self.id);
        let found = verification_sessions::find_for_update(tx, company, id).await?;
        let Some(found) = found.filter(|found| found.data_key.is_some()) else {
            return Ok(nothing(Submitted::Unknown));
        };
        self.now = self.pen.clock.now();
        let token = self.submission.token.as_deref();
        if token.is_some_and(|token| !found.token_hash.matches(token)) {
            return Ok(nothing(Submitted::DeadToken));
        }
        match found
            .session
            .submitted(self.is_the_number(&found), self.now)
        {
            Ok(session) => self.take(tx, &found, session).await,
            Err(closed) => {
                let record = match self.pen.expire(tx, &found, self.now).await? {
                    Expiry::Ended(record) => Some(*record),
                    Expiry::None | Expiry::Elsewhere => None,
                };
                Ok(Written {
                    output: Submitted::Closed {
                        closed,
                        subject: found.number_index,
                        is_expired_now: record.is_some(),
                    },
                    records: record.into_iter().collect(),
                })
            }
        }
    }
}

impl Submit {
    /// Compared by keyed hash: what was stored is not even opened for it.
    fn is_the_number(&self, found: &Found) -> bool {
        let number = &self.submission.number;
        number_index(&self.index_key, &self.company, number) == found.number_index
    }

    async fn take(
        &self,
        tx: &mut Tx<'_>,
        found: &Found,
        session: Session,
    ) -> store::Result<Written<Submitted>> {
        let is_verified = session.status == Status::Verified;
        let app_user_id = self.submission.app_user_id.as_deref();
        let app_user_id = app_user_id.filter(|_| is_verified);
        self.pen
            .write(tx, found, session, app_user_id, self.now)
            .await?;
        let id = self.id.clone();
        let outcome = if is_verified {
            Outcome::Verified { id, at: self.now }
        } else {
            Outcome::Mismatch {
                id,
                attempts_left: session.attempts_left(),
            }
        };
        // A stored answer is about whoever has the number, and goes with them.
        self.exchange.note_subject(found.number_index);
        self.reply.store(tx, &outcome).await?;
        let detail = detail(session.status);
        let mut record = self.draft.clone().finish("ok", 200, Some(detail));
        record.subject = Some(found.number_index);
        Ok(Written {
            output: Submitted::Taken(outcome),
            records: vec![record],
        })
    }
}

/// How the session stands now, for the audit log; of a verified one also what that is worth: somebody
/// who had the link, or the company, named the number, and nobody looked at a document.
fn detail(status: Status) -> String {
    match status {
        Status::Verified => format!("{} assurance={}", status.as_str(), ASSURANCE.as_str()),
        _ => status.as_str().to_owned(),
    }
}
