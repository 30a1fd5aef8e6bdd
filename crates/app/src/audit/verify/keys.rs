//! The keys that sign checkpoints: which one had to sign which, and whether each is what it was.

use std::collections::BTreeMap;

use domain::audit::{Checkpoint, CheckpointKey, PublicKey, Stated};
use domain::seal::KeyRing;
use jiff::Timestamp;
use store::tables::audit_checkpoints::Signed;
use store::tables::signing_keys::SigningKey;
use uuid::Uuid;

use super::super::faults::Fault;

/// The keys as they are stored, the newest first.
pub struct Keys(pub Vec<SigningKey>);

impl Keys {
    /// What is wrong with a checkpoint's signature.
    pub fn judge(&self, signed: &Signed) -> Option<Fault> {
        let number = signed.checkpoint.number;
        let fault = |what| Some(Fault::Checkpoint(number, what));
        let accepts = |key: &&SigningKey| {
            let key = PublicKey(key.public_key.clone());
            key.accepts(&signed.checkpoint, &signed.signature)
        };
        let signer = self.0.iter().find(|key| key.first_checkpoint <= number);
        match signer {
            Some(key) if accepts(&key) && key.wrapped.id == signed.signing_key => None,
            Some(key) if accepts(&key) => fault("it names another key than the one that signed it"),
            _ if self.0.iter().any(|key| accepts(&key)) => {
                fault("it is signed by another key than the one whose turn it was")
            }
            _ => fault("its signature does not hold"),
        }
    }
}

/// What the checkpoints say of the keys: when each was made, and by which checkpoint.
#[derive(Default)]
pub struct Naming {
    /// By the first checkpoint that it signs: the key, and the time of the checkpoint before.
    named: BTreeMap<i64, (PublicKey, Timestamp)>,
    /// The time of the first checkpoint, if it was stored together with the first key.
    began: Option<Timestamp>,
}

impl Naming {
    /// Notes what a checkpoint says.
    pub fn note(&mut self, checkpoint: &Checkpoint) {
        if checkpoint.number == 1 && matches!(checkpoint.stated, Stated::V2 { .. }) {
            self.began = Some(checkpoint.at);
        }
        if let Some(key) = checkpoint.next_key() {
            let first = checkpoint.number.saturating_add(1);
            self.named.insert(first, (key.clone(), checkpoint.at));
        }
    }

    /// Holds the stored keys against what was said of them.
    pub fn judge(mut self, keys: &Keys, ring: Option<&KeyRing>) -> Vec<Fault> {
        let mut faults = Vec::new();
        for key in keys.0.iter().rev() {
            let id = key.wrapped.id;
            if ring.is_some_and(|ring| !is_its_own(key, ring)) {
                faults.push(Fault::SigningKey(
                    id,
                    "it is not the one that its sealed half makes",
                ));
            }
            faults.extend(self.judge_naming(key, id));
        }
        let unknown = self.named.into_keys();
        faults.extend(unknown.map(|first| {
            Fault::Checkpoint(first.saturating_sub(1), "the key that it names is missing")
        }));
        faults
    }

    fn judge_naming(&mut self, key: &SigningKey, id: Uuid) -> Option<Fault> {
        const MOVED: &str = "it was not made when its checkpoint was";
        let made = key.created_at;
        if key.first_checkpoint == 1 {
            let moved = self.began.is_some_and(|began| began != made);
            return moved.then_some(Fault::SigningKey(id, MOVED));
        }
        match self.named.remove(&key.first_checkpoint) {
            Some((named, at)) if named.0 == key.public_key => {
                (at != made).then_some(Fault::SigningKey(id, MOVED))
            }
            _ => Some(Fault::SigningKey(id, "no checkpoint names it as the next")),
        }
    }
}

fn is_its_own(key: &SigningKey, ring: &KeyRing) -> bool {
    let seed = ring.unwrap_bytes(&key.wrapped).ok();
    let own = seed.and_then(|seed| CheckpointKey::from_seed(&seed));
    own.is_some_and(|own| own.public().0 == key.public_key)
}
