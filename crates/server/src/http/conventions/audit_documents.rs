//! Proofs and checkpoints as JSON, for the API, the console, the commands and whoever keeps them.
//!
//! Guarantees: a proof says nothing that is not checked (a field that we do not know makes it none),
//! and it is read back as it was written.

use app::audit::{Proven, Published};
use data_encoding::HEXLOWER;
use domain::audit::{BatchFields, Digest, Outcome, Proof, PublicKey, Record, SignedText};
use domain::seal::BlindIndex;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::conventions::json::render;

/// What a proof calls itself.
const FORMAT: &str = "bonafide audit proof v1";

/// The proof that a record is in the log. Digests, keys, signatures and sealed values are
/// hexadecimal, times are microseconds since 1970 (UTC).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProofDocument {
    /// `bonafide audit proof v1`.
    #[schema(examples("bonafide audit proof v1"))]
    format: String,
    /// The record, as it is hashed.
    record: RecordFields,
    /// Its place in its batch, from 0.
    #[schema(minimum = 0, examples(2))]
    position: i64,
    /// The digests beside its way to the root of the batch, from below.
    path: Vec<String>,
    /// Its batch.
    batch: BatchDocument,
    /// The digests beside the batch's way to the root of the span, from below.
    span_path: Vec<String>,
    /// The checkpoint that covers it.
    checkpoint: SignedDocument,
    /// The checkpoints before it that each named another key, the oldest first.
    key_changes: Vec<SignedDocument>,
    /// The key that signed the checkpoint. Compare it with one that you hold.
    public_key: String,
}

/// A record, field by field in the order in which they are hashed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RecordFields {
    /// When the request arrived.
    #[schema(examples(1735689600000000_i64))]
    at: i64,
    /// Its id.
    request_id: String,
    /// On whose behalf; empty when nobody was authenticated.
    company_id: String,
    /// By which credential.
    credential: String,
    /// What was asked.
    #[schema(examples("customer.check"))]
    action: String,
    /// Whom it concerned, as a keyed hash.
    subject: Option<String>,
    /// What came of it.
    #[schema(examples("ok"))]
    outcome: String,
    /// HTTP status; 0 for what did not come by HTTP.
    #[schema(examples(200))]
    status: i64,
    /// Microseconds until the record was handed to the log.
    latency: i64,
    /// How many requests it stands for.
    occurrences: i64,
    /// The key under which the client is sealed.
    data_key: Option<String>,
    /// Address, user agent and token subject, sealed.
    client: Option<String>,
    /// What else is to say.
    detail: Option<String>,
}

/// What the head of a batch covers beside its root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BatchDocument {
    /// The log it belongs to.
    log: i64,
    /// Its number in that log.
    number: i64,
    /// How many records it holds.
    size: i64,
    /// When it was closed.
    committed_at: i64,
    /// The head of the batch before it.
    previous: String,
}

/// A checkpoint's text and its signature (Ed25519).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SignedDocument {
    /// The signed text, byte for byte.
    statement: String,
    /// The signature.
    signature: String,
}

impl ProofDocument {
    /// A proof as it is written.
    pub fn of(proven: &Proven) -> Self {
        let proof = &proven.proof;
        Self {
            format: FORMAT.to_owned(),
            record: RecordFields::of(&proof.record),
            position: proof.position,
            path: proof.path.iter().map(|hash| hex(hash)).collect(),
            batch: BatchDocument {
                log: proof.batch.log,
                number: proof.batch.number,
                size: proof.batch.size,
                committed_at: proof.batch.committed_at.as_microsecond(),
                previous: hex(&proof.batch.previous),
            },
            span_path: proof.span_path.iter().map(|hash| hex(hash)).collect(),
            checkpoint: SignedDocument::of(&proof.checkpoint),
            key_changes: proof.key_changes.iter().map(SignedDocument::of).collect(),
            public_key: proven.public_key.to_hex(),
        }
    }

