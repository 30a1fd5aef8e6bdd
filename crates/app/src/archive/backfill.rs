//! Copying what was there before the archive was begun: the logs up to where the stream begins, then the
//! decisions about ages of that time.
//!
//! It goes on where it was cut off, and disturbs no stream. Decisions are walked through by name, a day
//! beyond the beginning, because an instance whose clock was ahead may have named one later; what the
//! stream has copied already is then copied twice.

use domain::age::VerificationId;
use domain::audit::Record;
use jiff::{SignedDuration, Timestamp};
use store::tables::archive::{self, Decision, Parked, Task};
use store::{Lane, Tx, Unit, Written};

use super::api::{Archive, ArchiveProblem};
use super::copy::{Copied, Copier};
use super::load::Load;
use super::rows::Row;
use crate::exchange::Exchange;
use crate::{App, Error, Result};

/// How many decisions are copied at a time.
const PAGE: i64 = 1_000;

/// How far clocks may be apart.
const MARGIN: SignedDuration = SignedDuration::from_hours(24);

/// How far it has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Records and decisions copied, in this run and in those that it goes on from.
    pub done: u64,
    /// How many there are.
    pub total: u64,
    /// Those of this run.
    pub copied: u64,
}

/// Why it was cut off. It can be taken up again.
#[derive(Debug)]
pub enum Interrupted {
    /// The archive did not do its part.
    Archive(ArchiveProblem),
    /// We did not.
    Ours(Error),
    /// Somebody else does it already.
    Taken,
}

impl From<Error> for Interrupted {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

impl From<store::Error> for Interrupted {
    fn from(error: store::Error) -> Self {
        Self::Ours(Error::from(error))
    }
}

impl From<ArchiveProblem> for Interrupted {
    fn from(problem: ArchiveProblem) -> Self {
        Self::Archive(problem)
    }
}

type Ended<T> = std::result::Result<T, Interrupted>;

/// A backfill. Cut off, it can be run again, and sends nothing again that was taken.
pub struct Backfill<'a> {
    app: &'a App,
    archive: &'a dyn Archive,
    copier: Copier,
    /// Decisions on their way, and the last of them.
    under_way: Option<(Load, String)>,
    progress: Progress,
}

impl<'a> Backfill<'a> {
    /// Has copied nothing yet.
    #[must_use]
    pub fn new(app: &'a App, archive: &'a dyn Archive) -> Self {
        Self {
            app,
            archive,
            copier: Copier::new(app, Task::Backfill),
            under_way: None,
            progress: Progress::default(),
        }
    }

    /// Copies everything that is left. `watch` is told after every page.
    ///
    /// # Errors
    /// Why it was cut off.
    pub async fn run(
        &mut self,
        exchange: &Exchange,
        mut watch: impl FnMut(Progress),
    ) -> Ended<Progress> {
        self.lease().await?;
        (self.progress.done, self.progress.total) = counts(self.app).await?;
        watch(self.progress);
        while self.logs(&mut watch).await? {}
        while self.decisions().await? {
            watch(self.progress);
        }
        let copied = self.progress.copied;
        let draft = self.app.recorder.draft(exchange).await?;
        let record = draft.finish("ok", 0, Some(format!("copied={copied}")));
        self.app.store.write(Close { record }).await?;
        exchange.mark_recorded();
        self.copier.release(self.app).await?;
        Ok(self.progress)
    }

    /// Lets another one go on at once.
    ///
    /// # Errors
    /// When the database is away: then the lease ends by itself.
    pub async fn release(&mut self) -> Result<()> {
        self.under_way = None;
        self.copier.release(self.app).await
    }

    async fn lease(&mut self) -> Ended<()> {
        match self.copier.lease(self.app).await? {
            true => Ok(()),
            false => Err(Interrupted::Taken),
        }
    }

    /// Copies a page of each log; whether there may be more.
    async fn logs(&mut self, watch: &mut impl FnMut(Progress)) -> Ended<bool> {
        let positions = self
            .app
            .store
            .read(|mut tx| Box::pin(async move { archive::positions(&mut tx).await }));
        let mut is_more = false;
        for position in positions.await? {
            self.lease().await?;
            let copied = self.copier.page(self.app, self.archive, position);
            match copied.await?? {
                Copied::Nothing => {}
                Copied::Overtaken => is_more = true,
                Copied::Some(records) => {
                    is_more = true;
                    self.note(records.unsigned_abs());
                    watch(self.progress);
                }
            }
        }
        Ok(is_more)
    }

