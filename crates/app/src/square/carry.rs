//! Proofs follow merges: whose they are is asked for by whoever changes a merge or a proof, and done
//! here, one customer after the other.
//!
//! What is held in the end is worked out from what everybody's evidence says and from the merges that
//! stand, so it makes no difference what came first, or how often this runs.

use std::collections::{BTreeMap, BTreeSet};

use domain::random::uuid_v7;
use domain::seal::BlindIndex;
use jiff::Timestamp;
use store::tables::customers::{self, ForUpdate};
use store::tables::square_carries::{self, Carry};
use store::tables::square_customers::{self, SquareCustomer};
use store::{Lane, Tx, Unit, Written};

use super::hold::Hold;
use super::learn::Contact;
use super::notice::{self, Whom};
use crate::customers::Piece;
use crate::orders::{News, Pen};
use crate::{App, Result};

/// How many are taken at once.
const BATCH: i64 = 50;

/// How often the lines of merges may change while one is looked at.
const PATIENCE: u32 = 10;

/// Carries what is to be carried, if customers are tied to those of Square here.
///
/// # Errors
/// When the database is away; what is left is carried the next time.
pub async fn sweep(app: &App) -> Result<u64> {
    match &app.orders.square {
        Some(policy) => carry_on(app, &policy.company).await,
        None => Ok(0),
    }
}

/// Carries every proof of a company that is to be carried; returns how many customers were looked at.
///
/// # Errors
/// The last failure; what is left is carried the next time, after what could be.
pub(super) async fn carry_on(app: &App, company: &str) -> Result<u64> {
    let mut carried = 0;
    loop {
        let name = company.to_owned();
        let asked = app.store.read(move |mut tx| {
            let name = name.clone();
            Box::pin(async move { square_carries::list(&mut tx, &name, BATCH).await })
        });
        let asked = asked.await?;
        if asked.is_empty() {
            return Ok(carried);
        }
        let mut failure = None;
        for carry in asked {
            match one(app, &carry).await {
                Ok(()) => carried += 1,
                Err(error) => {
                    failure = Some(error);
                    let now = app.clock.now();
                    app.store.write(Postpone { carry, now }).await?;
                }
            }
        }
        if let Some(failure) = failure {
            return Err(failure);
        }
    }
}

/// Lets others go first.
struct Postpone {
    carry: Carry,
    now: Timestamp,
}

impl Unit for Postpone {
    type Output = ();

    fn lane(&self) -> Lane {
        Lane::of(self.carry.email_index.as_bytes())
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<()>> {
        square_carries::postpone(tx, &self.carry, self.now).await?;
        Ok(Written {
            output: (),
            records: Vec::new(),
        })
    }
}

async fn one(app: &App, carry: &Carry) -> Result<()> {
    for _ in 0..PATIENCE {
        let wanted = carry.clone();
        let lines = app.store.read(move |mut tx| {
            let wanted = wanted.clone();
            Box::pin(async move { Lines::read(&mut tx, &wanted).await })
        });
        let unit = CarryOne {
            pen: Pen::of(app),
            everybody: lines.await?.everybody(),
            carry: carry.clone(),
            request_id: uuid_v7(app.clock.now(), &*app.random).to_string(),
            now: app.clock.now(),
        };
        if let Some(news) = app.store.write(unit).await? {
            news.announce(app);
            return Ok(());
        }
    }
    let problem = "the merges of a customer change without end";
    Err(crate::Error::internal(std::io::Error::other(problem)))
}

/// Whoever holds a customer's proofs, and whose proofs each of them holds.
struct Lines(BTreeMap<BlindIndex, Line>);

#[derive(Default)]
struct Line {
    /// Those at Square who are this customer.
    tied: Vec<SquareCustomer>,
    /// The customers whose proofs are held.
    merged: BTreeSet<BlindIndex>,
}

impl Lines {
    async fn read(tx: &mut Tx<'_>, carry: &Carry) -> store::Result<Self> {
        let (company, from) = (carry.company_id.as_str(), carry.email_index);
        let mut lines = BTreeMap::from([(from, Line::default())]);
        for holder in square_customers::list_holders(tx, company, from).await? {
            if let Some(owner) = holder.subject_index {
                lines.entry(owner).or_default().tied.push(holder);
            }
        }
        for (owner, line) in &mut lines {
            line.merged = merged(tx, company, *owner).await?;
        }
        Ok(Self(lines))
    }

