//! The paths of the surface.

use app::audit::{self, Export};
use app::limits::LimitName;
use app::{Ctx, Error};
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use domain::access::{CompanyId, Scope};
use futures_util::{Stream, stream};
use http::header;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::wire;
use crate::http::Shared;
use crate::http::conventions::failure::Failure;
use crate::http::conventions::once::answer;
use crate::http::conventions::page::{PageParameters, Query};
use crate::http::conventions::permit::{Operation, Permit};
use crate::http::openapi::documented;

/// The routes.
pub fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(documented::<List>(routes!(list), &[]))
        .routes(documented::<ReadOut>(routes!(read_out), &[]))
}

struct List;
impl Operation for List {
    const ACTION: &'static str = "audit.list";
    const SCOPE: Scope = Scope::AuditRead;
    const LIMIT: Option<LimitName> = None;
}

/// Search the audit log
///
/// The newest records first, one page at a time; a page may hold fewer than asked for, or none, where
/// a filter fits little: there is more as long as there is a `next_cursor`. All filters that are
/// given have to fit; of `email`, `phone`, `number`, `customer_id` and `subject` one may be given. A
/// request id that the server made is found quickly; for one of your own give `from` and `to` as well.
#[utoipa::path(
    get,
    path = "/api/v1/audit",
    tag = "Audit",
    params(wire::FilterParameters, PageParameters),
    responses((status = 200, description = "A page of records", body = wire::RecordsAnswer))
)]
async fn list(
    State(server): State<Shared>,
    permit: Permit<List>,
    query: Query,
) -> Result<Response, Failure> {
    let (wanted, page) = query.read(wire::list_query)?;
    let company = company(&permit.ctx, wanted.company.clone())?;
    let filter = wanted.filter(&server.app.index_key, company)?;
    let cursor = wire::cursor(&page)?;
    let mut found = audit::list(&server.app, filter, cursor, page.wanted()).await?;
    let next = page.cut(&mut found.listed, |listed| &listed.cursor);
    let next = next.or_else(|| found.left_off.map(|cursor| cursor.to_string()));
    Ok(answer(200, wire::listed(&found.listed, next)))
}

struct ReadOut;
impl Operation for ReadOut {
    const ACTION: &'static str = "audit.export";
    const SCOPE: Scope = Scope::AuditRead;
    const LIMIT: Option<LimitName> = None;
}

/// Read the audit log out
///
/// Every record that arrived from `from` on and before `to`, one JSON object a line, in the order in
/// which they were committed, log by log. An answer that ends early is cut off in the middle of its
/// transfer, so that nobody takes a part for the whole.
#[utoipa::path(
    get,
    path = "/api/v1/audit/export",
    tag = "Audit",
    params(wire::RangeParameters),
    responses((
        status = 200,
        description = "The records, one a line",
        body = wire::RecordAnswer,
        content_type = "application/x-ndjson",
    ))
)]
async fn read_out(
    State(server): State<Shared>,
    permit: Permit<ReadOut>,
    query: Query,
) -> Result<Response, Failure> {
    let wanted = query.read(wire::range_query)?;
    let company = company(&permit.ctx, wanted.company.clone())?;
    let range = wanted.range(company);
    let lines = Body::from_stream(lines(server, range));
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], lines).into_response())
}

/// The lines of an export, a page at a time, as fast as they are taken.
fn lines(
    server: Shared,
    range: audit::Range,
) -> impl Stream<Item = Result<Vec<u8>, std::io::Error>> {
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        if let Err(error) = send(&server, range, &sender).await {
            tracing::warn!(
                cause = error.cause(),
                "an export of the audit log is cut off"
            );
            let cut = std::io::Error::other("the export is cut off");
            let _ = sender.send(Err(cut)).await;
        }
    });
    stream::unfold(receiver, async |mut receiver| {
        receiver.recv().await.map(|page| (page, receiver))
    })
}

type Pages = tokio::sync::mpsc::Sender<Result<Vec<u8>, std::io::Error>>;

async fn send(server: &Shared, range: audit::Range, pages: &Pages) -> app::Result<()> {
    let mut export = Export::begin(&server.app, range).await?;
    while let Some(page) = export.next().await? {
        let lines = wire::lines(&page);
        // Whoever hangs up has seen enough.
        if !lines.is_empty() && pages.send(Ok(lines)).await.is_err() {
            return Ok(());
        }
    }
    match export.exported().unreadable {
        0 => Ok(()),
        unreadable => Err(Error::internal(format!(
            "{unreadable} batches cannot be read"
        ))),
    }
}

/// On whose behalf must have been asked what is shown: a tenant sees its own.
fn company(ctx: &Ctx, wanted: Option<CompanyId>) -> Result<Option<CompanyId>, Failure> {
    let own = ctx.caller.company_id();
    match wanted {
        wanted if ctx.caller.may(Scope::Admin) => Ok(wanted),
        Some(wanted) if wanted != *own => {
            Err(Error::invalid_field("company", "must be your own").into())
        }
        _ => Ok(Some(own.clone())),
    }
}
