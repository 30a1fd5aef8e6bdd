//! All that is stored about a person, opened, in one document.

use std::collections::HashSet;
use std::sync::Arc;

use domain::access::CompanyId;
use domain::seal::{BlindIndex, DataKey, IndexKey, KeyRing, Place, WrappedKey};
use store::Tx;
use store::tables::erasure::{Lock, Person};
use store::tables::personal::{self, Message};
use uuid::Uuid;

use super::document::{
    AgeDecision, Customer, Document, Evidence, IdentityCheck, Moment, NumberVerification, Order,
    SquareCustomer, Told,
};
use super::{Indexes, Refusal, Whom};
use crate::audit::{self, ExportedRecord};
use crate::exchange::Exchange;
use crate::{App, Result, customers, inbox, orders, square};

/// Puts together what is stored about a person.
///
/// # Errors
/// [`crate::Code::NotFound`] when nothing is known of them, [`crate::Code::Conflict`] when the number
/// is that of several customers.
pub async fn export(
    app: &App,
    exchange: &Exchange,
    company: &CompanyId,
    whom: &Whom,
) -> Result<Document> {
    let search = Search {
        ring: app.key_ring.clone(),
        index_key: app.index_key.clone(),
        company: company.clone(),
        indexes: Indexes::of(app, exchange, company, whom),
    };
    let found = app.store.read(move |mut tx| {
        let search = search.clone();
        Box::pin(async move { search.find(&mut tx).await })
    });
    let found = found.await??;
    let records = records(app, company, &found).await?;
    found.open(app, company, records)
}

/// What the audit log tells, the newest first.
async fn records(app: &App, company: &CompanyId, found: &Found) -> Result<Vec<ExportedRecord>> {
    let own_keys = found.own_keys().collect();
    let mut records = Vec::new();
    for subject in found.subjects() {
        records.extend(audit::list_about(app, company, subject, &own_keys).await?);
    }
    records.sort_by(|left, right| right.at.cmp(&left.at));
    Ok(records)
}

/// Whom to look for, and what it takes to find what hangs on them.
#[derive(Clone)]
struct Search {
    ring: Arc<KeyRing>,
    index_key: Arc<IndexKey>,
    company: CompanyId,
    indexes: Indexes,
}

impl Search {
    async fn find(&self, tx: &mut Tx<'_>) -> store::Result<Result<Found, Refusal>> {
        let company = self.company.as_str();
        let mut found = Found {
            indexes: self.indexes,
            ..Found::default()
        };
        match self.indexes.find(tx, company, Lock::None).await? {
            Err(refusal) => return Ok(Err(refusal)),
            Ok(None) => {}
            Ok(Some(person)) => self.find_customer(tx, person, &mut found).await?,
        }
        if let Some(email) = found.indexes.email {
            let named = found.indexes.age;
            found.ages = personal::list_ages(tx, company, email, named).await?;
            found.checks = personal::list_identity_checks(tx, company, email).await?;
            found.square = personal::list_square(tx, company, email).await?;
            found.left_alone_until = personal::left_alone_until(tx, company, email).await?;
        }
        if let Some(number) = found.indexes.number {
            found.numbers = personal::list_numbers(tx, company, number).await?;
            for session in &found.numbers {
                found
                    .sent
                    .extend(personal::list_sent(tx, session.key.id).await?);
            }
        }
        for index in found.indexes.each() {
            let received = personal::list_received(tx, company, index).await?;
            found.received.extend(received);
        }
        for customer in &found.square {
            // Who cannot be opened is told of as that.
            let Ok(id) = square::id_of(&self.ring, customer) else {
                continue;
            };
            let stream = inbox::stream_index(&self.index_key, company, square::SOURCE, &id);
            let received = personal::list_received_from_square(tx, company, stream).await?;
            found.received.extend(received);
        }
        // Most are told of by the address and by Square's name for them.
        found.received.sort_by_key(|message| message.id);
        found.received.dedup_by_key(|message| message.id);
        Ok(if found.is_nothing() {
            Err(Refusal::Unknown)
        } else {
            Ok(found)
        })
    }

