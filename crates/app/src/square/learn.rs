//! What is told of customers of Square is written down: who each is, whether it is there, and whom it
//! was merged into. What follows from it is asked for in the same transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::access::CompanyId;
use domain::contact::Email;
use domain::seal::{BlindIndex, DataKey, IndexKey, KeyRing, SealError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::Tx;
use store::tables::square_customers::{self, SquareCustomer};
use store::tables::{customers, personal};

use super::facts::{ByCustomer, Facts};
use super::notice::{self, Whom, enqueue, key_of, shows_id};
use super::{Profile, place};
use crate::customers::email_index;
use crate::orders::Pen;
use crate::people::{self, sealing};

/// What is sealed of a customer of Square.
#[derive(Serialize, Deserialize)]
pub(super) struct Contact {
    /// Square's id.
    pub id: String,
    /// The address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// What it takes to write down what is told.
#[derive(Clone)]
pub(super) struct Learning {
    pub pen: Pen,
    pub index_key: Arc<IndexKey>,
    pub company: CompanyId,
    pub now: Timestamp,
}

/// What was learnt.
#[derive(Clone, Debug, Default)]
pub(super) struct Learnt {
    /// Who each of them is now.
    pub known: BTreeMap<BlindIndex, SquareCustomer>,
    /// How many of them changed.
    pub changed: u64,
    /// Whether anything was enqueued.
    pub enqueued: bool,
    /// Whether proofs are to be carried.
    pub carries: bool,
}

impl Learnt {
    /// Adds what was learnt later.
    pub fn extend(&mut self, later: Self) {
        self.known.extend(later.known);
        self.changed += later.changed;
        self.enqueued |= later.enqueued;
        self.carries |= later.carries;
    }
}

impl Learning {
    /// Writes it down. Everybody who does so locks customers of Square before customers of ours, and
    /// each kind in the order of their indexes: nobody waits for each other.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn learn(&self, tx: &mut Tx<'_>, told: &ByCustomer) -> store::Result<Learnt> {
        let mut learnt = Learnt::default();
        let mut changed = Vec::new();
        for (index, facts) in told {
            let (before, after) = self.take(tx, *index, facts).await?;
            changed.extend(before);
            learnt.known.insert(*index, after);
        }
        learnt.changed = changed.len() as u64;
        // Only now that all of them are locked: who is tied to whom another was merged into may have
        // been written a moment ago.
        let mut merged = BTreeSet::new();
        for before in &changed {
            if let Some(after) = learnt.known.get(&before.square_index) {
                merged.extend(self.involved(tx, before, after).await?);
            }
        }
        if self.shows() {
            learnt.enqueued = self.show(tx, &learnt.known).await?;
        }
        for owner in &merged {
            let whom = Whom {
                company: self.company.as_str(),
                email_index: *owner,
                now: self.now,
            };
            notice::ask(&self.pen, tx, &whom).await?;
        }
        learnt.carries = !merged.is_empty();
        Ok(learnt)
    }

    fn shows(&self) -> bool {
        let policy = self.pen.policy.square.as_ref();
        policy.is_some_and(|policy| policy.shows && *policy.company == *self.company.as_str())
    }

    /// Takes in what is told of one; returns how it was before, if anything changed, and how it is.
    async fn take(
        &self,
        tx: &mut Tx<'_>,
        index: BlindIndex,
        facts: &Facts,
    ) -> store::Result<(Option<SquareCustomer>, SquareCustomer)> {
        let company = self.company.as_str();
        square_customers::make_sure(tx, company, index, self.now).await?;
        let before = square_customers::find_for_update(tx, company, index).await?;
        let before = before.ok_or_else(|| {
            store::Error::Conflict("customer of Square forgotten elsewhere".into())
        })?;
        let mut after = before.clone();
        for event in &facts.events {
            after.life.hear(*event);
        }
        // Whose contact is forgotten is described anew by the edition that is known.
        let newer = |profile: &&Profile| match after.contact {
            Some(_) => profile.edition.supersedes(&after.edition),
            None => !after.edition.supersedes(&profile.edition),
        };
        let profile = facts.profile.as_ref().filter(newer);
        if let Some(profile) = profile {
            self.describe(tx, &mut after, profile).await?;
        }
        if profile.is_none() && after.life == before.life {
            return Ok((None, after));
        }
        square_customers::update(tx, &after, self.now).await?;
        Ok((Some(before), after))
    }

    async fn describe(
        &self,
        tx: &mut Tx<'_>,
        customer: &mut SquareCustomer,
        profile: &Profile,
    ) -> store::Result<()> {
        let email = profile.email.as_ref();
        customer.edition = profile.edition;
        customer.subject_index =
            email.map(|email| email_index(&self.index_key, &self.company, email));
        let key = self.key(tx, customer).await?;
        let contact = Contact {
            id: profile.id.clone(),
            email: email.map(|email| email.as_str().to_owned()),
        };
        let contact = serde_json::to_vec(&contact)
            .map_err(|error| store::Error::Refused(error.to_string()))?;
        let place = place(&customer.square_index);
        let sealed = key.seal(place, &contact, &*self.pen.random);
        customer.contact = Some(sealed.map_err(sealing)?);
        customer.data_key = Some(key.id());
        Ok(())
    }

    /// The key of somebody at Square, a new one if need be.
    async fn key(&self, tx: &mut Tx<'_>, customer: &SquareCustomer) -> store::Result<DataKey> {
        if let Some(key) = key_of(&self.pen.ring, tx, customer).await? {
            return Ok(key);
        }
        let (ring, random) = (&*self.pen.ring, &*self.pen.random);
        people::insert_key(tx, ring, random, self.company.as_str(), self.now).await
    }

    /// The customers whose proofs may be held by somebody else now, or who may hold others': those who
    /// are, or were, this one and everybody it is, or was, merged into, one behind the other.
    async fn involved(
        &self,
        tx: &mut Tx<'_>,
        before: &SquareCustomer,
        after: &SquareCustomer,
    ) -> store::Result<BTreeSet<BlindIndex>> {
        let (company, index) = (self.company.as_str(), after.square_index);
        let mut involved = BTreeSet::new();
        if !square_customers::is_of_a_merge(tx, company, index).await? {
            return Ok(involved);
        }
        involved.extend(
            [before.subject_index, after.subject_index]
                .into_iter()
                .flatten(),
        );
        let holders = [before, after].map(|one| one.life.merge.map(|merge| merge.into));
        for holder in holders.into_iter().flatten() {
            involved.extend(square_customers::list_owners(tx, company, holder).await?);
        }
        Ok(involved)
    }

    /// Has Square show how customers stand where it shows something else, as far as we know; returns
    /// whether anything was enqueued.
    async fn show(
        &self,
        tx: &mut Tx<'_>,
        known: &BTreeMap<BlindIndex, SquareCustomer>,
    ) -> store::Result<bool> {
        let company = self.company.as_str();
        let mut owners: BTreeMap<BlindIndex, Vec<&SquareCustomer>> = BTreeMap::new();
        for customer in known.values().filter(|one| one.life.is_there()) {
            if let Some(owner) = customer.subject_index {
                owners.entry(owner).or_default().push(customer);
            }
        }
        let mut enqueued = false;
        for (owner, tied) in owners {
            let owner = customers::find_for_update(tx, company, owner).await?;
            let has_id = owner.is_some_and(|owner| owner.standing.veriff.given);
            for customer in tied.into_iter().filter(|one| shows_id(one) != has_id) {
                enqueue(&self.pen, tx, customer, self.now).await?;
                enqueued = true;
            }
        }
        Ok(enqueued)
    }
}

/// Square's id for a customer who is to be told of, or forgotten.
///
/// # Errors
/// When it does not open here.
pub(crate) fn id_of(ring: &KeyRing, customer: &personal::SquareCustomer) -> store::Result<String> {
    let open = || -> Result<_, SealError> {
        let key = ring.unwrap(&customer.key)?;
        let plain = key.open(place(&customer.square_index), &customer.contact)?;
        let contact: Contact =
            serde_json::from_slice(&plain).map_err(|_| SealError::DoesNotOpen)?;
        Ok(contact.id)
    };
    open().map_err(sealing)
}

impl Contact {
    /// Opens what is sealed of somebody at Square; `None` when nothing is, or it is destroyed.
    pub async fn open(
        pen: &Pen,
        tx: &mut Tx<'_>,
        customer: &SquareCustomer,
    ) -> store::Result<Option<Self>> {
        let Some(key) = key_of(&pen.ring, tx, customer).await? else {
            return Ok(None);
        };
        let Some(sealed) = &customer.contact else {
            return Ok(None);
        };
        let plain = key
            .open(place(&customer.square_index), sealed)
            .map_err(sealing)?;
        Ok(serde_json::from_slice(&plain).ok())
    }

    /// The address.
    pub fn address(&self) -> Option<Email> {
        self.email
            .as_deref()
            .and_then(|email| Email::parse(email).ok())
    }
}
