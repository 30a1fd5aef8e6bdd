//! Checking the chain of checkpoints: each follows the one before, is signed by the key whose turn it
//! was, and goes on where the spans before it ended.

use std::collections::BTreeMap;

use domain::audit::{Checkpoint, Digest};
use domain::seal::KeyRing;
use store::Store;
use store::tables::audit_checkpoints::{self, Signed, Stored};
use store::tables::signing_keys;

use super::super::faults::{Fault, Report};
use super::keys::{Keys, Naming};
use super::vouched::Vouched;
use crate::Result;

/// Checkpoints read at a time.
const PAGE: i64 = 200;

/// Checks all checkpoints and their keys; returns what they vouch for.
pub async fn check(store: &Store, ring: Option<&KeyRing>, report: &mut Report) -> Result<Vouched> {
    let keys = Keys(
        store
            .read(|mut tx| Box::pin(async move { signing_keys::list(&mut tx).await }))
            .await?,
    );
    let mut chain = Chain::default();
    let mut after = i64::MIN;
    loop {
        let (page, signers) = read(store, after).await?;
        let Some((last, _)) = page.last() else { break };
        after = *last;
        for stored in page {
            chain.check(stored, &signers, report);
        }
    }
    if chain.reached.number == 0 && !keys.0.is_empty() {
        // A signing key is made together with the first checkpoint.
        report.faults.push(Fault::Checkpoint(1, "was removed"));
    }
    report.faults.extend(chain.naming.judge(&keys, ring));
    Ok(chain.vouched)
}

/// Checkpoints after number `after`, and the keys that signed. The keys are read
/// last, so that no checkpoint made meanwhile is without its key.
async fn read(store: &Store, after: i64) -> Result<(Vec<Stored>, Keys)> {
    let (page, keys) = store
        .read(move |mut tx| {
            Box::pin(async move {
                let page = audit_checkpoints::list(&mut tx, after, PAGE).await?;
                Ok((page, signing_keys::list(&mut tx).await?))
            })
        })
        .await?;
    Ok((page, Keys(keys)))
}

/// How far the chain was checked, and what was learnt on the way.
#[derive(Default)]
struct Chain {
    reached: Reached,
    /// The last batch of each log that a span covers.
    covered: BTreeMap<i64, i64>,
    naming: Naming,
    vouched: Vouched,
}

#[derive(Default)]
struct Reached {
    /// 0 before the first.
    number: i64,
    /// Its digest, unless it could not be read.
    digest: Option<Digest>,
}

impl Chain {
    fn check(&mut self, (number, signed): Stored, keys: &Keys, report: &mut Report) {
        report.checkpoints += 1;
        let mut fault = |what| report.faults.push(Fault::Checkpoint(number, what));
        if number < 1 {
            return fault("stands where none was made");
        }
        let Ok(signed) = signed else {
            fault("cannot be read: malformed values");
            self.passed(number, None, report);
            // What it covered is not known: the next one is taken at its word.
            self.covered.clear();
            return;
        };
        let Signed { checkpoint, .. } = &signed;
        let before = match self.reached.number {
            0 => Some([0; 32]),
            _ => self.reached.digest,
        };
        let successive = number == self.reached.number + 1;
        if successive && before.is_some_and(|before| before != checkpoint.previous) {
            fault("does not follow the one before");
        }
        if successive && !self.goes_on(checkpoint) {
            fault("its spans do not go on where those before it ended");
        }
        report.faults.extend(keys.judge(&signed));
        self.passed(number, Some(checkpoint.digest()), report);
        for log in checkpoint.spans() {
            self.covered.insert(log.end.log, log.end.head.batch);
        }
        self.naming.note(checkpoint);
        self.vouched.add(checkpoint);
    }

    fn passed(&mut self, number: i64, digest: Option<Digest>, report: &mut Report) {
        let missing = self.reached.number + 1;
        if missing < number {
            report.faults.push(match missing + 1 == number {
                true => Fault::Checkpoint(missing, "was removed"),
                false => Fault::CheckpointsRemoved(missing, number - 1),
            });
        }
        self.reached = Reached { number, digest };
    }

    fn goes_on(&self, checkpoint: &Checkpoint) -> bool {
        checkpoint.spans().iter().all(|log| {
            let covered = self.covered.get(&log.end.log);
            covered.is_none_or(|covered| log.span.first == covered + 1)
        })
    }
}
