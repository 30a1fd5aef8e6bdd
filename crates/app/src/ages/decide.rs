//! Deciding, in the transaction that keeps the decision.
//!
//! The rules before the checks are applied to a row that nobody else can change meanwhile, whoever
//! looked before; then the checks decide. The decision with its evidence, the attempt, the link to the
//! customer, the counts, the audit record and the stored answer are committed together or not at all.

use std::sync::Arc;

use domain::age::{Assurance, Decision, Validity, VerificationId};
use domain::random::uuid_v7;
use domain::seal::{BlindIndex, DataKey, Place};
use store::tables::age_customers::{self, AgeCustomer, ForUpdate, Found, Verification};
use store::tables::age_decisions::{self, AgeDecision};
use store::tables::age_statistics::{Tally, day_of};
use store::{Lane, Tx, Unit, Written};
use uuid::Uuid;

use super::link::{Link, lock_in_order, look_again};
use super::verify::{Answer, Claimed, Looked, Outcome, Question, Request};
use crate::audit::Draft;
use crate::idempotency::Reply;
use crate::orders::{News, Pen};
use crate::people::sealing;
use crate::{App, Ctx};

pub(super) struct Decide {
    question: Question,
    request: Request,
    source: Arc<str>,
    request_id: Arc<str>,
    pen: Pen,
    draft: Draft,
    reply: Reply<Answer>,
    tally: Option<Tally>,
    /// What became of the orders of the customers that it was linked to.
    news: News,
    /// What was known a moment ago; `None` when nobody had to look.
    looked: Option<Looked>,
}

/// What is kept, sealed, of every claim.
#[derive(serde::Serialize)]
struct Evidence<'a> {
    customer_id: &'a str,
    #[serde(flatten)]
    claimed: &'a Claimed,
}

impl Decide {
    pub fn new(
        app: &App,
        ctx: &Ctx,
        question: Question,
        request: Request,
        draft: Draft,
        reply: Reply<Answer>,
        looked: Option<Looked>,
    ) -> Self {
        Self {
            question,
            request,
            source: ctx.caller.shared_credential(),
            request_id: ctx.exchange.request_id.clone(),
            pen: Pen::of(app),
            draft,
            reply,
            tally: None,
            news: News::default(),
            looked,
        }
    }
}

impl Unit for Decide {
    type Output = (Answer, News);

    fn lane(&self) -> Lane {
        Lane::of(self.question.key.index.as_bytes())
    }

    fn other_lanes(&self) -> Vec<Lane> {
        // Changes of the shop's customers are in the lanes of their addresses.
        let linked = self.looked.and_then(|looked| looked.linked);
        let addresses = [self.question.email_index, linked];
        let lanes = addresses.into_iter().flatten();
        lanes.map(|index| Lane::of(index.as_bytes())).collect()
    }

    fn tally(&self) -> Option<Tally> {
        self.tally.clone()
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Self::Output>> {
        self.tally = None;
        self.news = News::default();
        let outcome = match self.at_first_sight(tx).await? {
            Some(outcome) => outcome,
            None => self.known(tx).await?,
        };
        let record = outcome.record(&self.draft);
        let output = Answer {
            outcome,
            at: self.question.now,
            took: record.latency,
        };
        // Who has used up the attempts may ask the same again later, and is to be heard then.
        if !matches!(output.outcome, Outcome::UsedUp(_)) {
            self.reply.store(tx, &output).await?;
        }
        let mut news = std::mem::take(&mut self.news);
        let mut records = vec![record];
        records.extend(news.take_records());
        Ok(Written {
            output: (output, news),
            records,
        })
    }
}

/// A decision before it is written.
struct Decided {
    outcome: Outcome,
    id: VerificationId,
    decision: Decision,
    /// What is known of the customer from now on.
    found: Found,
    /// The sealed claim.
    claim: Vec<u8>,
}

impl Decide {
    /// Settles what one look is enough for: a customer whom nobody knows is decided on, and where
    /// nobody had to look before, a question for which nothing has to be written is answered. `None`
    /// for all others.
    async fn at_first_sight(&mut self, tx: &mut Tx<'_>) -> store::Result<Option<Outcome>> {
        let is_new = match self.looked {
            Some(looked) => looked.new,
            None => {
                let found = age_customers::find(tx, &self.question.key).await?;
                let settled = self.question.settled_at_once(found.as_ref());
                if settled.is_some() {
                    return Ok(settled);
                }
                found.is_none()
            }
        };
        match is_new {
            true => self.newcomer(tx).await,
            false => Ok(None),
        }
    }

