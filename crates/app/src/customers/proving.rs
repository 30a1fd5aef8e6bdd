//! A proof is given or withdrawn, whoever tells of it: what is written, in one transaction.
//!
//! The customer, the evidence and the customer's orders are written together. Whoever runs this
//! stands in the lane of the customer's e-mail index.

use domain::access::CompanyId;
use domain::age::Assurance;
use domain::contact::{E164, Email};
use domain::random::uuid_v7;
use domain::seal::{BlindIndex, DataKey, Place};
use domain::standing::{Applied, Change, Proof, Standing};
use jiff::Timestamp;
use store::Tx;
use store::tables::customers::{self, Customer, ForUpdate, Phone};
use store::tables::evidence::{self, Evidence};
use uuid::Uuid;

use crate::orders::{self, News, Pen, Proofs};
use crate::people::{self, sealing};
use crate::square::{self, Changed, Whom};

/// A proof that is given or withdrawn.
pub(crate) struct Proving {
    /// What it takes to write.
    pub pen: Pen,
    /// Whose customer.
    pub company: CompanyId,
    /// Which customer.
    pub email_index: BlindIndex,
    /// The customer's phone number, when it came along.
    pub phone: Option<(BlindIndex, E164)>,
    /// Which proof.
    pub proof: Proof,
    /// Given or withdrawn, and when.
    pub change: Change,
    /// Who told us: the credential.
    pub source: String,
    /// The request that brought it.
    pub request_id: String,
    /// What is kept as evidence; sealed when it is written.
    pub metadata: Vec<u8>,
    /// Now.
    pub now: Timestamp,
}

