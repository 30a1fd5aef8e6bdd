//! Going through the customers of Square, for what no hook told.
//!
//! The first time everybody is looked at, later whoever was changed since. What a page says and where
//! the next one begins are written in one transaction, so that a pass that was cut off goes on where
//! it was, and nothing is learnt twice.

use domain::access::CompanyId;
use domain::audit::Record;
use jiff::{SignedDuration, Timestamp};
use store::tables::sync_positions::{self, Position};
use store::{Lane, Tx, Unit, Written};

use super::facts::{ByCustomer, of_profiles};
use super::learn::{Learning, Learnt};
use super::{Page, Profile, SOURCE, SquareApi, SquareProblem, Wanted, carry_on};
use crate::exchange::Exchange;
use crate::orders::Pen;
use crate::{App, Error, Result};

/// How many customers one transaction writes down: few enough to be done in time where the database
/// is far away.
const BATCH: usize = 20;

/// How far passes overlap: what changed just before one began may not have been found yet.
const MARGIN: SignedDuration = SignedDuration::from_mins(5);

/// A pass that looks at everybody.
const EVERYBODY: Timestamp = Timestamp::UNIX_EPOCH;

/// What is to be looked through.
#[derive(Debug, Clone)]
pub struct Request {
    /// For whom.
    pub company: String,
    /// Whether everybody is to be looked at again.
    pub full: bool,
}

/// How far a pass has come, or what it came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Customers of Square seen, in this run and in those that it goes on from.
    pub seen: u64,
    /// How many there are to be seen, if Square has said so.
    pub total: Option<u64>,
    /// Those of whom this run has learnt something new.
    pub learnt: u64,
}

/// Why a pass was cut off. It can be taken up again.
#[derive(Debug)]
pub enum Interrupted {
    /// Square did not do its part.
    Square(SquareProblem),
    /// We did not.
    Ours(Error),
}

impl From<Error> for Interrupted {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

impl From<SquareProblem> for Interrupted {
    fn from(problem: SquareProblem) -> Self {
        Self::Square(problem)
    }
}

/// Ties every customer of Square that is new or was changed since the last pass. `watch` is told after
/// every page.
///
/// # Errors
/// Why it was cut off.
pub async fn sync(
    app: &App,
    exchange: &Exchange,
    api: &dyn SquareApi,
    request: &Request,
    mut watch: impl FnMut(Progress),
) -> std::result::Result<Progress, Interrupted> {
    let mut pass = Pass::begin(app, request).await?;
    loop {
        let page = pass.fetch(api).await?;
        let is_last = page.cursor.is_none();
        pass.take(app, page).await?;
        watch(pass.progress);
        if is_last {
            break;
        }
    }
    let Progress { seen, learnt, .. } = pass.progress;
    let draft = app.recorder.draft(exchange).await?;
    let record = draft.finish("ok", 0, Some(format!("seen={seen} learnt={learnt}")));
    pass.end(app, record).await?;
    exchange.mark_recorded();
    carry_on(app, &request.company).await?;
    Ok(pass.progress)
}

/// A pass under way.
struct Pass {
    company: CompanyId,
    began_at: Timestamp,
    since: Timestamp,
    /// Where the next page begins.
    cursor: Option<String>,
    /// Whether the cursor was handed out to an earlier run.
    is_resumed: bool,
    progress: Progress,
}

impl Pass {
    async fn begin(app: &App, request: &Request) -> Result<Self> {
        let company = CompanyId::parse(&request.company).map_err(Error::internal)?;
        let name = request.company.clone();
        let known = app.store.read(move |mut tx| {
            let name = name.clone();
            Box::pin(async move { sync_positions::find(&mut tx, &name, SOURCE).await })
        });
        let mut pass = Self {
            company,
            began_at: app.clock.now(),
            since: EVERYBODY,
            cursor: None,
            is_resumed: false,
            progress: Progress::default(),
        };
        let Some(known) = known.await? else {
            return Ok(pass);
        };
        let goes_on = !request.full || known.since == EVERYBODY;
        match known.pass.filter(|_| goes_on) {
            Some((began_at, place)) => {
                let (seen, cursor) = place.split_once(' ').unwrap_or(("0", ""));
                pass.since = known.since;
                pass.began_at = began_at;
                pass.progress.seen = seen.parse().unwrap_or_default();
                pass.cursor = Some(cursor.to_owned()).filter(|cursor| !cursor.is_empty());
                pass.is_resumed = pass.cursor.is_some();
            }
            None if request.full => {}
            None => pass.since = known.since,
        }
        Ok(pass)
    }

