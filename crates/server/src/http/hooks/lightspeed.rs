//! Hooks of Lightspeed eCom.
//!
//! The signature covers neither the store nor anything that the event says. An event of another store
//! is refused like a forged one: were it taken and forgotten, a captured event with another store's
//! number could use up the name of the true one, and a wrong `LIGHTSPEED_STORE_ID` would swallow every
//! order in silence. So the sender keeps it and tries again for a day, and its own log shows why.

use app::lightspeed::{Envelope, incoming};
use domain::hook::HookKey;
use domain::hook::lightspeed::{Stamp, is_signed};
use http::HeaderMap;

use super::{Reading, Reception, only};

/// Where the signature stands.
const SIGNATURE: &str = "x-ecwid-webhook-signature";

/// What it takes to read the store's hooks.
pub struct LightspeedReception {
    /// Whose orders they are.
    pub company: String,
    /// The number of the store.
    pub store_id: String,
    /// The app's client secret.
    pub keys: Vec<HookKey>,
}

impl Reception for LightspeedReception {
    fn read(&self, headers: &HeaderMap, body: &[u8]) -> Reading {
        let Some(envelope) = Envelope::read(body) else {
            return Reading::Refused("unreadable");
        };
        let stamp = Stamp {
            created: &envelope.created,
            event_id: &envelope.event_id,
        };
        if !is_signed(&self.keys, only(headers, SIGNATURE), stamp) {
            return Reading::Refused("signature");
        }
        if envelope.store_id != self.store_id {
            return Reading::Refused("another store");
        }
        Reading::Event(incoming(&self.company, &envelope, body))
    }
}
