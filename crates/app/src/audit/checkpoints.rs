//! Signing the heads of all logs from time to time, and replacing the key that signs.
//!
//! The signing key is made in the transaction of the first checkpoint: where
//! there is a key there was a checkpoint, and its absence gives its removal away.
//! Another key is made in the transaction of a checkpoint that names it, signed
//! by the key before; from the next checkpoint on it signs.

use std::sync::Arc;

use data_encoding::HEXLOWER;
use domain::audit::{Checkpoint, CheckpointKey, PublicKey, Record, Stated};
use domain::clock::Clock;
use domain::random::{self, Random, uuid_v7};
use domain::seal::{DataKey, KeyRing, WrappedKey};
use jiff::Timestamp;
use store::tables::audit;
use store::tables::audit_checkpoints::{self, Signed};
use store::tables::signing_keys::{self, SigningKey};
use store::{Lane, Store, Tx, Unit, Written};

use super::announce::{self, Announce, Published};
use super::recorder::Draft;
use super::spans;
use crate::keys_at_hand::KeysAtHand;
use crate::{Error, Result};

/// How often a checkpoint is begun anew because others were faster; somebody always makes one.
const ATTEMPTS: usize = 100;

/// Makes checkpoints.
pub struct Checkpoints {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    ring: Arc<KeyRing>,
    random: Arc<dyn Random>,
    keys: Arc<KeysAtHand>,
    announce: Option<Announce>,
}

impl Checkpoints {
    /// Over a store. With `announce`, each checkpoint is told to whoever keeps them elsewhere.
    pub fn new(
        store: Arc<Store>,
        clock: Arc<dyn Clock>,
        ring: Arc<KeyRing>,
        random: Arc<dyn Random>,
        keys: Arc<KeysAtHand>,
        announce: Option<Announce>,
    ) -> Self {
        Self {
            store,
            clock,
            ring,
            random,
            keys,
            announce,
        }
    }

    /// Signs the present heads, unless nothing has been written since the last
    /// checkpoint; returns the new one.
    ///
    /// # Errors
    /// When the database is away, or the signing key does not open.
    pub async fn make(&self) -> Result<Option<Signed>> {
        let now = self.clock.now();
        let Some(planned) = self.plan(now).await? else {
            return Ok(None);
        };
        // Made elsewhere a moment ago, it vouches for what there was.
        self.write(planned, None, now).await
    }

    /// Has another key sign from the checkpoint after the next on: the next, made
    /// at once and signed by the present key, names it. Returns that checkpoint.
    ///
    /// # Errors
    /// When the database is away, or the signing key does not open.
    pub async fn rotate(&self, draft: &Draft) -> Result<Signed> {
        for _ in 0..ATTEMPTS {
            let now = self.clock.now();
            let mut planned = self.planned(now).await?;
            let next = self.new_key(now, planned.checkpoint.number + 1)?;
            if let Stated::V2 { next_key, .. } = &mut planned.checkpoint.stated {
                *next_key = Some(PublicKey(next.public_key.clone()));
            }
            let detail = format!("from checkpoint {} on", next.first_checkpoint);
            let record = draft.clone().finish("ok", 0, Some(detail));
            planned.new_keys.push(next);
            if let Some(signed) = self.write(planned, Some(record), now).await? {
                return Ok(signed);
            }
        }
        Err(Error::unavailable("others make checkpoints all the time"))
    }

    /// What the next checkpoint is to say; `None` when there is nothing new to say.
    async fn plan(&self, now: Timestamp) -> Result<Option<Planned>> {
        let planned = self.planned(now).await?;
        let heads = planned.checkpoint.heads();
        let unchanged = match &planned.last {
            Some(last) => last.checkpoint.heads() == heads && !planned.is_first_of_its_version(),
            None => heads.is_empty(),
        };
        Ok((!unchanged).then_some(planned))
    }

    async fn planned(&self, now: Timestamp) -> Result<Planned> {
        let read = self.store.read(|mut tx| {
            Box::pin(async move {
                // The newest first: the heads are then at least those that it knows.
                let last = audit_checkpoints::newest(&mut tx).await?;
                let keys = signing_keys::list(&mut tx).await?;
                Ok((last, keys, audit::heads(&mut tx).await?))
            })
        });
        let (last, keys, heads) = read.await?;
        let known = last.as_ref().map(|last| &last.checkpoint);
        let logs = spans::since(&self.store, known, heads).await?;
        let checkpoint = Checkpoint {
            number: known.map_or(0, |last| last.number) + 1,
            at: now,
            previous: known.map_or([0; 32], Checkpoint::digest),
            stated: Stated::V2 {
                next_key: None,
                logs,
            },
        };
        let (signing, new_keys) = match keys.into_iter().next() {
            Some(key) => (key, Vec::new()),
            None => {
                let key = self.new_key(now, 1)?;
                (key.clone(), vec![key])
            }
        };
        Ok(Planned {
            last,
            checkpoint,
            signing,
            new_keys,
        })
    }

