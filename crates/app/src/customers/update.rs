//! A proof is given or withdrawn.
//!
//! The customer, the evidence, the audit record and (when the caller sent an
//! idempotency key) the stored answer are committed together or not at all.

use domain::access::CompanyId;
use domain::age::Assurance;
use domain::contact::{E164, Email};
use domain::random::uuid_v7;
use domain::seal::{BlindIndex, DataKey, Place};
use domain::standing::{Applied, Change, Proof, Standing};
use jiff::Timestamp;
use store::tables::customers::{self, Customer, ForUpdate, Phone};
use store::tables::evidence::{self, Evidence};
use store::{Lane, Tx, Unit, Written};
use uuid::Uuid;

use super::{email_index, phone_index};
use crate::audit::Draft;
use crate::idempotency::Reply;
use crate::orders::{self, News, Pen, Proofs};
use crate::people::{self, sealing};
use crate::{App, Ctx, Result};

/// What has happened.
#[derive(Debug, Clone)]
pub struct Update {
    /// Whose proof.
    pub email: Email,
    /// The customer's phone number, when it is known.
    pub phone: Option<E164>,
    /// Which proof.
    pub proof: Proof,
    /// Given, or withdrawn.
    pub status: bool,
    /// What came with it.
    pub metadata: Metadata,
    /// When it happened; now, unless the sender knows better.
    pub occurred_at: Option<Timestamp>,
}

/// What is kept, sealed, as evidence.
#[derive(Clone, Default, serde::Serialize)]
pub struct Metadata {
    /// The customer's IP address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<String>,
    /// The customer's browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// The provider's name for the verification.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification_id: Option<String>,
    /// The version of the agreement that was signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreement: Option<String>,
}

impl std::fmt::Debug for Metadata {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Metadata(…)")
    }
}

/// What became of it.
#[derive(Debug, Clone)]
pub struct Updated {
    /// The customer's address, canonical.
    pub email: Email,
    /// Which proof.
    pub proof: Proof,
    /// Whether the standing changed, or something newer was known.
    pub applied: Applied,
    /// When we took it in.
    pub at: Timestamp,
}

/// Takes a change in.
///
/// # Errors
/// [`crate::Code::Unavailable`] when the database is away.
pub async fn update(
    app: &App,
    ctx: &Ctx,
    update: Update,
    reply: Reply<Updated>,
) -> Result<Updated> {
    let company = ctx.caller.company_id().clone();
    let index = email_index(&app.index_key, &company, &update.email);
    ctx.exchange.note_subject(index);
    let unit = Apply {
        pen: Pen::of(app),
        email_index: index,
        phone_index: update
            .phone
            .as_ref()
            .map(|phone| phone_index(&app.index_key, &company, phone)),
        source: ctx.caller.credential().to_owned(),
        request_id: ctx.exchange.request_id.clone(),
        metadata: serde_json::to_vec(&update.metadata).map_err(crate::Error::internal)?,
        now: app.clock.now(),
        draft: app.recorder.draft(&ctx.exchange).await?,
        company,
        update,
        reply,
    };
    let (updated, news) = app.store.write(unit).await?;
    ctx.exchange.mark_recorded();
    news.announce(app);
    Ok(updated)
}

struct Apply {
    pen: Pen,
    company: CompanyId,
    email_index: BlindIndex,
    phone_index: Option<BlindIndex>,
    update: Update,
    source: String,
    request_id: String,
    metadata: Vec<u8>,
    now: Timestamp,
    draft: Draft,
    reply: Reply<Updated>,
}

impl Unit for Apply {
    type Output = (Updated, News);

