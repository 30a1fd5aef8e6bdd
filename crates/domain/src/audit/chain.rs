//! Batches and the chain they form.

use jiff::Timestamp;

use super::{Digest, Month, merkle, sha256};

/// Prefix of a head's hash, apart from those of leaves and nodes.
const HEAD: u8 = 0x02;

/// The end of a log: what the next batch builds on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Number of the newest batch; 0 before the first.
    pub batch: i64,
    /// Its head hash; all zero before the first.
    pub hash: Digest,
}

impl Head {
    /// The head of an empty log.
    pub const EMPTY: Self = Self {
        batch: 0,
        hash: [0; 32],
    };
}

/// A closed batch: everything that is stored of it beside its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The log it belongs to.
    pub log: i64,
    /// Its number in that log, counted from 1.
    pub number: i64,
    /// How many records it holds.
    pub size: i64,
    /// When it was closed.
    pub committed_at: Timestamp,
    /// The head hash of the batch before it.
    pub previous: Digest,
    /// The Merkle root over its leaves.
    pub root: Digest,
    /// The head hash: covers all of the above.
    pub head: Digest,
    /// The leaf hashes in order, so that a changed record can be named.
    pub leaves: Vec<Digest>,
}

impl Batch {
    /// The head hash that the other fields call for.
    pub fn expected_head(&self) -> Digest {
        self.fields().head(self.root)
    }

    /// What its head covers beside its root.
    pub fn fields(&self) -> BatchFields {
        BatchFields {
            log: self.log,
            number: self.number,
            size: self.size,
            committed_at: self.committed_at,
            previous: self.previous,
        }
    }

    /// The month by which its records are kept.
    pub fn month(&self) -> Month {
        Month::of(self.committed_at)
    }

    /// Whether its records are gone because their time was over: the leaves went with them, and what
    /// the head covers stayed.
    pub const fn is_retired(&self) -> bool {
        self.size > 0 && self.leaves.is_empty()
    }

    /// The chain's end once this batch is in it.
    pub fn as_head(&self) -> Head {
        Head {
            batch: self.number,
            hash: self.head,
        }
    }
}

/// What a head covers beside the root of its leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchFields {
    /// The log it belongs to.
    pub log: i64,
    /// Its number in that log, counted from 1.
    pub number: i64,
    /// How many records it holds.
    pub size: i64,
    /// When it was closed.
    pub committed_at: Timestamp,
    /// The head hash of the batch before it.
    pub previous: Digest,
}

impl BatchFields {
    /// The head hash of a batch with these fields and this root.
    pub fn head(&self, root: Digest) -> Digest {
        let mut covered = Vec::with_capacity(97);
        covered.push(HEAD);
        for number in [
            self.log,
            self.number,
            self.size,
            self.committed_at.as_microsecond(),
        ] {
            covered.extend_from_slice(&number.to_be_bytes());
        }
        covered.extend_from_slice(&self.previous);
        covered.extend_from_slice(&root);
        sha256(&covered)
    }
}

/// Closes a batch: `leaves` are committed together at `at`, in this order, as the
/// next batch of `log` after `previous`.
pub fn close(log: i64, previous: Head, leaves: Vec<Digest>, at: Timestamp) -> Batch {
    let mut batch = Batch {
        log,
        number: previous.batch + 1,
        size: i64::try_from(leaves.len()).unwrap_or(i64::MAX),
        committed_at: at,
        previous: previous.hash,
        root: merkle::root(&leaves),
        head: [0; 32],
        leaves,
    };
    batch.head = batch.expected_head();
    batch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_a_batch_moves_its_head() {
        let at = Timestamp::from_microsecond(1).unwrap();
        let batch = close(1, Head::EMPTY, vec![[1; 32], [2; 32]], at);
        assert_eq!(batch.head, batch.expected_head());
        let others = [
            close(2, Head::EMPTY, vec![[1; 32], [2; 32]], at),
            close(
                1,
                Head {
                    batch: 1,
                    hash: [0; 32],
                },
                vec![[1; 32], [2; 32]],
                at,
            ),
            close(
                1,
                Head {
                    batch: 0,
                    hash: [7; 32],
                },
                vec![[1; 32], [2; 32]],
                at,
            ),
            close(1, Head::EMPTY, vec![[2; 32], [1; 32]], at),
            close(1, Head::EMPTY, vec![[1; 32]], at),
            close(
                1,
                Head::EMPTY,
                vec![[1; 32], [2; 32]],
                Timestamp::from_microsecond(2).unwrap(),
            ),
        ];
        for other in others {
            assert_ne!(batch.head, other.head);
        }
    }
}
