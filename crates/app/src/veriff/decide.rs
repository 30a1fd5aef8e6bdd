//! A decision is taken in: the session, the proof, the customer's orders, the audit record and the
//! inbox, in one transaction.

use domain::standing::{Change, Proof};
use domain::veriff::{Decided, Judgement, Verdict};
use jiff::Timestamp;
use store::tables::customers;
use store::tables::veriff_sessions::{self, Decision, Session};
use store::{Lane, Tx, Unit, Written};
use uuid::Uuid;

use crate::audit::Draft;
use crate::customers::{Metadata, Proving};
use crate::inbox::Mark;
use crate::orders::{News, Pen};
use crate::{App, Ctx, Error, Result};

/// A decision on a known session.
#[derive(Clone)]
pub(super) struct Decide {
    /// What was decided.
    pub decided: Decided,
    /// What that means here.
    pub verdict: Verdict,
    /// Whether the end of the document's validity is known.
    pub knows_validity: bool,
    /// The number that came with it.
    pub code: Option<i64>,
    /// Veriff's name for the session.
    pub veriff_id: String,
    /// Now.
    pub now: Timestamp,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It stands now.
    Decided,
    /// Another one stands.
    Superseded,
    /// Nobody is left whom it is about.
    Erased,
}

impl Decide {
    /// Takes it in, and marks its event as done.
    ///
    /// # Errors
    /// When the database is away, or somebody else processes the event by now.
    pub async fn commit(
        self,
        app: &App,
        ctx: &Ctx,
        session: &Session,
        mark: Mark,
    ) -> Result<Outcome> {
        let metadata = Metadata {
            verification_id: Some(self.veriff_id.clone()),
            ..Metadata::default()
        };
        let proving = Proving {
            pen: Pen::of(app),
            company: ctx.caller.company_id().clone(),
            email_index: session.email_index,
            phone: None,
            proof: Proof::Veriff,
            // Until it is known what the decision does to what stands.
            change: Change {
                status: false,
                occurred_at: self.now,
            },
            source: ctx.caller.credential().to_owned(),
            request_id: ctx.exchange.request_id.to_string(),
            metadata: serde_json::to_vec(&metadata).map_err(Error::internal)?,
            now: self.now,
        };
        let unit = Commit {
            session: session.id,
            decide: self,
            proving,
            draft: app.recorder.draft(&ctx.exchange).await?,
            mark,
        };
        let (outcome, news) = app.store.write(unit).await?;
        ctx.exchange.mark_recorded();
        news.announce(app);
        Ok(outcome)
    }

    /// What the audit log says; it names nobody.
    fn detail(&self) -> String {
        let (status, verdict) = (self.decided.status.as_str(), self.verdict.as_str());
        let code = self
            .code
            .map_or_else(|| "none".to_owned(), |code| code.to_string());
        let validity = match self.knows_validity {
            true => "",
            false => " validity=unknown",
        };
        format!("{status} code={code} verdict={verdict}{validity}")
    }
}

struct Commit {
    session: Uuid,
    decide: Decide,
    proving: Proving,
    draft: Draft,
    mark: Mark,
}

impl Unit for Commit {
    type Output = (Outcome, News);

    fn lane(&self) -> Lane {
        Lane::of(self.proving.email_index.as_bytes())
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Self::Output>> {
        let (company, index) = (self.proving.company.as_str(), self.proving.email_index);
        let known = customers::find_for_update(tx, company, index).await?;
        let session = veriff_sessions::find_for_update(tx, self.session).await?;
        let (outcome, mut news) = match known.zip(session) {
            // Who was erased and came again is somebody else, as far as this decision goes.
            Some((known, session)) if known.data_key.id == session.data_key => {
                self.decide(tx, known, &session).await?
            }
            _ => (Outcome::Erased, News::default()),
        };
        let word = match outcome {
            Outcome::Decided => self.decide.verdict.as_str(),
            Outcome::Superseded => "superseded",
            Outcome::Erased => "erased",
        };
        if outcome != Outcome::Erased {
            let subject = Some(index);
            if !self.mark.done(tx, word, subject, self.decide.now).await? {
                // Whoever holds the lease now does the same work.
                return Err(store::Error::Refused(
                    "the event was claimed elsewhere".into(),
                ));
            }
        }
        let detail = match outcome {
            Outcome::Decided => self.decide.detail(),
            Outcome::Superseded | Outcome::Erased => word.to_owned(),
        };
        let mut records = vec![self.draft.clone().finish("ok", 0, Some(detail))];
        records.extend(news.take_records());
        Ok(Written {
            output: (outcome, news),
            records,
        })
    }
}

impl Commit {
    async fn decide(
        &mut self,
        tx: &mut Tx<'_>,
        known: customers::ForUpdate,
        session: &Session,
    ) -> store::Result<(Outcome, News)> {
        let Decide {
            decided,
            verdict,
            code,
            veriff_id,
            now,
            ..
        } = &self.decide;
        let (decided, verdict, now) = (*decided, *verdict, *now);
        let outcome = match decided.supersedes(session.decided.as_ref()) {
            true => Outcome::Decided,
            false => Outcome::Superseded,
        };
        if outcome == Outcome::Decided {
            let decision = Decision {
                decided,
                code: *code,
                verdict,
                veriff_id,
            };
            veriff_sessions::decide(tx, session.id, &decision, now).await?;
        }
        let judgement = Judgement { decided, verdict };
        let Some(change) = judgement.change(session.judgement().as_ref(), now) else {
            return Ok((outcome, News::default()));
        };
        self.proving.change = change;
        let (_, news) = self.proving.change(tx, known).await?;
        Ok((outcome, news))
    }
}