    /// Decides on a customer who is not known; `None`, and nothing is written, when there is such a
    /// customer.
    async fn newcomer(&mut self, tx: &mut Tx<'_>) -> store::Result<Option<Outcome>> {
        let (random, now) = (self.pen.random.as_ref(), self.question.now);
        let key = DataKey::generate(uuid_v7(now, random), random).map_err(sealing)?;
        let wrapped = self.pen.ring.wrap(&key, random).map_err(sealing)?;
        let decided = self.decide(&key, None)?;
        let customer = self.customer(key.id(), &decided);
        let row = self.row(key.id(), &decided, None);
        if !age_customers::insert(tx, &customer, &wrapped, &row).await? {
            return Ok(None);
        }
        self.finish(tx, decided).await.map(Some)
    }

    async fn known(&mut self, tx: &mut Tx<'_>) -> store::Result<Outcome> {
        let Some(known) = age_customers::find_for_update(tx, &self.question.key).await? else {
            return self.not_known(tx).await;
        };
        self.expect_link(known.found.email_index)?;
        let verification = known.found.verification.as_ref();
        match self.question.settled(known.found.attempts, verification) {
            Some(Outcome::Cached(verification)) => {
                self.link_again(tx, &known, &verification).await?;
                Ok(Outcome::Cached(verification))
            }
            Some(outcome) => Ok(outcome),
            None => self.decide_again(tx, &known).await,
        }
    }

    async fn not_known(&mut self, tx: &mut Tx<'_>) -> store::Result<Outcome> {
        if let Some(looked) = &mut self.looked {
            if looked.new {
                return Err(store::Error::Conflict("customer erased elsewhere".into()));
            }
            looked.new = true;
        }
        let decided = self.newcomer(tx).await?;
        decided.ok_or_else(|| match self.looked {
            Some(_) => store::Error::Conflict("customer made elsewhere".into()),
            // It is there, and was not found together with its key; trying again won't help.
            None => store::Error::Refused("a customer without a data key".into()),
        })
    }

    /// A customer that was linked since somebody looked stands in a lane that this unit does not:
    /// it has to be run again, on its own.
    fn expect_link(&mut self, linked: Option<BlindIndex>) -> store::Result<()> {
        let Some(looked) = &mut self.looked else {
            return Ok(());
        };
        let expected = [None, self.question.email_index, looked.linked];
        if expected.contains(&linked) {
            return Ok(());
        }
        looked.linked = linked;
        Err(store::Error::Conflict("customer linked elsewhere".into()))
    }

    async fn decide_again(&mut self, tx: &mut Tx<'_>, known: &ForUpdate) -> store::Result<Outcome> {
        let key = self.pen.ring.unwrap(&known.data_key).map_err(sealing)?;
        let decided = self.decide(&key, Some(&known.found))?;
        let row = self.row(key.id(), &decided, Some(&known.last_decision));
        age_decisions::insert(tx, &row).await?;
        let customer = self.customer(key.id(), &decided);
        self.update(tx, &customer).await?;
        self.forget(tx, &known.found, &decided.found).await?;
        self.finish(tx, decided).await
    }

    /// Has what is written now counted, and links a passed verification.
    async fn finish(&mut self, tx: &mut Tx<'_>, decided: Decided) -> store::Result<Outcome> {
        let Decided {
            outcome,
            decision,
            found,
            ..
        } = decided;
        self.tally = Some(Tally {
            company_id: self.question.key.company.as_str().to_owned(),
            day: day_of(self.question.now),
            passed: decision.is_passed(),
            method: decision.method().as_str(),
            reason: decision.code(),
            state: decision.state_code(),
        });
        if let Outcome::Passed(verification) = &outcome {
            self.link(tx, &found, verification).await?;
        }
        Ok(outcome)
    }

    /// What was linked and is no longer, or to somebody else, proves nothing of that customer.
    async fn forget(
        &mut self,
        tx: &mut Tx<'_>,
        before: &Found,
        after: &Found,
    ) -> store::Result<()> {
        let stands = after.verification.is_some() && after.email_index == before.email_index;
        match before.email_index {
            Some(email_index) if !stands && before.verification.is_some() => {
                let company = self.question.key.company.as_str();
                lock_in_order(tx, company, email_index, after.email_index).await?;
                let (request_id, now) = (&self.request_id, self.question.now);
                let news = look_again(&self.pen, tx, company, email_index, request_id, now).await?;
                self.news.extend(news);
            }
            _ => {}
        }
        Ok(())
    }

