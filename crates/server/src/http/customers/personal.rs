//! What people may ask of whoever keeps data about them: to be told, and to be forgotten.

use app::forget::{self, Held, Receipt, Whom};
use app::limits::LimitName;
use app::{Code, Error};
use axum::extract::State;
use axum::response::Response;
use domain::access::Scope;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::receipt::ReceiptDocument;
use super::schema;
use crate::http::Shared;
use crate::http::conventions::body::Body;
use crate::http::conventions::failure::Failure;
use crate::http::conventions::fields::{Fields, Raw};
use crate::http::conventions::json::{Milliseconds, render};
use crate::http::conventions::once::{self, SentKeys, answer, once};
use crate::http::conventions::permit::{Operation, Permit};
use crate::http::openapi::documented;

/// The routes.
pub fn routes() -> OpenApiRouter<Shared> {
    const NONE_OR_SEVERAL: &[Code] = &[Code::NotFound, Code::Conflict];
    const ERASE: &[Code] = &[Code::NotFound, Code::Conflict, Code::LegalHold];
    OpenApiRouter::new()
        .routes(documented::<Export>(routes!(export), NONE_OR_SEVERAL))
        .routes(documented::<Erase>(routes!(erase), ERASE))
        .routes(documented::<LegalHold>(
            routes!(legal_hold),
            NONE_OR_SEVERAL,
        ))
}

/// Whom it is about; at least one of the two.
#[derive(Deserialize, ToSchema)]
struct PersonRequest<'a> {
    /// The e-mail address.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, format = Email, max_length = 254, examples("ada@example.com"))]
    email: Raw<'a>,
    /// The phone number, as in E.164.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, examples("+12345678900"))]
    phone: Raw<'a>,
}

fn whom(fields: &mut Fields, email: Raw<'_>, phone: Raw<'_>) -> Option<Whom> {
    if email.is_none() && phone.is_none() {
        fields.refuse("email", "is required, unless there is a phone");
        return None;
    }
    let whom = Whom {
        email: fields.email("email", email),
        phone: fields.phone("phone", phone),
    };
    (whom.email.is_some() || whom.phone.is_some()).then_some(whom)
}

impl PersonRequest<'_> {
    fn validate(self, fields: &mut Fields) -> Option<Whom> {
        whom(fields, self.email, self.phone)
    }
}

struct Export;
impl Operation for Export {
    const ACTION: &'static str = "customer.export";
    const SCOPE: Scope = Scope::Admin;
    const LIMIT: Option<LimitName> = None;
}

/// Tell all that is known of a customer
///
/// One JSON document with everything that is stored about the person at the caller's company: for
/// somebody who asks what you keep about them.
#[utoipa::path(
    post,
    path = "/api/v1/customer/export",
    tag = "Customers",
    request_body = PersonRequest,
    responses((status = 200, description = "What is stored", body = schema::PersonalData))
)]
async fn export(
    State(server): State<Shared>,
    permit: Permit<Export>,
    body: Body,
) -> Result<Response, Failure> {
    let whom = body.read(PersonRequest::validate)?;
    let (exchange, company) = (&permit.ctx.exchange, permit.ctx.caller.company_id());
    let document = forget::export(&server.app, exchange, company, &whom).await?;
    Ok(answer(
        200,
        serde_json::to_vec(&document).map_err(Error::internal)?,
    ))
}

struct Erase;
impl Operation for Erase {
    const ACTION: &'static str = "customer.erase";
    const SCOPE: Scope = Scope::Admin;
    const LIMIT: Option<LimitName> = None;
}