    async fn find_customer(
        &self,
        tx: &mut Tx<'_>,
        person: Person,
        found: &mut Found,
    ) -> store::Result<()> {
        let (company, email) = (self.company.as_str(), person.email_index);
        let keys = (&*self.ring, &*self.index_key);
        found.indexes.add(keys, &self.company, &person)?;
        found.customer = personal::find_customer(tx, company, email).await?;
        found.evidence = personal::list_evidence(tx, person.last_evidence).await?;
        found.orders = personal::list_orders(tx, company, email).await?;
        found.sent = personal::list_sent(tx, person.data_key).await?;
        found.key = person.key;
        Ok(())
    }
}

/// What the database has, still sealed.
#[derive(Default)]
struct Found {
    indexes: Indexes,
    key: Option<WrappedKey>,
    customer: Option<personal::Customer>,
    evidence: Vec<personal::Piece>,
    orders: Vec<personal::Order>,
    ages: Vec<personal::AgeDecision>,
    numbers: Vec<personal::NumberSession>,
    checks: Vec<personal::IdentityCheck>,
    square: Vec<personal::SquareCustomer>,
    left_alone_until: Option<jiff::Timestamp>,
    received: Vec<Message>,
    sent: Vec<Message>,
}

impl Found {
    /// What would be erased is something; that something was recorded is not.
    const fn is_nothing(&self) -> bool {
        self.customer.is_none()
            && self.ages.is_empty()
            && self.numbers.is_empty()
            && self.checks.is_empty()
            && self.square.is_empty()
            && self.left_alone_until.is_none()
            && self.received.is_empty()
    }

    /// The keys that are the person's alone.
    fn own_keys(&self) -> impl Iterator<Item = Uuid> {
        let numbers = self.numbers.iter().map(|session| session.key.id);
        self.key.iter().map(|key| key.id).chain(numbers)
    }

    /// As whom the audit log knows the person.
    fn subjects(&self) -> HashSet<BlindIndex> {
        let ages = self.ages.iter().map(|decision| decision.customer_index);
        self.indexes.each().chain(ages).collect()
    }

    fn open(
        self,
        app: &App,
        company: &CompanyId,
        records: Vec<ExportedRecord>,
    ) -> Result<Document> {
        let key = self.key.as_ref().map(|key| app.key_ring.unwrap(key));
        let key = key.transpose()?;
        let key = key.as_ref();
        let ring = &*app.key_ring;
        let customer = self.customer.zip(self.indexes.email);
        let customer = customer.map(|(stored, index)| opened_customer(&stored, &index, key));
        let evidence = self.evidence.into_iter().map(|piece| Evidence {
            metadata: text(
                key,
                place("evidence", "metadata", piece.id.as_bytes()),
                &piece.metadata,
            ),
            proof: piece.proof,
            given: piece.status,
            source: piece.source,
            occurred_at: piece.occurred_at,
            recorded_at: piece.recorded_at,
        });
        let checks = self.checks.into_iter().map(|check| IdentityCheck {
            id: check.id,
            veriff_id: check.veriff_id,
            status: check.status,
            verdict: check.verdict,
            created_at: check.created_at,
        });
        let square = self.square.into_iter().map(|customer| SquareCustomer {
            contact: text(
                ring.unwrap(&customer.key).ok().as_ref(),
                square::place(&customer.square_index),
                &customer.contact,
            ),
            created_at: customer.created_at,
        });
        let orders = self
            .orders
            .into_iter()
            .map(|order| opened_order(order, key));
        let ages = self.ages.into_iter().map(|age| opened_age(age, ring));
        let numbers = self.numbers.into_iter();
        Ok(Document {
            exported_at: app.clock.now(),
            company: company.as_str().to_owned(),
            customer,
            evidence: evidence.collect(),
            orders: orders.collect(),
            age_decisions: ages.collect(),
            number_verifications: numbers.map(|number| opened_number(number, ring)).collect(),
            identity_checks: checks.collect(),
            received: told(("inbox", "event"), self.received, ring),
            sent: told(("deliveries", "payload"), self.sent, ring),
            square_customers: square.collect(),
            left_alone_until: self.left_alone_until,
            audit_records: records.into_iter().map(Into::into).collect(),
        })
    }
}

