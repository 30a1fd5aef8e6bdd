//! One customer, and what others' merges into them add up to.

use std::collections::BTreeMap;

use domain::audit::{Outcome, Record};
use domain::random::uuid_v7;
use domain::seal::{BlindIndex, DataKey, Place};
use domain::square::held;
use domain::standing::{Change, Proof, ProofState, Standing};
use jiff::Timestamp;
use serde::Serialize;
use store::Tx;
use store::tables::customers::{self, Customer, ForUpdate};
use store::tables::evidence::{self, Evidence};
use uuid::Uuid;

use super::notice::{self, Whom, show_anew};
use crate::customers::assurance;
use crate::orders::{self, News, Pen, Proofs};
use crate::people::sealing;

/// Who tells of a proof that was carried, in the evidence.
const MERGE: &str = "merge";

/// A customer who may hold others' proofs.
pub(super) struct Hold<'a> {
    pub pen: &'a Pen,
    pub company: &'a str,
    pub email_index: BlindIndex,
    pub request_id: &'a str,
    pub now: Timestamp,
    /// What each of the others has proven.
    pub merged: BTreeMap<BlindIndex, Standing>,
}

/// What is kept, sealed, with a proof that was carried.
#[derive(Serialize)]
struct Metadata {
    /// Whose it is: the keyed hash of the address. Nobody's, when what was carried is taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    carried_from: Option<String>,
}

