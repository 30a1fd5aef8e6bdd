//! What waits for the writer: units of work, look-ups and audit records.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Instant;

use domain::audit::Record;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

use crate::look::Look;
use crate::tables::age_statistics::Tally;
use crate::{Error, Result, Tx};

/// A change of state that is committed whole or not at all, together with the
/// audit records that tell of it.
///
/// `run` may be called several times, in a fresh transaction each, until one
/// commits: it has no effect outside its transaction. It decides before it
/// writes: a refusal is an output, an error or a panic undoes everything it did.
pub trait Unit: Send + 'static {
    /// What the caller learns once the unit is durable.
    type Output: Send + 'static;

    /// Whether its transaction must be its own: it looks at what other units of one
    /// transaction have done, of which some stands only when the transaction ends.
    const ALONE: bool = false;

    /// What its last run decided, to be counted in the same transaction.
    fn tally(&self) -> Option<Tally> {
        None
    }

    /// Units of one lane run one after another, in the order of their arrival;
    /// units that touch the same rows share a lane.
    fn lane(&self) -> Lane;

    /// Further lanes that the unit stands in, for rows that others may touch as well.
    /// Inside one transaction a locked row keeps nobody out: only lanes do.
    fn other_lanes(&self) -> Vec<Lane> {
        Vec::new()
    }

    /// Does the work inside the transaction.
    fn run<'t>(
        &'t mut self,
        tx: &'t mut Tx<'_>,
    ) -> impl Future<Output = Result<Written<Self::Output>>> + Send + 't;
}

/// What a unit wrote.
pub struct Written<T> {
    /// For the caller.
    pub output: T,
    /// For the audit log, committed with the unit.
    pub records: Vec<Record>,
}

/// Which units must not overtake each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane(u64);

impl Lane {
    /// The lane of everything that bytes identify (a blind index, a name).
    pub fn of(bytes: &[u8]) -> Self {
        // FNV-1a: short inputs, no adversary (indexes are keyed hashes already).
        let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(hash)
    }

    pub(crate) fn spread(self, among: usize) -> usize {
        usize::try_from(self.0 % among.max(1) as u64).unwrap_or(0)
    }
}

/// Something waiting for the writer.
pub(crate) enum Work {
    Unit {
        /// The first is that of the writer.
        lanes: Vec<Lane>,
        since: Instant,
        unit: Box<dyn Pending>,
    },
    Look {
        since: Instant,
        look: Box<dyn Look>,
    },
    Record {
        since: Instant,
        record: Box<Record>,
        reply: oneshot::Sender<Result<()>>,
    },
}

impl Work {
    pub fn since(&self) -> Instant {
        match self {
            Self::Unit { since, .. } | Self::Look { since, .. } | Self::Record { since, .. } => {
                *since
            }
        }
    }

    fn is_alone(&self) -> bool {
        match self {
            Self::Unit { unit, .. } => unit.is_alone(),
            Self::Look { .. } | Self::Record { .. } => false,
        }
    }

    /// Whether nobody misses it when it is not done.
    pub fn is_moot(&self) -> bool {
        match self {
            Self::Look { look, .. } => look.is_moot(),
            Self::Unit { .. } | Self::Record { .. } => false,
        }
    }

    /// Whether it may change something.
    pub const fn changes(&self) -> bool {
        matches!(self, Self::Unit { .. })
    }

    /// The unit, if it is one.
    pub fn unit(&mut self) -> Option<&mut Box<dyn Pending>> {
        match self {
            Self::Unit { unit, .. } => Some(unit),
            Self::Look { .. } | Self::Record { .. } => None,
        }
    }

    /// The look-up, if it is one.
    pub fn look(&mut self) -> Option<&mut Box<dyn Look>> {
        match self {
            Self::Look { look, .. } => Some(look),
            Self::Unit { .. } | Self::Record { .. } => None,
        }
    }

    /// The lanes of a unit; nothing else has any.
    pub fn lanes(&self) -> &[Lane] {
        match self {
            Self::Unit { lanes, .. } => lanes,
            Self::Look { .. } | Self::Record { .. } => &[],
        }
    }

    /// Whether both stand in one lane.
    pub fn meets(&self, other: &Self) -> bool {
        self.lanes().iter().any(|lane| other.lanes().contains(lane))
    }

