//! The configuration, read from the environment once, at the start.
//!
//! Guarantees: a [`Config`] is complete and sound, or there is a list of everything that is wrong.
//! Nothing here changes the process's environment, and `Debug` shows no secret.

pub mod document;
pub mod environment;
mod groups;
mod integrations;
pub mod kinds;
mod openid;
mod problems;
mod reader;
mod secret;
pub mod secrets;
pub mod settings;

use std::io;
use std::path::{Path, PathBuf};

use domain::retention::Retention;
use domain::span::Span;

pub use groups::{
    Ages, Checkpoints, Http, Limits, Mail, Orders, Storage, Telemetry, Tokens, Webhooks,
};
pub use integrations::{BigQuery, Lightspeed, Square, Veriff};
pub use kinds::{BaseUrl, DatabaseUrl, IdentityProofs, LogFormat};
pub use openid::{Issuer, OpenId};
pub use problems::{Problem, Problems};
pub use secret::{EncryptionKey, Secret};
pub use secrets::Secrets;

use reader::Reader;

/// Everything that can be set.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where everything is kept.
    pub storage: Storage,
    /// The nodes of Redis; empty without it, several for a cluster.
    pub redis: Vec<Secret>,
    /// Keys of our own.
    pub secrets: Secrets,
    /// The server's address and its connections.
    pub http: Http,
    /// Tokens of others.
    pub tokens: Tokens,
    /// The identity provider that administrators sign in by, if configured.
    pub openid: Option<OpenId>,
    /// How often each caller may ask.
    pub limits: Limits,
    /// What proves a customer's identity.
    pub identity_proofs: IdentityProofs,
    /// The rules of age verifications.
    pub ages: Ages,
    /// How long a number verification stays open.
    pub session_ttl: Span,
    /// Held orders.
    pub orders: Orders,
    /// How long things are kept.
    pub retention: Retention,
    /// Where the erasure list is written down.
    pub erasure_list: Option<PathBuf>,
    /// Where checkpoints are kept beside the database.
    pub checkpoints: Checkpoints,
    /// Outgoing webhooks.
    pub webhooks: Webhooks,
    /// Outgoing mail.
    pub mail: Mail,
    /// Logs, metrics, traces, errors.
    pub telemetry: Telemetry,
    /// The company that the integrations work for.
    pub integration_company: String,
    /// Lightspeed eCom, if configured.
    pub lightspeed: Option<Lightspeed>,
    /// Square, if configured.
    pub square: Option<Square>,
    /// Veriff, if configured.
    pub veriff: Option<Veriff>,
    /// BigQuery, if enabled.
    pub bigquery: Option<BigQuery>,
}

/// The world outside, as far as reading the configuration needs it.
pub struct Outside<'a> {
    /// Reads a mounted secret.
    pub read_file: &'a dyn Fn(&Path) -> io::Result<String>,
    /// Reads the generated secrets in a data directory, or generates them.
    pub stored_secrets: &'a dyn Fn(&Path) -> Result<Secrets, Problem>,
}

impl Config {
    /// Reads the configuration from variables.
    ///
    /// Secrets are generated only with the embedded database, and only if nothing else is wrong.
    ///
    /// # Errors
    /// Every problem there is, together.
    pub fn load(
        variables: impl IntoIterator<Item = (String, String)>,
        outside: &Outside<'_>,
    ) -> Result<Self, Problems> {
        let mut read = Reader::new(variables, outside.read_file);
        match Self::read(&mut read, outside) {
            Some(config) if read.problems.is_empty() => Ok(config),
            _ => Err(read.problems),
        }
    }

    /// Everything is read before anything is given up; secrets come last, when the rest is sound.
    fn read(read: &mut Reader<'_>, outside: &Outside<'_>) -> Option<Self> {
        let storage = Storage::read(read);
        let redis = read.optional(&settings::REDIS_URL);
        let http = Http::read(read);
        let tokens = Tokens::read(read);
        let openid = OpenId::read(read);
        let limits = Limits::read(read);
        let identity_proofs = read.value(&settings::IDENTITY_PROOFS);
        let ages = Ages::read(read);
        let session_ttl = read.value(&settings::SESSION_TTL);
        let orders = Orders::read(read);
        let retention = groups::retention(read);
        let erasure_list = read.optional(&settings::ERASURE_LIST_FILE);
        let checkpoints = Checkpoints::read(read);
        let webhooks = Webhooks::read(read);
        let mail = Mail::read(read);
        let telemetry = Telemetry::read(read);
        let integration_company = read.value(&settings::INTEGRATION_COMPANY);
        let lightspeed = Lightspeed::read(read);
        let square = Square::read(read);
        let veriff = Veriff::read(read);
        let bigquery = BigQuery::read(read);
        let secrets = Secrets::read(read, storage.as_ref(), outside);
        Some(Self {
            storage: storage?,
            redis: redis.unwrap_or_default(),
            secrets: secrets?,
            http: http?,
            tokens: tokens?,
            openid,
            limits: limits?,
            identity_proofs: identity_proofs?,
            ages: ages?,
            session_ttl: session_ttl?,
            orders: orders?,
            retention: retention?,
            erasure_list,
            checkpoints,
            webhooks: webhooks?,
            mail: mail?,
            telemetry: telemetry?,
            integration_company: integration_company?,
            lightspeed,
            square,
            veriff,
            bigquery,
        })
    }
}
