//! Looking through the shop's orders for what no hook told.
//!
//! Every order that was changed since the last time goes into the inbox, under a name made of its
//! number and its last change, and from there the same way as after a hook. Where the shop shows
//! something else than is true it is written again, and so is whatever was given up, however long the
//! order did not change.
//! The place where the looking stands is kept after every page: a pass that was cut off goes on where
//! it was.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use store::tables::sync_positions::{self, Position};
use store::{Lane, Tx, Unit, Written};

use domain::audit::Record;

use super::channel::{ShowAgain, TryAgain};
use super::hook::is_of_interest;
use super::shop::{LightspeedShop, ShopOrder, ShopProblem};
use super::{Gate, OrderName, SOURCE, WriteBack};
use crate::exchange::Exchange;
use crate::inbox::{self, Incoming};
use crate::orders::Pen;
use crate::{App, Error, Result};

/// How many orders a page has.
const PAGE: u32 = 100;

/// How far pages overlap: while we read, orders move between them.
const OVERLAP: u64 = 10;

/// How far passes overlap: what changed just before one began may not have been listed yet.
const MARGIN: SignedDuration = SignedDuration::from_mins(5);

/// What is to be looked through.
#[derive(Debug, Clone)]
pub struct Request {
    /// For whom.
    pub company: String,
    /// From when on, whatever was looked through before.
    pub since: Option<Timestamp>,
    /// From when on, if nothing was looked through before.
    pub first: Timestamp,
}

/// How far a pass has come, or what it came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// From when on changes are looked for.
    pub since: Timestamp,
    /// Changed orders seen, of which some may have been seen twice.
    pub seen: u64,
    /// Changed orders there are, as far as the shop has said.
    pub total: u64,
    /// Those that went into the inbox in this run: of their last change no pass had told.
    pub filed: u64,
    /// Those that the shop showed wrongly, or may show wrongly because writing to it was given up: what it
    /// is to show was enqueued in this run.
    pub shown_again: u64,
}

/// Why a pass was cut off. It can be taken up again.
#[derive(Debug)]
pub enum Interrupted {
    /// The shop did not do its part.
    Shop(ShopProblem),
    /// We did not.
    Ours(Error),
}

impl From<Error> for Interrupted {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

impl From<ShopProblem> for Interrupted {
    fn from(problem: ShopProblem) -> Self {
        Self::Shop(problem)
    }
}

/// Files every order that was changed since the last pass, or since when the request says, and has what
/// the `gate` knows of it shown in the shop where that shows something else. `watch` is told after every
/// page.
///
/// # Errors
/// Why it was cut off.
pub async fn sync(
    app: &App,
    exchange: &Exchange,
    gate: &dyn Gate,
    write_back: &WriteBack,
    request: &Request,
    watch: impl Fn(Progress),
) -> std::result::Result<Progress, Interrupted> {
    let mut pass = Pass::begin(app, request).await?;
    pass.save(app, None).await?;
    pass.try_again(app).await?;
    loop {
        let page = pass.take_page(app, write_back.shop()).await?;
        let stale = pass.stale(gate, write_back, &page).await?;
        pass.progress.shown_again += pass.show_again(app, stale).await?;
        if page.is_last {
            break;
        }
        pass.save(app, None).await?;
        watch(pass.progress);
    }
    let Progress {
        seen,
        filed,
        shown_again,
        ..
    } = pass.progress;
    let detail = format!("seen={seen} filed={filed} shown_again={shown_again}");
    let draft = app.recorder.draft(exchange).await?;
    pass.end();
    pass.save(app, Some(draft.finish("ok", 0, Some(detail))))
        .await?;
    exchange.mark_recorded();
    watch(pass.progress);
    Ok(pass.progress)
}

/// A page that was filed.
struct Page {
    orders: Vec<ShopOrder>,
    is_last: bool,
}

/// A pass under way.
struct Pass {
    company: String,
    began_at: Timestamp,
    /// Whether it moves the mark up to which everything is known. One that was told to begin after the
    /// mark does not: what lies between is still unseen.
    moves_the_mark: bool,
    /// Where it stands; `None` at its end.
    offset: Option<u64>,
    progress: Progress,
}

impl Pass {
    async fn begin(app: &App, request: &Request) -> Result<Self> {
        let company = request.company.clone();
        let known = app.store.read(move |mut tx| {
            let company = company.clone();
            Box::pin(async move { sync_positions::find(&mut tx, &company, SOURCE).await })
        });
        let known = known.await?;
        let leaves_a_gap = |since| known.as_ref().is_some_and(|known| known.since < since);
        let moves_the_mark = !request.since.is_some_and(leaves_a_gap);
        let known = known.filter(|_| request.since.is_none());
        let since = known.as_ref().map_or(request.first, |known| known.since);
        let resumed = known.and_then(|known| known.pass);
        let (began_at, offset) = match resumed {
            Some((began_at, cursor)) => (began_at, cursor.parse().unwrap_or_default()),
            None => (app.clock.now(), 0),
        };
        Ok(Self {
            company: request.company.clone(),
            began_at,
            moves_the_mark,
            offset: Some(offset),
            progress: Progress {
                since: request.since.unwrap_or(since),
                seen: offset,
                total: offset,
                filed: 0,
                shown_again: 0,
            },
        })
    }

