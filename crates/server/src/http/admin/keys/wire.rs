//! The bodies of keys.

use std::collections::BTreeMap;
use std::time::Duration;

use app::credentials::KeyLimits;
use app::keys::{CreatedKey, KeyChange, NewKey};
use app::limits::LimitName;
use domain::access::{CompanyId, Scope, Scopes};
use domain::rate::Limit;
use domain::span::Span;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::tables::api_keys::ApiKeyRow;
use utoipa::ToSchema;

use crate::http::conventions::fields::{Fields, Members, Nullable, Raw, nullable};
use crate::http::conventions::json::{Seconds, render};
use crate::http::conventions::page::{Page, Query};

/// The longest name, in characters.
const LONGEST_NAME: usize = 200;

/// How long a replaced key is still accepted, unless told otherwise.
const GRACE: Span = Span::seconds(24 * 60 * 60);

/// A key to be made.
#[derive(Deserialize, ToSchema)]
pub struct KeyRequest<'a> {
    /// The company it speaks for.
    #[serde(borrow, default)]
    #[schema(value_type = String, required, examples("acme"))]
    company: Raw<'a>,
    /// What it is for, for those who read the list of keys.
    #[serde(borrow, default)]
    #[schema(value_type = String, required, min_length = 1, max_length = 200, examples("web shop"))]
    name: Raw<'a>,
    /// What it may do; at least one thing. `admin` may do everything, for every
    /// company's administration.
    #[serde(borrow, default)]
    #[schema(value_type = Vec<String>, required, min_items = 1, examples(json!(["customers:read", "customers:write"])))]
    scopes: Raw<'a>,
    /// Limits of its own in place of the general ones: `customers`, `initiate`,
    /// `status` or `submit`, each as in `6000/1m`, or `off`.
    #[serde(borrow, default)]
    #[schema(value_type = Option<BTreeMap<String, String>>, examples(json!({"customers": "6000/1m"})))]
    limits: Raw<'a>,
    /// When it ends; without it, never.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, format = DateTime, examples("2030-01-01T00:00:00Z"))]
    expires_at: Raw<'a>,
}

impl KeyRequest<'_> {
    pub fn validate(self, fields: &mut Fields, now: Timestamp) -> Option<NewKey> {
        let company = fields.parsed("company", self.company, CompanyId::parse);
        let company = fields.required("company", company, self.company);
        let name = fields.name("name", self.name, LONGEST_NAME);
        let name = fields.required("name", name, self.name);
        let scopes = scopes(fields, self.scopes);
        let scopes = fields.required("scopes", scopes, self.scopes);
        let limits = limits(fields, self.limits).unwrap_or_default();
        let expires_at = future(fields, self.expires_at, now);
        Some(NewKey {
            company: company?,
            name: name?,
            scopes: scopes?,
            limits,
            expires_at,
        })
    }
}

/// What is to change about a key; at least one thing.
#[derive(Deserialize, ToSchema)]
pub struct KeyChangeRequest<'a> {
    /// What it is for.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200, examples("web shop"))]
    name: Raw<'a>,
    /// All limits of its own; an empty object or null for the general ones.
    #[serde(borrow, default, deserialize_with = "nullable")]
    #[schema(value_type = Option<BTreeMap<String, String>>, examples(json!({"customers": "6000/1m"})))]
    limits: Nullable<'a>,
    /// When it ends; null for never.
    #[serde(borrow, default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, format = DateTime, examples("2030-01-01T00:00:00Z"))]
    expires_at: Nullable<'a>,
}

impl KeyChangeRequest<'_> {
    pub fn validate(self, fields: &mut Fields, now: Timestamp) -> Option<KeyChange> {
        if self.name.is_none() && self.limits.is_none() && self.expires_at.is_none() {
            fields.refuse("body", "must name something to change");
        }
        Some(KeyChange {
            name: fields.name("name", self.name, LONGEST_NAME),
            limits: self
                .limits
                .map(|raw| limits(fields, raw).unwrap_or_default()),
            expires_at: self.expires_at.map(|raw| future(fields, raw, now)),
        })
    }
}

/// How to replace a key.
#[derive(Deserialize, ToSchema)]
pub struct RotateRequest<'a> {
    /// For how long the old key is still accepted, as in `90s`, `10m`, `24h`, `7d`;
    /// `24h` unless told otherwise.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, examples("24h"))]
    grace: Raw<'a>,
}

impl RotateRequest<'_> {
    pub fn validate(self, fields: &mut Fields, now: Timestamp) -> Option<Duration> {
        let grace = fields.parsed("grace", self.grace, Span::parse);
        // A year's length depends on when it begins.
        let until = grace.unwrap_or(GRACE).after(now);
        Duration::try_from(until.duration_since(now)).ok()
    }
}

/// Nothing needs to be said with it.
#[derive(Deserialize, ToSchema)]
pub struct RevokeRequest {}

