//! The example of a company that has nothing yet: offered, explained, taken away.

use app::{App, Code, Ctx, Error, companies, console, orders};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use domain::hook::Source;
use minijinja::{Value, context};

use super::door::{Act, Task};
use crate::http::Shared;
use crate::http::conventions::failure::Failure;

/// The routes.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/console/example", post(make))
        .route("/console/example/remove", post(remove))
}

/// What the first page says of the example: that it is there and what to try on it, or that it can
/// be had; nothing in a company with a life of its own.
///
/// # Errors
/// When the database is away.
pub async fn guide(server: &Shared, ctx: &Ctx) -> app::Result<Option<Value>> {
    let app = &server.app;
    if console::has_example(app, ctx).await? {
        return Ok(Some(context! {
            is_there => true,
            whom => console::WHOM,
            order => console::ORDER,
            prints_mails => !server.mails,
        }));
    }
    let is_offered = is_cut_off(server, ctx).await? && is_empty(app, ctx).await?;
    Ok(is_offered.then(|| context! { is_there => false }))
}

/// Whether nothing that is made up here can reach anybody.
async fn is_cut_off(server: &Shared, ctx: &Ctx) -> app::Result<bool> {
    let is_connected = Source::ALL
        .into_iter()
        .any(|source| server.hooks.takes(source));
    if server.mails || server.archives || is_connected {
        return Ok(false);
    }
    let company = companies::get(&server.app, ctx.caller.company()).await?;
    Ok(company.webhook_url.is_none())
}

async fn is_empty(app: &App, ctx: &Ctx) -> app::Result<bool> {
    let orders = orders::list(app, ctx, None, None, 1).await?;
    Ok(orders.is_empty())
}

struct Make;
impl Task for Make {
    const ACTION: &'static str = "console.example.make";
}

async fn make(State(server): State<Shared>, act: Act<Make>) -> Result<Response, Failure> {
    let staff = &act.staff;
    if !is_cut_off(&server, &staff.ctx).await? {
        let message = "Something is connected that an example would reach: a webhook, a mail server, \
                       a shop or an archive.";
        return Err(Error::new(Code::Conflict, message).into());
    }
    console::make_example(&server.app, &staff.ctx).await?;
    Ok(staff.lead_to("console"))
}

struct Remove;
impl Task for Remove {
    const ACTION: &'static str = "console.example.remove";
}

async fn remove(State(server): State<Shared>, act: Act<Remove>) -> Result<Response, Failure> {
    let staff = &act.staff;
    if console::has_example(&server.app, &staff.ctx).await? {
        console::remove_example(&server.app, &staff.ctx).await?;
        if let Some(list) = &server.erasure_list {
            list.keep_up_or_warn(&server.app).await;
        }
    }
    Ok(staff.lead_to("console"))
}
