//! Hooks of Veriff: decisions, and events of sessions, which may come to the same address.

use app::inbox::Incoming;
use domain::hook::veriff::{Decision, is_for, is_signed};
use domain::hook::{HookKey, Source};
use http::HeaderMap;
use serde_json::Value;

use super::{Reading, Reception, only};
use crate::config::Secret;

/// Where the signature stands, and where it stands in newer messages.
const SIGNATURE: [&str; 2] = ["x-hmac-signature", "vrf-hmac-signature"];

/// Where the API key stands, and where it stands in newer messages.
const CLIENT: [&str; 2] = ["x-auth-client", "vrf-auth-client"];

/// What it takes to read the integration's hooks.
pub struct VeriffReception {
    /// Whose customers they are.
    pub company: String,
    /// The API key of the integration.
    pub api_key: Secret,
    /// Its shared secret; two while it changes.
    pub keys: Vec<HookKey>,
}

impl Reception for VeriffReception {
    fn read(&self, headers: &HeaderMap, body: &[u8]) -> Reading {
        let either = |names: [&str; 2]| names.into_iter().find_map(|name| only(headers, name));
        if !is_signed(&self.keys, either(SIGNATURE), body) {
            return Reading::Refused("signature");
        }
        if !is_for(self.api_key.expose(), either(CLIENT)) {
            return Reading::Refused("another client");
        }
        let message: Value = serde_json::from_slice(body).unwrap_or_default();
        let incoming = match message.get("verification") {
            Some(_) => app::veriff::incoming(&self.company, body),
            None => self.event(&message),
        };
        incoming.map_or(Reading::Unusable, Reading::Event)
    }
}

impl VeriffReception {
    /// That a session was opened, or handed in: known from elsewhere, or soon to be decided.
    fn event(&self, event: &Value) -> Option<Incoming> {
        let text = |name| event.get(name).and_then(Value::as_str);
        let session = text("id").filter(|session| !session.is_empty())?;
        let name = Decision {
            session,
            attempt: text("attemptId").unwrap_or_default(),
            status: text("action")?,
            decided_at: "",
        };
        Some(Incoming {
            company: self.company.clone(),
            source: Source::Veriff,
            name: name.name(),
            topic: "other",
            stream: Some(session.to_owned()),
            body: None,
        })
    }
}
