//! What a hook of Square leads to.

use std::sync::Arc;

use domain::seal::BlindIndex;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use store::tables::square_customers::SquareCustomer;
use store::{Lane, Tx, Unit, Written};

use super::facts::{ByCustomer, of_event};
use super::learn::{Learning, Learnt};
use super::told::Told;
use super::{SquareApi, carry_on, square_index};
use crate::audit::Draft;
use crate::inbox::{Event, Handled, Handler, Mark, Trouble, on_behalf};
use crate::orders::Pen;
use crate::{App, Ctx};

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
        let unit = Learn {
            learning: Learning {
                pen: Pen::of(app),
                index_key: app.index_key.clone(),
                company: ctx.caller.company_id().clone(),
                now: app.clock.now(),
            },
            told: of_event(&app.index_key, &event.company, &told),
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

/// Writes an event down, and marks it as done.
struct Learn {
    learning: Learning,
    told: ByCustomer,
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
        let learnt = self.learning.learn(tx, &self.told).await?;
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
