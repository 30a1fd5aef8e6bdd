//! Hooks of Square.

use app::inbox::Incoming;
use domain::hook::square::is_signed;
use domain::hook::{HookKey, Source};
use http::HeaderMap;
use serde_json::Value;

use super::{Reading, Reception, only};

/// Where the signature stands. The older header beside it (`x-square-signature`) is not looked at.
const SIGNATURE: &str = "x-square-hmacsha256-signature";

/// The events that are wanted.
const WANTED: [&str; 3] = ["customer.created", "customer.updated", "customer.deleted"];

/// What it takes to read the seller's hooks.
pub struct SquareReception {
    /// Whose customers they are.
    pub company: String,
    /// The notification address, exactly as it was given to Square.
    pub address: String,
    /// The subscription's signature key; two while it changes.
    pub keys: Vec<HookKey>,
}

impl Reception for SquareReception {
    fn read(&self, headers: &HeaderMap, body: &[u8]) -> Reading {
        if !is_signed(&self.keys, only(headers, SIGNATURE), &self.address, body) {
            return Reading::Refused("signature");
        }
        let event: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |pointer| event.pointer(pointer).and_then(Value::as_str);
        let Some(name) = text("/event_id").filter(|name| !name.is_empty()) else {
            return Reading::Unusable;
        };
        let topic = text("/type").and_then(|said| WANTED.into_iter().find(|one| *one == said));
        Reading::Event(Incoming {
            company: self.company.clone(),
            source: Source::Square,
            name: name.to_owned(),
            topic: topic.unwrap_or("other"),
            stream: text("/data/id").map(str::to_owned),
            body: topic.map(|_| body.to_vec()),
        })
    }
}
