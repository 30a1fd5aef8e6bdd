//! The paths of the surface.

use app::Code;
use app::limits::LimitName;
use app::orders::{self, Decision, Settlement};
use axum::extract::{Path, State};
use axum::response::Response;
use domain::access::Scope;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::wire;
use crate::http::Shared;
use crate::http::conventions::body::Body;
use crate::http::conventions::failure::Failure;
use crate::http::conventions::once::{self, SentKeys, answer, once};
use crate::http::conventions::page::{PageParameters, Query};
use crate::http::conventions::permit::{Operation, Permit};
use crate::http::openapi::documented;

/// The routes.
pub fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(documented::<Place>(routes!(place), &[Code::Conflict]))
        .routes(documented::<List>(routes!(list), &[]))
        .routes(documented::<Show>(routes!(show), &[]))
        .routes(documented::<Release>(routes!(release), &[Code::Conflict]))
        .routes(documented::<Cancel>(routes!(cancel), &[]))
}

struct Place;
impl Operation for Place {
    const ACTION: &'static str = "order.place";
    const SCOPE: Scope = Scope::OrdersWrite;
    const LIMIT: Option<LimitName> = Some(LimitName::Customers);
}

/// Place an order
///
/// Of a customer who has proven everything it is released at once; otherwise it is held, and its
/// customer is reminded of what is missing. The same order again is answered as it stands; the
/// same `order_id` with another address or from another source is refused.
#[utoipa::path(
    post,
    path = "/api/v1/orders",
    tag = "Orders",
    params(once::IdempotencyHeader),
    request_body = wire::PlaceRequest,
    responses(
        (status = 201, description = "Taken in", body = wire::OrderAnswer),
        (status = 200, description = "Known already; this is how it stands", body = wire::OrderAnswer),
    )
)]
async fn place(
    State(server): State<Shared>,
    permit: Permit<Place>,
    sent: SentKeys,
    body: Body,
) -> Result<Response, Failure> {
    let now = server.app.clock.now();
    let request =
        body.read(|request: wire::PlaceRequest<'_>, fields| request.validate(fields, now))?;
    let key = once::key(&sent, Place::ACTION, body.bytes())?;
    once(&server, &permit.ctx, key, wire::placed, async |reply| {
        orders::place(&server.app, &permit.ctx, request, reply).await
    })
    .await
}

struct List;
impl Operation for List {
    const ACTION: &'static str = "order.list";
    const SCOPE: Scope = Scope::OrdersRead;
    const LIMIT: Option<LimitName> = Some(LimitName::Customers);
}

/// List orders
///
/// The last placed first, one page at a time.
#[utoipa::path(
    get,
    path = "/api/v1/orders",
    tag = "Orders",
    params(
        ("status" = Option<String>, Query, description = "Only orders that stand there: `released`, `held`, `expired`, `late` or `cancelled`", example = "held"),
        PageParameters,
    ),
    responses((status = 200, description = "A page of orders", body = wire::OrdersAnswer))
)]
async fn list(
    State(server): State<Shared>,
    permit: Permit<List>,
    query: Query,
) -> Result<Response, Failure> {
    let (status, after, page) = query.read(wire::list_query)?;
    let (app, wanted) = (&server.app, page.wanted());
    let mut listed = orders::list(app, &permit.ctx, status, after, wanted).await?;
    let next = page.cut(&mut listed, |listed| &listed.cursor);
    Ok(answer(200, wire::listed(&listed, next)))
}

struct Show;
impl Operation for Show {
    const ACTION: &'static str = "order.show";
    const SCOPE: Scope = Scope::OrdersRead;
    const LIMIT: Option<LimitName> = Some(LimitName::Customers);
}

/// Show an order
///
/// With its timeline: what has happened to it, from its beginning on.
#[utoipa::path(
    get,
    path = "/api/v1/orders/{order_id}",
    tag = "Orders",
    params(("order_id" = String, Path, description = "The shop's number for it, percent-encoded", example = "1001")),
    responses((status = 200, description = "The order", body = wire::StoryAnswer))
)]
async fn show(
    State(server): State<Shared>,
    permit: Permit<Show>,
    Path(order_id): Path<String>,
) -> Result<Response, Failure> {
    let order_id = wire::known_id(&order_id)?;
    let story = orders::show(&server.app, &permit.ctx, order_id).await?;
    Ok(answer(200, wire::story(&story)))
}

struct Release;
impl Operation for Release {
    const ACTION: &'static str = "order.release";
    const SCOPE: Scope = Scope::OrdersWrite;
    const LIMIT: Option<LimitName> = Some(LimitName::Customers);
}

/// Release an order
///
/// A person says that it may ship, whatever is missing. A released order stays as it is; a
/// cancelled one is refused.
#[utoipa::path(
    post,
    path = "/api/v1/orders/{order_id}/release",
    tag = "Orders",
    params(
        ("order_id" = String, Path, description = "The shop's number for it, percent-encoded", example = "1001"),
        once::IdempotencyHeader,
    ),
    request_body = wire::ReasonRequest,
    responses((status = 200, description = "How the order stands now", body = wire::OrderAnswer))
)]
async fn release(
    State(server): State<Shared>,
    permit: Permit<Release>,
    Path(order_id): Path<String>,
    sent: SentKeys,
    body: Body,
) -> Result<Response, Failure> {
    settle(&server, &permit, &order_id, &sent, &body, Decision::Release).await
}

struct Cancel;
impl Operation for Cancel {
    const ACTION: &'static str = "order.cancel";
    const SCOPE: Scope = Scope::OrdersWrite;
    const LIMIT: Option<LimitName> = Some(LimitName::Customers);
}

/// Cancel an order
///
/// Its hold ends, and nobody is reminded any more. Cancelled is for good; cancelling again changes
/// nothing.
#[utoipa::path(
    post,
    path = "/api/v1/orders/{order_id}/cancel",
    tag = "Orders",
    params(
        ("order_id" = String, Path, description = "The shop's number for it, percent-encoded", example = "1001"),
        once::IdempotencyHeader,
    ),
    request_body = wire::ReasonRequest,
    responses((status = 200, description = "How the order stands now", body = wire::OrderAnswer))
)]
async fn cancel(
    State(server): State<Shared>,
    permit: Permit<Cancel>,
    Path(order_id): Path<String>,
    sent: SentKeys,
    body: Body,
) -> Result<Response, Failure> {
    settle(&server, &permit, &order_id, &sent, &body, Decision::Cancel).await
}

async fn settle<O: Operation>(
    server: &Shared,
    permit: &Permit<O>,
    order_id: &str,
    sent: &SentKeys,
    body: &Body,
    decision: Decision,
) -> Result<Response, Failure> {
    let reason = body.read(wire::ReasonRequest::validate)?;
    let order_id = wire::known_id(order_id)?;
    let key = once::key_about(sent, O::ACTION, order_id, body.bytes())?;
    let settlement = Settlement { decision, reason };
    once(server, &permit.ctx, key, wire::settled, async |reply| {
        orders::settle(&server.app, &permit.ctx, order_id, settlement, reply).await
    })
    .await
}
