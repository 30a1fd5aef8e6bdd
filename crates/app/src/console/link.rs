//! Links that sign somebody in once, as the first start prints one.

use domain::access::{ConsoleLife, ConsoleToken, ConsoleUse, KeyId, Scope};
use jiff::Timestamp;
use store::tables::console_sessions;
use store::{Lane, Tx, Unit, Written};

use super::lane;
use super::sign_in::{Denied, Opened, begin};
use crate::audit::Draft;
use crate::credentials::Refusal;
use crate::exchange::Exchange;
use crate::{App, Result};

/// Makes a link that signs in whoever follows it, once and within an hour, as the holder of an API
/// key. Returns its token.
///
/// # Errors
/// [`crate::Code::Unavailable`] when the database is away.
pub async fn make_link(
    app: &App,
    exchange: &Exchange,
    company: &str,
    key: KeyId,
) -> Result<ConsoleToken> {
    let token = ConsoleToken::generate(app.random.as_ref());
    exchange.note_detail(format!("key={key}"));
    let unit = Make {
        token_hash: token.hash(&app.index_key, ConsoleUse::Link),
        company: company.to_owned(),
        key: key.to_string(),
        ends_at: ConsoleLife::end_of_link(app.clock.now()),
        draft: app.recorder.draft(exchange).await?,
    };
    app.store.write(unit).await?;
    exchange.mark_recorded();
    Ok(token)
}

/// Signs in whoever follows a link. It is used up by that, whoever followed it.
///
/// # Errors
/// [`crate::Code::Unavailable`] when the database is away.
pub async fn enter(app: &App, exchange: &Exchange, token: &str) -> Result<Result<Opened, Denied>> {
    const REFUSED: Denied = Denied::Refused(Refusal::BadToken);
    let now = app.clock.now();
    let Some(link) = ConsoleToken::parse(token) else {
        return Ok(Err(REFUSED));
    };
    let take = Take {
        token_hash: link.hash(&app.index_key, ConsoleUse::Link),
        now,
    };
    let Some(key) = app.store.write(take).await? else {
        return Ok(Err(REFUSED));
    };
    let Ok(key) = KeyId::parse(&key) else {
        return Ok(Err(REFUSED));
    };
    let caller = match app.directory.holder_of(key, now).await? {
        Ok(caller) if caller.may(Scope::Admin) => caller,
        Ok(_) => return Ok(Err(Denied::NotAdministrator)),
        Err(refusal) => return Ok(Err(Denied::Refused(refusal))),
    };
    exchange.note_caller(caller.clone());
    let ends_at = app.directory.end_of(key);
    let (token, open) = begin(app, exchange, &caller, None, ends_at).await?;
    app.store.write(open).await?;
    exchange.mark_recorded();
    Ok(Ok(Opened { token }))
}

struct Make {
    token_hash: [u8; 32],
    company: String,
    key: String,
    ends_at: Timestamp,
    draft: Draft,
}

impl Unit for Make {
    type Output = ();

    fn lane(&self) -> Lane {
        lane()
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<()>> {
        let (company, key) = (&self.company, &self.key);
        console_sessions::insert_link(tx, &self.token_hash, company, key, self.ends_at).await?;
        Ok(Written {
            output: (),
            records: vec![self.draft.clone().finish("ok", 0, None)],
        })
    }
}

struct Take {
    token_hash: [u8; 32],
    now: Timestamp,
}

impl Unit for Take {
    type Output = Option<String>;

    fn lane(&self) -> Lane {
        lane()
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Self::Output>> {
        Ok(Written {
            output: console_sessions::take_link(tx, &self.token_hash, self.now).await?,
            records: Vec::new(),
        })
    }
}
