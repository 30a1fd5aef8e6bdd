//! One person's key, and values sealed under it.

use aws_lc_rs::aead::LessSafeKey;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{KEY_LENGTH, SealError, cipher, open, seal};
use crate::random::{self, Random};

/// A data key ready for use: everything that is known of one person (or of one
/// company, or of one day's callers) is sealed under one such key.
pub struct DataKey {
    id: Uuid,
    bytes: Zeroizing<[u8; KEY_LENGTH]>,
    cipher: LessSafeKey,
}

/// Where a sealed value lives. A value that is moved elsewhere does not open.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Table name.
    pub table: &'static str,
    /// Column name.
    pub column: &'static str,
    /// What identifies the row.
    pub row: &'a [u8],
}

impl Place<'_> {
    fn context(&self, key: Uuid) -> Vec<u8> {
        let mut context = Vec::with_capacity(
            self.table.len() + self.column.len() + self.row.len() + 2 + key.as_bytes().len(),
        );
        context.extend_from_slice(self.table.as_bytes());
        context.push(0);
        context.extend_from_slice(self.column.as_bytes());
        context.push(0);
        context.extend_from_slice(key.as_bytes());
        context.extend_from_slice(self.row);
        context
    }
}

impl DataKey {
    /// A fresh key. `id` names it beside everything sealed under it.
    pub fn generate(id: Uuid, random: &dyn Random) -> Result<Self, SealError> {
        Self::from_bytes(id, Zeroizing::new(random::bytes(random)))
    }

    pub(super) fn from_bytes(
        id: Uuid,
        bytes: Zeroizing<[u8; KEY_LENGTH]>,
    ) -> Result<Self, SealError> {
        let cipher = cipher(bytes.as_slice())?;
        Ok(Self { id, bytes, cipher })
    }

    pub(super) fn bytes(&self) -> &[u8; KEY_LENGTH] {
        &self.bytes
    }

    /// The name of this key.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Seals `plaintext` for one place, under a fresh random nonce.
    ///
    /// # Errors
    /// [`SealError::BadKey`] when the cipher refuses, which it does only beyond
    /// 64 GiB.
    pub fn seal(
        &self,
        place: Place<'_>,
        plaintext: &[u8],
        random: &dyn Random,
    ) -> Result<Vec<u8>, SealError> {
        seal(&self.cipher, &place.context(self.id), plaintext, random)
    }

    /// Opens what [`DataKey::seal`] made for the same place.
    ///
    /// # Errors
    /// [`SealError::DoesNotOpen`] for any other key or place, or changed bytes.
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        open(&self.cipher, &place.context(self.id), sealed).map(Zeroizing::new)
    }
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "DataKey({})", self.id)
    }
}
