//! What happens to one order in one transaction: gathered first, written at once.

use domain::audit::{Outcome, Record};
use domain::order::{self, Missing, Next, Occasion, Status};
use domain::random::uuid_v7;
use domain::seal::{DataKey, Place, SealError};
use jiff::Timestamp;
use store::Tx;
use store::tables::order_events::{self, OrderEvent};
use store::tables::orders::{self, Order};
use uuid::Uuid;

use super::event::{Event, OrderMoved};
use super::mails::Mail;
use super::news::News;
use super::pen::Pen;
use crate::deliveries::{Outgoing, Sealed, WEBHOOK};
use crate::lightspeed;
use crate::people::sealing;

/// One order, locked or new, and what has happened to it so far.
pub(super) struct Change<'a> {
    pen: &'a Pen,
    /// The customer's key; `None` once it is destroyed: then nobody is told anything.
    key: Option<&'a DataKey>,
    /// The order as it stands now.
    pub order: Order,
    now: Timestamp,
    timeline: Vec<OrderEvent>,
    told: Vec<Event>,
    mails: Vec<Mail>,
    news: News,
}

impl<'a> Change<'a> {
    /// An order that is there.
    pub fn of(pen: &'a Pen, order: Order, key: Option<&'a DataKey>, now: Timestamp) -> Self {
        Self {
            pen,
            key,
            order,
            now,
            timeline: Vec::new(),
            told: Vec::new(),
            mails: Vec::new(),
            news: News::default(),
        }
    }

    /// An order that is placed, of which `order.missing` is missing.
    pub fn placed(pen: &'a Pen, order: Order, key: &'a DataKey, now: Timestamp) -> Self {
        let placed_at = order.placed_at;
        let mut change = Self::of(pen, order, Some(key), now);
        change.note(placed_at, "placed", None, None);
        let order = &change.order;
        let status = order::placed(order.missing.is_empty(), order.deadline, now);
        change.becomes(status, None);
        change.remind();
        change
    }

    /// What has come with time alone: the deadline, or a reminder. An order of which nothing is
    /// `missing` by the rules of today is released instead, however late that is noticed: no proof is
    /// to come any more that would release it. One that has expired comes here only when a proof was
    /// given that had no room for it in its own transaction.
    pub fn catch_up(&mut self, missing: Missing) {
        let given = self.order.status == Status::Expired;
        if given || self.order.status == Status::Held {
            self.learn(missing);
        }
        let complete = missing.is_empty();
        self.happens(Occasion::Proofs { given, complete }, None);
        self.expire_if_overdue(None);
        self.remind();
    }

    /// A proof was given or withdrawn: what was missing `before`, and what is now. What comes after
    /// the deadline comes late; an order of which nothing was missing before was not late.
    pub fn proofs(&mut self, before: Missing, after: Missing, request_id: &str) {
        let (given, complete) = (before.lost_any(after), after.is_empty());
        if given || !complete {
            self.expire_if_overdue(Some(request_id));
        }
        self.learn(after);
        self.happens(Occasion::Proofs { given, complete }, Some(request_id));
        self.remind();
    }

    /// It is another customer's now, of whom so much is missing and who was not reminded yet.
    pub fn readdressed(&mut self, missing: Missing, request_id: &str) {
        let detail = "another address in the shop".to_owned();
        self.note(self.now, "moved", Some(detail), None);
        self.begin_again(missing);
        let (given, complete) = (false, missing.is_empty());
        self.happens(Occasion::Proofs { given, complete }, Some(request_id));
        self.remind();
    }

    /// The shop that had ended it wants it again: it is held as of now, or released.
    pub fn reinstated(&mut self, missing: Missing, request_id: &str) {
        self.note(self.now, "reinstated", None, None);
        self.begin_again(missing);
        self.order.ended_in_shop = false;
        self.order.reinstated_at = Some(self.now);
        self.order.deadline = self.pen.policy.schedule.deadline(self.now);
        let complete = missing.is_empty();
        self.happens(Occasion::Reinstate { complete }, Some(request_id));
        self.remind();
    }