    /// Copies a page of decisions; whether there may be more.
    async fn decisions(&mut self) -> Ended<bool> {
        self.lease().await?;
        if self.under_way.is_none() {
            let (after, before) = left(self.app).await?;
            let page = list(self.app, after, before).await?;
            self.under_way = page.last().map(|last| {
                let last = last.verification_id.clone();
                let rows = page.iter().cloned().map(Row::of_decision);
                (Load::new(rows.collect()), last)
            });
            self.progress.copied += page.len() as u64;
            self.progress.done += page.len() as u64;
        }
        let Some((load, last)) = &mut self.under_way else {
            return Ok(false);
        };
        load.send(self.archive).await?;
        let now = self.app.clock.now();
        let parked = load.refused.drain(..).map(|row| Parked {
            kind: row.table.name().to_owned(),
            name: row.name,
            reason: row.reason,
            parked_at: now,
        });
        let unit = Move {
            to: last.clone(),
            parked: parked.collect(),
        };
        self.app.store.write(unit).await?;
        self.under_way = None;
        Ok(true)
    }

    fn note(&mut self, copied: u64) {
        self.progress.copied += copied;
        self.progress.done += copied;
    }
}

/// Between which names the decisions are that are left.
async fn left(app: &App) -> Result<(String, String)> {
    let standing = app
        .store
        .read(|mut tx| Box::pin(async move { archive::standing(&mut tx, Task::Backfill).await }));
    let standing = standing.await?;
    let began_at = standing
        .as_ref()
        .map_or(Timestamp::MIN, |standing| standing.began_at);
    let end = began_at.saturating_add(MARGIN).unwrap_or(began_at);
    let after = standing.and_then(|standing| standing.ages_to);
    Ok((after.unwrap_or_default(), VerificationId::bound(end)))
}

async fn list(app: &App, after: String, before: String) -> Result<Vec<Decision>> {
    let page = app.store.read(move |mut tx| {
        let (after, before) = (after.clone(), before.clone());
        Box::pin(async move { archive::list_decisions(&mut tx, &after, &before, PAGE).await })
    });
    Ok(page.await?)
}

/// How much is copied, and how much there is in all.
async fn counts(app: &App) -> Result<(u64, u64)> {
    let (after, before) = left(app).await?;
    let counts = app.store.read(move |mut tx| {
        let (after, before) = (after.clone(), before.clone());
        Box::pin(async move {
            let (mut done, mut left) = (0, 0);
            for position in archive::positions(&mut tx).await? {
                let (log, to, end) = (position.log, position.filled_to, position.begins_after);
                done += archive::count(&mut tx, log, 0, to.min(end)).await?;
                left += archive::count(&mut tx, log, to, end).await?;
            }
            left += archive::count_decisions(&mut tx, &after, &before).await?;
            if !after.is_empty() {
                let after = format!("{after}~");
                done += archive::count_decisions(&mut tx, "", &after).await?;
            }
            Ok((done, done + left))
        })
    });
    let (done, total) = counts.await?;
    Ok((done.unsigned_abs(), total.unsigned_abs()))
}

/// Moves on behind decisions that were copied.
struct Move {
    to: String,
    parked: Vec<Parked>,
}

impl Unit for Move {
    type Output = ();

    fn lane(&self) -> Lane {
        Lane::of(b"archive")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<()>> {
        archive::set_ages_to(tx, &self.to).await?;
        for parked in &self.parked {
            archive::park(tx, parked).await?;
        }
        Ok(Written {
            output: (),
            records: Vec::new(),
        })
    }
}

/// Tells the log that everything is copied.
struct Close {
    record: Record,
}

impl Unit for Close {
    type Output = ();

    fn lane(&self) -> Lane {
        Lane::of(b"archive")
    }

    async fn run(&mut self, _: &mut Tx<'_>) -> store::Result<Written<()>> {
        Ok(Written {
            output: (),
            records: vec![self.record.clone()],
        })
    }
}
