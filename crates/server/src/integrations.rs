//! The services we work with, put together as the configuration says.
//!
//! An integration is a way in (whose hooks are taken), somebody who processes what came in, and a way
//! out. Without its settings it has none of them; a way in without the rest does not exist.

use std::sync::Arc;

use app::App;
use app::archive::{Archive, Follower};
use app::deliveries::Channels;
use app::inbox::{self, Handler, Worker};
use app::lightspeed::{
    Gate, LIGHTSPEED, LightspeedHooks, OrderGate, Statuses, WriteBack, WriteBacks,
};
use app::square::{SQUARE, Showing, SquareHooks};
use app::veriff::{Veriff, VeriffHooks};
use domain::age::AgePolicy;
use domain::clock::Clock;
use domain::hook::{HookKey, Source};
use domain::random::Random;
use domain::veriff::Rules;

use crate::ambient::SystemRandom;
use crate::cli::failure::Failure;
use crate::config::{self, Config, Lightspeed, Square};
use crate::http::hooks::{Hooks, LightspeedReception, SquareReception, VeriffReception};
use crate::metrics;
use crate::metrics::inbox::Counted;
use crate::outbound::{BigQueryClient, LightspeedClient, SquareClient, VeriffClient};

/// The clients of a process: each keeps to its service's limits, so there is one of each.
#[derive(Clone, Default)]
pub struct Integrations {
    lightspeed: Option<Arc<LightspeedClient>>,
    square: Option<Arc<SquareClient>>,
    veriff: Option<Arc<VeriffClient>>,
    bigquery: Option<Arc<BigQueryClient>>,
}

impl Integrations {
    /// Those that are configured; nobody is asked for anything yet.
    ///
    /// # Errors
    /// When a client cannot be made.
    pub fn open(config: &Config, clock: &Arc<dyn Clock>) -> Result<Self, Failure> {
        let client = |lightspeed| LightspeedClient::new(lightspeed, clock.clone());
        let lightspeed = config.lightspeed.as_ref().map(client).transpose();
        let lightspeed = lightspeed
            .map_err(|error| Failure::failed(format!("Lightspeed cannot be asked: {error}")))?;
        let random: Arc<dyn Random> = Arc::new(SystemRandom);
        let client = |square| SquareClient::new(square, clock.clone(), random.clone());
        let square = config.square.as_ref().map(client).transpose();
        let square =
            square.map_err(|error| Failure::failed(format!("Square cannot be asked: {error}")))?;
        let client = |veriff| VeriffClient::new(veriff, clock.clone());
        let veriff = config.veriff.as_ref().map(client).transpose();
        let veriff =
            veriff.map_err(|error| Failure::failed(format!("Veriff cannot be asked: {error}")))?;
        let client = |bigquery| BigQueryClient::new(bigquery, clock.clone());
        let bigquery = config.bigquery.as_ref().map(client).transpose();
        let bigquery = bigquery
            .map_err(|error| Failure::usage(format!("BigQuery cannot be used: {error}")))?;
        Ok(Self {
            lightspeed: lightspeed.map(Arc::new),
            square: square.map(Arc::new),
            veriff: veriff.map(Arc::new),
            bigquery: bigquery.map(Arc::new),
        })
    }

    /// Lightspeed eCom, if configured.
    pub fn lightspeed(&self) -> Option<&Arc<LightspeedClient>> {
        self.lightspeed.as_ref()
    }

    /// Square, if configured.
    pub fn square(&self) -> Option<&Arc<SquareClient>> {
        self.square.as_ref()
    }

    /// Veriff, if configured, and for whom.
    pub fn veriff(&self, config: &Config) -> Option<Veriff> {
        let client = self.veriff.clone()?;
        Some(Veriff {
            company: config.integration_company.clone(),
            api: client,
        })
    }

    /// Veriff's own client, if configured.
    pub fn veriff_client(&self) -> Option<&Arc<VeriffClient>> {
        self.veriff.as_ref()
    }

    /// The archive at BigQuery, if enabled; what is sent to it is counted.
    pub fn archive(&self) -> Option<Arc<dyn Archive>> {
        let client = self.bigquery.clone()?;
        Some(Arc::new(metrics::archive::Counted(client)))
    }

    /// What copies to the archive, if there is one.
    pub fn follower(&self, app: &Arc<App>) -> Option<Follower> {
        Some(Follower::new(app.clone(), self.archive()?))
    }

