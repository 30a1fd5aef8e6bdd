//! The query and the answers of the surface.

use app::Error;
use app::audit::{Cursor, ExportedRecord, Filter, Listed, Range, Whom};
use data_encoding::HEXLOWER_PERMISSIVE;
use domain::access::CompanyId;
use domain::contact::{E164, Email};
use domain::number::MobileNumber;
use domain::seal::{BlindIndex, IndexKey};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::http::conventions::failure::Failure;
use crate::http::conventions::fields::Fields;
use crate::http::conventions::json::render;
use crate::http::conventions::page::{Page, Query};

/// The longest name of a customer that is looked for.
const LONGEST: usize = 256;

/// What is searched for.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes what `list_query` reads")]
pub struct FilterParameters {
    /// On whose behalf it was asked: your own company, or for an administrator any.
    #[param(example = "default")]
    company: Option<String>,
    /// What was asked.
    #[param(example = "customer.check")]
    action: Option<String>,
    /// What came of it: `ok`, or the word of a failure.
    #[param(example = "ok")]
    outcome: Option<String>,
    /// Whom it concerned: a customer's address.
    #[param(example = "ada@example.com")]
    email: Option<String>,
    /// Whom it concerned: a customer's phone number.
    #[param(example = "+12345678900")]
    phone: Option<String>,
    /// Whom it concerned: a number that was verified.
    #[param(example = "+15005550006")]
    number: Option<String>,
    /// Whom it concerned: your own name for somebody whose age was verified.
    #[param(example = "cust_1001")]
    customer_id: Option<String>,
    /// Whom it concerned, as records name them.
    #[param(example = "0f1e2d3c4b5a69788796a5b4c3d2e1f0")]
    subject: Option<String>,
    /// The request.
    #[param(example = "0193f7a2-5c1e-7c3b-9a41-5b2f6f0f3a52")]
    request_id: Option<String>,
    /// The first moment of arrival.
    #[param(example = "2026-01-01T00:00:00Z")]
    from: Option<String>,
    /// The moment of arrival to stop before.
    #[param(example = "2026-02-01T00:00:00Z")]
    to: Option<String>,
}

/// What is read out.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes what `range_query` reads")]
pub struct RangeParameters {
    /// On whose behalf it was asked: your own company, or for an administrator any.
    #[param(example = "default")]
    company: Option<String>,
    /// The first moment of arrival.
    #[param(example = "2026-01-01T00:00:00Z")]
    from: Option<String>,
    /// The moment of arrival to stop before.
    #[param(example = "2026-02-01T00:00:00Z")]
    to: Option<String>,
}

/// Whom a search is about.
enum Subject {
    Known(Whom),
    Index(BlindIndex),
}

/// A search as it was asked for.
pub struct Wanted {
    pub company: Option<CompanyId>,
    action: Option<String>,
    outcome: Option<String>,
    subject: Option<Subject>,
    request_id: Option<String>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

impl Wanted {
    /// The search, on behalf of a company or of anybody.
    ///
    /// # Errors
    /// When a person is looked for and it is not said whose.
    pub fn filter(
        self,
        index_key: &IndexKey,
        company: Option<CompanyId>,
    ) -> Result<Filter, Failure> {
        let subject = match (self.subject, &company) {
            (None, _) => None,
            (Some(Subject::Index(index)), _) => Some(index),
            (Some(Subject::Known(whom)), Some(company)) => Some(whom.subject(index_key, company)),
            (Some(Subject::Known(_)), None) => {
                let message = "must be given: whose customer it is";
                return Err(Error::invalid_field("company", message).into());
            }
        };
        let made = self.request_id.as_deref().and_then(made_at);
        Ok(Filter {
            company_id: company.map(|company| company.as_str().to_owned()),
            action: self.action,
            outcome: self.outcome,
            subject,
            request_id: self.request_id,
            from: self.from.or(made.map(|(from, _)| from)),
            to: self.to.or(made.map(|(_, to)| to)),
        })
    }

    /// What is read out, on behalf of a company or of anybody.
    pub fn range(self, company: Option<CompanyId>) -> Range {
        Range {
            company: company.map(|company| company.as_str().to_owned()),
            from: self.from,
            to: self.to,
        }
    }
}

/// When a request arrived whose id the server made, to the second on either side: ids of version 7
/// say it.
fn made_at(request_id: &str) -> Option<(Timestamp, Timestamp)> {
    let id = Uuid::parse_str(request_id).ok()?;
    let (seconds, _) = id.get_timestamp()?.to_unix();
    let second = i64::try_from(seconds).ok()?;
    let from = Timestamp::from_second(second.checked_sub(1)?).ok()?;
    let to = Timestamp::from_second(second.checked_add(2)?).ok()?;
    (id.get_version_num() == 7).then_some((from, to))
}

pub fn list_query(query: &Query, fields: &mut Fields) -> Option<(Wanted, Page)> {
    let page = query.page(fields);
    let wanted = Wanted {
        action: text(query, "action", fields),
        outcome: text(query, "outcome", fields),
        subject: subject(query, fields),
        request_id: text(query, "request_id", fields),
        ..range_query(query, fields)?
    };
    Some((wanted, page))
}

pub fn range_query(query: &Query, fields: &mut Fields) -> Option<Wanted> {
    Some(Wanted {
        company: parsed(query, "company", fields, CompanyId::parse),
        action: None,
        outcome: None,
        subject: None,
        request_id: None,
        from: parsed(query, "from", fields, time),
        to: parsed(query, "to", fields, time),
    })
}

/// Where the page begins.
///
/// # Errors
/// For a cursor that no list gave.
pub fn cursor(page: &Page) -> Result<Option<Cursor>, Failure> {
    let cursor = page.cursor.as_deref().map(Cursor::parse);
    match cursor {
        Some(None) => Err(crate::http::conventions::page::unknown_cursor()),
        cursor => Ok(cursor.flatten()),
    }
}

fn time(text: &str) -> Result<Timestamp, &'static str> {
    text.parse()
        .map_err(|_| "must be a time like 2026-01-01T00:00:00Z")
}

