//! Orders: the list by where they stand, one of them with its timeline, and a person's decision.

use app::idempotency::Reply;
use app::orders::{self, Cursor, Decision, Moment, Settlement, Shown, Story};
use app::{Code, Error};
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use domain::order::Status;
use domain::standing::Proof;
use jiff::Timestamp;
use minijinja::{Value, context};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::door::{Act, Staff, Task};
use super::frame::Section;
use super::words;
use crate::http::Shared;
use crate::http::conventions::failure::Failure;
use crate::http::conventions::fields::LONGEST;
use crate::http::conventions::page::{Query, unknown_cursor};
use crate::http::orders::known_id;

/// How many orders a page shows.
const PAGE: u16 = 25;

/// The routes.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/console/orders", get(list))
        .route("/console/orders/{order_id}", get(show))
        .route("/console/orders/{order_id}/release", post(release))
        .route("/console/orders/{order_id}/cancel", post(cancel))
}

/// Where an order's page is, from the root of the server.
pub fn path_of(order_id: &str) -> String {
    let name = utf8_percent_encode(order_id, NON_ALPHANUMERIC);
    format!("console/orders/{name}")
}

struct List;
impl Task for List {
    const ACTION: &'static str = "console.order.list";
}

/// The lists there are: of one status, or of all.
const LISTS: [(&str, Option<Status>); 6] = [
    ("held", Some(Status::Held)),
    ("late", Some(Status::Late)),
    ("expired", Some(Status::Expired)),
    ("released", Some(Status::Released)),
    ("cancelled", Some(Status::Cancelled)),
    ("all", None),
];

async fn list(
    State(server): State<Shared>,
    staff: Staff<List>,
    query: Query,
) -> Result<Response, Failure> {
    let (list, after) = query.read(|query, fields| {
        let list = query.text("status", fields).unwrap_or("held").to_owned();
        Some((list, query.text("cursor", fields).map(str::to_owned)))
    })?;
    let chosen = LISTS.into_iter().find(|(name, _)| *name == list);
    let (name, status) =
        chosen.ok_or_else(|| Error::new(Code::NotFound, "There is no such list."))?;
    let is_first = after.is_none();
    let after = after.map(|text| Cursor::parse(&text).ok_or_else(unknown_cursor));
    let after = after.transpose()?;
    let mut found = orders::list(&server.app, &staff.ctx, status, after, PAGE + 1).await?;
    let has_more = found.len() > usize::from(PAGE);
    found.truncate(PAGE.into());
    let next = found.last().filter(|_| has_more);
    let now = server.app.clock.now();
    let values = context! {
        lists => lists(name),
        list => name,
        is_first,
        next => next.map(|listed| listed.cursor.as_str()),
        orders => found.iter().map(|listed| order(&listed.order, now)).collect::<Vec<_>>(),
    };
    staff.page(Section::Orders, "console/orders.html", values)
}

fn lists(chosen: &str) -> Vec<Value> {
    let list = |(name, status): (&str, Option<Status>)| {
        context! {
            name,
            title => status.map_or("All", |status| words::status(status).0),
            is_here => name == chosen,
        }
    };
    LISTS.into_iter().map(list).collect()
}

/// An order, as every page shows it.
pub fn order(order: &Shown, now: Timestamp) -> Value {
    let (status, tone) = words::status(order.status);
    let missing = order.missing.proofs().map(words::proof);
    context! {
        id => order.order_id.as_str(),
        path => Value::from_safe_string(path_of(&order.order_id)),
        source => order.source.as_str(),
        status,
        tone,
        missing => missing.collect::<Vec<_>>(),
        placed => words::moment(order.placed_at, now),
        hold => order.deadline.filter(|_| order.status == Status::Held).map(|end| {
            context! {
                ends => words::moment(end, now),
                left => words::left(end.duration_since(now)),
                elapsed => words::elapsed(order.placed_at, end, now),
            }
        }),
    }
}

struct Show;
impl Task for Show {
    const ACTION: &'static str = "console.order.show";
}

