//! What a hook of Square leads to.

use std::sync::Arc;

use domain::seal::BlindIndex;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use store::tables::square_customers::SquareCustomer;
use store::{Lane, Tx, Unit, Written};

use super::facts::{ByCustomer, of_event, of_merges};
use super::learn::{Learning, Learnt};
use super::told::Told;
use super::{SquareApi, carry_on, square_index};
use crate::audit::Draft;
use crate::inbox::{Event, Handled, Handler, Mark, Trouble, on_behalf};
use crate::orders::Pen;
use crate::{App, Ctx};

/// How many merges one transaction writes down. Few events tell of more than one.
const AT_ONCE: usize = 50;

/// Processes Square's hooks.
pub struct SquareHooks {
    app: Arc<App>,
    api: Arc<dyn SquareApi>,
}

impl Handler for SquareHooks {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, Trouble>> {
        self.follow(event).boxed()
    }
}

impl SquareHooks {
    /// Over a seller's account, which is asked for what an event leaves out.
    pub fn new(app: Arc<App>, api: Arc<dyn SquareApi>) -> Self {
        Self { app, api }
    }

    async fn follow(&self, event: &Event) -> Result<Handled, Trouble> {
        let told = Told::read(&event.body, event.received_at);
        let mut told = told.ok_or(Trouble::person("unreadable"))?;
        if told.profile.is_none() && !told.is_deletion {
            told.profile = self.api.customer(&told.id).await?;
            if told.profile.is_none() && told.merges.is_empty() {
                return Ok(Handled::done("not_found"));
            }
        }
        let app = &self.app;
        let ctx = on_behalf(app, &event.company, "square.customer")?;
        let about = square_index(&app.index_key, &event.company, &told.id);
        let learning = Learning {
            pen: Pen::of(app),
            index_key: app.index_key.clone(),
            company: ctx.caller.company_id().clone(),
            now: app.clock.now(),
        };
        let learnt = self.ahead(&learning, &mut told).await?;
        let unit = Learn {
            learning,
            told: of_event(&app.index_key, &event.company, &told),
            learnt,
            about,
            is_merge: !told.merges.is_empty(),
            is_deletion: told.is_deletion,
            draft: app.recorder.draft(&ctx.exchange).await?,
            mark: event.mark.clone(),
        };
        let (learnt, word) = app.store.write(unit).await?;
        self.end(&ctx, &event.company, &learnt).await;
        let known = learnt.known.get(&about);
        Ok(Handled::Done {
            word,
            subject: known.and_then(|known| known.subject_index),
        })
    }

    /// Writes down the merges that are too many for the transaction that ends the event, and takes
    /// them out. If it comes to nothing in between, the event is processed again, and says the same.
    async fn ahead(&self, learning: &Learning, told: &mut Told) -> Result<Learnt, Trouble> {
        let mut learnt = Learnt::default();
        while told.merges.len() > AT_ONCE {
            let rest = told.merges.split_off(AT_ONCE);
            let merges = std::mem::replace(&mut told.merges, rest);
            let company = learning.company.as_str();
            let unit = Ahead {
                learning: learning.clone(),
                told: of_merges(&learning.index_key, company, told.at, &merges),
            };
            learnt.extend(self.app.store.write(unit).await?);
        }
        Ok(learnt)
    }

    /// What follows is asked for durably by now; doing it at once saves waiting for the next sweep.
    async fn end(&self, ctx: &Ctx, company: &str, learnt: &Learnt) {
        ctx.exchange.mark_recorded();
        if learnt.enqueued {
            self.app.outbox.wake();
        }
        if learnt.carries
            && let Err(error) = carry_on(&self.app, company).await
        {
            tracing::warn!(
                cause = error.cause(),
                "proofs are carried along a merge later"
            );
        }
    }
}

/// Writes down some of the merges that an event tells of.
struct Ahead {
    learning: Learning,
    told: ByCustomer,
}

impl Unit for Ahead {
    type Output = Learnt;

    fn lane(&self) -> Lane {
        let mut all = self.told.keys();
        let first = all.next().map(BlindIndex::as_bytes);
        Lane::of(first.map_or(b"".as_slice(), |index| index))
    }

    fn other_lanes(&self) -> Vec<Lane> {
        let others = self.told.keys().skip(1);
        others.map(|index| Lane::of(index.as_bytes())).collect()
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Learnt>> {
        Ok(Written {
            output: self.learning.learn(tx, &self.told).await?,
            records: Vec::new(),
        })
    }
}

/// Writes the rest of an event down, and marks it as done.
struct Learn {
    learning: Learning,
    told: ByCustomer,
    /// What was learnt ahead.
    learnt: Learnt,
    about: BlindIndex,
    is_merge: bool,
    is_deletion: bool,
    draft: Draft,
    mark: Mark,
}

impl Unit for Learn {
    type Output = (Learnt, &'static str);

    fn lane(&self) -> Lane {
        Lane::of(self.about.as_bytes())
    }

    fn other_lanes(&self) -> Vec<Lane> {
        let all = self.told.keys().filter(|index| **index != self.about);
        all.map(|index| Lane::of(index.as_bytes())).collect()
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Self::Output>> {
        let mut learnt = self.learnt.clone();
        learnt.extend(self.learning.learn(tx, &self.told).await?);
        let known = learnt.known.get(&self.about);
        let word = self.word(&learnt, known);
        let subject = known.and_then(|known| known.subject_index);
        if !self.mark.done(tx, word, subject, self.learning.now).await? {
            // Whoever holds the lease now does the same work.
            return Err(store::Error::Refused(
                "the event was claimed elsewhere".into(),
            ));
        }
        let mut record = self.draft.clone().finish("ok", 0, Some(word.to_owned()));
        record.subject = subject;
        Ok(Written {
            output: (learnt, word),
            records: vec![record],
        })
    }
}

impl Learn {
    /// What became of it, in one word.
    fn word(&self, learnt: &Learnt, known: Option<&SquareCustomer>) -> &'static str {
        let owner = known.and_then(|known| known.subject_index);
        match (learnt.changed, owner) {
            (0, _) => "stale",
            _ if self.is_merge => "merged",
            _ if self.is_deletion => "unlinked",
            (_, None) => "no_contact",
            _ => "linked",
        }
    }
}
