//! What is done inside the transaction of an erasure, table by table.

use std::sync::Arc;

use domain::access::CompanyId;
use domain::hook::Source;
use domain::random::{self, uuid_v7};
use domain::seal::{BlindIndex, DataKey, IndexKey};
use jiff::Timestamp;
use store::Tx;
use store::tables::data_keys;
use store::tables::erasure::{self, Person};
use store::tables::erasures::{self, Erasure};
use store::tables::personal;
use store::tables::square_customers::{self, SquareCustomer};
use uuid::Uuid;

use super::Indexes;
use crate::orders::{self, News, Pen};
use crate::square::Whom;
use crate::{App, Result, inbox, lightspeed, square};

/// What an erasure took away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Customers: one or none.
    pub customers: u64,
    /// Pieces of evidence.
    pub evidence: u64,
    /// Orders that lead to nobody now.
    pub orders: u64,
    /// Those of them that were open, and are cancelled.
    pub orders_cancelled: u64,
    /// Names under which an age was verified.
    pub age_customers: u64,
    /// Sessions of number verification.
    pub number_sessions: u64,
    /// Sessions of Veriff.
    pub veriff_sessions: u64,
    /// What came in about the person.
    pub events: u64,
    /// Messages that had not left yet.
    pub deliveries: u64,
    /// Customers of Square.
    pub square_customers: u64,
    /// Stored answers, and addresses that mails were kept from.
    pub other: u64,
    /// Data keys that were destroyed.
    pub keys: u64,
}

impl Counts {
    /// Each count by its name.
    pub(super) const fn named(&self) -> [(&'static str, u64); 12] {
        [
            ("customers", self.customers),
            ("evidence", self.evidence),
            ("orders", self.orders),
            ("orders_cancelled", self.orders_cancelled),
            ("age_customers", self.age_customers),
            ("number_sessions", self.number_sessions),
            ("veriff_sessions", self.veriff_sessions),
            ("events", self.events),
            ("deliveries", self.deliveries),
            ("square_customers", self.square_customers),
            ("other", self.other),
            ("keys", self.keys),
        ]
    }
}

/// Erases one person of a company.
pub(super) struct Eraser {
    pen: Pen,
    index_key: Arc<IndexKey>,
    company: CompanyId,
    company_key: Arc<DataKey>,
    nobody: BlindIndex,
    request_id: String,
    /// The name of the erasure.
    pub id: Uuid,
    /// Now.
    pub now: Timestamp,
}

impl Eraser {
    /// With everything that must not be made inside the transaction.
    ///
    /// # Errors
    /// When the company's key must be fetched and the database is away.
    pub async fn new(app: &App, company: &CompanyId, request_id: &str) -> Result<Self> {
        let (now, random) = (app.clock.now(), &*app.random);
        let nobody = BlindIndex::from_bytes(&random::bytes::<{ BlindIndex::LENGTH }>(random));
        Ok(Self {
            pen: Pen::of(app),
            index_key: app.index_key.clone(),
            company_key: app.keys.of_company(company.as_str(), now).await?,
            company: company.clone(),
            nobody: nobody.ok_or_else(|| crate::Error::internal("no index of random bytes"))?,
            request_id: request_id.to_owned(),
            id: uuid_v7(now, random),
            now,
        })
    }

    /// Erases the person, and whatever else is found under the keyed hashes.
    ///
    /// # Errors
    /// Those of the database, and a data key that does not open here: without it a number that was
    /// verified cannot be found.
    pub async fn erase(
        &self,
        tx: &mut Tx<'_>,
        person: Option<&Person>,
        mut indexes: Indexes,
    ) -> store::Result<(Counts, News)> {
        let (mut counts, mut keys, mut news) = (Counts::default(), Vec::new(), News::default());
        if let Some(person) = person {
            indexes.add((&self.pen.ring, &self.index_key), &self.company, person)?;
            news = self.customer(tx, person, &mut counts, &mut keys).await?;
        }
        let company = self.company.as_str();
        if let Some(phone) = indexes.phone
            && erasure::is_held_by_another(tx, company, phone, indexes.email).await?
        {
            // What is known by the number is theirs as well, and must not go.
            (indexes.phone, indexes.number) = (None, None);
        }
        if let Some(email) = indexes.email {
            self.linked(tx, email, &indexes, &mut counts, &mut keys)
                .await?;
        }
        if let Some(number) = indexes.number {
            let sessions = erasure::numbers(tx, company, number).await?;
            counts.number_sessions = sessions.len() as u64;
            keys.extend(sessions);
        }
        for index in indexes.each() {
            let events = erasure::events_about(tx, company, index, self.now).await?;
            counts.events += events.len() as u64;
            keys.extend(events);
            counts.other += erasure::answers_and_suppressions(tx, company, index).await?;
        }
        self.destroy(tx, keys, &mut counts).await?;
        Ok((counts, news))
    }