fn opened_customer(
    stored: &personal::Customer,
    index: &BlindIndex,
    key: Option<&DataKey>,
) -> Customer {
    let open = |column, sealed: &[u8]| text(key, customers::place(index, column), sealed);
    let [veriff_date, membership_date, optin_date] = stored.proofs;
    let hold_reason = stored.hold_reason.as_deref();
    Customer {
        email: open("email", &stored.email),
        phone: stored
            .phone
            .as_deref()
            .and_then(|sealed| open("phone", sealed)),
        legal_hold: hold_reason.and_then(|sealed| open("legal_hold_reason", sealed)),
        veriff_date,
        membership_date,
        optin_date,
        created_at: stored.created_at,
        updated_at: stored.updated_at,
    }
}

fn opened_age(decision: personal::AgeDecision, ring: &KeyRing) -> AgeDecision {
    let row = decision.verification_id.as_bytes();
    AgeDecision {
        claim: text(
            ring.unwrap(&decision.key).ok().as_ref(),
            place("age_decisions", "claim", row),
            &decision.claim,
        ),
        verification_id: decision.verification_id,
        decided_at: decision.decided_at,
        passed: decision.passed,
        reason: decision.reason,
        age: decision.age,
    }
}

fn opened_number(session: personal::NumberSession, ring: &KeyRing) -> NumberVerification {
    let key = ring.unwrap(&session.key).ok();
    let row = session.verification_id.as_bytes();
    let open = |column, sealed: &[u8]| {
        text(
            key.as_ref(),
            place("verification_sessions", column, row),
            sealed,
        )
    };
    let user = session.app_user_id.as_deref();
    NumberVerification {
        mobile_number: open("mobile_number", &session.mobile_number),
        request_id: open("request_id", &session.request_id),
        app_user_id: user.and_then(|sealed| open("app_user_id", sealed)),
        status: session.status,
        created_at: session.created_at,
        verified_at: session.verified_at,
        verification_id: session.verification_id,
    }
}

fn told(
    (table, column): (&'static str, &'static str),
    messages: Vec<Message>,
    ring: &KeyRing,
) -> Vec<Told> {
    let told = messages.into_iter().map(|message| Told {
        content: message.body.as_ref().and_then(|body| {
            let place = place(table, column, message.id.as_bytes());
            text(ring.unwrap(&message.key).ok().as_ref(), place, body)
        }),
        party: message.party,
        topic: message.topic,
        status: message.status,
        at: message.at,
    });
    told.collect()
}

fn opened_order(order: personal::Order, key: Option<&DataKey>) -> Order {
    let id = order.id;
    let timeline = order.timeline.into_iter().map(|event| Moment {
        reason: event.reason.as_ref().and_then(|sealed| {
            let row = orders::event_row(id, event.number);
            text(key, place("order_events", "reason", &row), sealed)
        }),
        at: event.at,
        event: event.event,
        detail: event.detail,
    });
    Order {
        timeline: timeline.collect(),
        order_id: order.order_id,
        source: order.source,
        status: order.status,
        placed_at: order.placed_at,
    }
}

const fn place<'a>(table: &'static str, column: &'static str, row: &'a [u8]) -> Place<'a> {
    Place { table, column, row }
}

fn text(key: Option<&DataKey>, place: Place<'_>, sealed: &[u8]) -> Option<String> {
    let plain = key?.open(place, sealed).ok()?;
    Some(String::from_utf8_lossy(&plain).into_owned())
}