    /// The proof that is written here; `None` when it is none.
    pub fn proof(&self) -> Option<Proof> {
        if self.format != FORMAT {
            return None;
        }
        Some(Proof {
            record: self.record.record()?,
            position: self.position,
            path: self
                .path
                .iter()
                .map(|hex| digest(hex))
                .collect::<Option<_>>()?,
            batch: BatchFields {
                log: self.batch.log,
                number: self.batch.number,
                size: self.batch.size,
                committed_at: Timestamp::from_microsecond(self.batch.committed_at).ok()?,
                previous: digest(&self.batch.previous)?,
            },
            span_path: self
                .span_path
                .iter()
                .map(|hex| digest(hex))
                .collect::<Option<_>>()?,
            checkpoint: self.checkpoint.text()?,
            key_changes: self
                .key_changes
                .iter()
                .map(SignedDocument::text)
                .collect::<Option<_>>()?,
        })
    }
}

impl RecordFields {
    fn of(record: &Record) -> Self {
        Self {
            at: record.at.as_microsecond(),
            request_id: record.request_id.to_string(),
            company_id: record.company.to_string(),
            credential: record.credential.to_string(),
            action: record.action.to_string(),
            subject: record.subject.map(|subject| hex(subject.as_bytes())),
            outcome: record.outcome.code.to_string(),
            status: record.outcome.status,
            latency: record.latency,
            occurrences: record.occurrences,
            data_key: record.data_key.map(|key| hex(key.as_bytes())),
            client: record.client.as_deref().map(hex),
            detail: record.detail.clone(),
        }
    }

    fn record(&self) -> Option<Record> {
        let optional = |hex: &Option<String>| match hex {
            None => Some(None),
            Some(hex) => bytes(hex).map(Some),
        };
        let subject = optional(&self.subject)?.map(|bytes| BlindIndex::from_bytes(&bytes));
        let data_key = optional(&self.data_key)?.map(|bytes| Uuid::from_slice(&bytes).ok());
        Some(Record {
            at: Timestamp::from_microsecond(self.at).ok()?,
            request_id: self.request_id.as_str().into(),
            company: self.company_id.as_str().into(),
            credential: self.credential.as_str().into(),
            action: self.action.clone().into(),
            subject: known(subject)?,
            outcome: Outcome {
                code: self.outcome.clone().into(),
                status: self.status,
            },
            latency: self.latency,
            occurrences: self.occurrences,
            data_key: known(data_key)?,
            client: optional(&self.client)?,
            detail: self.detail.clone(),
        })
    }
}

/// What is there and understood, or is not there; `None` for what is there and not understood.
fn known<T>(value: Option<Option<T>>) -> Option<Option<T>> {
    match value {
        Some(None) => None,
        Some(value) => Some(value),
        None => Some(None),
    }
}

impl SignedDocument {
    fn of(signed: &SignedText) -> Self {
        Self {
            statement: signed.statement.clone(),
            signature: hex(&signed.signature),
        }
    }

    fn text(&self) -> Option<SignedText> {
        Some(SignedText {
            statement: self.statement.clone(),
            signature: bytes(&self.signature)?,
        })
    }
}

/// A checkpoint as it is told to those who keep it elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointDocument {
    /// Its number.
    pub number: i64,
    /// When it was made.
    pub time: String,
    /// The signed text, byte for byte.
    pub statement: String,
    /// The signature (Ed25519), hexadecimal.
    pub signature: String,
    /// The key that signed, hexadecimal.
    pub public_key: String,
}

impl CheckpointDocument {
    /// A checkpoint as it is written.
    pub fn of(published: &Published) -> Self {
        Self {
            number: published.number,
            time: published.at.to_string(),
            statement: published.statement.clone(),
            signature: hex(&published.signature),
            public_key: published.public_key.to_hex(),
        }
    }

    /// The checkpoint that is written here; `None` when it is none.
    pub fn kept(&self) -> Option<app::audit::Kept> {
        Some(app::audit::Kept {
            signed: SignedText {
                statement: self.statement.clone(),
                signature: bytes(&self.signature)?,
            },
            public_key: PublicKey::from_hex(&self.public_key)?,
        })
    }
}

/// The body of the message that tells of a checkpoint.
pub fn announcement(published: &Published) -> Vec<u8> {
    render(&CheckpointDocument::of(published))
}

fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    HEXLOWER.decode(hex.as_bytes()).ok()
}

fn digest(hex: &str) -> Option<Digest> {
    bytes(hex)?.try_into().ok()
}
