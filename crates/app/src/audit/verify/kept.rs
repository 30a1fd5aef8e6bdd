//! Comparing with checkpoints that were kept elsewhere.
//!
//! Who keeps them trusts nothing of the database: a kept checkpoint must be there, letter for
//! letter, and otherwise each batch that it names must at least have the head that it names. What is
//! kept is trusted for where it lay; its signature only shows that it was not damaged there.

use domain::audit::{Checkpoint, LogHead, PublicKey, SignedText};
use store::Store;
use store::tables::{audit_checkpoints, audit_leaves};

use super::super::faults::{BatchPlace, Fault, Report};
use crate::Result;

/// A checkpoint that was kept elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The text and its signature.
    pub signed: SignedText,
    /// The key that it is said to be signed with.
    pub public_key: PublicKey,
}

/// Compares kept checkpoints, in their order, with what is stored.
pub(super) async fn compare(store: &Store, kept: &[Kept], report: &mut Report) -> Result<()> {
    for one in kept {
        report.kept += 1;
        let text = &one.signed.statement;
        let Some(checkpoint) = Checkpoint::parse(text) else {
            report.faults.push(Fault::Kept(0, "it is no checkpoint"));
            continue;
        };
        let number = checkpoint.number;
        if !one.public_key.accepts_text(text, &one.signed.signature) {
            report
                .faults
                .push(Fault::Kept(number, "its signature does not hold"));
            continue;
        }
        match stored(store, number).await? {
            Some(stored) if stored == *text => continue,
            Some(_) => report
                .faults
                .push(Fault::Kept(number, "the log has another one")),
            None => report
                .faults
                .push(Fault::Kept(number, "it was removed from the log")),
        }
        compare_heads(store, &checkpoint, report).await?;
    }
    Ok(())
}

/// The stored statement of this number; `None` also when it cannot be read.
async fn stored(store: &Store, number: i64) -> Result<Option<String>> {
    let found = store.read(move |mut tx| {
        Box::pin(async move { audit_checkpoints::list(&mut tx, number.saturating_sub(1), 1).await })
    });
    let found = found.await?.into_iter().next();
    let found = found.filter(|(found, _)| *found == number);
    Ok(found
        .and_then(|(_, signed)| signed.ok())
        .map(|signed| signed.checkpoint.statement()))
}

async fn compare_heads(store: &Store, checkpoint: &Checkpoint, report: &mut Report) -> Result<()> {
    for LogHead { log, head } in checkpoint.heads() {
        let batch = head.batch;
        let found = store.read(move |mut tx| {
            Box::pin(async move { audit_leaves::heads(&mut tx, log, batch, batch, 1).await })
        });
        let found = super::super::reading::readable(found.await)?;
        let is_there = found.and_then(|heads| heads.into_iter().next()) == Some((batch, head.hash));
        if !is_there {
            report.faults.push(Fault::Contradicted {
                checkpoint: checkpoint.number,
                place: BatchPlace { log, batch },
            });
        }
    }
    Ok(())
}
