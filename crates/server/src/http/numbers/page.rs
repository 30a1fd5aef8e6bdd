//! The page behind a link: `/v/{verificationId}`.
//!
//! GET is the same for everybody, whatever the id, and looks nothing up: whoever only follows links,
//! as mail scanners do, changes nothing and learns nothing. The one-time token stands behind `#`,
//! where no server sees it, until the person's browser (or, without JavaScript, the person) hands it
//! over by POST. The right token authorises everything here, so there is no cookie and nothing that
//! another site's page could abuse.

use std::sync::Arc;

use app::credentials::Refusal;
use app::exchange::Exchange;
use app::idempotency::Reply;
use app::limits::LimitName;
use app::numbers::{self, Link, Outcome, Submission};
use app::quota::Verdict;
use app::{Code, Error};
use axum::Router;
use axum::extract::{Extension, Path, State};
use axum::response::Response;
use axum::routing::get;
use domain::number::MobileNumber;

use super::view;
use crate::http::Shared;
use crate::http::conventions::failure::Failure;
use crate::http::conventions::form::{Form, Parameters};
use crate::http::conventions::permit::{judge, refused};
use crate::http::conventions::visit::Visit;

/// The field of the number; a form that names it wants to confirm.
const NUMBER: &str = "mobileNumber";

/// The route.
pub fn routes() -> Router<Shared> {
    Router::new().route("/v/{verificationId}", get(start).post(answer))
}

async fn start(Extension(visit): Extension<Visit>) -> Result<Response, Failure> {
    visit.exchange().note_action("number.page");
    view::start()
}

async fn answer(
    State(server): State<Shared>,
    Extension(visit): Extension<Visit>,
    Path(id): Path<String>,
    form: Result<Form, Failure>,
) -> Result<Response, Failure> {
    let form = form.and_then(|form| form.read());
    let confirms = form.as_ref().is_ok_and(|form| form.names(NUMBER));
    let action = if confirms {
        "number.confirm"
    } else {
        "number.open"
    };
    visit.exchange().note_action(action);
    let form = form?;
    let visitor = Visitor {
        server: &server,
        visit: &visit,
        id: &id,
        token: token(&form),
    };
    let answered = match visitor.follow().await {
        Ok(link) if confirms => visitor.confirm(&link, &form).await,
        Ok(link) => view::opened(&link, visitor.token, server.app.clock.now()),
        Err(error) => Err(error.into()),
    };
    answered.or_else(|failure| visitor.turn_away(failure))
}

/// The token as it was handed over, be it with the whole link before it: ours, which ends with it, or one
/// to a company's app, which names it.
fn token(form: &Parameters) -> &str {
    let code = form.get("token").unwrap_or_default();
    let named = code.rsplit_once("token=").map(|(_, token)| token);
    let token = named.or_else(|| code.rsplit('#').next());
    token.unwrap_or_default().trim()
}

/// Somebody who hands a token over.
struct Visitor<'a> {
    server: &'a Shared,
    visit: &'a Visit,
    id: &'a str,
    token: &'a str,
}

impl Visitor<'_> {
    fn exchange(&self) -> &Arc<Exchange> {
        self.visit.exchange()
    }

    async fn follow(&self) -> app::Result<Link> {
        numbers::follow(&self.server.app, self.exchange(), self.id, self.token).await
    }

    /// Whoever's token is not the right one gets one page, whatever is wrong with it.
    fn turn_away(&self, failure: Failure) -> Result<Response, Failure> {
        if failure.code() != Code::Unauthenticated {
            return Err(failure);
        }
        let refusal = if self.token.is_empty() {
            Refusal::Missing
        } else {
            Refusal::BadToken
        };
        Ok(refused(self.visit, refusal).shown_as(view::refused()?))
    }

    async fn confirm(&self, link: &Link, form: &Parameters) -> Result<Response, Failure> {
        let number = form.get(NUMBER).unwrap_or_default();
        let Ok(number) = MobileNumber::parse(number) else {
            let error = Error::new(Code::InvalidNumber, view::INVALID_NUMBER);
            return self.ask_again(link, Failure::from(error), view::INVALID_NUMBER);
        };
        if let Err((failure, problem)) = self.take_submission(link).await {
            return self.ask_again(link, failure, &problem);
        }
        let submission = Submission {
            id: link.session.verification_id.to_string(),
            number,
            app_user_id: None,
            token: Some(self.token.to_owned()),
        };
        let app = &self.server.app;
        match numbers::submit(app, &link.ctx, submission, Reply::unkept()).await {
            Ok(outcome) => self.show(link, &outcome),
            Err(error) => self.show_end(error).await,
        }
    }

    /// Counts a submission, wherever the session's others came from; otherwise why not, and what
    /// the person is told of it.
    async fn take_submission(&self, link: &Link) -> Result<(), (Failure, String)> {
        const NAME: LimitName = LimitName::Submit;
        let (caller, id) = (&link.ctx.caller, &link.session.verification_id);
        let Some(verdict) = self.server.limiter.take_submission(caller, id).await else {
            return Ok(());
        };
        judge(self.visit, NAME, verdict, true).map_err(|failure| {
            let problem = match verdict {
                Verdict::Refused { retry_after, .. } => view::too_many(retry_after),
                _ => String::new(),
            };
            (failure, problem)
        })
    }

    fn ask_again(&self, link: &Link, failure: Failure, problem: &str) -> Result<Response, Failure> {
        let now = self.server.app.clock.now();
        let page = view::ask_again(link, self.token, problem, now)?;
        Ok(failure.shown_as(page))
    }

    fn show(&self, link: &Link, outcome: &Outcome) -> Result<Response, Failure> {
        let now = self.server.app.clock.now();
        match outcome {
            Outcome::Verified { .. } => view::verified(link),
            Outcome::Mismatch {
                attempts_left: 0, ..
            } => view::failed(link),
            Outcome::Mismatch { attempts_left, .. } => {
                view::ask_again(link, self.token, &view::mismatch(*attempts_left), now)
            }
        }
    }

    /// A session that ended before the number came is shown as it stands by now.
    async fn show_end(&self, error: Error) -> Result<Response, Failure> {
        if !matches!(
            error.problem().code,
            Code::SessionExpired | Code::SessionClosed
        ) {
            return Err(error.into());
        }
        let link = self.follow().await?;
        let page = view::opened(&link, self.token, self.server.app.clock.now())?;
        Ok(Failure::from(error).shown_as(page))
    }
}
