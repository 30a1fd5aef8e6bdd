//! Deciding, in the transaction that keeps the decision.
//!
//! The rules before the checks are applied again, to the locked row; then the checks decide. The
//! decision with its evidence, the attempt, the link to the customer, the counts, the audit record
//! and the stored answer are committed together or not at all.

use std::sync::Arc;

use domain::age::{Assurance, Decision, Validity, VerificationId};
use domain::contact::Email;
use domain::random::Random;
use domain::seal::{DataKey, KeyRing, Place};
use store::tables::age_customers::{self, AgeCustomer, ForUpdate, Found, Verification};
use store::tables::age_decisions::{self, AgeDecision};
use store::tables::age_statistics::{Tally, day_of};
use store::{Lane, Tx, Unit, Written};

use super::link::Link;
use super::verify::{Answer, Claimed, Outcome, Question, Request};
use crate::audit::Draft;
use crate::idempotency::Reply;
use crate::people::{self, sealing};
use crate::{App, Ctx, Error, Result};

pub(super) struct Decide {
    question: Question,
    claimed: Claimed,
    email: Option<Email>,
    /// What is kept of the claim, to be sealed.
    evidence: Vec<u8>,
    source: String,
    request_id: String,
    ring: Arc<KeyRing>,
    random: Arc<dyn Random>,
    draft: Draft,
    reply: Reply<Answer>,
    tally: Option<Tally>,
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
    ) -> Result<Self> {
        let evidence = Evidence {
            customer_id: &request.customer_id,
            claimed: &request.claimed,
        };
        Ok(Self {
            evidence: serde_json::to_vec(&evidence).map_err(Error::internal)?,
            question,
            claimed: request.claimed,
            email: request.email,
            source: ctx.caller.credential().to_owned(),
            request_id: ctx.exchange.request_id.clone(),
            ring: app.key_ring.clone(),
            random: app.random.clone(),
            draft,
            reply,
            tally: None,
        })
    }
}

impl Unit for Decide {
    type Output = Answer;

    fn lane(&self) -> Lane {
        Lane::of(self.question.key.index.as_bytes())
    }

    fn tally(&self) -> Option<Tally> {
        self.tally.clone()
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Answer>> {
        self.tally = None;
        let known = age_customers::find_for_update(tx, &self.question.key).await?;
        let outcome = match &known {
            Some(known) => self.known(tx, known).await?,
            None => self.unknown(tx).await?,
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
        Ok(Written {
            output,
            records: vec![record],
        })
    }
}

impl Decide {
    async fn known(&mut self, tx: &mut Tx<'_>, known: &ForUpdate) -> store::Result<Outcome> {
        let ForUpdate { found, .. } = known;
        let settled = self
            .question
            .settled(found.attempts, found.verification.as_ref());
        match settled {
            Some(Outcome::Cached(verification)) => {
                self.link_again(tx, known, &verification).await?;
                Ok(Outcome::Cached(verification))
            }
            Some(outcome) => Ok(outcome),
            None => {
                if self.question.anew {
                    self.set_aside(tx, found).await?;
                }
                let key = self.ring.unwrap(&known.data_key).map_err(sealing)?;
                let (outcome, customer) = self.decide(tx, &key, Some(known)).await?;
                self.save(tx, &key, &outcome, &customer, Some(known))
                    .await?;
                Ok(outcome)
            }
        }
    }

    async fn unknown(&mut self, tx: &mut Tx<'_>) -> store::Result<Outcome> {
        let (company, now) = (self.question.key.company.as_str(), self.question.now);
        let key = people::insert_key(tx, &self.ring, self.random.as_ref(), company, now).await?;
        let (outcome, customer) = self.decide(tx, &key, None).await?;
        self.save(tx, &key, &outcome, &customer, None).await?;
        Ok(outcome)
    }

    /// A verification that no longer counts proves nothing of the customer it is linked to.
    async fn set_aside(&self, tx: &mut Tx<'_>, found: &Found) -> store::Result<()> {
        match (&found.verification, found.email_index) {
            (Some(verification), Some(email_index)) => {
                let company = self.question.key.company.as_str();
                store::tables::customers::clear_age(tx, company, email_index, &verification.id)
                    .await
            }
            _ => Ok(()),
        }
    }

    /// Lets the checks decide and keeps what they decided; returns what is known of the customer
    /// from now on.
    async fn decide(
        &mut self,
        tx: &mut Tx<'_>,
        key: &DataKey,
        known: Option<&ForUpdate>,
    ) -> store::Result<(Outcome, Found)> {
        let Question {
            policy, now, anew, ..
        } = self.question;
        let decision = policy.age.decide(&self.claimed.as_claim(), now);
        let id = VerificationId::generate(now, self.random.as_ref());
        self.keep_decision(tx, key, id.as_str(), &decision, known)
            .await?;
        self.tally = Some(Tally {
            company_id: self.question.key.company.as_str().to_owned(),
            day: day_of(now),
            passed: decision.is_passed(),
            method: decision.method().as_str(),
            reason: decision.code(),
            state: decision.state_code(),
        });
        let earlier = known.map(|known| &known.found);
        let attempts = earlier.map(|found| found.attempts).unwrap_or_default();
        let linked = earlier.and_then(|found| found.email_index);
        Ok(match decision {
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
                    email_index: linked,
                };
                let verification_id = id.as_str().to_owned();
                let outcome = Outcome::Refused {
                    verification_id,
                    decision,
                };
                (outcome, found)
            }
        })
    }