    /// Files the next page.
    async fn take_page(
        &mut self,
        app: &App,
        shop: &dyn LightspeedShop,
    ) -> std::result::Result<Page, Interrupted> {
        let offset = self.offset.unwrap_or_default();
        let page = shop.changed(self.progress.since, offset, PAGE).await?;
        let unreadable = page.listed.saturating_sub(page.orders.len() as u64);
        if unreadable > 0 {
            tracing::warn!(unreadable, offset, "orders of the shop cannot be read");
        }
        let incoming = page.orders.iter().filter_map(|order| self.incoming(order));
        let incoming: Vec<_> = incoming.collect();
        if !incoming.is_empty() {
            self.progress.filed += inbox::file(app, incoming).await?;
        }
        let end = offset + page.listed;
        self.progress.seen = end;
        self.progress.total = page.total.max(end);
        // A page is never shorter than a step: there is no standing still.
        self.offset = Some(offset + page.listed.saturating_sub(OVERLAP).max(1));
        Ok(Page {
            orders: page.orders,
            is_last: page.listed == 0 || end >= page.total,
        })
    }

    /// The orders of a page of which the shop shows something else than is true.
    async fn stale(
        &self,
        gate: &dyn Gate,
        write_back: &WriteBack,
        page: &Page,
    ) -> Result<Vec<String>> {
        let mut stale = Vec::new();
        for order in page.orders.iter().filter(|order| is_of_interest(order)) {
            let standing = gate.standing(&self.company, &order.id).await?;
            if standing.is_some_and(|standing| write_back.is_stale(order, &standing)) {
                stale.push(order.id.clone());
            }
        }
        Ok(stale)
    }

    /// Has written again what was given up.
    async fn try_again(&mut self, app: &App) -> Result<()> {
        loop {
            let unit = TryAgain {
                company: self.company.clone(),
                now: app.clock.now(),
            };
            let again = app.store.write(unit).await?;
            self.progress.shown_again += again;
            if again < TryAgain::BATCH {
                break;
            }
        }
        app.outbox.wake();
        Ok(())
    }

    async fn show_again(&self, app: &App, orders: Vec<String>) -> Result<u64> {
        if orders.is_empty() {
            return Ok(0);
        }
        let unit = ShowAgain {
            pen: Pen::of(app),
            company: self.company.clone(),
            orders,
            now: app.clock.now(),
        };
        let enqueued = app.store.write(unit).await?;
        app.outbox.wake();
        Ok(enqueued)
    }

    /// The event of an order, as a hook would have told it.
    fn incoming(&self, order: &ShopOrder) -> Option<Incoming> {
        let name = OrderName::number(&order.id).filter(|_| is_of_interest(order))?;
        let changed = order.updated_at.as_second();
        let event = format!("sync:{}:{changed}", order.id);
        let body = json!({
            "eventId": event,
            "eventCreated": changed,
            "storeId": "",
            "eventType": "order.updated",
            "data": {"orderId": order.id},
        });
        Some(Incoming {
            company: self.company.clone(),
            source: SOURCE,
            name: event,
            topic: "order.updated",
            stream: Some(name.to_string()),
            body: Some(body.to_string().into_bytes()),
        })
    }

    /// Everything that changed before this pass began is known now.
    fn end(&mut self) {
        let since = self.began_at.saturating_sub(MARGIN);
        self.progress.since = since.unwrap_or(self.began_at);
        self.offset = None;
    }

    async fn save(&self, app: &App, record: Option<Record>) -> Result<()> {
        let cursor = self.offset.map(|offset| offset.to_string());
        let unit = Save {
            company: self.company.clone(),
            position: self.moves_the_mark.then(|| Position {
                since: self.progress.since,
                pass: cursor.map(|cursor| (self.began_at, cursor)),
            }),
            now: app.clock.now(),
            record,
        };
        Ok(app.store.write(unit).await?)
    }
}

struct Save {
    company: String,
    position: Option<Position>,
    now: Timestamp,
    record: Option<Record>,
}

impl Unit for Save {
    type Output = ();

    fn lane(&self) -> Lane {
        Lane::of(b"sync positions")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<()>> {
        if let Some(position) = &self.position {
            sync_positions::set(tx, &self.company, SOURCE, position, self.now).await?;
        }
        Ok(Written {
            output: (),
            records: self.record.clone().into_iter().collect(),
        })
    }
}
