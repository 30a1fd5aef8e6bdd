//! The master keys (`ENCRYPTION_KEYS`) and the data keys they wrap.

use aws_lc_rs::aead::LessSafeKey;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{DataKey, KEY_LENGTH, SealError, cipher, open, seal};
use crate::random::Random;

/// Master keys, newest first: the newest wraps, every one unwraps.
pub struct KeyRing {
    newest: (String, LessSafeKey),
    older: Vec<(String, LessSafeKey)>,
}

/// A key under a master key, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// The name of the wrapped key.
    pub id: Uuid,
    /// The name of the master key that opens it.
    pub master_key: String,
    /// The sealed key bytes.
    pub wrapped: Vec<u8>,
}

impl KeyRing {
    /// `keys` are names and 32-byte keys, newest first.
    ///
    /// # Errors
    /// [`SealError::BadKey`] when there is none.
    pub fn new<'k>(
        keys: impl IntoIterator<Item = (&'k str, &'k [u8; KEY_LENGTH])>,
    ) -> Result<Self, SealError> {
        let mut ring = keys
            .into_iter()
            .map(|(name, key)| Ok((name.to_owned(), cipher(key)?)))
            .collect::<Result<Vec<_>, SealError>>()?
            .into_iter();
        let newest = ring.next().ok_or(SealError::BadKey)?;
        Ok(Self {
            newest,
            older: ring.collect(),
        })
    }

    /// The name of the newest master key.
    pub fn newest(&self) -> &str {
        &self.newest.0
    }

    /// Wraps a data key under the newest master key.
    ///
    /// # Errors
    /// Those of the cipher; none in practice.
    pub fn wrap(&self, key: &DataKey, random: &dyn Random) -> Result<WrappedKey, SealError> {
        self.wrap_bytes(key.id(), key.bytes(), random)
    }

    /// Wraps 32 secret bytes that are not a data key (a signing seed) under the
    /// newest master key.
    ///
    /// # Errors
    /// Those of the cipher; none in practice.
    pub fn wrap_bytes(
        &self,
        id: Uuid,
        bytes: &[u8; KEY_LENGTH],
        random: &dyn Random,
    ) -> Result<WrappedKey, SealError> {
        let (master_key, cipher) = &self.newest;
        let wrapped = seal(cipher, &context(id), bytes, random)?;
        Ok(WrappedKey {
            id,
            master_key: master_key.clone(),
            wrapped,
        })
    }

    /// Opens a wrapped data key.
    ///
    /// # Errors
    /// [`SealError::UnknownMasterKey`] or [`SealError::DoesNotOpen`].
    pub fn unwrap(&self, key: &WrappedKey) -> Result<DataKey, SealError> {
        DataKey::from_bytes(key.id, self.unwrap_bytes(key)?)
    }

    /// Opens 32 wrapped bytes.
    ///
    /// # Errors
    /// [`SealError::UnknownMasterKey`] or [`SealError::DoesNotOpen`].
    pub fn unwrap_bytes(&self, key: &WrappedKey) -> Result<Zeroizing<[u8; KEY_LENGTH]>, SealError> {
        let opened = Zeroizing::new(open(
            self.master(&key.master_key)?,
            &context(key.id),
            &key.wrapped,
        )?);
        let bytes = opened
            .as_slice()
            .try_into()
            .map_err(|_| SealError::DoesNotOpen)?;
        Ok(Zeroizing::new(bytes))
    }

    fn master(&self, name: &str) -> Result<&LessSafeKey, SealError> {
        std::iter::once(&self.newest)
            .chain(&self.older)
            .find(|(id, _)| id == name)
            .map(|(_, key)| key)
            .ok_or(SealError::UnknownMasterKey)
    }
}

fn context(id: Uuid) -> Vec<u8> {
    [b"data_keys\0wrapped\0".as_slice(), id.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::super::Place;
    use super::*;
    use crate::random::fixed::Counting;

    const PLACE: Place<'static> = Place {
        table: "customer_verification",
        column: "email",
        row: b"1",
    };

    fn ring(names: &[&str]) -> KeyRing {
        let keys: Vec<_> = names
            .iter()
            .map(|name| (*name, [name.as_bytes()[0]; KEY_LENGTH]))
            .collect();
        KeyRing::new(keys.iter().map(|(name, key)| (*name, key))).unwrap()
    }

    fn key(random: &dyn Random) -> DataKey {
        DataKey::generate(Uuid::from_u128(7), random).unwrap()
    }

    #[test]
    fn a_value_opens_only_in_its_place() {
        let random = Counting::default();
        let key = key(&random);
        let sealed = key.seal(PLACE, b"a@example.com", &random).unwrap();
        assert_eq!(
            key.open(PLACE, &sealed).unwrap().as_slice(),
            b"a@example.com"
        );
        for elsewhere in [
            Place {
                table: "orders",
                ..PLACE
            },
            Place {
                column: "phone",
                ..PLACE
            },
            Place { row: b"2", ..PLACE },
        ] {
            assert_eq!(
                key.open(elsewhere, &sealed).unwrap_err(),
                SealError::DoesNotOpen
            );
        }
    }

    #[test]
    fn any_changed_byte_is_refused() {
        let random = Counting::default();
        let key = key(&random);
        let sealed = key.seal(PLACE, b"secret", &random).unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key.open(PLACE, &changed).is_err(), "byte {at}");
            assert!(key.open(PLACE, &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn the_same_value_never_seals_alike() {
        let random = Counting::default();
        let key = key(&random);
        assert_ne!(
            key.seal(PLACE, b"same", &random).unwrap(),
            key.seal(PLACE, b"same", &random).unwrap()
        );
    }

    #[test]
    fn older_master_keys_unwrap_and_the_newest_wraps() {
        let random = Counting::default();
        let key = key(&random);
        let wrapped = ring(&["old"]).wrap(&key, &random).unwrap();
        let both = ring(&["new", "old"]);
        assert_eq!(both.unwrap(&wrapped).unwrap().bytes(), key.bytes());
        assert_eq!(both.wrap(&key, &random).unwrap().master_key, "new");
        assert_eq!(
            ring(&["new"]).unwrap(&wrapped).unwrap_err(),
            SealError::UnknownMasterKey
        );
    }

    #[test]
    fn a_wrapped_key_is_bound_to_its_name() {
        let random = Counting::default();
        let ring = ring(&["only"]);
        let mut wrapped = ring.wrap(&key(&random), &random).unwrap();
        wrapped.id = Uuid::from_u128(8);
        assert_eq!(ring.unwrap(&wrapped).unwrap_err(), SealError::DoesNotOpen);
    }

    #[test]
    fn debug_shows_no_key() {
        let shown = format!("{:?}", key(&Counting::default()));
        assert_eq!(shown, "DataKey(00000000-0000-0000-0000-000000000007)");
    }
}