    pub fn fail(self, error: &Error) {
        match self {
            Self::Unit { unit, .. } => unit.fail(error.clone()),
            Self::Look { look, .. } => look.fail(error.clone()),
            // A caller that stopped waiting needs no answer.
            Self::Record { reply, .. } => drop(reply.send(Err(error.clone()))),
        }
    }

    pub fn succeed(self) {
        match self {
            Self::Unit { unit, .. } => unit.succeed(),
            Self::Look { look, .. } => look.succeed(),
            Self::Record { reply, .. } => drop(reply.send(Ok(()))),
        }
    }

    /// What is to be counted; of a unit, what its last run decided.
    pub fn tally(&self) -> Option<Tally> {
        match self {
            Self::Unit { unit, .. } => unit.tally(),
            Self::Look { .. } | Self::Record { .. } => None,
        }
    }

    /// The records to commit; of a unit or a look-up, those of its last run.
    pub fn records(&self) -> &[Record] {
        match self {
            Self::Unit { unit, .. } => unit.records(),
            Self::Look { look, .. } => look.records(),
            Self::Record { record, .. } => std::slice::from_ref(record),
        }
    }
}

/// Splits what waits into transactions: one, but for units whose transaction must be their own.
/// What nobody misses is left out. Look-ups come first, in the audit log too: they are asked before
/// anything is written, and a record must not deny what the one before it says.
pub(crate) fn transactions(mut works: Vec<Work>) -> Vec<Vec<Work>> {
    works.retain(|work| !work.is_moot());
    works.sort_by_key(|work| !matches!(work, Work::Look { .. }));
    if works.is_empty() {
        return Vec::new();
    }
    if !works.iter().any(Work::is_alone) {
        return vec![works];
    }
    let mut transactions: Vec<Vec<Work>> = Vec::new();
    for work in works {
        let shares = |last: &&mut Vec<Work>| !work.is_alone() && !last.iter().any(Work::is_alone);
        match transactions.last_mut().filter(shares) {
            Some(last) => last.push(work),
            None => transactions.push(vec![work]),
        }
    }
    transactions
}

/// A unit whose output type is forgotten.
pub(crate) trait Pending: Send {
    fn run<'t>(&'t mut self, tx: Tx<'t>) -> BoxFuture<'t, Result<()>>;
    fn is_alone(&self) -> bool;
    fn tally(&self) -> Option<Tally>;
    fn records(&self) -> &[Record];
    fn succeed(self: Box<Self>);
    fn fail(self: Box<Self>, error: Error);
}

struct Typed<U: Unit> {
    unit: U,
    written: Option<Written<U::Output>>,
    reply: oneshot::Sender<Result<U::Output>>,
}

/// A unit ready for the queue, and where its output will arrive.
pub(crate) fn pending<U: Unit>(
    unit: U,
) -> (Box<dyn Pending>, oneshot::Receiver<Result<U::Output>>) {
    let (reply, answer) = oneshot::channel();
    (
        Box::new(Typed {
            unit,
            written: None,
            reply,
        }),
        answer,
    )
}

impl<U: Unit> Pending for Typed<U> {
    fn run<'t>(&'t mut self, mut tx: Tx<'t>) -> BoxFuture<'t, Result<()>> {
        self.written = None;
        async move {
            // A unit that panics must not take the writer, and everybody's writes, with it.
            // What it leaves half done is undone with its transaction, or never run again.
            let run = AssertUnwindSafe(async { self.unit.run(&mut tx).await }).catch_unwind();
            let panicked = |_| Err(Error::Refused("a unit panicked".into()));
            self.written = Some(run.await.unwrap_or_else(panicked)?);
            Ok(())
        }
        .boxed()
    }

    fn is_alone(&self) -> bool {
        U::ALONE
    }

    fn tally(&self) -> Option<Tally> {
        self.unit.tally()
    }

    fn records(&self) -> &[Record] {
        self.written
            .as_ref()
            .map_or(&[], |written| &written.records)
    }

    fn succeed(self: Box<Self>) {
        let result = match self.written {
            Some(written) => Ok(written.output),
            None => Err(Error::Refused(
                "a unit was committed without having run".into(),
            )),
        };
        drop(self.reply.send(result));
    }

    fn fail(self: Box<Self>, error: Error) {
        drop(self.reply.send(Err(error)));
    }
}