    /// Lets the checks decide, and seals the claim.
    fn decide(&self, key: &DataKey, earlier: Option<&Found>) -> store::Result<Decided> {
        let Question {
            policy, now, anew, ..
        } = self.question;
        let decision = policy.age.decide(&self.request.claimed.as_claim(), now);
        let id = VerificationId::generate(now, self.pen.random.as_ref());
        let place = Place {
            table: "age_decisions",
            column: "claim",
            row: id.as_str().as_bytes(),
        };
        let claim = key
            .seal(place, &self.evidence()?, self.pen.random.as_ref())
            .map_err(sealing)?;
        let attempts = earlier.map(|found| found.attempts).unwrap_or_default();
        let linked = earlier.and_then(|found| found.email_index);
        let (outcome, found) = match decision {
            Decision::Passed { state, age } => {
                let verification = Verification {
                    id: id.as_str().to_owned(),
                    validity: Validity::starting(now, policy.lifetime),
                    age: i64::from(age),
                    state: state.as_str().to_owned(),
                };
                let found = Found {
                    attempts,
                    verification: Some(verification.clone()),
                    email_index: self.question.email_index.or(linked),
                };
                (Outcome::Passed(verification), found)
            }
            Decision::Refused { .. } => {
                let found = Found {
                    attempts: attempts.after_refusal(policy.attempts, now),
                    // What has merely expired stays to be told.
                    verification: earlier
                        .filter(|_| !anew)
                        .and_then(|found| found.verification.clone()),
                    // It proves nothing of anybody, but what was claimed goes with whom it was
                    // claimed for.
                    email_index: linked.or(self.question.email_index),
                };
                let verification_id = id.as_str().to_owned();
                let outcome = Outcome::Refused {
                    verification_id,
                    decision,
                };
                (outcome, found)
            }
        };
        Ok(Decided {
            outcome,
            id,
            decision,
            found,
            claim,
        })
    }

    /// What is kept of the claim, to be sealed.
    fn evidence(&self) -> store::Result<Vec<u8>> {
        let evidence = Evidence {
            customer_id: &self.request.customer_id,
            claimed: &self.request.claimed,
        };
        serde_json::to_vec(&evidence).map_err(|error| store::Error::Refused(error.to_string()))
    }

    fn row<'a>(
        &'a self,
        data_key: Uuid,
        decided: &'a Decided,
        previous: Option<&'a str>,
    ) -> AgeDecision<'a> {
        let Decided { decision, .. } = decided;
        AgeDecision {
            verification_id: decided.id.as_str(),
            company_id: self.question.key.company.as_str(),
            customer_index: self.question.key.index,
            previous,
            decided_at: self.question.now,
            passed: decision.is_passed(),
            method: decision.method().as_str(),
            reason: decision.code(),
            state: decision.state_code(),
            age: decision.age().map(i64::from),
            assurance: Assurance::SelfDeclared.as_str(),
            source: &self.source,
            request_id: &self.request_id,
            data_key,
            claim: &decided.claim,
        }
    }

    fn customer<'a>(&'a self, data_key: Uuid, decided: &'a Decided) -> AgeCustomer<'a> {
        AgeCustomer {
            key: &self.question.key,
            data_key,
            last_decision: decided.id.as_str(),
            found: &decided.found,
            at: self.question.now,
        }
    }

    /// A verification that holds, asked about with an address that it is not linked to yet.
    async fn link_again(
        &mut self,
        tx: &mut Tx<'_>,
        known: &ForUpdate,
        verification: &Verification,
    ) -> store::Result<()> {
        let asked = self.question.email_index;
        if asked.is_none() || asked == known.found.email_index {
            return Ok(());
        }
        let found = Found {
            email_index: asked,
            ..known.found.clone()
        };
        let customer = AgeCustomer {
            key: &self.question.key,
            data_key: known.data_key.id,
            last_decision: &known.last_decision,
            found: &found,
            at: self.question.now,
        };
        self.update(tx, &customer).await?;
        self.forget(tx, &known.found, &found).await?;
        self.link(tx, &found, verification).await
    }

    async fn update(&self, tx: &mut Tx<'_>, customer: &AgeCustomer<'_>) -> store::Result<()> {
        if age_customers::update(tx, customer).await? {
            return Ok(());
        }
        Err(store::Error::Conflict("customer erased elsewhere".into()))
    }

    async fn link(
        &mut self,
        tx: &mut Tx<'_>,
        found: &Found,
        verification: &Verification,
    ) -> store::Result<()> {
        let Some(email_index) = found.email_index else {
            return Ok(());
        };
        let link = Link {
            pen: &self.pen,
            company: self.question.key.company.as_str(),
            email_index,
            email: self.request.email.as_ref(),
            verification,
            source: &self.source,
            request_id: &self.request_id,
            now: self.question.now,
        };
        let news = link.make(tx).await?;
        self.news.extend(news);
        Ok(())
    }
}
