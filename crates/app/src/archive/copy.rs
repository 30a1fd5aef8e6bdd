//! Copying a log: the next batches are read, handed over, and the position moved on.
//!
//! What cannot be read is parked as a batch, so that what comes behind it is copied. Records that are
//! gone, because their month was retired before, are counted and passed over.

use std::collections::{BTreeMap, BTreeSet};

use domain::age::VerificationId;
use domain::random::uuid_v7;
use jiff::Timestamp;
use store::tables::archive::{self, Batch, Parked, Position, Step, Task};
use store::tables::audit::{self, Located};
use store::{Error as StoreError, Lane, Tx, Unit, Written};
use uuid::Uuid;

use super::LEASE;
use super::api::{Archive, ArchiveProblem};
use super::load::Load;
use super::rows::{Row, decision_named};
use crate::{App, Result};

/// About how many records are copied at a time.
const PAGE: i64 = 2_000;

/// The kind of what is parked when a whole batch cannot be read.
pub(super) const BATCH: &str = "audit_batch";

/// Somebody who copies, under a lease.
pub(super) struct Copier {
    pub task: Task,
    holder: Uuid,
    /// What was read and is not all taken yet, by log.
    under_way: BTreeMap<i64, UnderWay>,
}

struct UnderWay {
    step: Step,
    /// The name of the batch that cannot be read, if it is one.
    unreadable: Option<String>,
    records: i64,
    load: Load,
}

/// What copying a page came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Copied {
    /// So many records; there may be more.
    Some(i64),
    /// There is nothing left.
    Nothing,
    /// Somebody else was faster.
    Overtaken,
}

impl Copier {
    pub fn new(app: &App, task: Task) -> Self {
        Self {
            task,
            holder: uuid_v7(app.clock.now(), app.random.as_ref()),
            under_way: BTreeMap::new(),
        }
    }

    /// Begins the archive if need be, and takes the lease; `false` when somebody else has it.
    pub async fn lease(&mut self, app: &App) -> Result<bool> {
        let leased = app
            .store
            .write(Lease {
                task: self.task,
                holder: self.holder,
                now: app.clock.now(),
            })
            .await?;
        if !leased {
            self.under_way.clear();
        }
        Ok(leased)
    }

    /// Gives the lease back.
    pub async fn release(&mut self, app: &App) -> Result<()> {
        self.under_way.clear();
        let (task, holder) = (self.task, self.holder);
        app.store.write(Release { task, holder }).await?;
        Ok(())
    }

    /// Copies the next page of a log.
    pub async fn page(
        &mut self,
        app: &App,
        archive: &dyn Archive,
        position: Position,
    ) -> Result<std::result::Result<Copied, ArchiveProblem>> {
        let from = position.of(self.task);
        let known = self.under_way.remove(&position.log);
        let known = known.filter(|way| way.step.from == from);
        let way = match known {
            Some(way) => Some(way),
            None => self.read(app, position).await?,
        };
        let Some(mut way) = way else {
            return Ok(Ok(Copied::Nothing));
        };
        if let Err(problem) = way.load.send(archive).await {
            self.under_way.insert(position.log, way);
            return Ok(Err(problem));
        }
        let parked = way.parked(app.clock.now());
        let (task, step) = (self.task, way.step);
        let moved = app.store.write(Advance { task, step, parked }).await?;
        Ok(Ok(match moved {
            true => Copied::Some(way.records),
            false => Copied::Overtaken,
        }))
    }

    async fn read(&self, app: &App, position: Position) -> Result<Option<UnderWay>> {
        let (from, end) = (position.of(self.task), position.end(self.task));
        let page = match read(app, self.task, position, PAGE).await {
            // What cannot be read as a page is read batch by batch.
            Err(StoreError::Corrupt { .. } | StoreError::Refused(_)) => {
                read(app, self.task, position, 1).await
            }
            page => page,
        };
        let unreadable = matches!(
            page,
            Err(StoreError::Corrupt { .. } | StoreError::Refused(_))
        );
        if unreadable {
            return skip(app, position.log, from, end).await;
        }
        Ok(page?.map(|page| page.into_way(position.log, from)))
    }
}

impl UnderWay {
    fn parked(&mut self, now: Timestamp) -> Vec<Parked> {
        let refused = std::mem::take(&mut self.load.refused).into_iter();
        let rows = refused.map(|row| Parked {
            kind: row.table.name().to_owned(),
            name: row.name,
            reason: row.reason,
            parked_at: now,
        });
        let batch = self.unreadable.take().map(|name| Parked {
            kind: BATCH.to_owned(),
            name,
            reason: "unreadable".to_owned(),
            parked_at: now,
        });
        rows.chain(batch).collect()
    }
}

