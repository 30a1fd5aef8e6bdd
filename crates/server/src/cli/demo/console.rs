//! The console of the tour: an administrator for it, the example to try things on, and the link that
//! signs in.

use std::sync::Arc;

use app::idempotency::Reply;
use app::keys::{self, NewKey};
use app::{App, Ctx, console};
use domain::access::{CompanyId, Scope, Scopes};

use crate::cli::failure::Failure;
use crate::cli::{of_app, session};

/// Makes everything that the console has to show; returns the token of a link that is good once.
///
/// # Errors
/// When the database is away.
pub async fn furnish(app: &App) -> Result<String, Failure> {
    let new = NewKey {
        company: CompanyId::default(),
        name: "administrator".to_owned(),
        scopes: Scopes::NONE.with(Scope::Admin),
        limits: Default::default(),
        expires_at: None,
    };
    let exchange = session::exchange(app, "key.create");
    let created = keys::create(app, &exchange, new, Reply::unkept()).await;
    let key = created.map_err(of_app)?.key.id();
    let caller = app.directory.holder_of(key, app.clock.now()).await;
    let caller = caller
        .map_err(of_app)?
        .map_err(|_| Failure::failed("the key that was just made is refused"))?;
    let exchange = Arc::new(session::exchange(app, "console.example.make"));
    let ctx = Ctx { caller, exchange };
    console::make_example(app, &ctx).await.map_err(of_app)?;
    let exchange = session::exchange(app, "console.link.create");
    let link = console::make_link(app, &exchange, ctx.caller.company(), key).await;
    Ok(link.map_err(of_app)?.expose().to_owned())
}
