//! The channel of mails.

use std::sync::Arc;

use domain::access::CompanyId;
use domain::mail::{LINK_LIFETIME, Outcome, Purpose, Ticket};
use domain::seal::BlindIndex;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use store::tables::{mail_stops, mail_suppressions};
use zeroize::Zeroizing;

use super::letter::{Found, Letter, Letters, Links, Mailer, Notice, Render};
use super::suppression::{Refusal, index_of};
use crate::deliveries::channel::{Channel, Fared, Fate, Line, Note, Parcel, Sent, Tried, Unopened};
use crate::{App, Code, Error, Result};

/// The name of the channel.
pub const MAIL: &str = "mail";

/// The operator's side of it.
#[derive(Clone)]
pub struct Policy {
    /// `API_BASE_URL`, without a slash at its end.
    pub base_url: Arc<str>,
    /// Puts a notice into words.
    pub render: Render,
}

/// Mails over a mailer.
#[derive(Clone)]
pub struct Mails {
    app: Arc<App>,
    letters: Arc<dyn Letters>,
    mailer: Arc<dyn Mailer>,
    policy: Policy,
}

impl Channel for Mails {
    fn open<'a>(
        &'a self,
        _company: &'a str,
        _now: Timestamp,
    ) -> BoxFuture<'a, Result<Arc<dyn Line>>> {
        // Every company's mails leave alike; what differs is looked up for each.
        let line: Arc<dyn Line> = Arc::new(self.clone());
        std::future::ready(Ok(line)).boxed()
    }
}

impl Line for Mails {
    fn send<'a>(&'a self, parcel: &'a Parcel) -> BoxFuture<'a, Sent> {
        async move {
            match self.letter(parcel).await {
                Ok(Prepared::Letter { letter, address }) => {
                    match self.mailer.send(&letter).await {
                        // Its lease ends soon, and others have had their turn by then.
                        Outcome::Crowded => Sent::Left,
                        outcome => Sent::Tried(tried(parcel, address, outcome)),
                    }
                }
                Ok(Prepared::Withheld(word)) => Sent::Withheld(word),
                Ok(Prepared::Unopened(unopened)) => unopened.into(),
                Err(error) => unprepared(parcel, &error),
            }
        }
        .boxed()
    }
}

/// What is to be sent for a parcel.
enum Prepared {
    Letter {
        letter: Box<Letter>,
        address: BlindIndex,
    },
    /// Nothing, and why.
    Withheld(&'static str),
    /// What it is could not be read.
    Unopened(Unopened),
}

impl Mails {
    /// Over a mailer; `letters` knows what there is to say.
    pub fn new(
        app: Arc<App>,
        letters: Arc<dyn Letters>,
        mailer: Arc<dyn Mailer>,
        policy: Policy,
    ) -> Self {
        Self {
            app,
            letters,
            mailer,
            policy,
        }
    }

    async fn letter(&self, parcel: &Parcel) -> Result<Prepared> {
        let payload = match parcel.open() {
            Ok(payload) => payload,
            Err(unopened) => return Ok(Prepared::Unopened(unopened)),
        };
        let company = parcel.company();
        let found = self
            .letters
            .look_up(company, parcel.topic(), &payload)
            .await?;
        let notice = match found {
            Found::Notice(notice) => *notice,
            Found::Nothing(word) => return Ok(Prepared::Withheld(word)),
        };
        let address = index_of(&self.app.index_key, company, &notice.to);
        if let Some(word) = self.objection(company, &notice, address, parcel.at).await? {
            return Ok(Prepared::Withheld(word));
        }
        let links = self.links(company, &notice)?;
        let content = (self.policy.render)(&notice, &links, parcel.at).map_err(Error::internal)?;
        let letter = Letter {
            id: parcel.id(),
            at: parcel.at,
            to: notice.to,
            occasion: notice.occasion,
            content,
            links,
        };
        Ok(Prepared::Letter {
            letter: Box::new(letter),
            address,
        })
    }

    /// Why its customer is to be left alone, if so.
    async fn objection(
        &self,
        company: &str,
        notice: &Notice,
        address: BlindIndex,
        now: Timestamp,
    ) -> Result<Option<&'static str>> {
        let (company, order) = (company.to_owned(), notice.order);
        let may_be_stopped = notice.occasion.is_reminder();
        let looked = self.app.store.read(move |mut tx| {
            let company = company.clone();
            async move {
                if mail_suppressions::holds(&mut tx, &company, &address, now).await? {
                    return Ok(Some("suppressed"));
                }
                let stopped = may_be_stopped && mail_stops::holds(&mut tx, &company, order).await?;
                Ok(stopped.then_some("stopped"))
            }
            .boxed()
        });
        Ok(looked.await?)
    }

    fn links(&self, company: &str, notice: &Notice) -> Result<Links> {
        let company = CompanyId::parse(company).map_err(Error::internal)?;
        let end = notice.deadline.saturating_add(LINK_LIFETIME);
        let expires_at = end.unwrap_or(notice.deadline);
        let link = |purpose, path: &str| {
            let ticket = Ticket {
                purpose,
                company: company.clone(),
                subject: notice.order,
                expires_at,
            };
            let token = Zeroizing::new(ticket.token(&self.app.index_key));
            Zeroizing::new(format!("{}/{path}/{}", self.policy.base_url, *token))
        };
        Ok(Links {
            verify: link(Purpose::Verify, "verify"),
            stop: link(Purpose::Stop, "stop"),
        })
    }
}

/// What becomes of a mail that could not be put together. A database that is away comes back; any
/// other fault may stay, and must not keep the worker busy for ever.
fn unprepared(parcel: &Parcel, error: &Error) -> Sent {
    let (id, cause) = (parcel.id(), error.cause());
    tracing::warn!(%id, cause, "it cannot be found out what a mail has to say");
    if error.problem().code == Code::Unavailable {
        return Sent::Left;
    }
    Sent::Tried(Tried {
        word: "internal",
        status: None,
        fate: Fate::Again(None),
        line: Fared::Untold,
        note: None,
    })
}

fn tried(parcel: &Parcel, address: BlindIndex, outcome: Outcome) -> Tried {
    let refusal = matches!(outcome, Outcome::MailboxRefused { .. }).then(|| Refusal {
        company: parcel.company().to_owned(),
        address,
    });
    Tried {
        word: outcome.word(),
        status: outcome.code(),
        fate: match outcome {
            outcome if outcome.is_delivered() => Fate::Delivered,
            outcome if outcome.is_final() => Fate::Never,
            _ => Fate::Again(None),
        },
        // A mailbox that does not exist is no reason to go slow with all others.
        line: if outcome.is_of_the_server() {
            Fared::Badly(None)
        } else {
            Fared::Well
        },
        note: refusal.map(|refusal| Arc::new(refusal) as Arc<dyn Note>),
    }
}