async fn show(
    State(server): State<Shared>,
    staff: Staff<Show>,
    Path(order_id): Path<String>,
) -> Result<Response, Failure> {
    let story = orders::show(&server.app, &staff.ctx, known_id(&order_id)?).await?;
    page(&server, &staff, &story, "", "")
}

/// The page of an order; with a note on what was wrong with the last decision, and what was typed.
fn page<T: Task>(
    server: &Shared,
    staff: &Staff<T>,
    story: &Story,
    problem: &str,
    typed: &str,
) -> Result<Response, Failure> {
    let now = server.app.clock.now();
    let shown = &story.order;
    let proofs = Proof::ALL.into_iter().map(|proof| {
        context! {
            title => words::proof(proof),
            is_given => !shown.missing.proofs().any(|missing| missing == proof),
        }
    });
    let timeline = story.timeline.iter().rev().map(|moment| told(moment, now));
    let values = context! {
        order => order(shown, now),
        proofs => proofs.collect::<Vec<_>>(),
        timeline => timeline.collect::<Vec<_>>(),
        can_release => shown.status.is_open(),
        can_cancel => shown.status != Status::Cancelled,
        problem,
        typed,
        longest => LONGEST,
    };
    staff.page(Section::Orders, "console/order.html", values)
}

/// Something that happened to an order.
fn told(moment: &Moment, now: Timestamp) -> Value {
    let (title, tone) = match moment.event.as_str() {
        "placed" => ("Placed", ""),
        "proof" => ("A proof came", "accent"),
        "reminder" => ("The customer was reminded", ""),
        "moved" => ("Given to another customer", ""),
        "reinstated" => ("Came back", "accent"),
        "erased" => ("The customer was erased", ""),
        other => match Status::parse(other) {
            Some(status) => words::status(status),
            None => (other, ""),
        },
    };
    context! {
        title,
        tone,
        at => words::moment(moment.at, now),
        detail => moment.detail.as_deref().map(words::detail),
    }
}

struct Release;
impl Task for Release {
    const ACTION: &'static str = "console.order.release";
}

async fn release(
    State(server): State<Shared>,
    Path(order_id): Path<String>,
    act: Act<Release>,
) -> Result<Response, Failure> {
    settle(&server, &act, known_id(&order_id)?, Decision::Release).await
}

struct Cancel;
impl Task for Cancel {
    const ACTION: &'static str = "console.order.cancel";
}

async fn cancel(
    State(server): State<Shared>,
    Path(order_id): Path<String>,
    act: Act<Cancel>,
) -> Result<Response, Failure> {
    settle(&server, &act, known_id(&order_id)?, Decision::Cancel).await
}

async fn settle<T: Task>(
    server: &Shared,
    act: &Act<T>,
    order_id: &str,
    decision: Decision,
) -> Result<Response, Failure> {
    let (app, staff) = (&server.app, &act.staff);
    let reason = act.form.get("reason").unwrap_or_default().trim();
    let problem = match reason.chars().count() {
        0 => "Say why: the reason stays with the order.",
        count if count > LONGEST => "The reason is too long.",
        _ => {
            let reason = reason.to_owned();
            let settlement = Settlement { decision, reason };
            orders::settle(app, &staff.ctx, order_id, settlement, Reply::unkept()).await?;
            return Ok(staff.lead_to(&path_of(order_id)));
        }
    };
    let story = orders::show(app, &staff.ctx, order_id).await?;
    let error = Error::invalid_field("reason", problem);
    let shown = page(server, staff, &story, problem, reason)?;
    Ok(Failure::from(error).shown_as(shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_an_order_is_called_its_page_has_one_address() {
        assert_eq!(path_of("1001"), "console/orders/1001");
        assert_eq!(path_of("a/b ü?"), "console/orders/a%2Fb%20%C3%BC%3F");
    }

    #[test]
    fn every_status_has_a_list() {
        for status in Status::ALL {
            let list = LISTS.iter().find(|(_, of)| *of == Some(status));
            assert_eq!(list.unwrap().0, status.as_str());
        }
    }
}
