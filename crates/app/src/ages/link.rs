//! The link from an age verification to a customer of the shop.
//!
//! The customer is made if need be, and keeps evidence of each link.

use domain::age::Assurance;
use domain::contact::Email;
use domain::random::{Random, uuid_v7};
use domain::seal::{BlindIndex, DataKey, KeyRing, Place};
use domain::standing::Standing;
use jiff::Timestamp;
use store::Tx;
use store::tables::age_customers::Verification;
use store::tables::customers::{self, Customer};
use store::tables::evidence::{self, Evidence};
use uuid::Uuid;

use crate::customers::place;
use crate::people::{self, sealing};

pub(super) struct Link<'a> {
    pub ring: &'a KeyRing,
    pub random: &'a dyn Random,
    pub company: &'a str,
    pub email_index: BlindIndex,
    /// The address, when it came with the request: a customer is made only then.
    pub email: Option<&'a Email>,
    pub verification: &'a Verification,
    pub source: &'a str,
    pub request_id: &'a str,
    pub now: Timestamp,
}

/// What is kept, sealed, with the evidence.
#[derive(serde::Serialize)]
struct Metadata<'a> {
    verification_id: &'a str,
}

impl Link<'_> {
    /// Links what was just written, and leaves evidence of it.
    pub async fn make(&self, tx: &mut Tx<'_>) -> store::Result<()> {
        let known = customers::find_for_update(tx, self.company, self.email_index).await?;
        let evidence = match (known, self.email) {
            (Some(known), _) => {
                let key = self.ring.unwrap(&known.data_key).map_err(sealing)?;
                self.keep_evidence(tx, &key, Some(known.last_evidence))
                    .await?
            }
            (None, Some(email)) => self.create(tx, email).await?,
            // Whoever was linked before is no longer known.
            (None, None) => return Ok(()),
        };
        let named =
            customers::set_last_evidence(tx, self.company, self.email_index, evidence).await?;
        if named && customers::refresh_age(tx, self.company, self.email_index).await? {
            return Ok(());
        }
        Err(store::Error::Conflict("customer erased elsewhere".into()))
    }

    async fn create(&self, tx: &mut Tx<'_>, email: &Email) -> store::Result<Uuid> {
        let key = people::insert_key(tx, self.ring, self.random, self.company, self.now).await?;
        let evidence = self.keep_evidence(tx, &key, None).await?;
        let sealed = key
            .seal(
                place(&self.email_index, "email"),
                email.as_str().as_bytes(),
                self.random,
            )
            .map_err(sealing)?;
        let customer = Customer {
            company_id: self.company,
            email_index: self.email_index,
            data_key: key.id(),
            last_evidence: evidence,
            email: &sealed,
            phone: None,
            phone_changed_at: None,
            standing: &Standing::default(),
            created_at: self.now,
            updated_at: self.now,
        };
        if customers::insert(tx, &customer).await? {
            return Ok(evidence);
        }
        Err(store::Error::Conflict("customer created elsewhere".into()))
    }

    async fn keep_evidence(
        &self,
        tx: &mut Tx<'_>,
        key: &DataKey,
        previous: Option<Uuid>,
    ) -> store::Result<Uuid> {
        let id = uuid_v7(self.now, self.random);
        let metadata = serde_json::to_vec(&Metadata {
            verification_id: &self.verification.id,
        })
        .map_err(|error| store::Error::Refused(error.to_string()))?;
        let at = Place {
            table: "evidence",
            column: "metadata",
            row: id.as_bytes(),
        };
        let metadata = key.seal(at, &metadata, self.random).map_err(sealing)?;
        let evidence = Evidence {
            company_id: self.company,
            email_index: self.email_index,
            id,
            previous,
            proof: "age",
            status: true,
            applied: true,
            assurance: Assurance::SelfDeclared.as_str(),
            source: self.source,
            occurred_at: self.verification.validity.verified_at,
            recorded_at: self.now,
            request_id: self.request_id,
            data_key: key.id(),
            metadata: &metadata,
        };
        evidence::insert(tx, &evidence).await?;
        Ok(id)
    }
}

/// What is left of a customer's proof of age when a verification that is linked no longer counts,
/// or is linked to somebody else. To be called when that is written.
pub(super) async fn look_again(
    tx: &mut Tx<'_>,
    company: &str,
    email_index: BlindIndex,
) -> store::Result<()> {
    // Locked first: what other transactions have linked meanwhile must be seen.
    if customers::find_for_update(tx, company, email_index)
        .await?
        .is_some()
    {
        customers::refresh_age(tx, company, email_index).await?;
    }
    Ok(())
}

/// Locks two customers in the order in which everybody does, so that nobody waits for each other.
pub(super) async fn lock_in_order(
    tx: &mut Tx<'_>,
    company: &str,
    one: BlindIndex,
    other: Option<BlindIndex>,
) -> store::Result<()> {
    let mut both = vec![one];
    both.extend(other.filter(|other| *other != one));
    both.sort_unstable_by_key(|index| *index.as_bytes());
    for index in both {
        customers::find_for_update(tx, company, index).await?;
    }
    Ok(())
}
