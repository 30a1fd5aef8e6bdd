//! The audit log: what a record says, and how records prove that they are all
//! there and unchanged.
//!
//! Records that are committed together form a *batch*: their leaves are the
//! leaves of a Merkle tree (RFC 6962 §2.1), and the batch's *head* covers the
//! tree's root and the head of the batch before it in the same *log*. Every
//! writer has a log of its own. A *checkpoint* signs the heads of all logs at
//! one moment, so that a log that lost its end is found out, and for each log
//! the root of a second tree, over the heads since the checkpoint before: its
//! *span*. Two short paths lead so from any record to one signature, and a
//! *proof* is these.
//!
//! Leaves cover what is stored, sealed columns included as ciphertext: checking
//! needs no decryption key, and forgetting a person breaks no proof.

mod chain;
mod checkpoint;
mod leaf;
mod merkle;
mod month;
mod proof;
mod record;

pub use chain::{Batch, BatchFields, Head, close};
pub use checkpoint::{Checkpoint, CheckpointKey, LogHead, LogSpan, PublicKey, Span, Stated};
pub use leaf::LeafEncoder;
pub use merkle::{Tree, leaf_of_head, path, root, root_by_path};
pub use month::Month;
pub use proof::{Doubt, Proof, SignedText};
pub use record::{Outcome, Record};

/// A SHA-256 digest.
pub type Digest = [u8; 32];

fn sha256(bytes: &[u8]) -> Digest {
    let hashed = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    let mut digest = [0; 32];
    for (to, from) in digest.iter_mut().zip(hashed.as_ref()) {
        *to = *from;
    }
    digest
}
