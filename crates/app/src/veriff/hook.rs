//! What a decision leads to.

use std::sync::Arc;

use domain::veriff::{Decided, Facts, Rules, Status};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use store::tables::veriff_sessions::{self, Session};

use super::Message;
use super::decide::{Decide, Outcome};
use crate::inbox::{Event, Handled, Handler, Trouble, on_behalf};
use crate::{App, Result};

/// Processes Veriff's decisions.
pub struct VeriffHooks {
    app: Arc<App>,
    rules: Rules,
}

impl Handler for VeriffHooks {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, Trouble>> {
        self.follow(event).boxed()
    }
}

impl VeriffHooks {
    /// By these rules.
    pub fn new(app: Arc<App>, rules: Rules) -> Self {
        Self { app, rules }
    }

    async fn follow(&self, event: &Event) -> Result<Handled, Trouble> {
        let message = Message::read(&event.body).ok_or(Trouble::person("unreadable"))?;
        // Some plans send another message instead of this one; it has no such field.
        let word = message
            .status
            .as_deref()
            .ok_or(Trouble::person("no_status"))?;
        let status = Status::parse(word).ok_or(Trouble::person("unknown_status"))?;
        let Some(session) = self.find(&event.company, &message).await? else {
            return Ok(Handled::Ignored("unknown_session"));
        };
        let now = self.app.clock.now();
        let decided = Decided {
            status,
            at: message.decided_at,
        };
        // Whether it is later than what else is known cannot be told, and it takes a proof away.
        if decided.at.is_none() && status == Status::Declined {
            return Err(Trouble::person("no_time"));
        }
        let facts = Facts {
            birth_date: message.birth_date.as_deref(),
            valid_until: message.valid_until.as_deref(),
        };
        let verdict = self.rules.judge(&decided, &facts, now);
        let ctx = on_behalf(&self.app, &event.company, "veriff.decision")?;
        ctx.exchange.note_subject(session.email_index);
        let decide = Decide {
            decided,
            verdict,
            knows_validity: facts.valid_until.is_some(),
            code: message.code,
            veriff_id: message.session,
            now,
        };
        let outcome = decide
            .commit(&self.app, &ctx, &session, event.mark.clone())
            .await?;
        Ok(match outcome {
            Outcome::Decided => Handled::Done {
                word: verdict.as_str(),
                subject: Some(session.email_index),
            },
            Outcome::Superseded => Handled::Done {
                word: "superseded",
                subject: Some(session.email_index),
            },
            Outcome::Erased => Handled::Ignored("erased"),
        })
    }

    /// The session by our reference; by Veriff's name, where that was lost on the way.
    async fn find(&self, company: &str, message: &Message) -> Result<Option<Session>> {
        let company = company.to_owned();
        let (reference, name) = (message.reference, message.session.clone());
        let found = self.app.store.read(move |mut tx| {
            let (company, name) = (company.clone(), name.clone());
            Box::pin(async move {
                if let Some(id) = reference
                    && let Some(found) = veriff_sessions::find(&mut tx, &company, id).await?
                {
                    return Ok(Some(found));
                }
                veriff_sessions::find_by_veriff_id(&mut tx, &company, &name).await
            })
        });
        Ok(found.await?)
    }
}
