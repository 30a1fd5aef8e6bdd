//! A shop tells of an order.

use domain::contact::{E164, Email};
use jiff::Timestamp;
use store::{Lane, Tx, Unit, Written};

use super::arrival::{Arrival, Taken};
use super::news::News;
use super::shown::Shown;
use super::subject::owner_of;
use crate::audit::Draft;
use crate::idempotency::Reply;
use crate::{App, Code, Ctx, Error, Result};

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
    /// Whether it follows what the shop's staff changes of it: it goes to another customer when its
    /// address is corrected while it is held, and passes the gate anew when it comes back after the
    /// shop had ended it. Otherwise another address is a contradiction, and what is cancelled stays so.
    pub follows_shop: bool,
}

/// An order that is known.
#[derive(Debug, Clone)]
pub struct Placed {
    /// How it stands.
    pub order: Shown,
    /// Whether it was not known before.
    pub is_new: bool,
}

/// Takes an order in, and releases or holds it. The same order again is answered as it stands, unless
/// it follows its shop.
///
/// # Errors
/// [`Code::Conflict`] when there is an order of that name with another address, or from another
/// source.
pub async fn place(app: &App, ctx: &Ctx, request: Request, reply: Reply<Placed>) -> Result<Placed> {
    let company = ctx.caller.company_id().clone();
    let (credential, request_id) = (ctx.caller.credential(), &ctx.exchange.request_id);
    let former = match request.follows_shop {
        true => owner_of(app, company.as_str(), &request.order_id).await?,
        false => None,
    };
    let arrival = Arrival::new(app, company, request, former, credential, request_id);
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

struct Place {
    arrival: Arrival,
    draft: Draft,
    reply: Reply<Placed>,
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
        let Some(taken) = self.arrival.take_in(tx).await? else {
            return Ok(Written {
                output: None,
                records: Vec::new(),
            });
        };
        let Taken {
            placed,
            mut news,
            word,
        } = taken;
        self.reply.store(tx, &placed).await?;
        let mut records = news.take_records();
        let status = if placed.is_new { 201 } else { 200 };
        let own = self.draft.clone();
        records.push(own.finish("ok", status, Some(word.to_owned())));
        Ok(Written {
            output: Some((placed, news)),
            records,
        })
    }
}
