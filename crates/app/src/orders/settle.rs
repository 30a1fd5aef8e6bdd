//! Staff decide about an order.

use std::sync::Arc;

use domain::clock::Clock;
use domain::order::{Next, Occasion};
use domain::seal::{BlindIndex, SealError};
use jiff::Timestamp;
use store::tables::orders;
use store::{Lane, Tx, Unit, Written};

use super::change::Change;
use super::news::News;
use super::not_found;
use super::pen::{KeyOf, Pen};
use super::shown::Shown;
use super::subject::owner_of;
use crate::audit::Draft;
use crate::idempotency::Reply;
use crate::people::sealing;
use crate::{App, Code, Ctx, Error, Result};

/// What may be decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It may ship, whatever is missing.
    Release,
    /// It is not to ship any more.
    Cancel,
    /// The same, and it was its shop that said so: should it come back there, it passes the gate anew.
    EndInShop,
}

/// A decision and why.
#[derive(Clone)]
pub struct Settlement {
    /// What is decided.
    pub decision: Decision,
    /// What staff say of it; kept sealed.
    pub reason: String,
}

impl std::fmt::Debug for Settlement {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Settlement({:?}, …)", self.decision)
    }
}

/// Releases or cancels an order, and answers how it stands then. Deciding the same again changes
/// nothing.
///
/// # Errors
/// [`Code::NotFound`] when the company has no order of that name, [`Code::Conflict`] when it was
/// cancelled and is to be released.
pub async fn settle(
    app: &App,
    ctx: &Ctx,
    order_id: &str,
    settlement: Settlement,
    reply: Reply<Shown>,
) -> Result<Shown> {
    let email_index = owner_of(app, ctx.caller.company(), order_id).await?;
    let email_index = email_index.ok_or_else(not_found)?;
    ctx.exchange.note_subject(email_index);
    let unit = Settle {
        pen: Pen::of(app),
        clock: app.clock.clone(),
        company: ctx.caller.company().to_owned(),
        order_id: order_id.to_owned(),
        email_index,
        settlement,
        draft: app.recorder.draft(&ctx.exchange).await?,
        reply,
    };
    let (shown, news) = app.store.write(unit).await?.ok_or_else(|| {
        let problem = "The order is cancelled; it cannot be released any more.";
        Error::new(Code::Conflict, problem)
    })?;
    ctx.exchange.mark_recorded();
    news.announce(app);
    Ok(shown)
}

struct Settle {
    pen: Pen,
    /// What is decided about a locked order is decided as of then.
    clock: Arc<dyn Clock>,
    company: String,
    order_id: String,
    email_index: BlindIndex,
    settlement: Settlement,
    draft: Draft,
    reply: Reply<Shown>,
}

impl Unit for Settle {
    type Output = Option<(Shown, News)>;

    fn lane(&self) -> Lane {
        Lane::of(self.email_index.as_bytes())
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Self::Output>> {
        let now = self.clock.now();
        let decided = self.decide(tx, now).await?;
        let decided = decided
            .ok_or_else(|| store::Error::Conflict("order erased or moved elsewhere".into()))?;
        let Decided {
            next,
            order,
            mut news,
        } = decided;
        let word = match next {
            Next::Becomes(status) => status.as_str(),
            Next::Stays => "unchanged",
            Next::Contradicts => {
                return Ok(Written {
                    output: None,
                    records: Vec::new(),
                });
            }
        };
        self.reply.store(tx, &order).await?;
        let mut records = news.take_records();
        records.push(self.draft.clone().finish("ok", 200, Some(word.to_owned())));
        Ok(Written {
            output: Some((order, news)),
            records,
        })
    }
}

/// What came of a decision.
struct Decided {
    /// Whether it changed anything.
    next: Next,
    /// How the order stands now.
    order: Shown,
    /// What else to tell of it.
    news: News,
}

impl Settle {
    /// Decides about the order; `None` when it is gone, or another customer's by now, in whose lane
    /// this unit does not stand. A decision that contradicts an earlier one writes nothing.
    async fn decide(&self, tx: &mut Tx<'_>, now: Timestamp) -> store::Result<Option<Decided>> {
        let (pen, company, order_id) = (&self.pen, &self.company, &self.order_id);
        let order = orders::find_for_update(tx, company, order_id).await?;
        let Some(order) = order.filter(|order| order.email_index == self.email_index) else {
            return Ok(None);
        };
        let key = match pen.key_of(tx, &order).await? {
            KeyOf::Key(key) => Some(key),
            KeyOf::Destroyed => None,
            KeyOf::Unreadable => return Err(sealing(SealError::DoesNotOpen)),
        };
        let customer = orders::find(tx, company, order_id).await?;
        let customer = customer.and_then(|found| found.customer);
        let missing = pen.missing_of(&order, customer.as_ref(), now);
        let mut change = Change::of(pen, order, key.as_ref(), now);
        let (occasion, in_shop) = match self.settlement.decision {
            Decision::Release => (Occasion::Release, false),
            Decision::Cancel => (Occasion::Cancel, false),
            Decision::EndInShop => (Occasion::Cancel, true),
        };
        let next = change
            .decided(occasion, missing, &self.settlement.reason)
            .map_err(sealing)?;
        change.order.ended_in_shop = match next {
            Next::Becomes(_) => in_shop,
            // What staff cancel stays so, though the shop may have ended it before them.
            Next::Stays | Next::Contradicts => in_shop && change.order.ended_in_shop,
        };
        let news = match next {
            Next::Contradicts => News::default(),
            Next::Stays | Next::Becomes(_) => change.write(tx).await?.1,
        };
        let found = orders::find(tx, company, order_id).await?;
        Ok(found.map(|found| Decided {
            next,
            order: Shown::of(pen, found, now),
            news,
        }))
    }
}