fn text(query: &Query, name: &str, fields: &mut Fields) -> Option<String> {
    parsed(query, name, fields, |text| match text.len() {
        1..=LONGEST if !text.chars().any(char::is_control) => Ok(text.to_owned()),
        _ => Err(format!("must be 1 to {LONGEST} printable characters")),
    })
}

fn parsed<T, E: std::fmt::Display>(
    query: &Query,
    name: &str,
    fields: &mut Fields,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Option<T> {
    match parse(query.text(name, fields)?) {
        Ok(value) => Some(value),
        Err(error) => {
            fields.refuse(name, error.to_string());
            None
        }
    }
}

fn subject(query: &Query, fields: &mut Fields) -> Option<Subject> {
    let email = parsed(query, "email", fields, Email::parse);
    let phone = parsed(query, "phone", fields, E164::parse);
    let number = parsed(query, "number", fields, MobileNumber::parse);
    let index = parsed(query, "subject", fields, index);
    let given = [
        email.map(Whom::Email).map(Subject::Known),
        phone.map(Whom::Phone).map(Subject::Known),
        number.map(Whom::Number).map(Subject::Known),
        text(query, "customer_id", fields)
            .map(Whom::CustomerId)
            .map(Subject::Known),
        index.map(Subject::Index),
    ];
    let mut given = given.into_iter().flatten();
    let subject = given.next();
    if given.next().is_some() {
        let message = "only one of email, phone, number, customer_id and subject may be given";
        fields.refuse("subject", message);
    }
    subject
}

fn index(text: &str) -> Result<BlindIndex, &'static str> {
    let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok();
    let index = bytes.and_then(|bytes| BlindIndex::from_bytes(&bytes));
    index.ok_or("must be 32 hexadecimal digits")
}

/// A record.
#[derive(Serialize, ToSchema)]
pub struct RecordAnswer<'a> {
    /// Where it stands: log, batch, and place in the batch.
    #[schema(examples("1.208.3"))]
    id: &'a str,
    /// When the request arrived.
    #[schema(format = DateTime, examples("2024-09-15T14:32:00.123456Z"))]
    at: &'a str,
    /// Its id.
    #[schema(examples("0193f7a2-5c1e-7c3b-9a41-5b2f6f0f3a52"))]
    request_id: &'a str,
    /// On whose behalf it was asked; empty when nobody was authenticated.
    #[schema(examples("default"))]
    company: &'a str,
    /// By which credential; empty when there was none.
    #[schema(examples("key:k7m2p9w4x3qa"))]
    credential: &'a str,
    /// What was asked.
    #[schema(examples("customer.check"))]
    action: &'a str,
    /// Whom it concerned, as a keyed hash.
    #[schema(examples("0f1e2d3c4b5a69788796a5b4c3d2e1f0"))]
    subject: Option<&'a str>,
    /// What came of it: `ok`, or the word of a failure.
    #[schema(examples("ok"))]
    outcome: &'a str,
    /// The HTTP status; 0 for what did not come by HTTP.
    #[schema(examples(200))]
    status: i64,
    /// Microseconds until the record was handed to the log.
    #[schema(examples(412))]
    latency_us: i64,
    /// How many requests it stands for.
    #[schema(examples(1))]
    occurrences: i64,
    /// The caller's address; `null` when unknown or forgotten.
    #[schema(examples("203.0.113.7"))]
    ip_address: Option<&'a str>,
    /// The caller's user agent.
    #[schema(examples("shop/1.4"))]
    user_agent: Option<&'a str>,
    /// The subject of the caller's token.
    #[schema(examples("checkout"))]
    token_subject: Option<&'a str>,
    /// What else is to say.
    #[schema(examples("reused"))]
    detail: Option<&'a str>,
}

impl<'a> RecordAnswer<'a> {
    fn of(record: &'a ExportedRecord) -> Self {
        Self {
            id: &record.id,
            at: &record.at,
            request_id: &record.request_id,
            company: &record.company,
            credential: &record.credential,
            action: &record.action,
            subject: record.subject.as_deref(),
            outcome: &record.outcome,
            status: record.status,
            latency_us: record.latency_us,
            occurrences: record.occurrences,
            ip_address: record.ip_address.as_deref(),
            user_agent: record.user_agent.as_deref(),
            token_subject: record.token_subject.as_deref(),
            detail: record.detail.as_deref(),
        }
    }
}

/// A page of records.
#[derive(Serialize, ToSchema)]
pub struct RecordsAnswer<'a> {
    /// The newest first.
    records: Vec<RecordAnswer<'a>>,
    /// Gives the next page; `null` on the last one, and on no other.
    next_cursor: Option<String>,
}

/// The answer to a search.
pub fn listed(listed: &[Listed], next_cursor: Option<String>) -> Vec<u8> {
    let records = listed.iter().map(|listed| RecordAnswer::of(&listed.record));
    render(&RecordsAnswer {
        records: records.collect(),
        next_cursor,
    })
}

/// Records, one a line.
pub fn lines(page: &[ExportedRecord]) -> Vec<u8> {
    let mut lines = Vec::new();
    for record in page {
        lines.extend(render(&RecordAnswer::of(record)));
        lines.push(b'\n');
    }
    lines
}