    /// Signs and stores it; `None` when another instance has made one meanwhile.
    async fn write(
        &self,
        planned: Planned,
        record: Option<Record>,
        now: Timestamp,
    ) -> Result<Option<Signed>> {
        let seed = self.ring.unwrap_bytes(&planned.signing.wrapped)?;
        let key = CheckpointKey::from_seed(&seed).ok_or_else(unusable)?;
        let signed = Signed {
            signature: key.sign(&planned.checkpoint),
            signing_key: planned.signing.wrapped.id,
            checkpoint: planned.checkpoint,
        };
        let told = match self.announce {
            None => None,
            Some(render) => Some(Told {
                body: render(&Published::of(&signed, key.public())),
                key: self.keys.of_company(announce::COMPANY, now).await?,
            }),
        };
        let unit = Make {
            signed,
            known: planned.last.map_or(0, |last| last.checkpoint.number),
            new_keys: planned.new_keys,
            record,
            told,
            random: self.random.clone(),
        };
        let made = self.store.write(unit).await?;
        if let Some(signed) = &made {
            let number = signed.checkpoint.number;
            let digest = HEXLOWER.encode(&signed.checkpoint.digest());
            tracing::info!(number, digest, "audit checkpoint");
        }
        Ok(made)
    }

    fn new_key(&self, now: Timestamp, first_checkpoint: i64) -> Result<SigningKey> {
        let seed = zeroize::Zeroizing::new(random::bytes(self.random.as_ref()));
        let key = CheckpointKey::from_seed(&seed).ok_or_else(unusable)?;
        let id = uuid_v7(now, self.random.as_ref());
        let wrapped: WrappedKey = self.ring.wrap_bytes(id, &seed, self.random.as_ref())?;
        Ok(SigningKey {
            public_key: key.public().0,
            wrapped,
            created_at: now,
            first_checkpoint,
        })
    }
}

fn unusable() -> Error {
    Error::internal("the signing key is unusable")
}

/// A checkpoint that is not signed yet.
struct Planned {
    /// The one that it follows.
    last: Option<Signed>,
    checkpoint: Checkpoint,
    /// The key that signs it.
    signing: SigningKey,
    /// Keys that are stored with it.
    new_keys: Vec<SigningKey>,
}

impl Planned {
    /// Whether no record can be proven by the checkpoints so far.
    fn is_first_of_its_version(&self) -> bool {
        let last = self.last.as_ref().map(|last| &last.checkpoint.stated);
        matches!(last, Some(Stated::V1(heads)) if !heads.is_empty())
    }
}

/// A message to whoever keeps checkpoints elsewhere.
struct Told {
    body: Vec<u8>,
    key: Arc<DataKey>,
}

struct Make {
    signed: Signed,
    /// The number of the newest checkpoint when this one was planned.
    known: i64,
    new_keys: Vec<SigningKey>,
    record: Option<Record>,
    told: Option<Told>,
    random: Arc<dyn Random>,
}

impl Unit for Make {
    type Output = Option<Signed>;

    /// Checkpoints are made one after another.
    fn lane(&self) -> Lane {
        Lane::of(b"audit checkpoints")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Option<Signed>>> {
        let newest = audit_checkpoints::newest(tx).await?;
        if newest.map_or(0, |newest| newest.checkpoint.number) != self.known {
            // Perhaps its key signs no more either.
            return Ok(Written {
                output: None,
                records: Vec::new(),
            });
        }
        if !audit_checkpoints::insert(tx, &self.signed).await? {
            return Err(store::Error::Conflict("checkpoint made elsewhere".into()));
        }
        for key in &self.new_keys {
            signing_keys::insert(tx, key).await?;
        }
        if let Some(told) = &self.told {
            let at = self.signed.checkpoint.at;
            announce::enqueue(tx, &*self.random, &told.key, &told.body, at).await?;
        }
        Ok(Written {
            output: Some(self.signed.clone()),
            records: self.record.clone().into_iter().collect(),
        })
    }
}
