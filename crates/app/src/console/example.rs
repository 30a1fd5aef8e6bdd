//! An example to try the console on: a day at a small shop whose customers are made up.
//!
//! Guarantees: it is made by the use cases that the API has, each step with an audit record of its
//! own, so that everything about it is real but the people, whose addresses cannot exist; a company
//! that has any order gets none; it can be taken away like any person's data.
//! Must not: touch whatever else the company has.

use std::sync::Arc;

use domain::contact::{E164, Email};
use domain::number::MobileNumber;
use domain::standing::Proof;
use jiff::SignedDuration;

use crate::ages::{self, Claimed};
use crate::customers::{self, Metadata, Question, Update, email_index};
use crate::exchange::Exchange;
use crate::forget::{self, Whom};
use crate::idempotency::Reply;
use crate::numbers::{self, Submission};
use crate::{App, Code, Ctx, Error, Result, orders};

/// Somebody who does not exist, and the order they placed.
struct Customer {
    name: &'static str,
    email: &'static str,
    phone: &'static str,
    birth_date: &'static str,
    state: &'static str,
    proofs: &'static [Proof],
    order: &'static str,
    /// How long ago it was placed.
    hours: i64,
}

/// Whom the console suggests to look for, and whose order to release.
pub const WHOM: &str = "maria@bonafide.example";
/// The order that the console suggests to release.
pub const ORDER: &str = "ex-1002";

const CUSTOMERS: [Customer; 4] = [
    Customer {
        name: "Maria Santos",
        email: WHOM,
        phone: "+14155550101",
        birth_date: "1988-03-14",
        state: "TX",
        proofs: &[Proof::Veriff, Proof::Membership, Proof::EmailOptin],
        order: FIRST,
        hours: 9,
    },
    Customer {
        name: "Noah Brandt",
        email: "noah@bonafide.example",
        phone: "+14155550102",
        birth_date: "1994-11-02",
        state: "TX",
        proofs: &[Proof::Veriff],
        order: ORDER,
        hours: 20,
    },
    Customer {
        name: "Olivia Reyes",
        email: "olivia@bonafide.example",
        phone: "+14155550103",
        birth_date: "2011-06-30",
        state: "OK",
        proofs: &[],
        order: "ex-1003",
        hours: 4,
    },
    Customer {
        name: "Liam Novak",
        email: "liam@bonafide.example",
        phone: "+14155550104",
        birth_date: "1979-01-21",
        state: "NM",
        proofs: &[Proof::Veriff, Proof::Membership],
        order: "ex-1004",
        hours: 1,
    },
];

/// The first customer's order, by which the example is known.
const FIRST: &str = "ex-1001";

/// How often the shop's checkout asks about each customer.
const CHECKS: usize = 6;

/// Whether the example is there for the caller's company: its first order leads to its first customer.
///
/// # Errors
/// [`Code::Unavailable`] when the database is away.
pub async fn has_example(app: &App, ctx: &Ctx) -> Result<bool> {
    let company = ctx.caller.company().to_owned();
    let found = app.store.read(move |mut tx| {
        let company = company.clone();
        Box::pin(async move { store::tables::orders::find(&mut tx, &company, FIRST).await })
    });
    let whom = email(WHOM)?;
    let first = email_index(&app.index_key, ctx.caller.company_id(), &whom);
    let found = found.await?;
    Ok(found.is_some_and(|found| found.order.email_index == first))
}

/// Makes the example for the caller's company.
///
/// # Errors
/// [`Code::Conflict`] when the company has an order already.
pub async fn make_example(app: &App, ctx: &Ctx) -> Result<()> {
    if !orders::list(app, ctx, None, None, 1).await?.is_empty() {
        let message = "This company has orders of its own; an example would stand among them.";
        return Err(Error::new(Code::Conflict, message));
    }
    for customer in &CUSTOMERS {
        customer.live(app, ctx).await?;
    }
    ctx.exchange
        .note_detail(format!("customers={}", CUSTOMERS.len()));
    Ok(())
}

