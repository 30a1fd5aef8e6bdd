//! The audit log: searched, one record with its proof to take away, and the whole checked.

use std::collections::BTreeMap;

use app::audit::{self, Cursor, ExportedRecord, Filter, Listed, Place, Stage};
use app::{Code, Error};
use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use data_encoding::HEXLOWER_PERMISSIVE;
use domain::seal::BlindIndex;
use http::header;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use minijinja::{Value, context};

use super::door::{Act, Staff, Task};
use super::frame::Section;
use super::words;
use crate::http::Shared;
use crate::http::conventions::audit_documents::ProofDocument;
use crate::http::conventions::failure::Failure;
use crate::http::conventions::json::render;
use crate::http::conventions::page::{Query, unknown_cursor};

/// How many records a page shows.
const PAGE: u16 = 50;

/// How many faults are told; whoever has more has seen enough.
const FAULTS: usize = 50;

/// The routes.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/console/audit", get(list))
        .route("/console/audit/check", get(check).post(begin))
        .route("/console/audit/records/{id}", get(show))
        .route("/console/audit/records/{id}/proof", post(prove))
}

struct List;
impl Task for List {
    const ACTION: &'static str = "console.audit.list";
}

/// What is searched for, as it was typed.
#[derive(Default)]
struct Search {
    whose: String,
    action: String,
    outcome: String,
    subject: String,
    request_id: String,
    from: String,
    to: String,
    cursor: String,
}