/// Erase a customer
///
/// For good: the person's data keys are destroyed with everything that leads to them, and nothing
/// that is left can be read, in older copies neither. Open orders are cancelled. The audit log stays
/// as it was written, and names nobody. Whoever comes again is a new customer. The receipt carries the
/// proof of the audit record that says the same: `bonafide audit check` checks it offline.
#[utoipa::path(
    post,
    path = "/api/v1/customer/erase",
    tag = "Customers",
    params(once::IdempotencyHeader),
    request_body = PersonRequest,
    responses((status = 200, description = "Erased", body = ReceiptDocument))
)]
async fn erase(
    State(server): State<Shared>,
    permit: Permit<Erase>,
    sent: SentKeys,
    body: Body,
) -> Result<Response, Failure> {
    let whom = body.read(PersonRequest::validate)?;
    let key = once::key(&sent, Erase::ACTION, body.bytes())?;
    let (exchange, company) = (&permit.ctx.exchange, permit.ctx.caller.company_id());
    once(&server, &permit.ctx, key, receipt, async |reply| {
        let erased = forget::erase(&server.app, exchange, company, &whom, reply).await?;
        if let Some(list) = &server.erasure_list {
            list.keep_up_or_warn(&server.app).await;
        }
        Ok::<_, app::Error>(erased)
    })
    .await
}

fn receipt(erased: &Receipt) -> (u16, Vec<u8>) {
    (200, render(&ReceiptDocument::of(erased)))
}

struct LegalHold;
impl Operation for LegalHold {
    const ACTION: &'static str = "customer.legal_hold";
    const SCOPE: Scope = Scope::Admin;
    const LIMIT: Option<LimitName> = None;
}

/// Whom it is about, and what is to hold.
#[derive(Deserialize, ToSchema)]
struct LegalHoldRequest<'a> {
    /// The e-mail address.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, format = Email, max_length = 254, examples("ada@example.com"))]
    email: Raw<'a>,
    /// The phone number, as in E.164.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, examples("+12345678900"))]
    phone: Raw<'a>,
    /// Whether the customer must not be erased.
    #[serde(borrow, default)]
    #[schema(value_type = bool, required, examples(true))]
    hold: Raw<'a>,
    /// Why; required for a hold, and kept sealed.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, max_length = 1024, examples("Case 2025-17"))]
    reason: Raw<'a>,
}

impl LegalHoldRequest<'_> {
    fn validate(self, fields: &mut Fields) -> Option<(Whom, Option<String>)> {
        let hold = fields.boolean("hold", self.hold);
        let hold = fields.required("hold", hold, self.hold);
        let reason = match hold {
            Some(true) => fields.filled("reason", self.reason),
            _ => {
                fields.text("reason", self.reason);
                None
            }
        };
        let names_somebody = self.email.is_some() || self.phone.is_some();
        // What is required always is asked for before what is required of two.
        let whom = (names_somebody || hold.is_some())
            .then(|| whom(fields, self.email, self.phone))
            .flatten();
        if hold? && reason.is_none() {
            return None;
        }
        Some((whom?, reason))
    }
}

/// Where a customer's legal hold stands.
#[derive(Serialize, ToSchema)]
struct LegalHoldAnswer {
    /// Whether the customer is under legal hold.
    #[schema(examples(true))]
    legal_hold: bool,
    /// Since when.
    #[schema(value_type = Option<String>, format = DateTime, examples("2025-01-01T00:00:00.000Z"))]
    since: Option<Milliseconds>,
}

impl From<&Held> for LegalHoldAnswer {
    fn from(held: &Held) -> Self {
        let since: Option<Timestamp> = held.since;
        Self {
            legal_hold: held.legal_hold,
            since: since.map(Milliseconds),
        }
    }
}

/// Put a customer under legal hold, or end it
///
/// As long as it lasts the customer cannot be erased.
#[utoipa::path(
    post,
    path = "/api/v1/customer/legal-hold",
    tag = "Customers",
    params(once::IdempotencyHeader),
    request_body = LegalHoldRequest,
    responses((status = 200, description = "How it stands now", body = LegalHoldAnswer))
)]
async fn legal_hold(
    State(server): State<Shared>,
    permit: Permit<LegalHold>,
    sent: SentKeys,
    body: Body,
) -> Result<Response, Failure> {
    let (whom, reason) = body.read(LegalHoldRequest::validate)?;
    let key = once::key(&sent, LegalHold::ACTION, body.bytes())?;
    let (exchange, company) = (&permit.ctx.exchange, permit.ctx.caller.company_id());
    once(&server, &permit.ctx, key, held, async |reply| {
        forget::hold(&server.app, exchange, company, &whom, reason, reply).await
    })
    .await
}

fn held(held: &Held) -> (u16, Vec<u8>) {
    (200, render(&LegalHoldAnswer::from(held)))
}