    /// What processes the events that come in.
    pub fn worker(&self, config: &Config, app: &Arc<App>, gate: &Arc<dyn Gate>) -> Worker {
        let settings = inbox::Settings {
            schedule: inbox::schedule(),
            timeout: config.webhooks.timeout,
        };
        let mut worker = Worker::new(app.clone(), settings);
        if let Some((shop, write_back)) = self.lightspeed.as_ref().zip(self.write_back(config)) {
            let hooks = LightspeedHooks::new(shop.clone(), gate.clone(), write_back);
            worker = with(worker, Source::Lightspeed, hooks);
        }
        if let Some(square) = &self.square {
            let hooks = SquareHooks::new(app.clone(), square.clone());
            worker = with(worker, Source::Square, hooks);
        }
        if let Some(configured) = &config.veriff {
            let rules = veriff_rules(app.ages.age, configured);
            let hooks = VeriffHooks::new(app.clone(), rules);
            worker = with(worker, Source::Veriff, hooks);
        }
        worker
    }

    /// These ways out, and those to the services we work with.
    #[must_use]
    pub fn channels(
        &self,
        mut channels: Channels,
        config: &Config,
        app: &Arc<App>,
        gate: &Arc<dyn Gate>,
    ) -> Channels {
        let company: Arc<str> = config.integration_company.as_str().into();
        if let Some(write_back) = self.write_back(config) {
            let write_backs = WriteBacks::new(company.clone(), gate.clone(), write_back);
            channels = channels.with(LIGHTSPEED, write_backs);
        }
        // Without an attribute what waits to be shown goes on waiting for one.
        let shows = config
            .square
            .as_ref()
            .is_some_and(|one| one.attribute.is_some());
        if let Some(square) = self.square.as_ref().filter(|_| shows) {
            let showing = Showing::new(app.clone(), company, square.clone());
            channels = channels.with(SQUARE, showing);
        }
        channels
    }

    /// What writes to the shop of Lightspeed, if configured.
    pub fn write_back(&self, config: &Config) -> Option<WriteBack> {
        let shop = self.lightspeed.clone()?;
        let configured = config.lightspeed.as_ref()?;
        let statuses = Statuses {
            held: configured.held_status.clone(),
            released: configured.released_status.clone(),
        };
        Some(WriteBack::new(shop, statuses))
    }
}

fn with(worker: Worker, source: Source, handler: impl Handler + 'static) -> Worker {
    let counted = Counted::new(source, Arc::new(handler));
    worker.with(source, Arc::new(counted))
}

/// What gates the orders of shops.
pub fn gate(app: &Arc<App>) -> Arc<dyn Gate> {
    Arc::new(OrderGate::new(app.clone()))
}

/// The senders that are configured: whose hooks are taken, and whose events are processed.
#[must_use]
pub fn sources(config: &Config) -> Vec<Source> {
    let configured = [
        (Source::Lightspeed, config.lightspeed.is_some()),
        (Source::Square, config.square.is_some()),
        (Source::Veriff, config.veriff.is_some()),
    ];
    let configured = configured
        .into_iter()
        .filter(|(_, is_configured)| *is_configured);
    configured.map(|(source, _)| source).collect()
}

/// Whose hooks are taken.
pub fn hooks(config: &Config) -> Hooks {
    let company = &config.integration_company;
    let mut hooks = Hooks::default();
    if let Some(configured) = &config.lightspeed {
        hooks = hooks.with(Source::Lightspeed, lightspeed_hooks(company, configured));
    }
    if let Some(configured) = &config.square {
        hooks = hooks.with(Source::Square, square_hooks(company, configured));
    }
    if let Some(configured) = &config.veriff {
        hooks = hooks.with(Source::Veriff, veriff_hooks(company, configured));
    }
    hooks
}

/// By what decisions are judged.
fn veriff_rules(age: AgePolicy, configured: &config::Veriff) -> Rules {
    Rules {
        age,
        state: configured.store_state,
    }
}

fn square_hooks(company: &str, configured: &Square) -> SquareReception {
    SquareReception {
        company: company.to_owned(),
        address: configured.notification_url.clone(),
        keys: [
            Some(&configured.signature_key),
            configured.previous_signature_key.as_ref(),
        ]
        .into_iter()
        .flatten()
        .filter_map(|key| HookKey::new(key.expose()))
        .collect(),
    }
}

fn veriff_hooks(company: &str, configured: &config::Veriff) -> VeriffReception {
    VeriffReception {
        company: company.to_owned(),
        api_key: configured.api_key.clone(),
        keys: [
            Some(&configured.shared_secret),
            configured.previous_secret.as_ref(),
        ]
        .into_iter()
        .flatten()
        .filter_map(|secret| HookKey::new(secret.expose()))
        .collect(),
    }
}

fn lightspeed_hooks(company: &str, configured: &Lightspeed) -> LightspeedReception {
    LightspeedReception {
        company: company.to_owned(),
        store_id: configured.store_id.clone(),
        keys: [
            Some(&configured.client_secret),
            configured.previous_client_secret.as_ref(),
        ]
        .into_iter()
        .flatten()
        .filter_map(|secret| HookKey::new(secret.expose()))
        .collect(),
    }
}
