//! Personal data at rest: sealed per person, looked up by keyed hash.
//!
//! Guarantees: a sealed value opens only with the data key that sealed it and
//! only in the table, column and row it was sealed for; a data key opens only
//! with the master key named beside it; destroying a data key therefore makes
//! everything under it unreadable at once. Nothing here prints a key or a
//! plaintext.

mod blind_index;
mod data_key;
mod key_ring;

pub use blind_index::{BlindIndex, IndexKey};
pub use data_key::{DataKey, Place};
pub use key_ring::{KeyRing, WrappedKey};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::random::{self, Random};

/// Length of master keys, data keys and signing seeds, in bytes.
pub const KEY_LENGTH: usize = 32;

/// First byte of every sealed value: AES-256-GCM, 96-bit nonce, 128-bit tag.
const FORMAT: u8 = 1;

/// Why a sealed value or a wrapped key did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The master key named beside a data key is not on the ring.
    #[error("the master key of this data key is not configured")]
    UnknownMasterKey,
    /// Wrong key, wrong place, or changed bytes: the three cannot be told apart.
    #[error("sealed data does not open in this place")]
    DoesNotOpen,
    /// A ring without keys, or a key of the wrong length.
    #[error("unusable key material")]
    BadKey,
}

fn cipher(key: &[u8]) -> Result<LessSafeKey, SealError> {
    let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| SealError::BadKey)?;
    Ok(LessSafeKey::new(key))
}

/// `format ‖ nonce ‖ ciphertext ‖ tag`, with `context` authenticated beside it.
fn seal(
    key: &LessSafeKey,
    context: &[u8],
    plaintext: &[u8],
    random: &dyn Random,
) -> Result<Vec<u8>, SealError> {
    let nonce: [u8; NONCE_LEN] = random::bytes(random);
    let mut sealed = Vec::with_capacity(1 + NONCE_LEN + plaintext.len() + AES_256_GCM.tag_len());
    sealed.push(FORMAT);
    sealed.extend_from_slice(&nonce);
    let mut body = plaintext.to_vec();
    key.seal_in_place_append_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(context),
        &mut body,
    )
    .map_err(|_| SealError::BadKey)?;
    sealed.extend_from_slice(&body);
    Ok(sealed)
}

fn open(key: &LessSafeKey, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
    let rest = sealed
        .strip_prefix(&[FORMAT])
        .ok_or(SealError::DoesNotOpen)?;
    let (nonce, body) = rest
        .split_first_chunk::<NONCE_LEN>()
        .ok_or(SealError::DoesNotOpen)?;
    let mut body = body.to_vec();
    let length = key
        .open_in_place(
            Nonce::assume_unique_for_key(*nonce),
            Aad::from(context),
            &mut body,
        )
        .map_err(|_| SealError::DoesNotOpen)?
        .len();
    body.truncate(length);
    Ok(body)
}
