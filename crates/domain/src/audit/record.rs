//! What one audit record says.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::{Digest, LeafEncoder};
use crate::seal::BlindIndex;

/// One request, or one change of state, as it is kept. No field names a person:
/// the subject is a keyed hash, and the caller's address, user agent and token
/// subject are sealed. Copies share most of its texts, for a record may be made more than once
/// until it is committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// When the request arrived, to the microsecond.
    pub at: Timestamp,
    /// The request's id (`X-Request-Id`), or that of the command.
    pub request_id: Arc<str>,
    /// The company on whose behalf; empty when nobody was authenticated.
    pub company: Arc<str>,
    /// The credential: `key:<id>`, `token:<keyed hash of its subject>`,
    /// `command`, or empty.
    pub credential: Arc<str>,
    /// What was asked, as a dotted word: `customer.check`.
    pub action: Cow<'static, str>,
    /// Whom it concerned.
    pub subject: Option<BlindIndex>,
    /// What came of it.
    pub outcome: Outcome,
    /// From arrival until the record was handed to the log, in microseconds.
    pub latency: i64,
    /// How many requests this record stands for: 1, or the size of a flood.
    pub occurrences: i64,
    /// The data key under which `client` is sealed.
    pub data_key: Option<Uuid>,
    /// The caller's address, user agent and token subject, sealed.
    pub client: Option<Vec<u8>>,
    /// What a reader needs beyond the outcome; never personal data.
    pub detail: Option<String>,
}

/// The outcome of a request: a stable machine word and the HTTP status (0 for
/// what did not come by HTTP).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// `ok`, or the code of the error.
    pub code: Cow<'static, str>,
    /// The HTTP status.
    pub status: i64,
}

impl Record {
    /// The record's leaf hash: every field in the order of the struct, encoded as
    /// [`LeafEncoder`] says.
    pub fn leaf(&self) -> Digest {
        let mut encoder = LeafEncoder::new();
        encoder.integer(self.at.as_microsecond());
        encoder.present(self.request_id.as_bytes());
        encoder.present(self.company.as_bytes());
        encoder.present(self.credential.as_bytes());
        encoder.present(self.action.as_bytes());
        encoder.optional(
            self.subject
                .as_ref()
                .map(|subject| subject.as_bytes().as_slice()),
        );
        encoder.present(self.outcome.code.as_bytes());
        encoder.integer(self.outcome.status);
        encoder.integer(self.latency);
        encoder.integer(self.occurrences);
        encoder.optional(self.data_key.as_ref().map(|key| key.as_bytes().as_slice()));
        encoder.optional(self.client.as_deref());
        encoder.optional(self.detail.as_ref().map(String::as_bytes));
        encoder.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Record {
        Record {
            at: Timestamp::from_microsecond(1_726_410_720_000_000).unwrap(),
            request_id: "req-1".into(),
            company: "default".into(),
            credential: "key:abc".into(),
            action: "customer.check".into(),
            subject: BlindIndex::from_bytes(&[9; 16]),
            outcome: Outcome {
                code: "ok".into(),
                status: 200,
            },
            latency: 1200,
            occurrences: 1,
            data_key: Some(Uuid::from_u128(5)),
            client: Some(vec![1, 2, 3]),
            detail: None,
        }
    }

    #[test]
    fn every_field_counts() {
        let changes: Vec<fn(&mut Record)> = vec![
            |r| r.at = Timestamp::from_microsecond(r.at.as_microsecond() + 1).unwrap(),
            |r| r.request_id = "req-2".into(),
            |r| r.company = "another".into(),
            |r| r.credential = "key:abd".into(),
            |r| r.action = "customer.checks".into(),
            |r| r.subject = None,
            |r| r.outcome.code = "okay".into(),
            |r| r.outcome.status += 1,
            |r| r.latency += 1,
            |r| r.occurrences += 1,
            |r| r.data_key = None,
            |r| r.client = None,
            |r| r.client = Some(vec![]),
            |r| r.detail = Some(String::new()),
        ];
        let mut leaves = std::collections::HashSet::from([sample().leaf()]);
        for (number, change) in changes.into_iter().enumerate() {
            let mut record = sample();
            change(&mut record);
            assert!(
                leaves.insert(record.leaf()),
                "change {number} does not show"
            );
        }
    }

    #[test]
    fn a_letter_cannot_wander_to_the_next_field() {
        let mut left = sample();
        left.company = "ab".into();
        left.credential = "c".into();
        let mut right = sample();
        right.company = "a".into();
        right.credential = "bc".into();
        assert_ne!(left.leaf(), right.leaf());
    }

    #[test]
    fn the_encoding_never_changes() {
        assert_eq!(
            data_encoding::HEXLOWER.encode(&sample().leaf()),
            "05795f27bef7a80c726dda95598bf75d41ac0013ba9e38bff4df2b8ba458c864"
        );
    }
}
