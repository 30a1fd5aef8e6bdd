//! A record's leaf: the encoding that is hashed, field by field.
//!
//! The encoding is fixed for ever: integers as eight bytes (big-endian, two's
//! complement), texts and bytes behind their length as an integer, an absent
//! field as length −1. Whoever reads records out of a database can hash them as
//! they lie there, without making a [`Record`](super::Record) of each.

use super::{Digest, merkle, sha256};

/// How long the encoding of an ordinary record is, and some more.
const ORDINARY: usize = 512;

/// Encodes one record after another into the same memory.
#[derive(Debug)]
pub struct LeafEncoder(Vec<u8>);

impl LeafEncoder {
    /// Ready for the first field of a record.
    pub fn new() -> Self {
        let mut encoded = Vec::with_capacity(ORDINARY);
        encoded.push(merkle::LEAF);
        Self(encoded)
    }

    /// Adds an integer.
    pub fn integer(&mut self, value: i64) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    /// Adds a text (UTF-8) or bytes.
    pub fn present(&mut self, bytes: &[u8]) {
        self.integer(i64::try_from(bytes.len()).unwrap_or(i64::MAX));
        self.0.extend_from_slice(bytes);
    }

    /// Adds what may be absent.
    pub fn optional(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.present(bytes),
            None => self.integer(-1),
        }
    }

    /// The leaf of the fields since the last one; ready for the next record.
    pub fn finish(&mut self) -> Digest {
        let leaf = sha256(&self.0);
        self.0.truncate(1);
        leaf
    }
}

impl Default for LeafEncoder {
    fn default() -> Self {
        Self::new()
    }
}
