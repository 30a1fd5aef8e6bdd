//! `/verify/{token}`: the customer of an order sees what is missing, and gives what can be given here.
//!
//! The link is the credential: there is no cookie, and so nothing that another site's page could
//! abuse. GET changes nothing. It works without JavaScript.

use app::credentials::Refusal;
use app::orders::{self, Given, Visit as Order};
use app::{Code, Error};
use axum::Router;
use axum::extract::{Extension, Path, State};
use axum::response::Response;
use axum::routing::get;
use domain::order::Status;
use domain::standing::Proof;
use jiff::Timestamp;
use minijinja::{Value, context};

use crate::http::Shared;
use crate::http::conventions::failure::Failure;
use crate::http::conventions::form::{Form, Parameters};
use crate::http::conventions::permit::refused;
use crate::http::conventions::visit::Visit;
use crate::http::pages::page;
use crate::in_words::time_left;

/// The field that names what is given.
const STEP: &str = "step";
/// The field that names the agreement's version that is signed.
const AGREEMENT: &str = "agreement";

/// The route.
pub fn routes() -> Router<Shared> {
    Router::new().route("/verify/{token}", get(look).post(give))
}

async fn look(
    State(server): State<Shared>,
    Extension(visit): Extension<Visit>,
    Path(token): Path<String>,
) -> Result<Response, Failure> {
    visit.exchange().note_action("order.page");
    let found = orders::visit(&server.app, visit.exchange(), &token).await;
    shown(&visit, found, server.app.clock.now())
}

async fn give(
    State(server): State<Shared>,
    Extension(visit): Extension<Visit>,
    Path(token): Path<String>,
    form: Result<Form, Failure>,
) -> Result<Response, Failure> {
    visit.exchange().note_action("order.step");
    let form = form?.read()?;
    let given = given(&server, &form)?;
    let found = orders::give(&server.app, visit.exchange(), &token, given).await;
    shown(&visit, found, server.app.clock.now())
}

/// What a form gives.
fn given<'a>(server: &Shared, form: &'a Parameters) -> Result<Given<'a>, Failure> {
    let step = form.get(STEP).unwrap_or_default();
    match Proof::parse(step).ok() {
        Some(Proof::EmailOptin) => Ok(Given::OptIn),
        Some(Proof::Membership) if server.app.orders.agreement.is_some() => {
            Ok(Given::Agreement(form.get(AGREEMENT).unwrap_or_default()))
        }
        _ => {
            let message = "This step cannot be done here.";
            Err(Error::new(Code::InvalidRequest, message).into())
        }
    }
}

/// The order, or for whoever has no good link one page, whatever is wrong with it.
fn shown(visit: &Visit, found: app::Result<Order>, now: Timestamp) -> Result<Response, Failure> {
    match found {
        Ok(order) => page("verify/order.html", values(&order, now)),
        Err(error) if error.problem().code == Code::Unauthenticated => {
            let shown = page("stop/refused.html", context! {})?;
            Ok(refused(visit, Refusal::BadToken).shown_as(shown))
        }
        Err(error) => Err(error.into()),
    }
}

fn values(order: &Order, now: Timestamp) -> Value {
    let (headline, good) = headline(order.status);
    let steps: Vec<Value> = Proof::ALL
        .into_iter()
        .map(|proof| step(order, proof))
        .collect();
    context! {
        headline,
        good,
        steps,
        company => order.company_name.as_str(),
        order => order.order_id.as_str(),
        waits => order.status == Status::Held,
        is_open => matches!(order.status, Status::Held | Status::Expired),
        time_left => time_left(order.deadline.duration_since(now)),
        deadline => order.deadline.strftime("%A, %-d %B %Y, %H:%M UTC").to_string(),
    }
}

/// What is said of an order, and whether it is good news; neither while it is open.
const fn headline(status: Status) -> (&'static str, Option<bool>) {
    match status {
        Status::Held => ("Your order is waiting", None),
        Status::Expired => ("The time for your order is over", None),
        Status::Released => ("Your order is released", Some(true)),
        Status::Late => ("Thank you: the shop decides now", Some(true)),
        Status::Cancelled => ("Your order was cancelled", Some(false)),
    }
}

fn step(order: &Order, proof: Proof) -> Value {
    context! {
        name => proof.as_str(),
        title => title(proof),
        is_done => !order.missing.proofs().any(|missing| missing == proof),
        is_here => match proof {
            Proof::EmailOptin => true,
            Proof::Membership => order.agreement.is_some(),
            Proof::Veriff => false,
        },
        agreement => agreement(order).filter(|_| proof == Proof::Membership),
    }
}

/// What can be signed.
fn agreement(order: &Order) -> Option<Value> {
    let agreement = order.agreement.as_deref()?;
    Some(context! {
        version => agreement.version(),
        text => agreement.text(),
    })
}

const fn title(proof: Proof) -> &'static str {
    match proof {
        Proof::Veriff => "Your ID",
        Proof::Membership => "The membership agreement",
        Proof::EmailOptin => "Receiving e-mail",
    }
}
