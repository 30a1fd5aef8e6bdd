//! A proof is given or withdrawn.
//!
//! The customer, the evidence, the audit record and (when the caller sent an
//! idempotency key) the stored answer are committed together or not at all.

use domain::contact::{E164, Email};
use domain::standing::{Applied, Change, Proof};
use jiff::Timestamp;
use store::tables::customers::{self, ForUpdate};
use store::{Lane, Tx, Unit, Written};

use super::{Proving, email_index, phone_index};
use crate::audit::Draft;
use crate::idempotency::Reply;
use crate::orders::{News, Pen};
use crate::{App, Ctx, Result};

/// What has happened.
#[derive(Debug, Clone)]
pub struct Update {
    /// Whose proof.
    pub email: Email,
    /// The customer's phone number, when it is known.
    pub phone: Option<E164>,
    /// Which proof.
    pub proof: Proof,
    /// Given, or withdrawn.
    pub status: bool,
    /// What came with it.
    pub metadata: Metadata,
    /// When it happened; now, unless the sender knows better.
    pub occurred_at: Option<Timestamp>,
}

/// What is kept, sealed, as evidence.
#[derive(Clone, Default, serde::Serialize)]
pub struct Metadata {
    /// The customer's IP address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<String>,
    /// The customer's browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// The provider's name for the verification.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification_id: Option<String>,
    /// The version of the agreement that was signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreement: Option<String>,
    /// Why a person changed it by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl std::fmt::Debug for Metadata {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Metadata(…)")
    }
}

/// What became of it.
#[derive(Debug, Clone)]
pub struct Updated {
    /// The customer's address, canonical.
    pub email: Email,
    /// Which proof.
    pub proof: Proof,
    /// Whether the standing changed, or something newer was known.
    pub applied: Applied,
    /// When we took it in.
    pub at: Timestamp,
}

/// Takes a change in.
///
/// # Errors
/// [`crate::Code::Unavailable`] when the database is away.
pub async fn update(
    app: &App,
    ctx: &Ctx,
    update: Update,
    reply: Reply<Updated>,
) -> Result<Updated> {
    let company = ctx.caller.company_id().clone();
    let index = email_index(&app.index_key, &company, &update.email);
    ctx.exchange.note_subject(index);
    let (now, phone) = (app.clock.now(), update.phone);
    let proving = Proving {
        pen: Pen::of(app),
        email_index: index,
        phone: phone.map(|phone| (phone_index(&app.index_key, &company, &phone), phone)),
        proof: update.proof,
        change: Change {
            status: update.status,
            occurred_at: now,
        },
        source: ctx.caller.credential().to_owned(),
        request_id: ctx.exchange.request_id.to_string(),
        metadata: serde_json::to_vec(&update.metadata).map_err(crate::Error::internal)?,
        now,
        company,
    };
    let unit = Apply {
        proving,
        dated: update.occurred_at,
        email: update.email,
        draft: app.recorder.draft(&ctx.exchange).await?,
        reply,
    };
    let (updated, news) = app.store.write(unit).await?;
    ctx.exchange.mark_recorded();
    news.announce(app);
    Ok(updated)
}

struct Apply {
    proving: Proving,
    /// When it happened, if the sender says so.
    dated: Option<Timestamp>,
    email: Email,
    draft: Draft,
    reply: Reply<Updated>,
}

impl Unit for Apply {
    type Output = (Updated, News);

    fn lane(&self) -> Lane {
        Lane::of(self.proving.email_index.as_bytes())
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Self::Output>> {
        let (company, index) = (self.proving.company.as_str(), self.proving.email_index);
        let known = customers::find_for_update(tx, company, index).await?;
        self.proving.change.occurred_at = self.occurred_at(known.as_ref());
        let proving = &self.proving;
        let (applied, mut news) = match known {
            Some(known) => proving.change(tx, known).await?,
            None => (proving.create(tx, &self.email).await?, News::default()),
        };
        let output = Updated {
            email: self.email.clone(),
            proof: proving.proof,
            applied,
            at: proving.now,
        };
        self.reply.store(tx, &output).await?;
        let detail = Some(self.detail(applied));
        let mut records = vec![self.draft.clone().finish("ok", 200, detail)];
        records.extend(news.take_records());
        Ok(Written {
            output: (output, news),
            records,
        })
    }
}

impl Apply {
    /// When it counts as having happened. A sender's clock may be ahead; what happens next must still
    /// count as newer. What has no date happens now, and after what is known: that may have been
    /// written by an instance whose clock is ahead of this one's.
    fn occurred_at(&self, known: Option<&ForUpdate>) -> Timestamp {
        let Proving { proof, now, .. } = self.proving;
        if let Some(dated) = self.dated {
            return dated.min(now);
        }
        let newest = known.map(|known| {
            let proven = known.standing.proof(proof).occurred_at;
            proven.max(known.phone_changed_at).max(Some(now))
        });
        newest.flatten().unwrap_or(now)
    }

    fn detail(&self, applied: Applied) -> String {
        let word = match applied {
            Applied::Changed => "applied",
            Applied::Stale => "stale",
        };
        let Proving { proof, change, .. } = &self.proving;
        format!("{}={} {word}", proof.as_str(), change.status)
    }
}