/// Which keys are asked for.
pub fn list_query(query: &Query, fields: &mut Fields) -> Option<(Option<CompanyId>, Page)> {
    let page = query.page(fields);
    let company = query.text("company", fields).map(CompanyId::parse);
    match company.transpose() {
        Ok(company) => Some((company, page)),
        Err(error) => {
            fields.refuse("company", error.to_string());
            None
        }
    }
}

fn scopes(fields: &mut Fields, raw: Raw<'_>) -> Option<Scopes> {
    let words = fields.list("scopes", raw)?;
    if words.is_empty() {
        fields.refuse("scopes", "must name at least one");
    }
    let mut scopes = Scopes::default();
    for (at, word) in words.into_iter().enumerate() {
        let field = format!("scopes[{at}]");
        let scope = fields.parsed(&field, word, Scope::parse);
        if let Some(scope) = fields.required(&field, scope, word) {
            scopes = scopes.with(scope);
        }
    }
    Some(scopes)
}

fn limits(fields: &mut Fields, raw: Raw<'_>) -> Option<KeyLimits> {
    let expected = "must be an object as in {\"customers\": \"6000/1m\"}";
    let Members(named) = fields.typed("limits", raw, expected)?;
    let mut limits = KeyLimits::new();
    for (name, raw) in named {
        match name.parse::<LimitName>() {
            Err(expected) => fields.refuse("limits", format!("of an unknown name; {expected}")),
            Ok(name) if limits.contains_key(&name) => {
                fields.refuse(&format!("limits.{name}"), "must be named once");
            }
            Ok(name) => {
                let limit = fields.parsed(&format!("limits.{name}"), Some(raw), Limit::parse);
                limits.extend(limit.map(|limit| (name, limit)));
            }
        }
    }
    Some(limits)
}

fn future(fields: &mut Fields, raw: Raw<'_>, now: Timestamp) -> Option<Timestamp> {
    let time = fields.time("expires_at", raw)?;
    if time <= now {
        fields.refuse("expires_at", "must lie in the future");
        return None;
    }
    Some(time)
}

/// What is known of a key.
#[derive(Serialize, ToSchema)]
pub struct KeyAnswer<'a> {
    /// Its public half: the part between `bf_` and the next `_`.
    #[schema(examples("k7m2p9w4x3qa"))]
    id: &'a str,
    /// The key itself: only in the answer to the request that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false, examples("bf_k7m2p9w4x3qa_5f0c…"))]
    key: Option<&'a str>,
    /// The company it speaks for.
    #[schema(examples("acme"))]
    company: &'a str,
    /// What it is for.
    #[schema(examples("web shop"))]
    name: &'a str,
    /// What it may do.
    #[schema(examples(json!(["customers:read", "customers:write"])))]
    scopes: Vec<&'a str>,
    /// Limits of its own in place of the general ones.
    #[schema(examples(json!({"customers": "6000/1m"})))]
    limits: BTreeMap<&'a str, &'a str>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime, examples("2024-09-15T14:32:00Z"))]
    created_at: Seconds,
    /// When it ends.
    #[schema(value_type = Option<String>, required, format = DateTime, examples("2030-01-01T00:00:00Z"))]
    expires_at: Option<Seconds>,
    /// When it was revoked.
    #[schema(value_type = Option<String>, required, format = DateTime, examples(json!(null)))]
    revoked_at: Option<Seconds>,
    /// The id of the key that took its place.
    #[schema(required, examples(json!(null)))]
    replaced_by: Option<&'a str>,
}

impl<'a> KeyAnswer<'a> {
    fn of(row: &'a ApiKeyRow, key: Option<&'a str>) -> Self {
        Self {
            id: &row.id,
            key,
            company: &row.company_id,
            name: &row.name,
            scopes: row.scopes.split_whitespace().collect(),
            limits: row
                .limits
                .split_whitespace()
                .filter_map(|limit| limit.split_once('='))
                .collect(),
            created_at: Seconds(row.created_at),
            expires_at: row.expires_at.map(Seconds),
            revoked_at: row.revoked_at.map(Seconds),
            replaced_by: row.replaced_by.as_deref(),
        }
    }
}

/// The answer that shows a new key.
pub fn created(created: &CreatedKey) -> (u16, Vec<u8>) {
    let answer = KeyAnswer::of(&created.row, Some(created.key.expose()));
    (201, render(&answer))
}

/// What is known of a key.
pub fn shown(row: &ApiKeyRow) -> (u16, Vec<u8>) {
    (200, render(&KeyAnswer::of(row, None)))
}

/// A page of keys.
#[derive(Serialize, ToSchema)]
pub struct KeysAnswer<'a> {
    /// Oldest first.
    keys: Vec<KeyAnswer<'a>>,
    /// The next page's `cursor`; null on the last page.
    #[schema(required, examples("k7m2p9w4x3qa"))]
    next_cursor: Option<String>,
}

/// A page of keys.
pub fn listed(keys: &[ApiKeyRow], next_cursor: Option<String>) -> Vec<u8> {
    let keys = keys.iter().map(|key| KeyAnswer::of(key, None)).collect();
    render(&KeysAnswer { keys, next_cursor })
}
