//! The bodies of companies.

use std::time::Duration;

use app::companies::{CompanyChange, NewCompany, WithSecret};
use domain::access::CompanyId;
use domain::link::{AppLink, WebhookUrl};
use domain::span::Span;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::tables::companies::Company;
use utoipa::ToSchema;

use crate::http::conventions::fields::{Fields, Nullable, Raw, nullable};
use crate::http::conventions::json::{Seconds, render};

/// The longest name, in characters.
const LONGEST_NAME: usize = 200;

/// How long a replaced webhook secret still signs, unless told otherwise.
const GRACE: Span = Span::seconds(24 * 60 * 60);

/// A company to be added.
#[derive(Deserialize, ToSchema)]
pub struct CompanyRequest<'a> {
    /// The id by which everything else names it: 1 to 64 of `a-z`, `0-9`, `-` and
    /// `_`, beginning with a letter or digit. It cannot be changed later.
    #[serde(borrow, default)]
    #[schema(value_type = String, required, pattern = "^[a-z0-9][a-z0-9_-]{0,63}$", examples("acme"))]
    company_id: Raw<'a>,
    /// Another name of `company_id`, as keys name their company.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, deprecated)]
    company: Raw<'a>,
    /// For people.
    #[serde(borrow, default)]
    #[schema(value_type = String, required, min_length = 1, max_length = 200, examples("Acme Ltd"))]
    name: Raw<'a>,
    /// Where its webhooks go: an http or https URL without credentials and fragment.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, format = "uri", max_length = 2048, examples("https://acme.example/hooks"))]
    webhook_url: Raw<'a>,
    /// What opens its app, in place of the web page: a link of the app's own scheme.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, format = "uri", max_length = 2048, examples("acme://verify"))]
    app_link: Raw<'a>,
}

impl CompanyRequest<'_> {
    pub fn validate(self, fields: &mut Fields) -> Option<NewCompany> {
        let company_id = self.company_id(fields);
        let name = fields.name("name", self.name, LONGEST_NAME);
        let name = fields.required("name", name, self.name);
        let webhook_url = webhook_url(fields, self.webhook_url);
        let app_link = app_link(fields, self.app_link);
        Some(NewCompany {
            company_id: company_id?,
            name: name?,
            webhook_url,
            app_link,
        })
    }

    fn company_id(&self, fields: &mut Fields) -> Option<CompanyId> {
        let (field, raw) = match (self.company_id, self.company) {
            (Some(_), Some(_)) => {
                fields.refuse("company", "is another name of company_id; send one of them");
                return None;
            }
            (None, Some(raw)) => ("company", Some(raw)),
            (raw, None) => ("company_id", raw),
        };
        let id = fields.parsed(field, raw, CompanyId::parse);
        fields.required(field, id, raw)
    }
}

/// What is to change about a company; at least one thing.
#[derive(Deserialize, ToSchema)]
pub struct CompanyChangeRequest<'a> {
    /// For people.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200, examples("Acme Ltd"))]
    name: Raw<'a>,
    /// Where its webhooks go; null for nowhere.
    #[serde(borrow, default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, format = "uri", max_length = 2048, examples("https://acme.example/hooks"))]
    webhook_url: Nullable<'a>,
    /// What opens its app; null for the web page.
    #[serde(borrow, default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, format = "uri", max_length = 2048, examples("acme://verify"))]
    app_link: Nullable<'a>,
    /// Whether its credentials are accepted.
    #[serde(borrow, default)]
    #[schema(value_type = Option<bool>)]
    is_active: Raw<'a>,
    /// Make a new webhook secret.
    #[serde(borrow, default)]
    #[schema(value_type = Option<bool>)]
    rotate_secret: Raw<'a>,
    /// For how long the old secret signs beside the new one, as in `90s`, `10m`,
    /// `24h`, `7d`; `24h` unless told otherwise. Only with `rotate_secret`.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, examples("24h"))]
    grace: Raw<'a>,
}