    fn wanted(&self) -> Wanted {
        match self.since == EVERYBODY {
            true => Wanted::All,
            false => Wanted::ChangedSince(self.since),
        }
    }

    async fn fetch(&mut self, api: &dyn SquareApi) -> std::result::Result<Page, SquareProblem> {
        let page = api.page(self.wanted(), self.cursor.as_deref()).await;
        match page {
            // Cursors do not live for ever; what was seen before is seen again, and changes nothing.
            Err(SquareProblem::Unacceptable) if self.is_resumed => {
                self.is_resumed = false;
                self.cursor = None;
                self.progress.seen = 0;
                api.page(self.wanted(), None).await
            }
            page => page,
        }
    }

    /// Writes a page down, and with its last part where the next one begins.
    async fn take(&mut self, app: &App, page: Page) -> Result<()> {
        self.is_resumed = false;
        self.cursor = page.cursor;
        self.progress.seen += page.customers.len() as u64;
        self.progress.total = page.count.or(self.progress.total);
        let mut parts: Vec<&[Profile]> = page.customers.chunks(BATCH).collect();
        let last = parts.pop().unwrap_or_default();
        for part in parts {
            self.learn(app, part, None).await?;
        }
        let place = self.cursor.as_ref().map(|cursor| {
            let seen = self.progress.seen;
            (self.began_at, format!("{seen} {cursor}"))
        });
        // Without another page the pass ends, and is noted then.
        let position = place.map(|place| Position {
            since: self.since,
            pass: Some(place),
        });
        self.learn(app, last, position).await
    }

    async fn learn(
        &mut self,
        app: &App,
        profiles: &[Profile],
        position: Option<Position>,
    ) -> Result<()> {
        let unit = Take {
            learning: Learning {
                pen: Pen::of(app),
                index_key: app.index_key.clone(),
                company: self.company.clone(),
                now: app.clock.now(),
            },
            told: of_profiles(&app.index_key, self.company.as_str(), profiles),
            position,
            record: None,
        };
        let learnt = app.store.write(unit).await?;
        self.progress.learnt += learnt.changed;
        if learnt.enqueued {
            app.outbox.wake();
        }
        Ok(())
    }

    /// Everything that changed before this pass began is known now.
    async fn end(&self, app: &App, record: Record) -> Result<()> {
        let since = self.began_at.saturating_sub(MARGIN);
        let unit = Take {
            learning: Learning {
                pen: Pen::of(app),
                index_key: app.index_key.clone(),
                company: self.company.clone(),
                now: app.clock.now(),
            },
            told: ByCustomer::new(),
            position: Some(Position {
                since: since.unwrap_or(self.began_at),
                pass: None,
            }),
            record: Some(record),
        };
        app.store.write(unit).await?;
        Ok(())
    }
}

/// Writes some customers down, and how far the pass has come.
struct Take {
    learning: Learning,
    told: ByCustomer,
    position: Option<Position>,
    record: Option<Record>,
}

impl Unit for Take {
    type Output = Learnt;

    fn lane(&self) -> Lane {
        Lane::of(b"sync positions")
    }

    fn other_lanes(&self) -> Vec<Lane> {
        let all = self.told.keys();
        all.map(|index| Lane::of(index.as_bytes())).collect()
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Learnt>> {
        let learnt = self.learning.learn(tx, &self.told).await?;
        if let Some(position) = &self.position {
            let (company, now) = (self.learning.company.as_str(), self.learning.now);
            sync_positions::set(tx, company, SOURCE, position, now).await?;
        }
        Ok(Written {
            output: learnt,
            records: self.record.clone().into_iter().collect(),
        })
    }
}
