//! A company opens a session, or gets a fresh link to one that is open.

use domain::number::{LinkToken, MobileNumber, SessionId, Status};
use domain::random::uuid_v7;
use domain::seal::{BlindIndex, DataKey, WrappedKey};
use domain::secret_hash::SecretHash;
use jiff::Timestamp;
use store::tables::verification_sessions::{self, NewSession};
use store::{Lane, Tx, Unit, Written};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::ending::Pen;
use super::link::deep_link;
use super::number_index;
use super::shown::place;
use crate::audit::Draft;
use crate::idempotency::Reply;
use crate::{App, Code, Ctx, Error, Result};

/// What is asked.
pub struct Request {
    /// The number to be verified.
    pub number: MobileNumber,
    /// The company's own name for the session.
    pub request_id: String,
}

/// An open session.
#[derive(Clone)]
pub struct Initiated {
    /// Its public name.
    pub verification_id: SessionId,
    /// The company's own name for it.
    pub request_id: String,
    /// The link to send to the number; it opens the session once more than the one before it.
    pub deep_link: Zeroizing<String>,
    /// When its time is over.
    pub expires_at: Timestamp,
    /// Whether it was opened now.
    pub is_new: bool,
}

/// Opens a session. The same request id again, while its session is pending, is the same session
/// with a fresh token; the older token is dead.
///
/// # Errors
/// [`Code::Conflict`] when the request id's session waits for another number.
pub async fn initiate(
    app: &App,
    ctx: &Ctx,
    request: Request,
    reply: Reply<Initiated>,
) -> Result<Initiated> {
    let company = ctx.caller.company_id();
    let number_index = number_index(&app.index_key, company, &request.number);
    ctx.exchange.note_subject(number_index);
    let draft = app.recorder.draft(&ctx.exchange).await?;
    let unit = Open::new(app, ctx, request, number_index, draft, reply)?;
    let ended_another = app.store.write(unit).await?;
    let Opened {
        initiated,
        ended_another,
    } = ended_another.ok_or_else(|| {
        Error::new(
            Code::Conflict,
            "The session of this requestId waits for another number.",
        )
    })?;
    ctx.exchange.mark_recorded();
    if ended_another {
        (app.numbers.count)(Status::Expired, 1);
        app.outbox.wake();
    }
    Ok(initiated)
}

/// What came of it.
struct Opened {
    initiated: Initiated,
    /// Whether a session of that request id was found whose time was over.
    ended_another: bool,
}

struct Open {
    pen: Pen,
    company: String,
    number_index: BlindIndex,
    mobile_number: Vec<u8>,
    request_index: BlindIndex,
    sealed_request_id: Vec<u8>,
    data_key: WrappedKey,
    row: Uuid,
    fresh: Initiated,
    token: LinkToken,
    app_link: Option<String>,
    now: Timestamp,
    draft: Draft,
    reply: Reply<Initiated>,
}

impl Open {
    fn new(
        app: &App,
        ctx: &Ctx,
        request: Request,
        number_index: BlindIndex,
        draft: Draft,
        reply: Reply<Initiated>,
    ) -> Result<Self> {
        let (company, random, now) = (ctx.caller.company(), &*app.random, app.clock.now());
        let pen = Pen::of(app);
        let verification_id = SessionId::generate(now, random);
        let key = DataKey::generate(uuid_v7(now, random), random)?;
        let seal = |column, plain: &str| {
            key.seal(place(&verification_id, column), plain.as_bytes(), random)
        };
        let token = LinkToken::generate(random);
        let app_link = app.directory.app_link(company);
        let expires_at = pen.policy.lifetime.after(now);
        Ok(Self {
            mobile_number: seal("mobile_number", request.number.as_str())?,
            sealed_request_id: seal("request_id", &request.request_id)?,
            request_index: app
                .index_key
                .index("number request", company, &request.request_id),
            data_key: app.key_ring.wrap(&key, random)?,
            row: uuid_v7(now, random),
            company: company.to_owned(),
            number_index,
            fresh: Initiated {
                deep_link: deep_link(&pen.policy, app_link.as_deref(), &verification_id, &token),
                request_id: request.request_id,
                verification_id,
                expires_at,
                is_new: true,
            },
            app_link,
            token,
            pen,
            now,
            draft,
            reply,
        })
    }

    fn new_session(&self) -> NewSession<'_> {
        NewSession {
            verification_id: &self.fresh.verification_id,
            id: self.row,
            company_id: &self.company,
            number_index: self.number_index,
            mobile_number: &self.mobile_number,
            request_index: self.request_index,
            request_id: &self.sealed_request_id,
            token_hash: self.token_hash(),
            created_at: self.now,
            expires_at: self.fresh.expires_at,
        }
    }

    fn token_hash(&self) -> SecretHash {
        self.token.hash()
    }

    /// The same session again, with a fresh link.
    fn again(&self, id: &SessionId, expires_at: Timestamp) -> Initiated {
        Initiated {
            verification_id: id.clone(),
            request_id: self.fresh.request_id.clone(),
            deep_link: deep_link(&self.pen.policy, self.app_link.as_deref(), id, &self.token),
            expires_at,
            is_new: false,
        }
    }
}

impl Unit for Open {
    type Output = Option<Opened>;

    fn lane(&self) -> Lane {
        Lane::of(self.request_index.as_bytes())
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Self::Output>> {
        if verification_sessions::insert(tx, &self.new_session(), &self.data_key).await? {
            return self.opened(tx, self.fresh.clone(), None).await;
        }
        let found =
            verification_sessions::find_pending_for_update(tx, &self.company, self.request_index)
                .await?
                .ok_or_else(|| store::Error::Conflict("session ended elsewhere".into()))?;
        if let Some(record) = self.pen.make_way(tx, &found).await? {
            if verification_sessions::insert(tx, &self.new_session(), &self.data_key).await? {
                return self.opened(tx, self.fresh.clone(), Some(record)).await;
            }
            return Err(store::Error::Conflict("session opened elsewhere".into()));
        }
        if found.number_index != self.number_index {
            return Ok(Written {
                output: None,
                records: Vec::new(),
            });
        }
        let id = &found.verification_id;
        if !verification_sessions::replace_token(tx, id, self.token_hash()).await? {
            return Err(store::Error::Conflict("session ended elsewhere".into()));
        }
        let again = self.again(id, found.session.expires_at);
        self.opened(tx, again, None).await
    }
}

impl Open {
    async fn opened(
        &self,
        tx: &mut Tx<'_>,
        initiated: Initiated,
        expiry: Option<domain::audit::Record>,
    ) -> store::Result<Written<Option<Opened>>> {
        self.reply.store(tx, &initiated).await?;
        let status = if initiated.is_new { 201 } else { 200 };
        let ended_another = expiry.is_some();
        let own = self.draft.clone().finish("ok", status, None);
        Ok(Written {
            output: Some(Opened {
                initiated,
                ended_another,
            }),
            records: expiry.into_iter().chain([own]).collect(),
        })
    }
}
