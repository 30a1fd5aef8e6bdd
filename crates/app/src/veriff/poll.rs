//! Asking for decisions that no hook brought. What is answered goes into the inbox under the name
//! that a hook would have given it, and from there the same way.
//! Must not: let one session that Veriff answers badly, or that cannot be read here, keep the others
//! from their turn.

use domain::veriff::next_poll;
use jiff::{SignedDuration, Timestamp};
use store::tables::veriff_sessions::{self, Session, Wanted};
use store::{Lane, Readable, Tx, Unit, Written};

use super::{Message, Veriff, VeriffProblem, incoming};
use crate::exchange::Exchange;
use crate::{App, Result, inbox};

/// How many sessions are taken at once.
const BATCH: i64 = 20;

/// After how many sessions in a row without any answer Veriff is away, and not only unable to answer
/// about one of them.
const PATIENCE: u32 = 3;

/// When a session is looked at again that cannot be read.
const LATER: SignedDuration = SignedDuration::from_hours(12);

/// What asking has come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Polled {
    /// Sessions that were asked about.
    pub asked: u64,
    /// Sessions on which there is a decision.
    pub decided: u64,
    /// Decisions of which nothing had told.
    pub filed: u64,
    /// What kept it from hearing of every session, if anything did; what is left comes the next time.
    pub problem: Option<VeriffProblem>,
}

/// Asks about every session that is due.
///
/// # Errors
/// When the database is away.
pub async fn poll_due(app: &App, veriff: &Veriff) -> Result<Polled> {
    poll(app, veriff, Wanted::Due(app.clock.now())).await
}

/// Asks about every session without a decision, due or not. When it is cut off, the next run begins
/// with those that were not asked about.
///
/// # Errors
/// When the database is away.
pub async fn sync(app: &App, exchange: &Exchange, veriff: &Veriff) -> Result<Polled> {
    let polled = poll(app, veriff, Wanted::NotSince(app.clock.now())).await?;
    let Polled {
        asked,
        decided,
        filed,
        ..
    } = polled;
    exchange.note_detail(format!("asked={asked} decided={decided} filed={filed}"));
    app.recorder.record(exchange, "ok", 0).await?;
    Ok(polled)
}

async fn poll(app: &App, veriff: &Veriff, wanted: Wanted) -> Result<Polled> {
    let (mut polled, mut unanswered) = (Polled::default(), 0);
    loop {
        let claim = Claim {
            company: veriff.company.clone(),
            wanted,
            now: app.clock.now(),
        };
        let claimed = app.store.write(claim).await?;
        app.store.note_spoilt(&claimed.spoilt);
        if claimed.rows.is_empty() && claimed.spoilt.is_empty() {
            return Ok(polled);
        }
        for session in &claimed.rows {
            let asked = ask(app, veriff, session, &mut polled).await?;
            polled.problem = asked.err().or(polled.problem);
            unanswered = match asked {
                Err(VeriffProblem::Silent) => unanswered + 1,
                Ok(()) | Err(VeriffProblem::Garbled | VeriffProblem::Unsigned) => 0,
                Err(_) => PATIENCE,
            };
            if unanswered == PATIENCE {
                return Ok(polled);
            }
        }
    }
}

/// Asks about one session.
async fn ask(
    app: &App,
    veriff: &Veriff,
    session: &Session,
    polled: &mut Polled,
) -> Result<std::result::Result<(), VeriffProblem>> {
    let Some(name) = &session.veriff_id else {
        return Ok(Ok(()));
    };
    polled.asked += 1;
    let body = match veriff.api.decision(name).await {
        Ok(Some(body)) => body,
        Ok(None) | Err(VeriffProblem::Unacceptable) => return Ok(Ok(())),
        Err(problem) => return Ok(Err(problem)),
    };
    // A session may be of another status than those of decisions, while nothing is decided.
    let is_decision = Message::read(&body)
        .and_then(|message| message.status)
        .is_some_and(|word| domain::veriff::Status::parse(&word).is_some());
    if let (true, Some(event)) = (is_decision, incoming(&veriff.company, &body)) {
        polled.decided += 1;
        polled.filed += inbox::file(app, vec![event]).await?;
    }
    Ok(Ok(()))
}

/// Takes sessions, and notes when each is to be asked about again: whoever dies in between has lost
/// one turn of each.
struct Claim {
    company: String,
    wanted: Wanted,
    now: Timestamp,
}

impl Unit for Claim {
    type Output = Readable<Session>;

    // It meets sessions of any customer: only a transaction of its own keeps others out.
    const ALONE: bool = true;

    fn lane(&self) -> Lane {
        Lane::of(b"veriff polls")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Self::Output>> {
        let (company, wanted) = (&self.company, self.wanted);
        let due = veriff_sessions::list_to_poll_for_update(tx, company, wanted, BATCH).await?;
        for session in &due.rows {
            let next = next_poll(session.created_at, self.now);
            veriff_sessions::note_poll(tx, session.id, next, self.now).await?;
        }
        for row in &due.spoilt {
            let next = self.now.saturating_add(LATER).ok();
            veriff_sessions::note_poll(tx, row.id, next, self.now).await?;
        }
        Ok(Written {
            output: due,
            records: Vec::new(),
        })
    }
}