impl Search {
    /// The names of the parameters and what they hold, but for the cursor.
    fn parameters(&self) -> [(&'static str, &str); 7] {
        [
            ("whose", &self.whose),
            ("action", &self.action),
            ("outcome", &self.outcome),
            ("subject", &self.subject),
            ("request_id", &self.request_id),
            ("from", &self.from),
            ("to", &self.to),
        ]
    }

    /// The same search, behind a cursor, as a link has it.
    fn link(&self, cursor: &str) -> String {
        let given = self.parameters().into_iter().chain([("cursor", cursor)]);
        let given = given.filter(|(_, value)| !value.is_empty());
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(given)
            .finish();
        format!("console/audit?{query}")
    }

    /// What is to be found of a company.
    fn filter(&self, company: &str) -> Result<Filter, Failure> {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let company = match self.whose.as_str() {
            "" | "own" => company,
            "strangers" => "",
            _ => return Err(refused("whose", "must be own or strangers")),
        };
        Ok(Filter {
            company_id: Some(company.to_owned()),
            action: name("action", &self.action)?,
            outcome: name("outcome", &self.outcome)?,
            subject: text(&self.subject).map(|text| subject(&text)).transpose()?,
            request_id: name("request_id", &self.request_id)?,
            from: text(&self.from)
                .map(|day| begin_of("from", &day))
                .transpose()?,
            to: text(&self.to)
                .map(|day| begin_of("to", &day).map(day_after))
                .transpose()?,
        })
    }
}

/// What a record may be called, if it is asked for.
fn name(field: &str, text: &str) -> Result<Option<String>, Failure> {
    if text.chars().any(char::is_control) {
        return Err(refused(field, "must have printable characters only"));
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

fn refused(field: &str, message: &str) -> Failure {
    Error::invalid_field(field, message).into()
}

fn subject(text: &str) -> Result<BlindIndex, Failure> {
    let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok();
    let index = bytes.and_then(|bytes| BlindIndex::from_bytes(&bytes));
    index.ok_or_else(|| {
        refused(
            "subject",
            "must be as records name it, 32 signs of 0-9 and a-f",
        )
    })
}

/// When a day begins, in UTC.
fn begin_of(field: &str, text: &str) -> Result<Timestamp, Failure> {
    let day: Option<Date> = text.parse().ok();
    let begins = day.and_then(|day| day.to_zoned(TimeZone::UTC).ok());
    let begins = begins.map(|begins| begins.timestamp());
    begins.ok_or_else(|| refused(field, "must be a day as in 2026-11-21"))
}

fn day_after(day: Timestamp) -> Timestamp {
    day.checked_add(jiff::SignedDuration::from_hours(24))
        .unwrap_or(Timestamp::MAX)
}

async fn list(
    State(server): State<Shared>,
    staff: Staff<List>,
    query: Query,
) -> Result<Response, Failure> {
    let search = query.read(|query, fields| {
        let mut text = |name| {
            query
                .text(name, fields)
                .unwrap_or_default()
                .trim()
                .to_owned()
        };
        Some(Search {
            whose: text("whose"),
            action: text("action"),
            outcome: text("outcome"),
            subject: text("subject"),
            request_id: text("request_id"),
            from: text("from"),
            to: text("to"),
            cursor: text("cursor"),
        })
    })?;
    let filter = search.filter(staff.ctx.caller.company())?;
    let after = match search.cursor.as_str() {
        "" => None,
        text => Some(Cursor::parse(text).ok_or_else(unknown_cursor)?),
    };
    let mut found = audit::list(&server.app, filter, after, PAGE + 1).await?;
    let has_more = found.listed.len() > usize::from(PAGE);
    found.listed.truncate(PAGE.into());
    let last = found.listed.last().filter(|_| has_more);
    let next = last.map(|last| last.cursor.clone());
    let next = next.or_else(|| found.left_off.map(|cursor| cursor.to_string()));
    let now = server.app.clock.now();
    let is_searched = search
        .parameters()
        .iter()
        .any(|(_, value)| !value.is_empty());
    let typed = search.parameters().into_iter();
    let typed: BTreeMap<_, _> = typed
        .map(|(name, value)| (name, Value::from(value)))
        .collect();
    let values = context! {
        search => typed,
        is_searched,
        is_first => after.is_none(),
        newest => Value::from_safe_string(escaped(&search.link(""))),
        next => next.map(|cursor| Value::from_safe_string(escaped(&search.link(&cursor)))),
        records => found.listed.iter().map(|Listed { record, .. }| shown(record, now)).collect::<Vec<_>>(),
    };
    staff.page(Section::Audit, "console/audit.html", values)
}

/// A query within an attribute.
fn escaped(link: &str) -> String {
    link.replace('&', "&amp;")
}

fn shown(record: &ExportedRecord, now: Timestamp) -> Value {
    let at = record.at.parse().unwrap_or(now);
    let is_well = record.outcome == "ok";
    context! {
        id => record.id.as_str(),
        path => Value::from_safe_string(format!("console/audit/records/{}", record.id)),
        at => words::moment(at, now),
        action => record.action.as_str(),
        outcome => record.outcome.replace('_', " "),
        tone => if is_well { "good" } else { "wait" },
        credential => record.credential.as_str(),
        subject => record.subject.as_deref(),
        detail => record.detail.as_deref(),
        occurrences => record.occurrences,
        company => record.company.as_str(),
        request_id => record.request_id.as_str(),
        status => record.status,
        took => words::took(record.latency_us),
        address => record.ip_address.as_deref(),
        browser => record.user_agent.as_deref().map(words::browser),
        token_subject => record.token_subject.as_deref(),
    }
}

struct Show;
impl Task for Show {
    const ACTION: &'static str = "console.audit.show";
}

async fn show(
    State(server): State<Shared>,
    staff: Staff<Show>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let record = audit::show(&server.app, &staff.ctx, place(&id)?).await?;
    let values = context! { record => shown(&record, server.app.clock.now()) };
    staff.page(Section::Audit, "console/audit_record.html", values)
}

fn place(id: &str) -> Result<Place, Failure> {
    let unknown = || Error::new(Code::NotFound, "There is no record of that id.");
    Place::parse(id).ok_or_else(|| unknown().into())
}

struct Prove;
impl Task for Prove {
    const ACTION: &'static str = "console.audit.prove";
}

async fn prove(
    State(server): State<Shared>,
    Path(id): Path<String>,
    act: Act<Prove>,
) -> Result<Response, Failure> {
    let (app, ctx, place) = (&server.app, &act.staff.ctx, place(&id)?);
    let record = audit::show(app, ctx, place).await?;
    let proven = audit::prove_for(app, ctx, place).await?;
    let name = format!("attachment; filename=\"proof-{}.json\"", record.id);
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, render(&ProofDocument::of(&proven))).into_response())
}

struct Check;
impl Task for Check {
    const ACTION: &'static str = "console.audit.check";
}

async fn check(State(server): State<Shared>, staff: Staff<Check>) -> Result<Response, Failure> {
    let now = server.app.clock.now();
    let stage = match server.app.verification.stage() {
        Stage::None => context! { word => "none" },
        Stage::Failed { at } => context! { word => "failed", at => words::moment(at, now) },
        Stage::Running {
            began_at,
            checked,
            of,
        } => context! {
            word => "running",
            at => words::moment(began_at, now),
            checked => words::number(i64::try_from(checked).unwrap_or(i64::MAX)),
            of => words::number(i64::try_from(of).unwrap_or(i64::MAX)),
            part => checked.min(of).saturating_mul(1_000) / of.max(1),
        },
        Stage::Done { at, report } => context! {
            word => "done",
            at => words::moment(at, now),
            records => words::number(i64::try_from(report.records).unwrap_or(i64::MAX)),
            batches => words::number(i64::try_from(report.batches).unwrap_or(i64::MAX)),
            checkpoints => words::number(i64::try_from(report.checkpoints).unwrap_or(i64::MAX)),
            faults => report.faults.iter().take(FAULTS).map(ToString::to_string).collect::<Vec<_>>(),
            more => report.faults.len().saturating_sub(FAULTS),
        },
    };
    staff.page(
        Section::Audit,
        "console/audit_check.html",
        context! { stage },
    )
}

struct Begin;
impl Task for Begin {
    const ACTION: &'static str = "console.audit.verify";
}

async fn begin(State(server): State<Shared>, act: Act<Begin>) -> Result<Response, Failure> {
    audit::begin_verification(&server.app).await?;
    Ok(act.staff.lead_to("console/audit/check"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_read_whole_or_not_at_all() {
        let search = |name: &str, value: &str| {
            let value = value.to_owned();
            let mut search = Search::default();
            match name {
                "whose" => search.whose = value,
                "subject" => search.subject = value,
                "from" => search.from = value,
                _ => search.to = value,
            }
            search.filter("acme")
        };
        assert_eq!(search("whose", "").unwrap().company_id.unwrap(), "acme");
        assert_eq!(
            search("whose", "strangers").unwrap().company_id.unwrap(),
            ""
        );
        let day = search("from", "2026-11-21").unwrap().from.unwrap();
        assert_eq!(day.to_string(), "2026-11-21T00:00:00Z");
        let day = search("to", "2026-11-21").unwrap().to.unwrap();
        assert_eq!(day.to_string(), "2026-11-22T00:00:00Z");
        for (name, value) in [
            ("whose", "other"),
            ("subject", "ab"),
            ("from", "yesterday"),
            ("to", "2026-02-30"),
        ] {
            assert!(search(name, value).is_err(), "{name}={value}");
        }
    }

    #[test]
    fn a_link_leads_to_the_same_search() {
        let search = Search {
            action: "console.sign in&x".to_owned(),
            ..Search::default()
        };
        assert_eq!(
            search.link("abc"),
            "console/audit?action=console.sign+in%26x&cursor=abc"
        );
    }
}
