//! The audit log: what a record says, and how records prove that they are all
//! there and unchanged.
//!
//! Records that are committed together form a *batch*: their leaves are the
//! leaves of a Merkle tree (RFC 6962 §2.1), and the batch's *head* covers the
//! tree's root and the head of the batch before it in the same *log*. Every
//! writer has a log of its own. A *checkpoint* signs the heads of all logs at
//! one moment, so that a log that lost its end is found out.
//!
//! Leaves cover what is stored, sealed columns included as ciphertext: checking
//! needs no decryption key, and forgetting a person breaks no proof.

mod chain;
mod checkpoint;
mod merkle;
mod month;
mod record;

pub use chain::{Batch, Head, close};
pub use checkpoint::{Checkpoint, CheckpointKey, LogHead, PublicKey};
pub use merkle::root;
pub use month::Month;
pub use record::{Outcome, Record};

/// A SHA-256 digest.
pub type Digest = [u8; 32];

fn sha256(parts: &[&[u8]]) -> Digest {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let mut digest = [0; 32];
    for (to, from) in digest.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    digest
}
