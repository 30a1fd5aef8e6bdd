//! Signed statements of how far every log had come.
//!
//! Whoever keeps a checkpoint elsewhere can show later that a log was cut or
//! written anew. Signatures are Ed25519 (RFC 8032) over the text of
//! [`Checkpoint::statement`].

use std::fmt::Write as _;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use data_encoding::HEXLOWER;
use jiff::Timestamp;

use super::{Digest, Head, sha256};

/// The end of one log at the time of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogHead {
    /// The log.
    pub log: i64,
    /// Its newest batch.
    pub head: Head,
}

/// What a checkpoint states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Counted from 1, without gaps.
    pub number: i64,
    /// When it was made.
    pub at: Timestamp,
    /// The digest of the checkpoint before it; all zero for the first.
    pub previous: Digest,
    /// All logs, by number.
    pub heads: Vec<LogHead>,
}

impl Checkpoint {
    /// The signed text: a title, then number, time, previous digest and one line
    /// a log, each line ended by a line feed.
    pub fn statement(&self) -> String {
        let mut text = String::from("bonafide audit checkpoint v1\n");
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{}\n{}\n{}",
            self.number,
            self.at,
            HEXLOWER.encode(&self.previous)
        );
        for LogHead { log, head } in &self.heads {
            let _ = writeln!(text, "{log} {} {}", head.batch, HEXLOWER.encode(&head.hash));
        }
        text
    }

    /// What the next checkpoint names as its predecessor.
    pub fn digest(&self) -> Digest {
        sha256(&[self.statement().as_bytes()])
    }
}

/// The key that signs checkpoints.
pub struct CheckpointKey(Ed25519KeyPair);

/// The key that checks them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(pub Vec<u8>);

impl CheckpointKey {
    /// From a 32-byte seed; `None` when the library refuses it.
    pub fn from_seed(seed: &[u8; 32]) -> Option<Self> {
        Ed25519KeyPair::from_seed_unchecked(seed).ok().map(Self)
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.public_key().as_ref().to_vec())
    }

    /// Signs a checkpoint.
    pub fn sign(&self, checkpoint: &Checkpoint) -> Vec<u8> {
        self.0
            .sign(checkpoint.statement().as_bytes())
            .as_ref()
            .to_vec()
    }
}

impl PublicKey {
    /// Whether `signature` was made for this checkpoint by the private half.
    pub fn accepts(&self, checkpoint: &Checkpoint, signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0)
            .verify(checkpoint.statement().as_bytes(), signature)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            number: 2,
            at: Timestamp::from_microsecond(1_726_410_720_000_000).unwrap(),
            previous: [3; 32],
            heads: vec![
                LogHead {
                    log: 1,
                    head: Head {
                        batch: 9,
                        hash: [1; 32],
                    },
                },
                LogHead {
                    log: 2,
                    head: Head {
                        batch: 4,
                        hash: [2; 32],
                    },
                },
            ],
        }
    }

    #[test]
    fn the_statement_never_changes() {
        let expected = [
            "bonafide audit checkpoint v1",
            "2",
            "2024-09-15T14:32:00Z",
            &"03".repeat(32),
            &format!("1 9 {}", "01".repeat(32)),
            &format!("2 4 {}", "02".repeat(32)),
            "",
        ];
        assert_eq!(checkpoint().statement(), expected.join("\n"));
    }

    #[test]
    fn a_signature_holds_for_one_statement_and_one_key() {
        let key = CheckpointKey::from_seed(&[5; 32]).unwrap();
        let signature = key.sign(&checkpoint());
        assert!(key.public().accepts(&checkpoint(), &signature));
        let mut shorter = checkpoint();
        shorter.heads.pop();
        assert!(!key.public().accepts(&shorter, &signature));
        let other = CheckpointKey::from_seed(&[6; 32]).unwrap();
        assert!(!other.public().accepts(&checkpoint(), &signature));
    }
}
