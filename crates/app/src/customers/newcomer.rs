//! What every surface does alike when it first hears of a customer, or learns more: a row, and
//! evidence of where it came from.

use domain::contact::{E164, Email};
use domain::random::{Random, uuid_v7};
use domain::seal::{BlindIndex, DataKey, KeyRing, Place};
use domain::standing::Standing;
use jiff::Timestamp;
use store::Tx;
use store::tables::customers::{self, Customer, Phone};
use store::tables::evidence::{self, Evidence};
use uuid::Uuid;

use super::place;
use crate::people::{self, sealing};

/// A customer who was not known until now.
pub(crate) struct Newcomer {
    /// The customer's data key.
    pub key: DataKey,
    /// Until when an age proves the customer.
    pub age_verified_until: Option<Timestamp>,
}

/// A piece of evidence that changes no proof of the customer's standing by itself.
pub(crate) struct Piece<'a> {
    /// Whose customer.
    pub company: &'a str,
    /// Which customer.
    pub email_index: BlindIndex,
    /// What it is evidence of.
    pub proof: &'a str,
    /// How strong it is.
    pub assurance: &'a str,
    /// Who told us: the credential.
    pub source: &'a str,
    /// The request that brought it.
    pub request_id: &'a str,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// Now.
    pub now: Timestamp,
    /// What is kept with it, sealed.
    pub metadata: Vec<u8>,
}

impl Piece<'_> {
    /// Keeps it behind the customer's evidence so far; the customer's row has to name it.
    pub async fn keep(
        &self,
        tx: &mut Tx<'_>,
        random: &dyn Random,
        key: &DataKey,
        previous: Option<Uuid>,
    ) -> store::Result<Uuid> {
        let id = uuid_v7(self.now, random);
        let at = Place {
            table: "evidence",
            column: "metadata",
            row: id.as_bytes(),
        };
        let metadata = key.seal(at, &self.metadata, random).map_err(sealing)?;
        let evidence = Evidence {
            company_id: self.company,
            email_index: self.email_index,
            id,
            previous,
            proof: self.proof,
            status: true,
            applied: true,
            assurance: self.assurance,
            source: self.source,
            occurred_at: self.occurred_at,
            recorded_at: self.now,
            request_id: self.request_id,
            data_key: key.id(),
            metadata: &metadata,
        };
        evidence::insert(tx, &evidence).await?;
        Ok(id)
    }

    /// Makes a customer of whom nothing is proven but an age that was linked to the address before, with
    /// this as the first evidence.
    pub async fn make_customer(
        &self,
        tx: &mut Tx<'_>,
        ring: &KeyRing,
        random: &dyn Random,
        email: &Email,
        phone: Option<(BlindIndex, &E164)>,
    ) -> store::Result<Newcomer> {
        let key = people::insert_key(tx, ring, random, self.company, self.now).await?;
        let evidence = self.keep(tx, random, &key, None).await?;
        let seal = |column, text: &str| {
            let place = place(&self.email_index, column);
            key.seal(place, text.as_bytes(), random).map_err(sealing)
        };
        let sealed_email = seal("email", email.as_str())?;
        let sealed_phone = phone
            .map(|(_, phone)| seal("phone", phone.as_str()))
            .transpose()?;
        let phone = phone.zip(sealed_phone.as_ref());
        let customer = Customer {
            company_id: self.company,
            email_index: self.email_index,
            data_key: key.id(),
            last_evidence: evidence,
            email: &sealed_email,
            phone: phone.map(|((index, _), sealed)| Phone { index, sealed }),
            phone_changed_at: phone.map(|_| self.occurred_at),
            standing: &Standing::default(),
            created_at: self.now,
            updated_at: self.now,
        };
        let inserted = customers::insert(tx, &customer).await?;
        let inserted =
            inserted.ok_or_else(|| store::Error::Conflict("customer created elsewhere".into()))?;
        Ok(Newcomer {
            key,
            age_verified_until: inserted.age_verified_until,
        })
    }
}