    fn everybody(&self) -> BTreeSet<BlindIndex> {
        let merged = self.0.values().flat_map(|line| &line.merged);
        self.0.keys().chain(merged).copied().collect()
    }
}

/// The customers whose proofs a customer holds.
async fn merged(
    tx: &mut Tx<'_>,
    company: &str,
    owner: BlindIndex,
) -> store::Result<BTreeSet<BlindIndex>> {
    let line = square_customers::list_merged(tx, company, owner).await?;
    let owners = line.iter().filter_map(|customer| customer.subject_index);
    let mut merged: BTreeSet<_> = owners.collect();
    merged.remove(&owner);
    Ok(merged)
}

/// Looks at everybody who holds a customer's proofs; `None`, and nothing is done, when that is
/// somebody else by now.
struct CarryOne {
    pen: Pen,
    carry: Carry,
    everybody: BTreeSet<BlindIndex>,
    request_id: String,
    now: Timestamp,
}

impl Unit for CarryOne {
    type Output = Option<News>;

    fn lane(&self) -> Lane {
        Lane::of(self.carry.email_index.as_bytes())
    }

    fn other_lanes(&self) -> Vec<Lane> {
        let all = self.everybody.iter();
        let others = all.filter(|index| **index != self.carry.email_index);
        others.map(|index| Lane::of(index.as_bytes())).collect()
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Self::Output>> {
        let mut known = BTreeMap::new();
        // All of them, in the order in which everybody locks: their proofs stand still from here on, and
        // whoever looks at one of them later has the merges that are read now behind them.
        for index in &self.everybody {
            let found = customers::find_for_update(tx, &self.carry.company_id, *index).await?;
            known.extend(found.map(|found| (*index, found)));
        }
        let lines = Lines::read(tx, &self.carry).await?;
        if !lines.everybody().is_subset(&self.everybody) {
            return Ok(Written {
                output: None,
                records: Vec::new(),
            });
        }
        let mut news = News::default();
        for (owner, line) in &lines.0 {
            news.extend(self.look_at(tx, *owner, line, &known).await?);
        }
        square_carries::done(tx, &self.carry).await?;
        let records = news.take_records();
        Ok(Written {
            output: Some(news),
            records,
        })
    }
}

impl CarryOne {
    async fn look_at(
        &self,
        tx: &mut Tx<'_>,
        owner: BlindIndex,
        line: &Line,
        known: &BTreeMap<BlindIndex, ForUpdate>,
    ) -> store::Result<News> {
        let mut hold = Hold {
            pen: &self.pen,
            company: &self.carry.company_id,
            email_index: owner,
            request_id: &self.request_id,
            now: self.now,
            merged: BTreeMap::new(),
        };
        for index in &line.merged {
            if let Some(known) = known.get(index) {
                let own = hold.own(tx, known).await?;
                hold.merged.insert(*index, own);
            }
        }
        match known.get(&owner) {
            Some(known) => hold.write(tx, known).await,
            None if hold.has_something() => match self.make(tx, owner, line).await? {
                Some(made) => hold.write(tx, &made).await,
                None => Ok(News::default()),
            },
            None => Ok(News::default()),
        }
    }

    /// Makes a customer of somebody at Square of whom we have not heard otherwise.
    async fn make(
        &self,
        tx: &mut Tx<'_>,
        owner: BlindIndex,
        line: &Line,
    ) -> store::Result<Option<ForUpdate>> {
        let is_owner = |one: &&SquareCustomer| one.subject_index == Some(owner);
        let Some(tied) = line.tied.iter().find(is_owner) else {
            return Ok(None);
        };
        let contact = Contact::open(&self.pen, tx, tied).await?;
        let Some(email) = contact.and_then(|contact| contact.address()) else {
            return Ok(None);
        };
        let piece = Piece {
            company: &self.carry.company_id,
            email_index: owner,
            proof: "square",
            assurance: domain::age::Assurance::SelfDeclared.as_str(),
            source: "square",
            request_id: &self.request_id,
            occurred_at: self.now,
            now: self.now,
            metadata: b"{}".to_vec(),
        };
        let (ring, random) = (&*self.pen.ring, &*self.pen.random);
        piece.make_customer(tx, ring, random, &email, None).await?;
        // Who was not there could not be locked: somebody may have looked meanwhile, and held nothing.
        let whom = Whom {
            company: &self.carry.company_id,
            email_index: owner,
            now: self.now,
        };
        notice::ask(&self.pen, tx, &whom).await?;
        customers::find_for_update(tx, &self.carry.company_id, owner).await
    }
}