impl CompanyChangeRequest<'_> {
    pub fn validate(self, fields: &mut Fields, now: Timestamp) -> Option<CompanyChange> {
        let change = CompanyChange {
            name: fields.name("name", self.name, LONGEST_NAME),
            webhook_url: self.webhook_url.map(|raw| webhook_url(fields, raw)),
            app_link: self.app_link.map(|raw| app_link(fields, raw)),
            is_active: fields.boolean("is_active", self.is_active),
            rotate_secret: self.rotation(fields, now),
        };
        if self.names_nothing() {
            fields.refuse("body", "must name something to change");
        }
        Some(change)
    }

    fn rotation(&self, fields: &mut Fields, now: Timestamp) -> Option<Duration> {
        let grace = fields.parsed("grace", self.grace, Span::parse);
        let rotate = fields.boolean("rotate_secret", self.rotate_secret);
        if self.grace.is_some() && rotate != Some(true) {
            fields.refuse("grace", "stands only beside \"rotate_secret\": true");
        }
        // A year's length depends on when it begins.
        let until = grace.unwrap_or(GRACE).after(now);
        rotate
            .filter(|rotate| *rotate)
            .and_then(|_| Duration::try_from(until.duration_since(now)).ok())
    }

    fn names_nothing(&self) -> bool {
        let plain = [self.name, self.is_active, self.rotate_secret, self.grace];
        let nullable = [self.webhook_url, self.app_link];
        plain.iter().all(Option::is_none) && nullable.iter().all(Option::is_none)
    }
}

fn webhook_url(fields: &mut Fields, raw: Raw<'_>) -> Option<String> {
    fields
        .parsed("webhook_url", raw, WebhookUrl::parse)
        .map(|url| url.as_str().to_owned())
}

fn app_link(fields: &mut Fields, raw: Raw<'_>) -> Option<String> {
    fields
        .parsed("app_link", raw, AppLink::parse)
        .map(|link| link.as_str().to_owned())
}

/// A company.
#[derive(Serialize, ToSchema)]
pub struct CompanyAnswer {
    /// The id by which everything else names it.
    #[schema(examples("acme"))]
    company_id: String,
    /// For people.
    #[schema(examples("Acme Ltd"))]
    name: String,
    /// Where its webhooks go.
    #[schema(required, examples("https://acme.example/hooks"))]
    webhook_url: Option<String>,
    /// What opens its app.
    #[schema(required, examples("acme://verify"))]
    app_link: Option<String>,
    /// Whether its credentials are accepted.
    is_active: bool,
    /// When it was added.
    #[schema(value_type = String, format = DateTime, examples("2024-09-15T14:32:00Z"))]
    created_at: Seconds,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime, examples("2024-09-15T14:32:00Z"))]
    updated_at: Seconds,
    /// The secret that signs its webhooks (Standard Webhooks): only in the answer
    /// to the request that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false, examples("whsec_rHj0W4dJRQnYtmoMPSx9CcPKGv4nOaPmxtBkLZUo0bM="))]
    webhook_secret: Option<String>,
}

impl CompanyAnswer {
    fn of(company: Company, webhook_secret: Option<String>) -> Self {
        Self {
            company_id: company.company_id,
            name: company.name,
            webhook_url: company.webhook_url,
            app_link: company.app_link,
            is_active: company.is_active,
            created_at: Seconds(company.created_at),
            updated_at: Seconds(company.updated_at),
            webhook_secret,
        }
    }
}

/// The answer of creation.
pub fn created(created: &WithSecret) -> (u16, Vec<u8>) {
    (201, with_secret(created))
}

/// The answer of a change.
pub fn changed(changed: &WithSecret) -> (u16, Vec<u8>) {
    (200, with_secret(changed))
}

fn with_secret(made: &WithSecret) -> Vec<u8> {
    let secret = made
        .webhook_secret
        .as_ref()
        .map(|secret| secret.to_string());
    render(&CompanyAnswer::of(made.company.clone(), secret))
}

/// One company.
pub fn shown(company: Company) -> Vec<u8> {
    render(&CompanyAnswer::of(company, None))
}

/// A page of companies.
#[derive(Serialize, ToSchema)]
pub struct CompaniesAnswer {
    /// By id.
    companies: Vec<CompanyAnswer>,
    /// The next page's `cursor`; null on the last page.
    #[schema(required, examples("acme"))]
    next_cursor: Option<String>,
}

/// A page of companies.
pub fn listed(companies: Vec<Company>, next_cursor: Option<String>) -> Vec<u8> {
    let companies = companies
        .into_iter()
        .map(|company| CompanyAnswer::of(company, None))
        .collect();
    render(&CompaniesAnswer {
        companies,
        next_cursor,
    })
}
