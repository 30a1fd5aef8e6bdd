//! `/verify/{token}`: the customer of an order sees what is missing, and gives what can be given here.
//!
//! The link is the credential: there is no cookie, and so nothing that another site's page could
//! abuse. GET changes nothing. It works without JavaScript. Whoever has no good link learns nothing
//! but that, whatever they send.

use app::ages::{Answer, Outcome};
use app::credentials::Refusal;
use app::orders::{self, Guest};
use app::{Code, Error};
use axum::Router;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use domain::age::UsedUp;
use minijinja::context;

use super::age_form::AgeForm;
use super::view::{self, Moment};
use crate::http::Shared;
use crate::http::conventions::failure::Failure;
use crate::http::conventions::form::{Form, Parameters};
use crate::http::conventions::permit::refused;
use crate::http::conventions::visit::Visit;
use crate::http::pages::page;
use crate::metrics;

/// The field that names what is done.
const STEP: &str = "step";
/// The field that names the agreement's version that is signed.
const AGREEMENT: &str = "agreement";
/// What stands in the address of whoever comes back from Veriff.
const BACK: &str = "from=veriff";

/// The route.
pub fn routes() -> Router<Shared> {
    Router::new().route("/verify/{token}", get(look).post(act))
}

async fn look(
    State(server): State<Shared>,
    Extension(visit): Extension<Visit>,
    Path(token): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    visit.exchange().note_action("order.page");
    let visitor = Visitor {
        server: &server,
        visit: &visit,
        token: &token,
    };
    let is_back = query.is_some_and(|query| query.split('&').any(|part| part == BACK));
    visitor
        .look(is_back)
        .await
        .or_else(|failure| visitor.turn_away(failure))
}

async fn act(
    State(server): State<Shared>,
    Extension(visit): Extension<Visit>,
    Path(token): Path<String>,
    form: Result<Form, Failure>,
) -> Result<Response, Failure> {
    visit.exchange().note_action("order.step");
    let visitor = Visitor {
        server: &server,
        visit: &visit,
        token: &token,
    };
    let guest = match visitor.enter().await {
        Ok(guest) => guest,
        Err(failure) => return visitor.turn_away(failure),
    };
    let form = form?.read()?;
    visitor.act(&guest, &form).await
}

/// What a form is for.
enum Step<'a> {
    OptIn,
    /// With the version of what is signed.
    Sign(&'a str),
    ShowId,
    TellAge(AgeForm<'a>),
}

impl<'a> Step<'a> {
    /// What the page could have asked for.
    fn read(server: &Shared, guest: &Guest, form: &'a Parameters) -> Option<Self> {
        let has_veriff = guest.visit().identity.check.is_some();
        match form.get(STEP)? {
            "email_optin" => Some(Self::OptIn),
            "membership" if server.app.orders.agreement.is_some() => {
                Some(Self::Sign(form.get(AGREEMENT).unwrap_or_default()))
            }
            "veriff" if has_veriff => Some(Self::ShowId),
            "age" if server.app.ages.proves_identity => Some(Self::TellAge(AgeForm::read(form))),
            _ => None,
        }
    }
}

/// Somebody with a link.
struct Visitor<'a> {
    server: &'a Shared,
    visit: &'a Visit,
    token: &'a str,
}

impl Visitor<'_> {
    async fn enter(&self) -> Result<Guest, Failure> {
        let (app, veriff) = (&self.server.app, self.server.veriff.as_ref());
        Ok(orders::welcome(app, veriff, self.visit.exchange(), self.token).await?)
    }

    /// Whoever has no good link gets one page, whatever is wrong with it.
    fn turn_away(&self, failure: Failure) -> Result<Response, Failure> {
        if failure.code() != Code::Unauthenticated {
            return Err(failure);
        }
        let shown = page("stop/refused.html", context! {})?;
        Ok(refused(self.visit, Refusal::BadToken).shown_as(shown))
    }

    async fn look(&self, is_back: bool) -> Result<Response, Failure> {
        let moment = Moment {
            is_back,
            ..Moment::default()
        };
        self.show(&self.enter().await?, &moment)
    }

    fn show(&self, guest: &Guest, moment: &Moment<'_>) -> Result<Response, Failure> {
        view::order(guest.visit(), moment, self.server.app.clock.now())
    }

    async fn act(&self, guest: &Guest, form: &Parameters) -> Result<Response, Failure> {
        let app = &self.server.app;
        match Step::read(self.server, guest, form) {
            Some(Step::OptIn) => orders::opt_in(app, guest).await?,
            Some(Step::Sign(version)) => orders::sign(app, guest, version).await?,
            Some(Step::ShowId) => return self.show_id(guest).await,
            Some(Step::TellAge(form)) => return self.tell_age(guest, &form).await,
            None => {
                let message = "This step cannot be done here.";
                return Err(Error::new(Code::InvalidRequest, message).into());
            }
        }
        self.look(false).await
    }

    async fn show_id(&self, guest: &Guest) -> Result<Response, Failure> {
        let (app, veriff) = (&self.server.app, self.server.veriff.as_ref());
        let back = format!("{}/verify/{}?{BACK}", app.orders.base_url, self.token);
        match orders::show_id(app, veriff, guest, back).await {
            Ok(Some(started)) => Ok(Redirect::to(&started.url).into_response()),
            Ok(None) => self.look(false).await,
            Err(error) if error.problem().code == Code::Unavailable => {
                let moment = Moment {
                    veriff_is_away: true,
                    ..Moment::default()
                };
                Ok(Failure::from(error).shown_as(self.show(guest, &moment)?))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn tell_age(&self, guest: &Guest, form: &AgeForm<'_>) -> Result<Response, Failure> {
        let Some(claimed) = form.claimed() else {
            return self.ask_again(guest, form.incomplete());
        };
        let answer = orders::tell_age(&self.server.app, guest, claimed).await?;
        if let Some(answer) = &answer {
            metrics::ages::answered(answer);
        }
        match answer {
            Some(Answer {
                outcome: Outcome::Refused { decision, .. },
                ..
            }) => self.ask_again(guest, form.refused(&decision)),
            Some(Answer {
                outcome: Outcome::UsedUp(used_up),
                ..
            }) => self.close_form(guest, used_up),
            // Passed now or before, or not asked for.
            _ => self.look(false).await,
        }
    }

    fn ask_again(&self, guest: &Guest, form: AgeForm<'_>) -> Result<Response, Failure> {
        let moment = Moment {
            age_form: form,
            ..Moment::default()
        };
        let shown = self.show(guest, &moment)?;
        let error = Error::new(Code::InvalidRequest, "The age is not confirmed.");
        Ok(Failure::from(error).shown_as(shown))
    }

    fn close_form(&self, guest: &Guest, used_up: UsedUp) -> Result<Response, Failure> {
        let moment = Moment {
            tries_end: Some(used_up.reset_at),
            ..Moment::default()
        };
        let shown = self.show(guest, &moment)?;
        let wait = used_up.reset_at.duration_since(self.server.app.clock.now());
        let error = Error::new(Code::RateLimited, "All attempts are used up.");
        let error = error.retry_after(wait.try_into().unwrap_or_default());
        Ok(Failure::from(error).shown_as(shown))
    }
}
