//! Proving that one record is in the log.
//!
//! Guarantees: a proof that is handed out checks, with nothing but the public key that is handed out
//! with it. A record that no checkpoint covers yet is covered by one that is made for it.

use domain::access::Scope;
use domain::audit::{LogSpan, Proof, PublicKey, SignedText, path};
use store::tables::audit_checkpoints::{self, Signed};
use store::tables::signing_keys::SigningKey;
use store::tables::{audit_leaves, signing_keys};
use store::{Store, Tx};

use super::faults::Place;
use super::spans;
use crate::{App, Code, Ctx, Error, Result};

/// How often a checkpoint is made or waited for until the record is covered.
const ATTEMPTS: usize = 8;

/// A proof, and the key that it checks with.
#[derive(Debug, Clone)]
pub struct Proven {
    /// The proof.
    pub proof: Proof,
    /// The key that signed its checkpoint.
    pub public_key: PublicKey,
}

/// The proof of the record at a place; `None` when there is no record.
///
/// # Errors
/// When the database is away, or the log is not as it was written.
pub async fn prove(app: &App, place: Place) -> Result<Option<Proven>> {
    let Place {
        log,
        batch,
        position,
    } = place;
    let found = app.store.read(move |mut tx| {
        Box::pin(async move { audit_leaves::find(&mut tx, log, batch, position).await })
    });
    // Records whose time is over are on their way out, and their leaves are gone already.
    let found = found.await?.filter(|(_, batch)| !batch.is_retired());
    let Some((located, batch)) = found else {
        return Ok(None);
    };
    let (signed, span) = covering(app, log, batch.number).await?;
    let number = signed.checkpoint.number;
    let (public_key, key_changes) = keys_until(&app.store, number, &signed).await?;
    let newest = span.end.head.batch;
    let leaves = spans::leaves(&app.store, log, span.span.first..=newest).await?;
    let within = |place: i64| usize::try_from(place).unwrap_or(usize::MAX);
    let proof = Proof {
        path: path(&batch.leaves, within(position)).unwrap_or_default(),
        span_path: path(&leaves, within(batch.number - span.span.first)).unwrap_or_default(),
        record: located.record,
        position,
        batch: batch.fields(),
        checkpoint: text(&signed),
        key_changes: key_changes.iter().map(text).collect(),
    };
    match proof.check(&public_key) {
        Ok(_) => Ok(Some(Proven { proof, public_key })),
        Err(doubt) => Err(Error::internal(format!(
            "{place} cannot be proven: {doubt}; `bonafide audit verify` looks for the cause"
        ))),
    }
}

/// The proof of a record for a caller: one of its company's own, or any for the operator.
///
/// # Errors
/// [`Code::NotFound`] when there is no such record, and those of [`prove`].
pub async fn prove_for(app: &App, ctx: &Ctx, place: Place) -> Result<Proven> {
    let proven = prove(app, place).await?;
    let may_see = |proven: &Proven| {
        ctx.caller.may(Scope::Admin) || *proven.proof.record.company == *ctx.caller.company()
    };
    proven
        .filter(may_see)
        .ok_or_else(|| Error::new(Code::NotFound, "There is no record of that id."))
}

/// Every key that signs or signed checkpoints, with the number of the first; the present one first.
///
/// # Errors
/// When the database is away.
pub async fn keys(app: &App) -> Result<Vec<(i64, PublicKey)>> {
    let keys = app
        .store
        .read(|mut tx| Box::pin(async move { signing_keys::list(&mut tx).await }))
        .await?;
    let key = |key: SigningKey| (key.first_checkpoint, PublicKey(key.public_key));
    Ok(keys.into_iter().map(key).collect())
}

fn text(signed: &Signed) -> SignedText {
    SignedText {
        statement: signed.checkpoint.statement(),
        signature: signed.signature.clone(),
    }
}

/// The checkpoint whose span holds a batch, made now if there is none.
async fn covering(app: &App, log: i64, batch: i64) -> Result<(Signed, LogSpan)> {
    for _ in 0..ATTEMPTS {
        let found = app
            .store
            .read(move |mut tx| Box::pin(async move { find_covering(&mut tx, log, batch).await }));
        if let Some(found) = found.await? {
            return Ok(found);
        }
        app.checkpoints.make().await?;
    }
    Err(Error::unavailable("no checkpoint covers the record"))
}

/// Finds the first checkpoint with spans that knows the batch. What a checkpoint knows, the later
/// ones know too, so halving finds it in a few steps among millions.
async fn find_covering(
    tx: &mut Tx<'_>,
    log: i64,
    batch: i64,
) -> store::Result<Option<(Signed, LogSpan)>> {
    let of = |signed: &Signed| -> Option<LogSpan> {
        let spans = signed.checkpoint.spans().iter();
        let mut known = spans.filter(|span| span.end.log == log && span.end.head.batch >= batch);
        known.next().copied()
    };
    let Some(newest) = audit_checkpoints::newest(tx).await? else {
        return Ok(None);
    };
    if of(&newest).is_none() {
        return Ok(None);
    }
    let (mut low, mut high, mut first) = (1, newest.checkpoint.number, newest);
    while low < high {
        let middle = low + (high - low) / 2;
        match audit_checkpoints::find_from(tx, middle).await? {
            Some(found) if found.checkpoint.number < high => match of(&found) {
                Some(_) => (high, first) = (middle, found),
                None => low = found.checkpoint.number + 1,
            },
            // There is none in between.
            _ => high = middle,
        }
    }
    Ok(of(&first).map(|span| (first, span)))
}

/// The key that signed a checkpoint, and the checkpoints before it that named another key.
async fn keys_until(
    store: &Store,
    number: i64,
    signed: &Signed,
) -> Result<(PublicKey, Vec<Signed>)> {
    let read = store.read(move |mut tx| {
        Box::pin(async move {
            let changes = audit_checkpoints::key_changes(&mut tx, number).await?;
            Ok((signing_keys::list(&mut tx).await?, changes))
        })
    });
    let (keys, changes) = read.await?;
    let key = keys
        .into_iter()
        .find(|key| key.wrapped.id == signed.signing_key)
        .ok_or_else(|| Error::internal("the key of a checkpoint is missing"))?;
    Ok((PublicKey(key.public_key), changes))
}
