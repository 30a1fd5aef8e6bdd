//! Copying what comes in, behind the writers.
//!
//! Any number of instances may follow: one copies, under a lease, and the others take over when it gives
//! no sign of life. When the archive does not take anything, it is left alone for longer and longer.

use std::sync::Arc;
use std::time::Duration;

use domain::delivery::Schedule;
use store::tables::archive::{self, Position, Task};
use store::tables::audit;
use store::{Lane, Tx, Unit, Written};

use super::api::{Archive, ArchiveProblem};
use super::copy::{Copied, Copier};
use crate::{App, Error, Result};

/// How often it is looked for something to be copied.
const PERIOD: Duration = Duration::from_secs(1);

/// How often it is looked whether whoever copies is still there.
const STANDBY: Duration = Duration::from_secs(5);

/// The pauses while nothing is taken, in seconds; then the last one again and again.
const PAUSES: [u64; 9] = [1, 2, 5, 10, 20, 40, 80, 160, 300];

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Everything is copied; in a while there may be more.
    Idle(Duration),
    /// Somebody else copies.
    Standby(Duration),
    /// It is to be tried again after so long.
    Again(ArchiveProblem, Duration),
}

impl Next {
    /// How long to wait.
    #[must_use]
    pub const fn pause(self) -> Duration {
        match self {
            Self::Idle(pause) | Self::Standby(pause) | Self::Again(_, pause) => pause,
        }
    }
}

/// Copies what comes in.
pub struct Follower {
    app: Arc<App>,
    archive: Arc<dyn Archive>,
    copier: Copier,
    /// How often in a row nothing was taken.
    failures: u32,
    pauses: Schedule,
}

impl Follower {
    /// Has copied nothing yet.
    #[must_use]
    pub fn new(app: Arc<App>, archive: Arc<dyn Archive>) -> Self {
        Self {
            copier: Copier::new(&app, Task::Stream),
            app,
            archive,
            failures: 0,
            pauses: Schedule::new(PAUSES.map(Duration::from_secs).to_vec()),
        }
    }

    /// Copies everything that is there, or as much as is taken. May be dropped at any moment.
    ///
    /// # Errors
    /// When the database is away; what is left is copied the next time.
    pub async fn step(&mut self) -> Result<Next> {
        // Without anything to do nothing is written, not even the lease.
        if !self.is_behind().await? {
            return Ok(Next::Idle(PERIOD));
        }
        loop {
            if !self.copier.lease(&self.app).await? {
                return Ok(Next::Standby(STANDBY));
            }
            match self.round().await? {
                Ok(true) => self.note(None).await?,
                Ok(false) => {
                    self.note(None).await?;
                    return Ok(Next::Idle(PERIOD));
                }
                Err(problem) => {
                    self.note(Some(problem)).await?;
                    return Ok(Next::Again(problem, self.pause(problem)));
                }
            }
        }
    }

    /// Lets somebody else go on at once.
    ///
    /// # Errors
    /// When the database is away: then the lease ends by itself.
    pub async fn release(&mut self) -> Result<()> {
        self.copier.release(&self.app).await
    }

    /// Copies a page of each log; whether there may be more.
    async fn round(&mut self) -> Result<std::result::Result<bool, ArchiveProblem>> {
        let positions = self
            .app
            .store
            .read(|mut tx| Box::pin(async move { archive::positions(&mut tx).await }));
        let (mut is_more, mut turned_away) = (false, false);
        for position in positions.await? {
            match self
                .copier
                .page(&self.app, &*self.archive, position)
                .await?
            {
                Ok(Copied::Nothing) => {}
                Ok(Copied::Some(_) | Copied::Overtaken) => is_more = true,
                // Some rows of one log hold up no other log.
                Err(ArchiveProblem::Partial) => turned_away = true,
                Err(problem) => return Ok(Err(problem)),
            }
        }
        // They have to wait, and are not to be sent again at once because others have more.
        Ok(match turned_away {
            true => Err(ArchiveProblem::Partial),
            false => Ok(is_more),
        })
    }

    /// Whether there is anything to copy, or the archive was never begun.
    async fn is_behind(&self) -> Result<bool> {
        let behind = self
            .app
            .store
            .read(|mut tx| Box::pin(async move { is_behind(&mut tx).await }));
        behind.await.map_err(Error::from)
    }

    /// Has everybody know how it goes, where that has changed.
    async fn note(&mut self, problem: Option<ArchiveProblem>) -> Result<()> {
        let failed_before = self.failures > 0;
        match problem {
            Some(_) => self.failures = self.failures.saturating_add(1),
            None => self.failures = 0,
        }
        let word = problem.map(ArchiveProblem::word);
        let standing = self
            .app
            .store
            .read(|mut tx| Box::pin(async move { archive::standing(&mut tx, Task::Stream).await }));
        let known = standing.await?.and_then(|standing| standing.trouble);
        if known.as_ref().map(|(word, _)| word.as_str()) == word {
            return Ok(());
        }
        match problem {
            Some(problem) if !failed_before => tracing::warn!(%problem, "nothing is archived"),
            None => tracing::info!("archiving goes on"),
            Some(_) => {}
        }
        let now = self.app.clock.now();
        self.app.store.write(Note { word, now }).await?;
        Ok(())
    }

    fn pause(&self, problem: ArchiveProblem) -> Duration {
        let most = u32::try_from(PAUSES.len()).unwrap_or(1);
        let times = self.failures.min(most);
        let random = self.app.random.as_ref();
        let pause = self.pauses.after(times, problem.wish(), random);
        pause.unwrap_or(STANDBY)
    }
}

async fn is_behind(tx: &mut Tx<'_>) -> store::Result<bool> {
    let Some(standing) = archive::standing(tx, Task::Stream).await? else {
        return Ok(true);
    };
    if standing.trouble.is_some() {
        return Ok(true);
    }
    let positions = archive::positions(tx).await?;
    let reached = |log| {
        let mut positions = positions.iter();
        let position = positions.find(|position: &&Position| position.log == log);
        position.map(|position| position.streamed_to)
    };
    let heads = audit::heads(tx).await?;
    Ok(heads
        .iter()
        .any(|head| reached(head.log).is_none_or(|to| to < head.head.batch)))
}

struct Note {
    word: Option<&'static str>,
    now: jiff::Timestamp,
}

impl Unit for Note {
    type Output = ();

    fn lane(&self) -> Lane {
        Lane::of(b"archive")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<()>> {
        archive::note_trouble(tx, Task::Stream, self.word, self.now).await?;
        Ok(Written {
            output: (),
            records: Vec::new(),
        })
    }
}