    /// Its customer is erased: nobody is left who could complete it.
    pub fn erased(&mut self, request_id: &str) {
        self.note(self.now, "erased", None, None);
        self.happens(Occasion::Cancel, Some(request_id));
    }

    fn begin_again(&mut self, missing: Missing) {
        self.order.missing = missing;
        self.order.reminded_at = None;
        self.order.updated_at = self.now;
    }

    /// A person has decided, while so much was missing; returns what comes of it. A reason about
    /// somebody who was erased is not kept.
    pub fn decided(
        &mut self,
        occasion: Occasion,
        missing: Missing,
        reason: &str,
    ) -> Result<Next, SealError> {
        self.expire_if_overdue(None);
        let next = order::next(self.order.status, occasion);
        if let Next::Becomes(status) = next {
            if self.order.status.is_open() {
                self.order.missing = missing;
            }
            let row = event_row(self.order.id, self.order.events + 1);
            let seal = |key: &DataKey| key.seal(place(&row), reason.as_bytes(), &*self.pen.random);
            let sealed = self.key.map(seal).transpose()?;
            self.becomes(status, sealed);
        }
        Ok(next)
    }

    fn expire_if_overdue(&mut self, request_id: Option<&str>) {
        let Order {
            status, deadline, ..
        } = self.order;
        if order::is_overdue(status, deadline, self.now) {
            self.happens(Occasion::Deadline, request_id);
        }
    }

    fn learn(&mut self, missing: Missing) {
        if missing != self.order.missing {
            self.order.missing = missing;
            self.order.updated_at = self.now;
            self.note(self.now, "proof", Some(in_words(missing)), None);
        }
    }

    /// Something happens that nobody asked for: the audit log hears of it here.
    fn happens(&mut self, occasion: Occasion, request_id: Option<&str>) {
        if let Next::Becomes(status) = order::next(self.order.status, occasion) {
            self.becomes(status, None);
            let record = self.record(status, request_id);
            self.news.records.push(record);
        }
    }

    fn becomes(&mut self, status: Status, reason: Option<Vec<u8>>) {
        self.order.status = status;
        self.order.updated_at = self.now;
        self.order.next_at = None;
        let detail = reason.is_none().then(|| in_words(self.order.missing));
        self.note(self.now, status.as_str(), detail, reason);
        self.news.statuses.push(status);
        if let Some(topic) = status.topic() {
            let moved = self.moved(topic);
            self.told.push(Event::Order(moved));
        }
        if status == Status::Expired {
            self.mails.push(Mail::Expired);
        }
    }

    /// Sends the newest reminder that is due, and notes when to look again.
    fn remind(&mut self) {
        if self.order.status != Status::Held {
            return;
        }
        let (from, schedule) = (self.order.held_from(), &self.pen.policy.schedule);
        if let Some(step) = schedule.due(from, self.order.reminded_at, self.now) {
            let detail = format!("{} of {}", step + 1, schedule.steps());
            self.note(self.now, "reminder", Some(detail), None);
            self.order.reminded_at = Some(self.now);
            self.mails.push(Mail::Reminder(self.now));
        }
        let next = schedule.next(from, self.order.deadline, self.now);
        self.order.next_at = Some(next);
    }

    fn note(
        &mut self,
        at: Timestamp,
        event: &str,
        detail: Option<String>,
        reason: Option<Vec<u8>>,
    ) {
        self.order.events += 1;
        self.timeline.push(OrderEvent {
            number: self.order.events,
            at,
            event: event.to_owned(),
            detail,
            reason,
        });
    }

    fn moved(&self, topic: &'static str) -> OrderMoved {
        OrderMoved {
            topic,
            at: self.now,
            order_id: self.order.order_id.clone(),
            source: self.order.source.clone(),
            status: self.order.status,
            missing: self.order.missing,
            placed_at: self.order.placed_at,
            deadline: self.order.deadline,
        }
    }