impl Hold<'_> {
    /// What a customer has proven, without what was carried to them.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn own(&self, tx: &mut Tx<'_>, known: &ForUpdate) -> store::Result<Standing> {
        let mut said = evidence::list_back_from(tx, known.last_evidence).await?;
        if !said.iter().any(|one| one.source == MERGE) {
            return Ok(known.standing);
        }
        said.reverse();
        let mut own = Standing::default();
        for one in said.iter().filter(|one| one.source != MERGE) {
            if let Ok(proof) = Proof::parse(&one.proof) {
                let change = Change {
                    status: one.status,
                    occurred_at: one.occurred_at,
                };
                own.apply(proof, change);
            }
        }
        Ok(own)
    }

    /// Whether there is anything that a customer could hold.
    pub fn has_something(&self) -> bool {
        held(&Standing::default(), self.merged.values()) != Standing::default()
    }

    /// Has the customer hold what there is, and looks at their orders again; the customer is locked.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn write(&self, tx: &mut Tx<'_>, known: &ForUpdate) -> store::Result<News> {
        let own = self.own(tx, known).await?;
        let held = held(&own, self.merged.values());
        if held == known.standing {
            return Ok(News {
                enqueued: self.show_where_stale(tx, known).await?,
                ..News::default()
            });
        }
        let key = self.pen.ring.unwrap(&known.data_key).map_err(sealing)?;
        let mut last = known.last_evidence;
        for proof in differing(&known.standing, &held) {
            last = self.keep(tx, &key, last, proof, held.proof(proof)).await?;
        }
        self.update(tx, &key, known, &held, last).await?;
        let is_id = known.standing.veriff.given != held.veriff.given;
        let mut news = self.follow_up(tx, &key, known, &held).await?;
        news.enqueued |= is_id && self.show(tx).await?;
        news.records.push(self.record(&known.standing, &held));
        Ok(news)
    }

    async fn keep(
        &self,
        tx: &mut Tx<'_>,
        key: &DataKey,
        previous: Uuid,
        proof: Proof,
        state: &ProofState,
    ) -> store::Result<Uuid> {
        let id = uuid_v7(self.now, &*self.pen.random);
        let place = Place {
            table: "evidence",
            column: "metadata",
            row: id.as_bytes(),
        };
        let metadata = Metadata {
            carried_from: self.whose(proof, state),
        };
        let metadata = serde_json::to_vec(&metadata)
            .map_err(|error| store::Error::Refused(error.to_string()))?;
        let metadata = key.seal(place, &metadata, &*self.pen.random);
        let evidence = Evidence {
            company_id: self.company,
            email_index: self.email_index,
            id,
            previous: Some(previous),
            proof: proof.as_str(),
            status: state.given,
            applied: true,
            assurance: assurance(proof).as_str(),
            source: MERGE,
            occurred_at: state.occurred_at.unwrap_or(self.now),
            recorded_at: self.now,
            request_id: self.request_id,
            data_key: key.id(),
            metadata: &metadata.map_err(sealing)?,
        };
        evidence::insert(tx, &evidence).await?;
        Ok(id)
    }

    /// Whose proof it is that is held.
    fn whose(&self, proof: Proof, state: &ProofState) -> Option<String> {
        let mut merged = self.merged.iter();
        let (index, _) = merged.find(|(_, standing)| standing.proof(proof) == state)?;
        Some(
            index
                .as_bytes()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        )
    }

    async fn update(
        &self,
        tx: &mut Tx<'_>,
        key: &DataKey,
        known: &ForUpdate,
        held: &Standing,
        last_evidence: Uuid,
    ) -> store::Result<()> {
        let customer = Customer {
            company_id: self.company,
            email_index: self.email_index,
            data_key: key.id(),
            last_evidence,
            email: &[],
            phone: None,
            phone_changed_at: known.phone_changed_at,
            standing: held,
            created_at: self.now,
            updated_at: self.now,
        };
        match customers::update(tx, &customer).await? {
            true => Ok(()),
            false => Err(store::Error::Conflict("customer erased elsewhere".into())),
        }
    }

    async fn follow_up(
        &self,
        tx: &mut Tx<'_>,
        key: &DataKey,
        known: &ForUpdate,
        held: &Standing,
    ) -> store::Result<News> {
        let missing = |standing| {
            self.pen
                .missing(standing, known.age_verified_until, self.now)
        };
        let proofs = Proofs {
            company: self.company,
            email_index: self.email_index,
            key,
            before: missing(&known.standing),
            after: missing(held),
            request_id: self.request_id,
            now: self.now,
        };
        orders::look_again(self.pen, tx, &proofs).await
    }

    async fn show(&self, tx: &mut Tx<'_>) -> store::Result<bool> {
        match self.shows() {
            true => show_anew(self.pen, tx, &self.whom()).await,
            false => Ok(false),
        }
    }

    /// Who was tied in the instant in which we first heard of the customer was found by nobody.
    async fn show_where_stale(&self, tx: &mut Tx<'_>, known: &ForUpdate) -> store::Result<bool> {
        match self.shows() {
            true => {
                notice::show_where_stale(self.pen, tx, &self.whom(), known.standing.veriff.given)
                    .await
            }
            false => Ok(false),
        }
    }

    fn shows(&self) -> bool {
        let policy = self.pen.policy.square.as_ref();
        policy.is_some_and(|policy| policy.shows)
    }

    fn whom(&self) -> Whom<'_> {
        Whom {
            company: self.company,
            email_index: self.email_index,
            now: self.now,
        }
    }

    fn record(&self, before: &Standing, after: &Standing) -> Record {
        let words = differing(before, after)
            .map(|proof| format!("{}={}", proof.as_str(), after.proof(proof).given));
        Record {
            at: self.now,
            request_id: self.request_id.into(),
            company: self.company.into(),
            credential: "system".into(),
            action: "square.carry".into(),
            subject: Some(self.email_index),
            outcome: Outcome {
                code: "ok".into(),
                status: 0,
            },
            latency: 0,
            occurrences: 1,
            data_key: None,
            client: None,
            detail: Some(words.collect::<Vec<_>>().join(" ")),
        }
    }
}

/// The proofs in which two standings differ.
fn differing<'a>(one: &'a Standing, other: &'a Standing) -> impl Iterator<Item = Proof> + 'a {
    let differs = |proof: &Proof| one.proof(*proof) != other.proof(*proof);
    Proof::ALL.into_iter().filter(differs)
}
