//! The services we work with, put together as the configuration says.
//!
//! An integration is a way in (whose hooks are taken), somebody who processes what came in, and a way
//! out. Without its settings it has none of them; a way in without the rest does not exist.

use std::sync::Arc;

use app::App;
use app::deliveries::Channels;
use app::inbox::{self, Handler, Worker};
use app::lightspeed::{
    Gate, LIGHTSPEED, LightspeedHooks, OrderGate, Statuses, WriteBack, WriteBacks,
};
use domain::clock::Clock;
use domain::hook::{HookKey, Source};

use crate::cli::failure::Failure;
use crate::config::{Config, Lightspeed};
use crate::http::hooks::{Hooks, LightspeedReception};
use crate::metrics::inbox::Counted;
use crate::outbound::LightspeedClient;

/// The clients of a process: each keeps to its service's limits, so there is one of each.
#[derive(Clone, Default)]
pub struct Integrations {
    lightspeed: Option<Arc<LightspeedClient>>,
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
        Ok(Self {
            lightspeed: lightspeed.map(Arc::new),
        })
    }

    /// Lightspeed eCom, if configured.
    pub fn lightspeed(&self) -> Option<&Arc<LightspeedClient>> {
        self.lightspeed.as_ref()
    }

    /// What processes the events that come in.
    pub fn worker(&self, config: &Config, app: &Arc<App>, gate: &Arc<dyn Gate>) -> Worker {
        let settings = inbox::Settings {
            schedule: inbox::schedule(),
            timeout: config.webhooks.timeout,
        };
        let mut worker = Worker::new(app.clone(), settings);
        if let Some(shop) = &self.lightspeed {
            let write_back = self.write_back(config, shop);
            let hooks = LightspeedHooks::new(shop.clone(), gate.clone(), write_back);
            worker = with(worker, Source::Lightspeed, hooks);
        }
        worker
    }

    /// These ways out, and those to the services we work with.
    #[must_use]
    pub fn channels(&self, channels: Channels, config: &Config, gate: &Arc<dyn Gate>) -> Channels {
        match &self.lightspeed {
            None => channels,
            Some(shop) => {
                let write_back = self.write_back(config, shop);
                let company = config.integration_company.as_str().into();
                let write_backs = WriteBacks::new(company, gate.clone(), write_back);
                channels.with(LIGHTSPEED, write_backs)
            }
        }
    }

    /// What writes to the shop.
    fn write_back(&self, config: &Config, shop: &Arc<LightspeedClient>) -> WriteBack {
        let configured = config.lightspeed.as_ref();
        let statuses = configured.map(|lightspeed| Statuses {
            held: lightspeed.held_status.clone(),
            released: lightspeed.released_status.clone(),
        });
        WriteBack::new(shop.clone(), statuses.unwrap_or_default())
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

/// Whose hooks are taken.
pub fn hooks(config: &Config) -> Hooks {
    let company = &config.integration_company;
    match &config.lightspeed {
        None => Hooks::default(),
        Some(configured) => {
            Hooks::default().with(Source::Lightspeed, lightspeed_hooks(company, configured))
        }
    }
}

fn lightspeed_hooks(company: &str, configured: &Lightspeed) -> LightspeedReception {
    LightspeedReception {
        company: company.to_owned(),
        store_id: configured.store_id.clone(),
        keys: HookKey::new(configured.client_secret.expose())
            .into_iter()
            .collect(),
    }
}
