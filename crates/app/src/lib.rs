//! The use cases, one file each.
//!
//! A use case takes the [`App`], a [`Ctx`] (which exists only for an
//! authenticated, authorised caller within its limits) and validated input; it
//! returns an outcome or an [`Error`] whose public half is fit for any caller. It
//! knows no HTTP and writes no SQL.

pub mod ages;
pub mod archive;
pub mod audit;
pub mod companies;
pub mod console;
pub mod credentials;
pub mod customers;
pub mod deliveries;
mod error;
pub mod exchange;
pub mod forget;
pub mod idempotency;
pub mod inbox;
pub mod keys;
mod keys_at_hand;
pub mod lightspeed;
pub mod limits;
pub mod mail;
pub mod numbers;
pub mod orders;
mod people;
pub mod quota;
pub mod retention;
pub mod rewrap;
pub mod square;
pub mod veriff;

use std::sync::Arc;

use domain::clock::Clock;
use domain::random::Random;
use domain::retention::Retention;
use domain::seal::{IndexKey, KeyRing};
use store::Store;

pub use error::{Code, Error, FieldProblem, Problem, Result};
pub use keys_at_hand::KeysAtHand;

use audit::{Checkpoints, Recorder};
use credentials::{Caller, Directory};
use exchange::Exchange;

/// Everything a use case works with.
pub struct App {
    /// The records.
    pub store: Arc<Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// For look-ups of what is sealed.
    pub index_key: Arc<IndexKey>,
    /// The master keys.
    pub key_ring: Arc<KeyRing>,
    /// Data keys in frequent use.
    pub keys: Arc<KeysAtHand>,
    /// For how long the operator keeps things.
    pub retention: Retention,
    /// The operator's rules about ages.
    pub ages: ages::Policy,
    /// The operator's rules about numbers.
    pub numbers: numbers::Policy,
    /// The operator's rules about orders.
    pub orders: orders::Policy,
    /// Who may sign in to the console by an identity provider, if anybody may.
    pub administrators: Option<console::Administrators>,
    /// Tells the worker of this process that something is to be delivered.
    pub outbox: deliveries::Outbox,
    /// Tells the worker of this process that an event came in.
    pub inbox: inbox::Bell,
    /// Companies and keys.
    pub directory: Directory,
    /// The audit log.
    pub recorder: Recorder,
    /// Its checkpoints.
    pub checkpoints: Checkpoints,
    /// The check of it that was asked for last, if any was.
    pub verification: audit::Verification,
}

/// What an [`App`] is made of.
pub struct Parts {
    /// The open database.
    pub store: Arc<Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// `INDEX_KEY`.
    pub index_key: IndexKey,
    /// `ENCRYPTION_KEYS`.
    pub key_ring: KeyRing,
    /// `AUDIT_RETENTION`, `RETENTION_MINIMUM` and `SESSION_RETENTION`.
    pub retention: Retention,
    /// `AGE_…` and `IDENTITY_PROOFS`.
    pub ages: ages::Policy,
    /// `SESSION_TTL` and `API_BASE_URL`.
    pub numbers: numbers::Policy,
    /// `HOLD_DEADLINE` and `REMINDERS`.
    pub orders: orders::Policy,
    /// `OIDC_ISSUER` and `OIDC_ADMINS`.
    pub administrators: Option<console::Administrators>,
    /// How checkpoints are told to whoever keeps them elsewhere, if anybody does.
    pub announce_checkpoints: Option<audit::Announce>,
}

impl App {
    /// Puts the parts together and reads the directory.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn open(parts: Parts) -> Result<Self> {
        let Parts {
            store,
            clock,
            random,
            index_key,
            key_ring,
            retention,
            ages,
            numbers,
            orders,
            administrators,
            announce_checkpoints,
        } = parts;
        let (index_key, key_ring) = (Arc::new(index_key), Arc::new(key_ring));
        let keys = Arc::new(KeysAtHand::new(
            store.clone(),
            key_ring.clone(),
            random.clone(),
        ));
        Ok(Self {
            directory: Directory::open(store.clone(), index_key.clone()).await?,
            recorder: Recorder::new(store.clone(), clock.clone(), random.clone(), keys.clone()),
            checkpoints: Checkpoints::new(
                store.clone(),
                clock.clone(),
                key_ring.clone(),
                random.clone(),
                keys.clone(),
                announce_checkpoints,
            ),
            store,
            clock,
            random,
            index_key,
            key_ring,
            keys,
            retention,
            ages,
            numbers,
            orders,
            administrators,
            outbox: deliveries::Outbox::default(),
            inbox: inbox::Bell::default(),
            verification: audit::Verification::default(),
        })
    }
}

/// The proof that a caller was authenticated, authorised and within its limits.
#[derive(Clone)]
pub struct Ctx {
    /// Who calls.
    pub caller: Caller,
    /// The request.
    pub exchange: Arc<Exchange>,
}