/// Some batches and what they hold.
struct Page {
    last: i64,
    /// How many records there were, by the batches' own account.
    size: i64,
    records: Vec<Located>,
    /// The decisions that the records tell of.
    decisions: Vec<Row>,
    /// How many more they tell of.
    gone: i64,
}

impl Page {
    /// Finds the decisions that the records tell of.
    async fn find_decisions(&mut self, tx: &mut Tx<'_>) -> store::Result<()> {
        let details = self
            .records
            .iter()
            .map(|found| found.record.detail.as_deref());
        let named: BTreeSet<_> = details.filter_map(decision_named).collect();
        let names: Vec<_> = named.iter().map(VerificationId::as_str).collect();
        let found = archive::find_decisions(tx, &names).await?;
        let gone = names.len().saturating_sub(found.len());
        self.gone = i64::try_from(gone).unwrap_or(i64::MAX);
        self.decisions = found.into_iter().map(Row::of_decision).collect();
        Ok(())
    }

    fn into_way(self, log: i64, from: i64) -> UnderWay {
        let found = i64::try_from(self.records.len()).unwrap_or(i64::MAX);
        let missed = self.size.saturating_sub(found).max(0) + self.gone;
        if missed > 0 {
            tracing::warn!(log, missed, "records were gone before they were archived");
        }
        let records = self.records.into_iter().map(Row::of_record);
        UnderWay {
            step: Step {
                log,
                from,
                to: self.last,
                missed,
            },
            unreadable: None,
            records: found,
            load: Load::new(records.chain(self.decisions).collect()),
        }
    }
}

/// The next batches of about so many records, up to one; `None` when there are none.
async fn read(
    app: &App,
    task: Task,
    position: Position,
    enough: i64,
) -> store::Result<Option<Page>> {
    app.store
        .read(move |mut tx| {
            Box::pin(async move {
                let (log, after) = (position.log, position.of(task));
                let end = position.end(task);
                let batches = archive::batches(&mut tx, log, after, end, enough).await?;
                let Some((last, size)) = run(&batches, enough) else {
                    return Ok(None);
                };
                let mut page = Page {
                    last,
                    size,
                    records: audit::records(&mut tx, log, after + 1, last).await?,
                    decisions: Vec::new(),
                    gone: 0,
                };
                // The backfill walks through decisions by themselves.
                if task == Task::Stream {
                    page.find_decisions(&mut tx).await?;
                }
                Ok(Some(page))
            })
        })
        .await
}

/// Where the shortest run of batches ends that has so many records, and how many it has; all of them
/// when there are fewer.
fn run(batches: &[Batch], enough: i64) -> Option<(i64, i64)> {
    let mut run = None;
    for batch in batches {
        let size = run.map_or(0, |(_, size)| size) + batch.size;
        run = Some((batch.number, size));
        if size >= enough {
            break;
        }
    }
    run
}

/// Passes over the next batch, which cannot be read.
async fn skip(app: &App, log: i64, after: i64, end: i64) -> Result<Option<UnderWay>> {
    let next = app
        .store
        .read(move |mut tx| Box::pin(async move { audit::next_batch(&mut tx, log, after).await }))
        .await?;
    Ok(next.filter(|next| *next <= end).map(|next| {
        tracing::warn!(
            log,
            batch = next,
            "a batch cannot be read and is not archived"
        );
        UnderWay {
            step: Step {
                log,
                from: after,
                to: next,
                missed: 0,
            },
            unreadable: Some(format!("{log}.{next}")),
            records: 0,
            load: Load::new(Vec::new()),
        }
    }))
}

/// The lane of everything that moves a position.
fn lane() -> Lane {
    Lane::of(b"archive")
}

fn done<T>(output: T) -> Written<T> {
    // A record for each step would be a record to be archived.
    Written {
        output,
        records: Vec::new(),
    }
}

struct Lease {
    task: Task,
    holder: Uuid,
    now: Timestamp,
}

impl Unit for Lease {
    type Output = bool;

    fn lane(&self) -> Lane {
        lane()
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<bool>> {
        archive::begin(tx, self.now).await?;
        let until = self.now.saturating_add(LEASE).unwrap_or(self.now);
        archive::lease(tx, self.task, self.holder, until, self.now)
            .await
            .map(done)
    }
}

struct Release {
    task: Task,
    holder: Uuid,
}

impl Unit for Release {
    type Output = ();

    fn lane(&self) -> Lane {
        lane()
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<()>> {
        archive::release(tx, self.task, self.holder).await.map(done)
    }
}

struct Advance {
    task: Task,
    step: Step,
    parked: Vec<Parked>,
}

impl Unit for Advance {
    type Output = bool;

    fn lane(&self) -> Lane {
        lane()
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<bool>> {
        let moved = archive::advance(tx, self.task, self.step).await?;
        if moved {
            for parked in &self.parked {
                archive::park(tx, parked).await?;
            }
        }
        Ok(done(moved))
    }
}