impl Proving {
    /// Makes a customer with this as the first evidence.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn create(&self, tx: &mut Tx<'_>, email: &Email) -> store::Result<Applied> {
        let (company, now) = (self.company.as_str(), self.now);
        let (ring, random) = (&self.pen.ring, self.pen.random.as_ref());
        let key = people::insert_key(tx, ring, random, company, now).await?;
        let mut standing = Standing::default();
        let applied = standing.apply(self.proof, self.change);
        let evidence = self.keep_evidence(tx, &key, None, applied).await?;
        let email = self.seal(&key, "email", email.as_str())?;
        let phone = self.sealed_phone(&key)?;
        let phone = phone.as_ref().map(|(index, sealed)| Phone {
            index: *index,
            sealed,
        });
        let customer = Customer {
            email: &email,
            phone_changed_at: phone.is_some().then_some(self.change.occurred_at),
            phone,
            ..self.customer(&key, evidence, &standing)
        };
        if customers::insert(tx, &customer).await?.is_some() {
            self.notice(tx, None, &standing).await?;
            return Ok(applied);
        }
        Err(store::Error::Conflict("customer created elsewhere".into()))
    }

    /// Changes a customer who is locked, and looks at their orders again.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn change(
        &self,
        tx: &mut Tx<'_>,
        mut known: ForUpdate,
    ) -> store::Result<(Applied, News)> {
        let key = self.pen.ring.unwrap(&known.data_key).map_err(sealing)?;
        let age_until = known.age_verified_until;
        let missing = |standing: &Standing| self.pen.missing(standing, age_until, self.now);
        let (before, stood) = (missing(&known.standing), known.standing);
        let applied = known.standing.apply(self.proof, self.change);
        let previous = Some(known.last_evidence);
        let evidence = self.keep_evidence(tx, &key, previous, applied).await?;
        let written = match applied {
            Applied::Changed => {
                let customer = Customer {
                    phone_changed_at: self.change_phone(tx, &key, &known).await?,
                    ..self.customer(&key, evidence, &known.standing)
                };
                customers::update(tx, &customer).await?
            }
            Applied::Stale => {
                let company = self.company.as_str();
                customers::set_last_evidence(tx, company, self.email_index, evidence).await?
            }
        };
        if !written {
            return Err(store::Error::Conflict("customer erased elsewhere".into()));
        }
        let proofs = Proofs {
            company: self.company.as_str(),
            email_index: self.email_index,
            key: &key,
            before,
            after: missing(&known.standing),
            request_id: &self.request_id,
            now: self.now,
        };
        let mut news = orders::look_again(&self.pen, tx, &proofs).await?;
        news.enqueued |= self.notice(tx, Some(&stood), &known.standing).await?;
        Ok((applied, news))
    }

    /// Has what is tied to the customer elsewhere follow; returns whether anything was enqueued.
    /// Nothing was `before` of whoever is new.
    async fn notice(
        &self,
        tx: &mut Tx<'_>,
        before: Option<&Standing>,
        after: &Standing,
    ) -> store::Result<bool> {
        let changed = Changed {
            whom: Whom {
                company: self.company.as_str(),
                email_index: self.email_index,
                now: self.now,
            },
            is_new: before.is_none(),
            is_id: before.is_some_and(|before| before.veriff.given) != after.veriff.given,
        };
        square::notice(&self.pen, tx, &changed).await
    }

    /// Writes the phone number if it is another one and newer; returns when the
    /// newest change that named one happened. The newest change of this proof may be
    /// older than the one that brought the number.
    async fn change_phone(
        &self,
        tx: &mut Tx<'_>,
        key: &DataKey,
        known: &ForUpdate,
    ) -> store::Result<Option<Timestamp>> {
        let change = self.change;
        let phone_index = self.phone.as_ref().map(|(index, _)| *index);
        if phone_index.is_none() || !change.supersedes(known.phone_changed_at) {
            return Ok(known.phone_changed_at);
        }
        if phone_index != known.phone_index
            && let Some((index, sealed)) = self.sealed_phone(key)?
        {
            let phone = Phone {
                index,
                sealed: &sealed,
            };
            let company = self.company.as_str();
            customers::set_phone(tx, company, self.email_index, &phone).await?;
        }
        Ok(Some(change.occurred_at))
    }

    fn customer<'a>(
        &'a self,
        key: &DataKey,
        last_evidence: Uuid,
        standing: &'a Standing,
    ) -> Customer<'a> {
        Customer {
            company_id: self.company.as_str(),
            email_index: self.email_index,
            data_key: key.id(),
            last_evidence,
            email: &[],
            phone: None,
            phone_changed_at: None,
            standing,
            created_at: self.now,
            updated_at: self.now,
        }
    }

    async fn keep_evidence(
        &self,
        tx: &mut Tx<'_>,
        key: &DataKey,
        previous: Option<Uuid>,
        applied: Applied,
    ) -> store::Result<Uuid> {
        let id = uuid_v7(self.now, self.pen.random.as_ref());
        let place = Place {
            table: "evidence",
            column: "metadata",
            row: id.as_bytes(),
        };
        let metadata = key
            .seal(place, &self.metadata, self.pen.random.as_ref())
            .map_err(sealing)?;
        let evidence = Evidence {
            company_id: self.company.as_str(),
            email_index: self.email_index,
            id,
            previous,
            proof: self.proof.as_str(),
            status: self.change.status,
            applied: applied == Applied::Changed,
            assurance: assurance(self.proof).as_str(),
            source: &self.source,
            occurred_at: self.change.occurred_at,
            recorded_at: self.now,
            request_id: &self.request_id,
            data_key: key.id(),
            metadata: &metadata,
        };
        evidence::insert(tx, &evidence).await?;
        Ok(id)
    }

    fn sealed_phone(&self, key: &DataKey) -> store::Result<Option<(BlindIndex, Vec<u8>)>> {
        let Some((index, phone)) = &self.phone else {
            return Ok(None);
        };
        Ok(Some((*index, self.seal(key, "phone", phone.as_str())?)))
    }

    fn seal(&self, key: &DataKey, column: &'static str, value: &str) -> store::Result<Vec<u8>> {
        let place = place(&self.email_index, column);
        key.seal(place, value.as_bytes(), self.pen.random.as_ref())
            .map_err(sealing)
    }
}

/// Where a sealed value of a customer stands.
pub(crate) fn place<'a>(email_index: &'a BlindIndex, column: &'static str) -> Place<'a> {
    Place {
        table: "customer_verification",
        column,
        row: email_index.as_bytes(),
    }
}

/// How strong the evidence is: an ID was decided on by the provider that saw it;
/// the others are the customer's own word.
pub(crate) fn assurance(proof: Proof) -> Assurance {
    match proof {
        Proof::Veriff => Assurance::Provider,
        Proof::Membership | Proof::EmailOptin => Assurance::SelfDeclared,
    }
}
