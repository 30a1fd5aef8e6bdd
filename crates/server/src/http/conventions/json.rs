//! Writing JSON bodies: what the wire types of all surfaces share.

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};

/// A body as bytes.
pub fn render(answer: &impl Serialize) -> Vec<u8> {
    // Texts, numbers and truth values always serialise.
    serde_json::to_vec(answer).unwrap_or_default()
}

/// A time to the second, `2024-09-15T14:32:00Z`.
pub struct Seconds(pub Timestamp);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let second = Timestamp::from_second(self.0.as_second()).unwrap_or(self.0);
        serializer.collect_str(&second)
    }
}

/// A time to the millisecond, `2025-01-01T00:00:00.000Z`.
#[derive(Deserialize)]
pub struct Milliseconds(pub Timestamp);

impl Serialize for Milliseconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:.3}", self.0))
    }
}
