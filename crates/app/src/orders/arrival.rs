//! An order on its way into the database: new, known, or changed by its shop's staff.
//!
//! A held order whose address is corrected in the shop goes to the customer of the new address, and
//! keeps its deadline: what is missing, the reminders and the link are the new customer's. What is
//! decided stays with whom it was decided about. An order that the shop had ended and wants again
//! passes the gate anew, as of now; what staff have cancelled here stays cancelled.
//! Must not: be run outside the lanes that it names.

use domain::access::CompanyId;
use domain::age::Assurance;
use domain::order::{self, Missing, Status};
use domain::random::uuid_v7;
use domain::seal::{BlindIndex, DataKey};
use domain::standing::Standing;
use jiff::Timestamp;
use store::tables::customers::{self, Customer, ForUpdate, Phone};
use store::tables::orders::{self, Order, WithCustomer};
use store::{Lane, Tx};

use super::change::Change;
use super::news::News;
use super::pen::Pen;
use super::place::{Placed, Request};
use super::shown::Shown;
use crate::App;
use crate::customers::{Newcomer, Piece, email_index, phone_index, place as place_of};
use crate::people::sealing;

/// Where an order comes from when nobody says.
const SOURCE: &str = "api";

/// An order on its way into the database, whoever brings it.
pub(super) struct Arrival {
    pen: Pen,
    company: CompanyId,
    /// A hash of the order's name, for its lane.
    order_name: BlindIndex,
    /// Whose order it is.
    pub email_index: BlindIndex,
    /// Whose it was when we last looked, if it is known and follows its shop.
    former: Option<BlindIndex>,
    phone_index: Option<BlindIndex>,
    request: Request,
    credential: String,
    request_id: String,
    now: Timestamp,
}

/// What became of it.
pub(super) struct Taken {
    /// How it stands.
    pub placed: Placed,
    /// What else to tell of it.
    pub news: News,
    /// What the audit log calls it.
    pub word: &'static str,
}

/// What is kept, sealed, as evidence of where a customer came from.
#[derive(serde::Serialize)]
struct Metadata<'a> {
    order_id: &'a str,
    order_source: &'a str,
}

impl Arrival {
    /// An order that `credential` tells of, in a request of that id; `former` is whose it was.
    pub fn new(
        app: &App,
        company: CompanyId,
        request: Request,
        former: Option<BlindIndex>,
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
            former,
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

    /// The lane of the order's name, which two customers may contend for, and that of the customer who
    /// may lose it.
    pub fn other_lanes(&self) -> Vec<Lane> {
        let names = std::iter::once(self.order_name).chain(self.former);
        names.map(|name| Lane::of(name.as_bytes())).collect()
    }

    /// Takes the order in, or finds it; `None`, and nothing is written, when there is another of
    /// that name.
    pub async fn take_in(&self, tx: &mut Tx<'_>) -> store::Result<Option<Taken>> {
        let (company, order_id) = (self.company.as_str(), &self.request.order_id);
        let Some(known) = orders::find(tx, company, order_id).await? else {
            return self.insert(tx).await.map(Some);
        };
        if !self.is_the_same(&known.order) {
            return Ok(None);
        }
        let (news, word) = match self.request.follows_shop {
            true => self.follow(tx).await?,
            false => (News::default(), "known"),
        };
        let found = orders::find(tx, company, order_id).await?.unwrap_or(known);
        let placed = Placed {
            order: Shown::of(&self.pen, found, self.now),
            is_new: false,
        };
        Ok(Some(Taken { placed, news, word }))
    }

    fn is_the_same(&self, known: &Order) -> bool {
        let source = self.request.source.as_ref();
        let is_of_the_source = source.is_none_or(|source| *source == known.source);
        let may_move = self.request.follows_shop;
        is_of_the_source && (may_move || known.email_index == self.email_index)
    }

    /// Does what the shop's word changes of an order that is known; returns the word for it too.
    async fn follow(&self, tx: &mut Tx<'_>) -> store::Result<(News, &'static str)> {
        let (company, order_id) = (self.company.as_str(), &self.request.order_id);
        let order = orders::find_for_update(tx, company, order_id).await?;
        let is_in_our_lanes = |order: &Order| {
            order.email_index == self.email_index || Some(order.email_index) == self.former
        };
        let order = order
            .filter(is_in_our_lanes)
            .ok_or_else(|| store::Error::Conflict("order moved elsewhere".into()))?;
        let comes_back = order.status == Status::Cancelled && order.ended_in_shop;
        let is_overdue = order::is_overdue(order.status, order.deadline, self.now);
        let waits = order.status == Status::Held && !is_overdue;
        let is_anothers = order.email_index != self.email_index;
        let is_corrected = waits && is_anothers;
        if !(comes_back || is_corrected) {
            return Ok((News::default(), "known"));
        }
        let (key, customer) = self.customer(tx).await?;
        let missing = self.pen.missing_of(&order, Some(&customer), self.now);
        // Who was erased and came again has another key.
        let moves = is_anothers || order.data_key != key.id();
        let order = match moves {
            true => self.readdress(tx, order, &key).await?,
            false => order,
        };
        let mut change = Change::of(&self.pen, order, Some(&key), self.now);
        if moves {
            change.readdressed(missing, &self.request_id);
        }
        if comes_back {
            change.reinstated(missing, &self.request_id);
        }
        let word = if comes_back { "reinstated" } else { "moved" };
        Ok((change.write(tx).await?.1, word))
    }

    /// Makes it the order of this customer. A link in a mail to the former one names the row, and opens
    /// nothing any more.
    async fn readdress(
        &self,
        tx: &mut Tx<'_>,
        order: Order,
        key: &DataKey,
    ) -> store::Result<Order> {
        let former = order.id;
        let order = Order {
            id: uuid_v7(self.now, &*self.pen.random),
            email_index: self.email_index,
            data_key: key.id(),
            ..order
        };
        orders::readdress(tx, former, &order).await?;
        Ok(order)
    }

    async fn insert(&self, tx: &mut Tx<'_>) -> store::Result<Taken> {
        let (key, customer) = self.customer(tx).await?;
        let order = self.order(&key, &customer);
        let inserted = Change::placed(&self.pen, order, &key, self.now)
            .insert(tx)
            .await?;
        let (order, news) =
            inserted.ok_or_else(|| store::Error::Conflict("order placed elsewhere".into()))?;
        let word = order.status.as_str();
        let found = WithCustomer {
            order,
            customer: Some(customer),
        };
        let placed = Placed {
            order: Shown::of(&self.pen, found, self.now),
            is_new: true,
        };
        Ok(Taken { placed, news, word })
    }

    /// The customer, who is made if need be, and the customer's key.
    async fn customer(&self, tx: &mut Tx<'_>) -> store::Result<(DataKey, customers::Found)> {
        let company = self.company.as_str();
        let known = customers::find_for_update(tx, company, self.email_index).await?;
        let Some(known) = known else {
            let newcomer = self.make_customer(tx).await?;
            let found = self.found(Standing::default(), newcomer.age_verified_until);
            return Ok((newcomer.key, found));
        };
        let key = self.pen.ring.unwrap(&known.data_key).map_err(sealing)?;
        self.change_phone(tx, &key, &known).await?;
        let found = self.found(known.standing, known.age_verified_until);
        Ok((key, found))
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
            by_phone: false,
        }
    }

    async fn make_customer(&self, tx: &mut Tx<'_>) -> store::Result<Newcomer> {
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
