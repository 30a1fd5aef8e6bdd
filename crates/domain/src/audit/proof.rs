//! The proof that one record is in the log: everything between the record and a
//! signature, so that a public key is all that is needed to check it.
//!
//! Guarantees: a proof that checks was made for exactly this record, which
//! stood at this place of a log whose end was signed. It says nothing of other
//! records, and does not become wrong when the log goes on, when the signing
//! key is replaced, or when persons are forgotten.

use super::{
    BatchFields, Checkpoint, Digest, LogSpan, PublicKey, Record, leaf_of_head, root_by_path,
};

/// A text and who signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedText {
    /// A checkpoint's statement.
    pub statement: String,
    /// Its Ed25519 signature.
    pub signature: Vec<u8>,
}

/// A record with its way to a signed checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The record, as it is hashed.
    pub record: Record,
    /// Its place in its batch, from 0.
    pub position: i64,
    /// The path from its leaf to the root of its batch, from below.
    pub path: Vec<Digest>,
    /// What the batch's head covers beside that root.
    pub batch: BatchFields,
    /// The path from the batch's head to the root of its span, from below.
    pub span_path: Vec<Digest>,
    /// The checkpoint that covers it.
    pub checkpoint: SignedText,
    /// The checkpoints before it that each named the next key, the oldest first.
    pub key_changes: Vec<SignedText>,
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// No key that follows from the given one accepts a signature.
    #[error("the checkpoint's signature does not hold under this key, or one that follows it")]
    Signature,
    /// What is signed is not a checkpoint as we know it.
    #[error("what is signed is not the statement of a checkpoint with spans")]
    Statement,
    /// The checkpoint says nothing of this batch.
    #[error("the checkpoint does not cover the record's batch")]
    NotCovered,
    /// The record, its place or a path was changed.
    #[error("the record at this place does not lead to what the checkpoint signed")]
    Elsewhere,
}

impl Proof {
    /// Checks the proof against a public key that is trusted: the one that signed,
    /// or an earlier one from which signed changes of the key lead there. Returns
    /// the checkpoint that vouches for the record.
    ///
    /// # Errors
    /// Why it does not hold.
    pub fn check(&self, trusted: &PublicKey) -> Result<Checkpoint, Doubt> {
        self.check_signature(trusted)?;
        let checkpoint = Checkpoint::parse(&self.checkpoint.statement).ok_or(Doubt::Statement)?;
        let number = self.batch.number;
        let covers = |log: &&LogSpan| {
            log.end.log == self.batch.log && (log.span.first..=log.end.head.batch).contains(&number)
        };
        let log = checkpoint.spans().iter().find(covers);
        let LogSpan { end, span } = log.ok_or(Doubt::NotCovered)?;
        let reached = self.root_of_span(span.first, end.head.batch);
        if reached != Some(span.root) {
            return Err(Doubt::Elsewhere);
        }
        Ok(checkpoint)
    }

    /// The root to which both paths lead, of a span with these ends.
    fn root_of_span(&self, first: i64, last: i64) -> Option<Digest> {
        let count = |number: i64| u64::try_from(number).ok();
        let root = root_by_path(
            self.record.leaf(),
            count(self.position)?,
            count(self.batch.size)?,
            &self.path,
        )?;
        root_by_path(
            leaf_of_head(self.batch.head(root)),
            count(self.batch.number.checked_sub(first)?)?,
            count(last.checked_sub(first)?.checked_add(1)?)?,
            &self.span_path,
        )
    }

    /// Follows the changes of the key from the trusted one on.
    fn check_signature(&self, trusted: &PublicKey) -> Result<(), Doubt> {
        let mut key = trusted.clone();
        let mut changes = self.key_changes.iter();
        while !accepts(&key, &self.checkpoint) {
            // Changes from before the trusted key was made are signed by others.
            let change = changes.find(|change| accepts(&key, change));
            let change = change.ok_or(Doubt::Signature)?;
            let named = Checkpoint::parse(&change.statement);
            let named = named.and_then(|change| change.next_key().cloned());
            key = named.ok_or(Doubt::Statement)?;
        }
        Ok(())
    }
}