    async fn keep_decision(
        &self,
        tx: &mut Tx<'_>,
        key: &DataKey,
        id: &str,
        decision: &Decision,
        known: Option<&ForUpdate>,
    ) -> store::Result<()> {
        let place = Place {
            table: "age_decisions",
            column: "claim",
            row: id.as_bytes(),
        };
        let claim = key
            .seal(place, &self.evidence, self.random.as_ref())
            .map_err(sealing)?;
        let kept = AgeDecision {
            verification_id: id,
            company_id: self.question.key.company.as_str(),
            customer_index: self.question.key.index,
            previous: known.map(|known| known.last_decision.as_str()),
            decided_at: self.question.now,
            passed: decision.is_passed(),
            method: decision.method().as_str(),
            reason: decision.code(),
            state: decision.state_code(),
            age: decision.age().map(i64::from),
            assurance: Assurance::SelfDeclared.as_str(),
            source: &self.source,
            request_id: &self.request_id,
            data_key: key.id(),
            claim: &claim,
        };
        age_decisions::insert(tx, &kept).await
    }

    /// Writes the customer, and links a passed verification.
    async fn save(
        &self,
        tx: &mut Tx<'_>,
        key: &DataKey,
        outcome: &Outcome,
        found: &Found,
        known: Option<&ForUpdate>,
    ) -> store::Result<()> {
        let last_decision = match outcome {
            Outcome::Passed(verification) => &verification.id,
            Outcome::Refused {
                verification_id, ..
            } => verification_id,
            Outcome::UsedUp(_) | Outcome::Cached(_) => return Ok(()),
        };
        let customer = AgeCustomer {
            key: &self.question.key,
            data_key: key.id(),
            last_decision,
            found,
            at: self.question.now,
        };
        self.write(tx, &customer, known.is_some()).await?;
        match outcome {
            Outcome::Passed(verification) => self.link(tx, found, verification).await,
            _ => Ok(()),
        }
    }

    /// A verification that holds, asked about with an address that it is not linked to yet.
    async fn link_again(
        &self,
        tx: &mut Tx<'_>,
        known: &ForUpdate,
        verification: &Verification,
    ) -> store::Result<()> {
        let asked = self.question.email_index;
        if asked.is_none() || asked == known.found.email_index {
            return Ok(());
        }
        self.set_aside(tx, &known.found).await?;
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
        self.write(tx, &customer, true).await?;
        self.link(tx, &found, verification).await
    }

    async fn write(
        &self,
        tx: &mut Tx<'_>,
        customer: &AgeCustomer<'_>,
        is_known: bool,
    ) -> store::Result<()> {
        let written = if is_known {
            age_customers::update(tx, customer).await?
        } else {
            age_customers::insert(tx, customer).await?
        };
        if written {
            return Ok(());
        }
        Err(store::Error::Conflict(
            "customer made or erased elsewhere".into(),
        ))
    }

    async fn link(
        &self,
        tx: &mut Tx<'_>,
        found: &Found,
        verification: &Verification,
    ) -> store::Result<()> {
        let Some(email_index) = found.email_index else {
            return Ok(());
        };
        let link = Link {
            ring: &self.ring,
            random: self.random.as_ref(),
            company: self.question.key.company.as_str(),
            email_index,
            email: self.email.as_ref(),
            verification,
            source: &self.source,
            request_id: &self.request_id,
            now: self.question.now,
        };
        link.make(tx).await
    }
}
