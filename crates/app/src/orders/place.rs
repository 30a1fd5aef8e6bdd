//! A shop tells of an order.

use domain::access::CompanyId;
use domain::age::Assurance;
use domain::contact::{E164, Email};
use domain::order::{Missing, Status};
use domain::random::uuid_v7;
use domain::seal::{BlindIndex, DataKey};
use domain::standing::Standing;
use jiff::Timestamp;
use store::tables::customers::{self, Customer, ForUpdate, Phone};
use store::tables::orders::{self, Order, WithCustomer};
use store::{Lane, Tx, Unit, Written};

use super::change::Change;
use super::news::News;
use super::pen::Pen;
use super::shown::Shown;
use crate::audit::Draft;
use crate::customers::{Piece, email_index, phone_index, place as place_of};
use crate::idempotency::Reply;
use crate::people::sealing;
use crate::{App, Code, Ctx, Error, Result};

/// Where an order comes from when nobody says.
const SOURCE: &str = "api";

/// An order as a shop tells of it.
#[derive(Debug, Clone)]
pub struct Request {
    /// The shop's number for it.
    pub order_id: String,
    /// The shop; `api` when it is not named.
    pub source: Option<String>,
    /// Whose order.
    pub email: Email,
    /// The customer's phone number, when it is known.
    pub phone: Option<E164>,
    /// When it was placed; now, unless the shop knows better.
    pub placed_at: Option<Timestamp>,
}

/// An order that is known.
#[derive(Debug, Clone)]
pub struct Placed {
    /// How it stands.
    pub order: Shown,
    /// Whether it was not known before.
    pub is_new: bool,
}

/// Takes an order in, and releases or holds it. The same order again is answered as it stands.
///
/// # Errors
/// [`Code::Conflict`] when there is an order of that name with another address, or from another
/// source.
pub async fn place(app: &App, ctx: &Ctx, request: Request, reply: Reply<Placed>) -> Result<Placed> {
    let company = ctx.caller.company_id().clone();
    let (credential, request_id) = (ctx.caller.credential(), &ctx.exchange.request_id);
    let arrival = Arrival::new(app, company, request, credential, request_id);
    ctx.exchange.note_subject(arrival.email_index);
    let unit = Place {
        arrival,
        draft: app.recorder.draft(&ctx.exchange).await?,
        reply,
    };
    let (placed, news) = app.store.write(unit).await?.ok_or_else(|| {
        let problem = "There is an order of that order_id with another email or source.";
        Error::new(Code::Conflict, problem)
    })?;
    ctx.exchange.mark_recorded();
    news.announce(app);
    Ok(placed)
}

/// An order on its way into the database, whoever brings it.
pub(crate) struct Arrival {
    pen: Pen,
    company: CompanyId,
    /// A hash of the order's name, for its lane.
    order_name: BlindIndex,
    /// Whose order it is.
    pub email_index: BlindIndex,
    phone_index: Option<BlindIndex>,
    request: Request,
    credential: String,
    request_id: String,
    now: Timestamp,
}

struct Place {
    arrival: Arrival,
    draft: Draft,
    reply: Reply<Placed>,
}

/// What is kept, sealed, as evidence of where a customer came from.
#[derive(serde::Serialize)]
struct Metadata<'a> {
    order_id: &'a str,
    order_source: &'a str,
}

impl Unit for Place {
    type Output = Option<(Placed, News)>;

    fn lane(&self) -> Lane {
        self.arrival.lane()
    }

    fn other_lanes(&self) -> Vec<Lane> {
        self.arrival.other_lanes()
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Self::Output>> {
        let Some((placed, mut news)) = self.arrival.take_in(tx).await? else {
            return Ok(Written {
                output: None,
                records: Vec::new(),
            });
        };
        self.reply.store(tx, &placed).await?;
        let mut records = news.take_records();
        let (status, word) = match placed.is_new {
            true => (201, placed.order.status.as_str()),
            false => (200, "known"),
        };
        let own = self.draft.clone();
        records.push(own.finish("ok", status, Some(word.to_owned())));
        Ok(Written {
            output: Some((placed, news)),
            records,
        })
    }
}

impl Arrival {
    /// An order that `credential` tells of, in a request of that id.
    pub fn new(
        app: &App,
        company: CompanyId,
        request: Request,
        credential: &str,
        request_id: &str,
    ) -> Self {
        let index = &app.index_key;
        let phone = request.phone.as_ref();
        Self {
            pen: Pen::of(app),
            order_name: index.index("order", company.as_str(), &request.order_id),
            email_index: email_index(index, &company, &request.email),
            phone_index: phone.map(|phone| phone_index(index, &company, phone)),
            credential: credential.to_owned(),
            request_id: request_id.to_owned(),
            now: app.clock.now(),
            company,
            request,
        }
    }

    /// The lane of the customer.
    pub fn lane(&self) -> Lane {
        Lane::of(self.email_index.as_bytes())
    }

    /// The lane of the order's name, which two customers may contend for.
    pub fn other_lanes(&self) -> Vec<Lane> {
        vec![Lane::of(self.order_name.as_bytes())]
    }

