//! The signed checkpoints of the audit log.

use domain::audit::{Checkpoint, Digest, Head, LogHead, LogSpan, PublicKey, Span, Stated};
use uuid::Uuid;

use crate::{Error, Result, Row, Tx};

/// A checkpoint with its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// What is stated.
    pub checkpoint: Checkpoint,
    /// The name of the key that signed.
    pub signing_key: Uuid,
    /// The signature.
    pub signature: Vec<u8>,
}

/// A stored checkpoint's number, and the checkpoint if it can be read.
pub type Stored = (i64, Result<Signed>);

/// Inserts a checkpoint; `false` when another instance has made this number.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx<'_>, signed: &Signed) -> Result<bool> {
    let checkpoint = &signed.checkpoint;
    let (version, heads) = encode(&checkpoint.stated);
    let inserted = tx
        .execute(
            "INSERT INTO audit_checkpoints \
             (number, at, previous, heads, signing_key, signature, version, next_key) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
            &[
                checkpoint.number.into(),
                checkpoint.at.into(),
                (&checkpoint.previous).into(),
                (&heads).into(),
                signed.signing_key.into(),
                (&signed.signature).into(),
                version.into(),
                checkpoint.next_key().map(|key| key.0.as_slice()).into(),
            ],
        )
        .await?;
    Ok(inserted == 1)
}

/// Up to `limit` checkpoints after number `after`, in order.
///
/// # Errors
/// Those of the database. A checkpoint that is malformed is an error of its own.
pub async fn list(tx: &mut Tx<'_>, after: i64, limit: i64) -> Result<Vec<Stored>> {
    tx.query(
        "SELECT number, at, previous, heads, signing_key, signature, version, next_key \
         FROM audit_checkpoints WHERE number > $1 ORDER BY number LIMIT $2",
        &[after.into(), limit.into()],
    )
    .await?
    .iter()
    .map(|row| Ok((row.int(0, "audit_checkpoints.number")?, signed(row))))
    .collect()
}

/// The first checkpoint of this number or a higher one.
///
/// # Errors
/// Those of the database; [`Error::Corrupt`] when it is malformed.
pub async fn find_from(tx: &mut Tx<'_>, number: i64) -> Result<Option<Signed>> {
    let found = list(tx, number.saturating_sub(1), 1).await?;
    found
        .into_iter()
        .next()
        .map(|(_, signed)| signed)
        .transpose()
}

/// The newest checkpoint.
///
/// # Errors
/// Those of the database; [`Error::Corrupt`] when it is malformed.
pub async fn newest(tx: &mut Tx<'_>) -> Result<Option<Signed>> {
    tx.find(
        "SELECT number, at, previous, heads, signing_key, signature, version, next_key \
         FROM audit_checkpoints ORDER BY number DESC LIMIT 1",
        &[],
    )
    .await?
    .as_ref()
    .map(signed)
    .transpose()
}

/// Every checkpoint below `number` that names another key, in order.
///
/// # Errors
/// Those of the database; [`Error::Corrupt`] when one is malformed.
pub async fn key_changes(tx: &mut Tx<'_>, number: i64) -> Result<Vec<Signed>> {
    tx.query(
        "SELECT number, at, previous, heads, signing_key, signature, version, next_key \
         FROM audit_checkpoints WHERE next_key IS NOT NULL AND number < $1 ORDER BY number",
        &[number.into()],
    )
    .await?
    .iter()
    .map(signed)
    .collect()
}

fn signed(row: &Row) -> Result<Signed> {
    let next_key = row.find_bytes(7, "audit_checkpoints.next_key")?;
    let heads = row.bytes(3, "audit_checkpoints.heads")?;
    let stated = match (row.int(6, "audit_checkpoints.version")?, next_key) {
        (1, None) => Stated::V1(decode(&heads, log_head)?),
        (2, next_key) => Stated::V2 {
            next_key: next_key.map(PublicKey),
            logs: decode(&heads, log_span)?,
        },
        _ => return Err(Error::corrupt("audit_checkpoints.version", "unknown")),
    };
    Ok(Signed {
        checkpoint: Checkpoint {
            number: row.int(0, "audit_checkpoints.number")?,
            at: row.time(1, "audit_checkpoints.at")?,
            previous: row.array(2, "audit_checkpoints.previous")?,
            stated,
        },
        signing_key: row.uuid(4, "audit_checkpoints.signing_key")?,
        signature: row.bytes(5, "audit_checkpoints.signature")?,
    })
}

/// A head is stored as log (8 bytes), batch (8 bytes) and digest (32 bytes); a span behind it as its
/// first batch (8 bytes) and root (32 bytes).
fn encode(stated: &Stated) -> (i64, Vec<u8>) {
    let mut bytes = Vec::new();
    let head = |bytes: &mut Vec<u8>, end: &LogHead| {
        bytes.extend_from_slice(&end.log.to_be_bytes());
        bytes.extend_from_slice(&end.head.batch.to_be_bytes());
        bytes.extend_from_slice(&end.head.hash);
    };
    let version = match stated {
        Stated::V1(heads) => {
            heads.iter().for_each(|end| head(&mut bytes, end));
            1
        }
        Stated::V2 { logs, .. } => {
            for LogSpan { end, span } in logs {
                head(&mut bytes, end);
                bytes.extend_from_slice(&span.first.to_be_bytes());
                bytes.extend_from_slice(&span.root);
            }
            2
        }
    };
    (version, bytes)
}

const HEAD: usize = 48;
const SPAN: usize = 88;

fn decode<const LENGTH: usize, T>(
    bytes: &[u8],
    decode: fn(&[u8; LENGTH]) -> Option<T>,
) -> Result<Vec<T>> {
    let (whole, rest) = bytes.as_chunks::<LENGTH>();
    let decoded = whole.iter().map(decode).collect::<Option<_>>();
    decoded
        .filter(|_| rest.is_empty())
        .ok_or_else(|| Error::corrupt("audit_checkpoints.heads", "not whole heads"))
}

fn log_head(bytes: &[u8; HEAD]) -> Option<LogHead> {
    Some(LogHead {
        log: number(bytes, 0)?,
        head: Head {
            batch: number(bytes, 8)?,
            hash: digest(bytes, 16)?,
        },
    })
}

fn log_span(bytes: &[u8; SPAN]) -> Option<LogSpan> {
    Some(LogSpan {
        end: log_head(bytes.first_chunk()?)?,
        span: Span {
            first: number(bytes, HEAD)?,
            root: digest(bytes, HEAD + 8)?,
        },
    })
}

fn number(bytes: &[u8], at: usize) -> Option<i64> {
    Some(i64::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn digest(bytes: &[u8], at: usize) -> Option<Digest> {
    Some(*bytes.get(at..)?.first_chunk()?)
}