    fn record(&self, status: Status, request_id: Option<&str>) -> Record {
        let fresh = || uuid_v7(self.now, &*self.pen.random).to_string();
        Record {
            at: self.now,
            request_id: request_id.map_or_else(fresh, str::to_owned).into(),
            company: self.order.company_id.as_str().into(),
            credential: "system".into(),
            action: action(status).into(),
            subject: Some(self.order.email_index),
            outcome: Outcome {
                code: status.as_str().into(),
                status: 0,
            },
            latency: 0,
            occurrences: 1,
            data_key: None,
            client: None,
            detail: None,
        }
    }

    /// Writes a new order; `None`, and nothing is written, when there is one of that name.
    pub async fn insert(self, tx: &mut Tx<'_>) -> store::Result<Option<(Order, News)>> {
        if !orders::insert(tx, &self.order).await? {
            return Ok(None);
        }
        self.tell(tx).await.map(Some)
    }

    /// Writes what has become of an order.
    pub async fn write(self, tx: &mut Tx<'_>) -> store::Result<(Order, News)> {
        orders::update(tx, &self.order).await?;
        self.tell(tx).await
    }

    async fn tell(mut self, tx: &mut Tx<'_>) -> store::Result<(Order, News)> {
        for event in &self.timeline {
            order_events::insert(tx, self.order.id, event).await?;
        }
        if let Some(key) = self.key {
            self.enqueue(tx, key).await?;
            let told = !self.told.is_empty() || !self.mails.is_empty();
            self.news.enqueued |= told || self.is_shown_elsewhere();
        }
        Ok((self.order, self.news))
    }

    async fn enqueue(&self, tx: &mut Tx<'_>, key: &DataKey) -> store::Result<()> {
        for event in &self.told {
            let outgoing = Outgoing {
                channel: WEBHOOK,
                company: &self.order.company_id,
                topic: event.topic(),
                stream: Some(&stream(&self.order)),
                key,
                body: &(self.pen.policy.render_event)(event),
                at: self.now,
            };
            let sealed = Sealed::new(&*self.pen.random, &outgoing).map_err(sealing)?;
            store::tables::deliveries::insert_webhook(tx, &sealed.row()).await?;
        }
        if self.is_shown_elsewhere() {
            let random = &*self.pen.random;
            lightspeed::enqueue(tx, random, &self.order, key, self.now).await?;
        }
        for mail in &self.mails {
            mail.enqueue(tx, &*self.pen.random, &self.order, key, self.now)
                .await?;
        }
        Ok(())
    }

    /// Whether its shop shows where it stands, and may have to show something else now.
    fn is_shown_elsewhere(&self) -> bool {
        let changed = self.order.updated_at == self.now;
        let owner = self.pen.policy.writes_back.as_deref();
        let is_the_owners = owner == Some(&*self.order.company_id);
        changed && is_the_owners && self.order.source == lightspeed::SOURCE.as_str()
    }
}

/// What happens to an order is told in this stream, whoever its customer is by then.
pub(crate) fn stream(order: &Order) -> Vec<u8> {
    stream_of(&order.company_id, &order.order_id)
}

/// The same, by the company and the shop's number for the order.
pub(crate) fn stream_of(company: &str, order_id: &str) -> Vec<u8> {
    format!("order {company} {order_id}").into_bytes()
}

/// What the audit log calls it when an order comes to stand somewhere by itself.
const fn action(status: Status) -> &'static str {
    match status {
        Status::Released => "order.release",
        Status::Held => "order.hold",
        Status::Expired => "order.expire",
        Status::Late => "order.reopen",
        Status::Cancelled => "order.cancel",
    }
}

/// What is missing, for people.
fn in_words(missing: Missing) -> String {
    if missing.is_empty() {
        return "nothing is missing".to_owned();
    }
    let words: Vec<&str> = missing
        .proofs()
        .map(domain::standing::Proof::as_str)
        .collect();
    format!("missing: {}", words.join(", "))
}

/// What identifies an event's row.
pub(crate) fn event_row(order: Uuid, number: i64) -> Vec<u8> {
    [order.as_bytes().as_slice(), &number.to_be_bytes()].concat()
}

/// Where a reason stands.
pub(super) fn place(row: &[u8]) -> Place<'_> {
    Place {
        table: "order_events",
        column: "reason",
        row,
    }
}