    /// Takes the order in, or finds it; `None`, and nothing is written, when there is another of
    /// that name.
    pub async fn take_in(&self, tx: &mut Tx<'_>) -> store::Result<Option<(Placed, News)>> {
        let known = orders::find(tx, self.company.as_str(), &self.request.order_id).await?;
        match known {
            Some(known) if !self.is_the_same(&known.order) => Ok(None),
            Some(known) => {
                let order = Shown::of(&self.pen, known, self.now);
                let placed = Placed {
                    order,
                    is_new: false,
                };
                Ok(Some((placed, News::default())))
            }
            None => self.insert(tx).await.map(Some),
        }
    }

    fn is_the_same(&self, known: &Order) -> bool {
        let source = self.request.source.as_ref();
        known.email_index == self.email_index && source.is_none_or(|source| *source == known.source)
    }

    async fn insert(&self, tx: &mut Tx<'_>) -> store::Result<(Placed, News)> {
        let company = self.company.as_str();
        let known = customers::find_for_update(tx, company, self.email_index).await?;
        let (key, customer) = match &known {
            Some(known) => {
                let key = self.pen.ring.unwrap(&known.data_key).map_err(sealing)?;
                self.change_phone(tx, &key, known).await?;
                (key, self.found(known.standing, known.age_verified_until))
            }
            None => (
                self.make_customer(tx).await?,
                self.found(Standing::default(), None),
            ),
        };
        let order = self.order(&key, &customer);
        let inserted = Change::placed(&self.pen, order, &key, self.now)
            .insert(tx)
            .await?;
        let (order, news) =
            inserted.ok_or_else(|| store::Error::Conflict("order placed elsewhere".into()))?;
        let found = WithCustomer {
            order,
            customer: Some(customer),
        };
        let placed = Placed {
            order: Shown::of(&self.pen, found, self.now),
            is_new: true,
        };
        Ok((placed, news))
    }

    fn order(&self, key: &DataKey, customer: &customers::Found) -> Order {
        let placed_at = self.placed_at();
        let age_until = customer.age_verified_until;
        let missing: Missing = self.pen.missing(&customer.standing, age_until, self.now);
        Order {
            id: uuid_v7(self.now, &*self.pen.random),
            company_id: self.company.as_str().to_owned(),
            order_id: self.request.order_id.clone(),
            source: self.source().to_owned(),
            email_index: self.email_index,
            data_key: key.id(),
            // Until it is decided on.
            status: Status::Held,
            missing,
            placed_at,
            deadline: self.pen.policy.schedule.deadline(placed_at),
            reminded_at: None,
            events: 0,
            next_at: None,
            created_at: self.now,
            updated_at: self.now,
            reinstated_at: None,
            ended_in_shop: false,
        }
    }

    fn source(&self) -> &str {
        self.request.source.as_deref().unwrap_or(SOURCE)
    }

    /// A shop's clock may be ahead; nobody waits for an order to have been placed.
    fn placed_at(&self) -> Timestamp {
        let placed_at = self.request.placed_at;
        placed_at.map_or(self.now, |at| at.min(self.now))
    }

    fn found(&self, standing: Standing, age_until: Option<Timestamp>) -> customers::Found {
        customers::Found {
            standing,
            updated_at: self.now,
            age_verified_until: age_until,
        }
    }

    async fn make_customer(&self, tx: &mut Tx<'_>) -> store::Result<DataKey> {
        let metadata = serde_json::to_vec(&Metadata {
            order_id: &self.request.order_id,
            order_source: self.source(),
        })
        .map_err(|error| store::Error::Refused(error.to_string()))?;
        let piece = Piece {
            company: self.company.as_str(),
            email_index: self.email_index,
            proof: "order",
            assurance: Assurance::SelfDeclared.as_str(),
            source: &self.credential,
            request_id: &self.request_id,
            occurred_at: self.placed_at(),
            now: self.now,
            metadata,
        };
        let phone = self.phone_index.zip(self.request.phone.as_ref());
        let (ring, random) = (&*self.pen.ring, &*self.pen.random);
        piece
            .make_customer(tx, ring, random, &self.request.email, phone)
            .await
    }

    /// The order's phone number becomes the customer's, unless a newer one is known.
    async fn change_phone(
        &self,
        tx: &mut Tx<'_>,
        key: &DataKey,
        known: &ForUpdate,
    ) -> store::Result<()> {
        let Some((index, phone)) = self.phone_index.zip(self.request.phone.as_ref()) else {
            return Ok(());
        };
        let placed_at = self.placed_at();
        let is_newer = known.phone_changed_at.is_none_or(|at| at <= placed_at);
        if !is_newer || known.phone_index == Some(index) {
            return Ok(());
        }
        let place = place_of(&self.email_index, "phone");
        let sealed = key
            .seal(place, phone.as_str().as_bytes(), &*self.pen.random)
            .map_err(sealing)?;
        let phone = Phone {
            index,
            sealed: &sealed,
        };
        let company = self.company.as_str();
        customers::set_phone(tx, company, self.email_index, &phone).await?;
        let customer = Customer {
            company_id: company,
            email_index: self.email_index,
            data_key: key.id(),
            last_evidence: known.last_evidence,
            email: &[],
            phone: None,
            phone_changed_at: Some(placed_at),
            standing: &known.standing,
            created_at: self.now,
            updated_at: self.now,
        };
        customers::update(tx, &customer).await.map(drop)
    }
}