/// Erases the people of the example, as anybody is erased.
///
/// # Errors
/// [`Code::Unavailable`] when the database is away.
pub async fn remove_example(app: &App, ctx: &Ctx) -> Result<()> {
    for customer in &CUSTOMERS {
        let step = step(app, ctx, "example.erase");
        let whom = Whom {
            email: Some(email(customer.email)?),
            phone: None,
        };
        let company = ctx.caller.company_id();
        match forget::erase(app, &step.exchange, company, &whom, Reply::unkept()).await {
            Err(error) if error.problem().code != Code::NotFound => return Err(error),
            // Whom somebody has erased before is gone already.
            _ => {}
        }
    }
    Ok(())
}

/// A step of its own, with a record of its own, for the caller.
fn step(app: &App, ctx: &Ctx, action: &'static str) -> Ctx {
    let asked = &ctx.exchange;
    let exchange = Exchange::new(
        asked.request_id.clone(),
        app.clock.now(),
        asked.address,
        asked.user_agent.clone(),
    );
    exchange.note_action(action);
    exchange.note_caller(ctx.caller.clone());
    Ctx {
        caller: ctx.caller.clone(),
        exchange: Arc::new(exchange),
    }
}

fn email(text: &str) -> Result<Email> {
    Email::parse(text).map_err(Error::internal)
}

impl Customer {
    /// Shows proofs, places an order, tells an age, confirms a number, and is asked about.
    async fn live(&self, app: &App, ctx: &Ctx) -> Result<()> {
        for proof in self.proofs {
            self.prove(app, ctx, *proof).await?;
        }
        self.order(app, ctx).await?;
        self.tell_age(app, ctx).await?;
        self.hold_number(app, ctx).await?;
        let question = Question::Email(email(self.email)?);
        for _ in 0..CHECKS {
            customers::check(app, &step(app, ctx, "example.check"), &question).await?;
        }
        Ok(())
    }

    async fn prove(&self, app: &App, ctx: &Ctx, proof: Proof) -> Result<()> {
        let update = Update {
            email: email(self.email)?,
            phone: Some(E164::parse(self.phone).map_err(Error::internal)?),
            proof,
            status: true,
            metadata: Metadata::default(),
            occurred_at: None,
        };
        let step = step(app, ctx, "example.proof");
        customers::update(app, &step, update, Reply::unkept()).await?;
        Ok(())
    }

    async fn order(&self, app: &App, ctx: &Ctx) -> Result<()> {
        let ago = SignedDuration::from_hours(self.hours);
        let request = orders::Request {
            order_id: self.order.to_owned(),
            source: Some("web shop".to_owned()),
            email: email(self.email)?,
            phone: Some(E164::parse(self.phone).map_err(Error::internal)?),
            placed_at: app.clock.now().checked_sub(ago).ok(),
            follows_shop: false,
        };
        let step = step(app, ctx, "example.order");
        orders::place(app, &step, request, Reply::unkept()).await?;
        Ok(())
    }

    async fn tell_age(&self, app: &App, ctx: &Ctx) -> Result<()> {
        let request = ages::Request {
            customer_id: self.order.to_owned(),
            claimed: Claimed {
                full_name: self.name.to_owned(),
                date_of_birth: self.birth_date.to_owned(),
                id_number_last4: "4321".to_owned(),
                state: self.state.to_owned(),
            },
            email: Some(email(self.email)?),
            anew: false,
        };
        let step = step(app, ctx, "example.age");
        ages::note_subject(app, &step, &request.customer_id);
        ages::verify(app, &step, request, Reply::unkept()).await?;
        Ok(())
    }

    /// Whoever has shown an ID confirms the number as well; the others' sessions go on waiting.
    async fn hold_number(&self, app: &App, ctx: &Ctx) -> Result<()> {
        let number = MobileNumber::parse(self.phone).map_err(Error::internal)?;
        let request = numbers::Request {
            number: number.clone(),
            request_id: self.order.to_owned(),
        };
        let initiate = step(app, ctx, "example.number");
        let session = numbers::initiate(app, &initiate, request, Reply::unkept()).await?;
        if self.proofs.is_empty() {
            return Ok(());
        }
        let submission = Submission {
            id: session.verification_id.as_str().to_owned(),
            number,
            app_user_id: None,
            token: None,
        };
        let submit = step(app, ctx, "example.number");
        numbers::submit(app, &submit, submission, Reply::unkept()).await?;
        Ok(())
    }
}
