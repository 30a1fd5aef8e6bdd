//! The channel of write-backs: what a delivery names is an order; what the shop is to show of it is
//! looked up at the moment of sending, so that the newest standing is shown, however late.

use std::sync::Arc;
use std::time::Duration;

use domain::random::Random;
use domain::seal::DataKey;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use store::tables::orders::Order;
use store::tables::{self, deliveries};
use store::{Lane, Tx, Unit, Written};

use super::shop::ShopProblem;
use super::{Gate, OrderName, WriteBack, Wrote};
use crate::Result;
use crate::deliveries::channel::{Channel, Fared, Fate, Line, Parcel, Sent, Tried};
use crate::deliveries::{Outgoing, Sealed};
use crate::orders::{self, KeyOf, Pen};
use crate::people::sealing;

/// The name of the channel.
pub const LIGHTSPEED: &str = "lightspeed";

/// Enqueues a write-back, in the transaction of what there is to show.
pub(crate) async fn enqueue(
    tx: &mut Tx<'_>,
    random: &dyn Random,
    order: &Order,
    key: &DataKey,
    now: Timestamp,
) -> store::Result<()> {
    // One at a time: of two that are under way together, the one that looked first may write last.
    let stream = stream(order);
    let outgoing = Outgoing {
        channel: LIGHTSPEED,
        company: &order.company_id,
        topic: "order.shown",
        stream: Some(&stream),
        key,
        body: order.order_id.as_bytes(),
        at: now,
    };
    let sealed = Sealed::new(random, &outgoing).map_err(sealing)?;
    deliveries::insert(tx, LIGHTSPEED, &sealed.row()).await
}

/// In which stream the write-backs of an order wait.
fn stream(order: &Order) -> Vec<u8> {
    stream_of(&orders::stream(order))
}

/// The same, by the stream of what else happens to the order.
pub(crate) fn stream_of(order: &[u8]) -> Vec<u8> {
    [LIGHTSPEED.as_bytes(), b" ", order].concat()
}

/// Enqueues write-backs of orders that the shop shows wrongly, but of those that wait to be written
/// anyway; says of how many.
pub(super) struct ShowAgain {
    pub pen: Pen,
    pub company: String,
    pub orders: Vec<String>,
    pub now: Timestamp,
}

impl Unit for ShowAgain {
    type Output = u64;

    fn lane(&self) -> Lane {
        Lane::of(b"write-backs")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<u64>> {
        let mut enqueued = 0;
        for order_id in &self.orders {
            let order = tables::orders::find_for_update(tx, &self.company, order_id).await?;
            let Some(order) = order else { continue };
            if deliveries::is_waiting(tx, &stream(&order)).await? {
                continue;
            }
            if let KeyOf::Key(key) = self.pen.key_of(tx, &order).await? {
                enqueue(tx, &*self.pen.random, &order, &key, self.now).await?;
                enqueued += 1;
            }
        }
        Ok(Written {
            output: enqueued,
            records: Vec::new(),
        })
    }
}

/// Has write-backs of a company that were given up made again; says how many there were.
pub(super) struct TryAgain {
    pub company: String,
    pub now: Timestamp,
}

impl TryAgain {
    /// How many one transaction takes at most.
    pub const BATCH: u64 = 1_000;
}

impl Unit for TryAgain {
    type Output = u64;

    fn lane(&self) -> Lane {
        Lane::of(b"write-backs")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<u64>> {
        let count = i64::try_from(Self::BATCH).unwrap_or(i64::MAX);
        let (company, now) = (&self.company, self.now);
        Ok(Written {
            output: deliveries::replay_failed(tx, company, LIGHTSPEED, now, count).await?,
            records: Vec::new(),
        })
    }
}

/// Write-backs to the shop.
#[derive(Clone)]
pub struct WriteBacks {
    company: Arc<str>,
    gate: Arc<dyn Gate>,
    write_back: WriteBack,
}

impl WriteBacks {
    /// Over the shop of a company; the gate knows what it is to show.
    pub fn new(company: Arc<str>, gate: Arc<dyn Gate>, write_back: WriteBack) -> Self {
        Self {
            company,
            gate,
            write_back,
        }
    }

    async fn show(&self, parcel: &Parcel) -> Sent {
        if parcel.company() != &*self.company {
            return Sent::Withheld("another_company");
        }
        let number = match parcel.open() {
            Ok(number) => number,
            Err(unopened) => return unopened.into(),
        };
        let name = std::str::from_utf8(&number)
            .ok()
            .and_then(OrderName::number);
        let Some(OrderName::Number(number)) = name else {
            return Sent::Withheld("unreadable");
        };
        let order = match self
            .write_back
            .shop()
            .order(&OrderName::Number(number.clone()))
            .await
        {
            Ok(Some(order)) => order,
            Ok(None) => return Sent::Withheld("not_found"),
            Err(problem) => return Sent::Tried(failed(problem)),
        };
        // After the shop has answered, however long that took: what is written is what is true now.
        let standing = match self.gate.standing(parcel.company(), &number).await {
            Ok(Some(standing)) => standing,
            Ok(None) => return Sent::Withheld("unknown"),
            Err(error) => {
                let (id, cause) = (parcel.id(), error.cause());
                tracing::warn!(%id, cause, "it cannot be found out what the shop has to show");
                return Sent::Left;
            }
        };
        Sent::Tried(
            match self.write_back.write_standing(&order, &standing).await {
                Ok(Wrote::Something) => delivered("delivered"),
                Ok(Wrote::Nothing) => delivered("shown"),
                Err(problem) => failed(problem),
            },
        )
    }
}

impl Channel for WriteBacks {
    fn open<'a>(
        &'a self,
        _company: &'a str,
        _now: Timestamp,
    ) -> BoxFuture<'a, Result<Arc<dyn Line>>> {
        let line: Arc<dyn Line> = Arc::new(self.clone());
        std::future::ready(Ok(line)).boxed()
    }
}

impl Line for WriteBacks {
    fn send<'a>(&'a self, parcel: &'a Parcel) -> BoxFuture<'a, Sent> {
        self.show(parcel).boxed()
    }
}

fn delivered(word: &'static str) -> Tried {
    Tried {
        word,
        status: None,
        fate: Fate::Delivered,
        line: Fared::Well,
        note: None,
    }
}

fn failed(problem: ShopProblem) -> Tried {
    let pause = match problem {
        ShopProblem::Busy(pause) | ShopProblem::Refused(pause) => Some(pause),
        ShopProblem::Away
        | ShopProblem::Garbled
        | ShopProblem::Unacceptable
        | ShopProblem::StatusRefused => None,
    };
    let line = match problem {
        // The shop is well; what it was asked is not.
        ShopProblem::StatusRefused => Fared::Well,
        _ => Fared::Badly(pause.and_then(signed)),
    };
    Tried {
        word: problem.word(),
        status: None,
        fate: Fate::Again(pause),
        line,
        note: None,
    }
}

fn signed(pause: Duration) -> Option<SignedDuration> {
    SignedDuration::try_from(pause).ok()
}
