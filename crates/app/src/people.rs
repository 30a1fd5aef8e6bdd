//! What all surfaces do alike for the people they know: a key of their own, and evidence.

use domain::random::{Random, uuid_v7};
use domain::seal::{DataKey, KeyRing, SealError};
use jiff::Timestamp;
use store::Tx;
use store::tables::data_keys::{self, Purpose};

/// Makes the key under which everything about a new person is sealed.
///
/// # Errors
/// Those of the database.
pub(crate) async fn insert_key(
    tx: &mut Tx<'_>,
    ring: &KeyRing,
    random: &dyn Random,
    company: &str,
    now: Timestamp,
) -> store::Result<DataKey> {
    let key = DataKey::generate(uuid_v7(now, random), random).map_err(sealing)?;
    let wrapped = ring.wrap(&key, random).map_err(sealing)?;
    data_keys::insert(tx, company, Purpose::Person, None, &wrapped, now).await?;
    Ok(key)
}

/// Sealing fails when keys are missing or data was moved: a fault, not a refusal.
pub(crate) fn sealing(error: SealError) -> store::Error {
    store::Error::Corrupt {
        place: "data_keys".into(),
        problem: error.to_string(),
    }
}