    /// The customer, the evidence, the orders and what waits to be said of them.
    async fn customer(
        &self,
        tx: &mut Tx<'_>,
        person: &Person,
        counts: &mut Counts,
        keys: &mut Vec<Uuid>,
    ) -> store::Result<News> {
        let (company, email) = (self.company.as_str(), person.email_index);
        let key = person.data_key;
        counts.deliveries += erasure::deliveries(tx, email.as_bytes(), key, self.now).await?;
        for (order_id, source) in erasure::list_orders(tx, company, email).await? {
            let stream = orders::stream_of(company, &order_id);
            for stream in [lightspeed::stream_of(&stream), stream] {
                counts.deliveries += erasure::deliveries(tx, &stream, key, self.now).await?;
            }
            if source == lightspeed::SOURCE.as_str() {
                let events = self.events_of(tx, lightspeed::SOURCE, &order_id).await?;
                counts.events += events.len() as u64;
                keys.extend(events);
            }
        }
        let (pen, key) = (&self.pen, &self.company_key);
        let of = (company, email);
        let (cancelled, news) =
            orders::cancel_all(pen, tx, of, key, &self.request_id, self.now).await?;
        counts.orders_cancelled = cancelled;
        counts.orders = erasure::orders(tx, company, email, self.nobody).await?;
        counts.evidence = erasure::customer(tx, company, person).await?;
        counts.customers = 1;
        keys.push(person.data_key);
        Ok(news)
    }

    /// What is linked to an address, whether there is a customer or not.
    async fn linked(
        &self,
        tx: &mut Tx<'_>,
        email: BlindIndex,
        indexes: &Indexes,
        counts: &mut Counts,
        keys: &mut Vec<Uuid>,
    ) -> store::Result<()> {
        let (company, nobody) = (self.company.as_str(), self.nobody);
        let sessions = erasure::veriff_sessions(tx, company, email, nobody, self.now).await?;
        counts.veriff_sessions = sessions.len() as u64;
        for name in sessions {
            let events = self.events_of(tx, Source::Veriff, &name).await?;
            counts.events += events.len() as u64;
            keys.extend(events);
        }
        for age in erasure::ages(tx, company, email, indexes.age, nobody).await? {
            counts.age_customers += 1;
            counts.other += erasure::answers_and_suppressions(tx, company, age.index).await?;
            keys.push(age.data_key);
        }
        for customer in personal::list_square(tx, company, email).await? {
            let id = square::id_of(&self.pen.ring, &customer)?;
            let stream = inbox::stream_index(&self.index_key, company, square::SOURCE, &id);
            let events = erasure::events_of_square(tx, company, stream, self.now).await?;
            counts.events += events.len() as u64;
            keys.extend(events);
        }
        let holders = square_customers::list_holders(tx, company, email).await?;
        let (customers, square) = erasure::square(tx, company, email).await?;
        counts.square_customers = customers;
        keys.extend(square);
        self.let_go(tx, email, &holders).await
    }

    /// Has whoever they were merged into at Square hold what is proven without them.
    async fn let_go(
        &self,
        tx: &mut Tx<'_>,
        email: BlindIndex,
        holders: &[SquareCustomer],
    ) -> store::Result<()> {
        let owners = holders.iter().filter_map(|holder| holder.subject_index);
        for email_index in owners.filter(|owner| *owner != email) {
            let whom = Whom {
                company: self.company.as_str(),
                email_index,
                now: self.now,
            };
            square::ask(&self.pen, tx, &whom).await?;
        }
        Ok(())
    }

    async fn events_of(
        &self,
        tx: &mut Tx<'_>,
        source: Source,
        stream: &str,
    ) -> store::Result<Vec<Uuid>> {
        let company = self.company.as_str();
        let stream = inbox::stream_index(&self.index_key, company, source, stream);
        erasure::events_of_stream(tx, company, stream, self.now).await
    }

    async fn destroy(
        &self,
        tx: &mut Tx<'_>,
        keys: Vec<Uuid>,
        counts: &mut Counts,
    ) -> store::Result<()> {
        for key in &keys {
            counts.keys += u64::from(data_keys::destroy(tx, *key).await?);
        }
        if keys.is_empty() {
            return Ok(());
        }
        let erasure = Erasure {
            id: self.id,
            company_id: self.company.as_str().to_owned(),
            at: self.now,
            keys,
        };
        erasures::insert(tx, &erasure).await.map(drop)
    }
}
