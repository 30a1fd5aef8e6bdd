//! `/stop/{token}`: no more reminders about an order.
//!
//! GET is the same for everybody, whatever the token, and looks nothing up: link scanners change
//! nothing and learn nothing. POST stops the reminders, whatever its body: mail programs send one
//! of their own (RFC 8058), and a person's browser an empty one. The token is all that it takes;
//! there is no cookie, and so nothing that another site's page could abuse.

use app::Code;
use app::credentials::Refusal;
use axum::Router;
use axum::extract::{Extension, Path, State};
use axum::response::Response;
use axum::routing::get;
use minijinja::context;

use crate::http::Shared;
use crate::http::conventions::failure::Failure;
use crate::http::conventions::permit::refused;
use crate::http::conventions::visit::Visit;
use crate::http::pages::page;

/// The route.
pub fn routes() -> Router<Shared> {
    Router::new().route("/stop/{token}", get(ask).post(stop))
}

async fn ask(Extension(visit): Extension<Visit>) -> Result<Response, Failure> {
    visit.exchange().note_action("mail.page");
    page("stop/ask.html", context! {})
}

async fn stop(
    State(server): State<Shared>,
    Extension(visit): Extension<Visit>,
    Path(token): Path<String>,
) -> Result<Response, Failure> {
    visit.exchange().note_action("mail.stop");
    match app::mail::stop(&server.app, visit.exchange(), &token).await {
        Ok(()) => page("stop/done.html", context! {}),
        Err(error) if error.problem().code == Code::Unauthenticated => {
            let shown = page("stop/refused.html", context! {})?;
            Ok(refused(&visit, Refusal::BadToken).shown_as(shown))
        }
        Err(error) => Err(error.into()),
    }
}
