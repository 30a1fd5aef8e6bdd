//! Signing the heads of all logs from time to time.
//!
//! The signing key is made in the transaction of the first checkpoint: where
//! there is a key there was a checkpoint, and its absence gives its removal away.

use std::sync::Arc;

use domain::audit::{Checkpoint, CheckpointKey};
use domain::clock::Clock;
use domain::random::{self, Random, uuid_v7};
use domain::seal::{KeyRing, WrappedKey};
use store::tables::audit::{self, Signed};
use store::tables::signing_keys::{self, SigningKey};
use store::{Lane, Store, Tx, Unit, Written};

use crate::{Error, Result};

/// Makes checkpoints.
pub struct Checkpoints {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    ring: Arc<KeyRing>,
    random: Arc<dyn Random>,
}

impl Checkpoints {
    /// Over a store.
    pub fn new(
        store: Arc<Store>,
        clock: Arc<dyn Clock>,
        ring: Arc<KeyRing>,
        random: Arc<dyn Random>,
    ) -> Self {
        Self {
            store,
            clock,
            ring,
            random,
        }
    }

    /// Signs the present heads, unless nothing has been written since the last
    /// checkpoint; returns the new one.
    ///
    /// # Errors
    /// When the database is away, or the signing key does not open.
    pub async fn make(&self) -> Result<Option<Signed>> {
        let stored = self
            .store
            .read(|mut tx| Box::pin(async move { signing_keys::list(&mut tx).await }))
            .await?
            .into_iter()
            .next();
        let first = stored.is_none();
        let signing = stored.map_or_else(|| self.new_signing_key(), Ok)?;
        let seed = self.ring.unwrap_bytes(&signing.wrapped)?;
        let key = CheckpointKey::from_seed(&seed)
            .ok_or_else(|| Error::internal("the signing key is unusable"))?;
        let unit = Make {
            key,
            signing,
            first,
            now: self.clock.now(),
        };
        Ok(self.store.write(unit).await?)
    }

    fn new_signing_key(&self) -> Result<SigningKey> {
        let now = self.clock.now();
        let seed = zeroize::Zeroizing::new(random::bytes(self.random.as_ref()));
        let public = CheckpointKey::from_seed(&seed)
            .ok_or_else(|| Error::internal("the signing key is unusable"))?
            .public();
        let id = uuid_v7(now, self.random.as_ref());
        let wrapped: WrappedKey = self.ring.wrap_bytes(id, &seed, self.random.as_ref())?;
        Ok(SigningKey {
            public_key: public.0,
            wrapped,
            created_at: now,
        })
    }
}

/// Checkpoints are made one after another.
fn lane() -> Lane {
    Lane::of(b"audit checkpoints")
}

struct Make {
    key: CheckpointKey,
    signing: SigningKey,
    /// Whether the key is new, to be stored with the first checkpoint.
    first: bool,
    now: jiff::Timestamp,
}

impl Unit for Make {
    type Output = Option<Signed>;

    fn lane(&self) -> Lane {
        lane()
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Option<Signed>>> {
        const NONE: Written<Option<Signed>> = Written {
            output: None,
            records: Vec::new(),
        };
        // The first checkpoint was made elsewhere a moment ago, and vouches for
        // what there is; the next one is signed with its key.
        if self.first && !signing_keys::list(tx).await?.is_empty() {
            return Ok(NONE);
        }
        let heads = audit::heads(tx).await?;
        let last = audit::newest_checkpoint(tx).await?;
        let unchanged = last
            .as_ref()
            .map_or(heads.is_empty(), |last| last.checkpoint.heads == heads);
        if unchanged {
            return Ok(NONE);
        }
        if self.first {
            signing_keys::insert(tx, &self.signing).await?;
        }
        let checkpoint = Checkpoint {
            number: last.as_ref().map_or(0, |last| last.checkpoint.number) + 1,
            at: self.now,
            previous: last.map_or([0; 32], |last| last.checkpoint.digest()),
            heads,
        };
        let signature = self.key.sign(&checkpoint);
        let signed = Signed {
            checkpoint,
            signing_key: self.signing.wrapped.id,
            signature,
        };
        if !audit::insert_checkpoint(tx, &signed).await? {
            return Err(store::Error::Conflict("checkpoint made elsewhere".into()));
        }
        Ok(Written {
            output: Some(signed),
            records: Vec::new(),
        })
    }
}