    fn lane(&self) -> Lane {
        Lane::of(self.email_index.as_bytes())
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Self::Output>> {
        let (applied, mut news) =
            match customers::find_for_update(tx, self.company.as_str(), self.email_index).await? {
                Some(known) => self.change(tx, known).await?,
                None => (self.create(tx).await?, News::default()),
            };
        let output = Updated {
            email: self.update.email.clone(),
            proof: self.update.proof,
            applied,
            at: self.now,
        };
        self.reply.store(tx, &output).await?;
        let detail = Some(self.detail(applied));
        let mut records = vec![self.draft.clone().finish("ok", 200, detail)];
        records.extend(news.take_records());
        Ok(Written {
            output: (output, news),
            records,
        })
    }
}

impl Apply {
    async fn create(&self, tx: &mut Tx<'_>) -> store::Result<Applied> {
        let (company, now) = (self.company.as_str(), self.now);
        let (ring, random) = (&self.pen.ring, self.pen.random.as_ref());
        let key = people::insert_key(tx, ring, random, company, now).await?;
        let mut standing = Standing::default();
        let applied = standing.apply(self.update.proof, self.as_change());
        let evidence = self.keep_evidence(tx, &key, None, applied).await?;
        let email = self.seal(&key, "email", self.update.email.as_str())?;
        let phone = self.sealed_phone(&key)?;
        let phone = phone.as_ref().map(|(index, sealed)| Phone {
            index: *index,
            sealed,
        });
        let customer = Customer {
            email: &email,
            phone_changed_at: phone.is_some().then_some(self.as_change().occurred_at),
            phone,
            ..self.customer(&key, evidence, &standing)
        };
        if customers::insert(tx, &customer).await? {
            return Ok(applied);
        }
        Err(store::Error::Conflict("customer created elsewhere".into()))
    }

    async fn change(
        &self,
        tx: &mut Tx<'_>,
        mut known: ForUpdate,
    ) -> store::Result<(Applied, News)> {
        let key = self.pen.ring.unwrap(&known.data_key).map_err(sealing)?;
        let age_until = known.age_verified_until;
        let missing = |standing: &Standing| self.pen.missing(standing, age_until, self.now);
        let before = missing(&known.standing);
        let applied = known.standing.apply(self.update.proof, self.as_change());
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
        Ok((applied, orders::look_again(&self.pen, tx, &proofs).await?))
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
        let change = self.as_change();
        if self.phone_index.is_none() || !change.supersedes(known.phone_changed_at) {
            return Ok(known.phone_changed_at);
        }
        if self.phone_index != known.phone_index
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
            proof: self.update.proof.as_str(),
            status: self.update.status,
            applied: applied == Applied::Changed,
            assurance: assurance(self.update.proof).as_str(),
            source: &self.source,
            occurred_at: self.as_change().occurred_at,
            recorded_at: self.now,
            request_id: &self.request_id,
            data_key: key.id(),
            metadata: &metadata,
        };
        evidence::insert(tx, &evidence).await?;
        Ok(id)
    }

    fn as_change(&self) -> Change {
        Change {
            status: self.update.status,
            // A sender's clock may be ahead; what happens next must still count as newer.
            occurred_at: self
                .update
                .occurred_at
                .map_or(self.now, |at| at.min(self.now)),
        }
    }

    fn sealed_phone(&self, key: &DataKey) -> store::Result<Option<(BlindIndex, Vec<u8>)>> {
        let (Some(index), Some(phone)) = (self.phone_index, &self.update.phone) else {
            return Ok(None);
        };
        Ok(Some((index, self.seal(key, "phone", phone.as_str())?)))
    }

    fn seal(&self, key: &DataKey, column: &'static str, value: &str) -> store::Result<Vec<u8>> {
        let place = place(&self.email_index, column);
        key.seal(place, value.as_bytes(), self.pen.random.as_ref())
            .map_err(sealing)
    }

    fn detail(&self, applied: Applied) -> String {
        let word = match applied {
            Applied::Changed => "applied",
            Applied::Stale => "stale",
        };
        format!(
            "{}={} {word}",
            self.update.proof.as_str(),
            self.update.status
        )
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
fn assurance(proof: Proof) -> Assurance {
    match proof {
        Proof::Veriff => Assurance::Provider,
        Proof::Membership | Proof::EmailOptin => Assurance::SelfDeclared,
    }
}