fn accepts(key: &PublicKey, signed: &SignedText) -> bool {
    key.accepts_text(&signed.statement, &signed.signature)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::super::{
        Batch, CheckpointKey, Head, LogHead, Outcome, Span, Stated, close, path, root,
    };
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_735_689_600 + second).unwrap()
    }

    fn record(name: &str) -> Record {
        Record {
            at: at(0),
            request_id: name.into(),
            company: "default".into(),
            credential: "command".into(),
            action: "customer.check".into(),
            subject: None,
            outcome: Outcome {
                code: "ok".into(),
                status: 200,
            },
            latency: 7,
            occurrences: 1,
            data_key: None,
            client: None,
            detail: None,
        }
    }

    /// A log whose batches have these sizes, its records named by their places.
    fn log(sizes: &[usize]) -> Vec<(Batch, Vec<Record>)> {
        let mut previous = Head::EMPTY;
        let batch = |(number, size): (usize, &usize)| {
            let records: Vec<_> = (0..*size)
                .map(|at| record(&format!("{number}.{at}")))
                .collect();
            let leaves = records.iter().map(Record::leaf).collect();
            let batch = close(1, previous, leaves, at(1));
            previous = batch.as_head();
            (batch, records)
        };
        sizes.iter().enumerate().map(batch).collect()
    }

    fn sign(
        key: &CheckpointKey,
        number: i64,
        next_key: Option<PublicKey>,
        logs: Vec<LogSpan>,
    ) -> SignedText {
        let checkpoint = Checkpoint {
            number,
            at: at(number),
            previous: [0; 32],
            stated: Stated::V2 { next_key, logs },
        };
        SignedText {
            signature: key.sign(&checkpoint),
            statement: checkpoint.statement(),
        }
    }

    fn key(fill: u8) -> CheckpointKey {
        CheckpointKey::from_seed(&[fill; 32]).unwrap()
    }

    /// The proof of one record of a log whose batches from `first` on are covered.
    fn proof(log: &[(Batch, Vec<Record>)], first: usize, batch: usize, position: usize) -> Proof {
        let heads: Vec<_> = log[first..]
            .iter()
            .map(|(batch, _)| leaf_of_head(batch.head))
            .collect();
        let newest = log.last().unwrap().0.as_head();
        let span = LogSpan {
            end: LogHead {
                log: 1,
                head: newest,
            },
            span: Span {
                first: log[first].0.number,
                root: root(&heads),
            },
        };
        let (of, records) = &log[batch];
        Proof {
            record: records[position].clone(),
            position: i64::try_from(position).unwrap(),
            path: path(&of.leaves, position).unwrap(),
            batch: of.fields(),
            span_path: path(&heads, batch - first).unwrap(),
            checkpoint: sign(&key(1), 3, None, vec![span]),
            key_changes: Vec::new(),
        }
    }

    proptest! {
        #[test]
        fn every_record_of_a_span_can_be_proven(
            sizes in proptest::collection::vec(1_usize..6, 1..12),
            skipped in 0_usize..12,
        ) {
            let log = log(&sizes);
            let first = skipped % log.len();
            for (batch, size) in sizes.iter().enumerate().skip(first) {
                for position in 0..*size {
                    let proof = proof(&log, first, batch, position);
                    let vouching = proof.check(&key(1).public()).unwrap();
                    prop_assert_eq!(vouching.number, 3);
                }
            }
        }
    }

    #[test]
    fn whatever_is_changed_it_does_not_hold() {
        let log = log(&[2, 3, 1, 4]);
        let good = proof(&log, 1, 3, 2);
        type Change = fn(&mut Proof);
        let changes: Vec<(Change, Doubt)> = vec![
            (|p| p.record.outcome.status = 403, Doubt::Elsewhere),
            (|p| p.position = 1, Doubt::Elsewhere),
            (|p| p.position = -1, Doubt::Elsewhere),
            (|p| p.path[0][0] ^= 1, Doubt::Elsewhere),
            (|p| p.path.truncate(1), Doubt::Elsewhere),
            (|p| p.batch.log = 2, Doubt::NotCovered),
            (|p| p.batch.number = 1, Doubt::NotCovered),
            (|p| p.batch.number = 3, Doubt::Elsewhere),
            (|p| p.batch.size = 5, Doubt::Elsewhere),
            (|p| p.batch.committed_at = at(9), Doubt::Elsewhere),
            (|p| p.batch.previous[31] ^= 1, Doubt::Elsewhere),
            (|p| p.span_path[0][31] ^= 1, Doubt::Elsewhere),
            (|p| p.span_path.clear(), Doubt::Elsewhere),
            (|p| p.checkpoint.signature[0] ^= 1, Doubt::Signature),
            (|p| p.checkpoint.statement.push('\n'), Doubt::Signature),
        ];
        assert!(good.check(&key(1).public()).is_ok());
        assert_eq!(good.check(&key(2).public()), Err(Doubt::Signature));
        for (number, (change, doubt)) in changes.into_iter().enumerate() {
            let mut proof = good.clone();
            change(&mut proof);
            assert_eq!(proof.check(&key(1).public()), Err(doubt), "change {number}");
        }
    }

    #[test]
    fn a_trusted_key_is_followed_through_its_changes() {
        let mut proof = proof(&log(&[2]), 0, 0, 1);
        // 7 was replaced by 8, 8 by 1, which signed.
        proof.key_changes = vec![
            sign(&key(7), 1, Some(key(8).public()), Vec::new()),
            sign(&key(8), 2, Some(key(1).public()), Vec::new()),
        ];
        for trusted in [7, 8, 1] {
            assert!(proof.check(&key(trusted).public()).is_ok(), "{trusted}");
        }
        assert_eq!(proof.check(&key(2).public()), Err(Doubt::Signature));
        let forged = sign(&key(2), 1, Some(key(1).public()), Vec::new());
        proof.key_changes[0] = forged;
        assert_eq!(proof.check(&key(7).public()), Err(Doubt::Signature));
    }

    #[test]
    fn a_checkpoint_without_spans_proves_nothing() {
        let mut proof = proof(&log(&[2]), 0, 0, 1);
        let checkpoint = Checkpoint {
            number: 1,
            at: at(0),
            previous: [0; 32],
            stated: Stated::V1(Vec::new()),
        };
        proof.checkpoint = SignedText {
            signature: key(1).sign(&checkpoint),
            statement: checkpoint.statement(),
        };
        assert_eq!(proof.check(&key(1).public()), Err(Doubt::NotCovered));
    }
}
