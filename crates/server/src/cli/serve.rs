//! `bonafide serve`: the server's life from start to shutdown.

use std::sync::Arc;
use std::time::Duration;

use app::App;
use app::deliveries::Dispatcher;
use app::inbox::Worker;
use clap::{Args, ValueEnum};
use domain::clock::Clock as _;
use store::Connections;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::failure::Failure;
use super::{customers, first_start, session};
use crate::ambient::SystemClock;
use crate::checkpoint_file::CheckpointFile;
use crate::config::Config;
use crate::erasure_list::ErasureList;
use crate::http::listener::{self, Options};
use crate::http::tls::TlsReloader;
use crate::integrations::{Integrations, gate};
use crate::telemetry::telling::Telling;
use crate::telemetry::traces::Tracer;
use crate::{chores, http, metrics, runtime, telemetry};

/// Start the server.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct ServeArguments {
    /// Which part of the work this process does
    #[arg(long, value_enum, default_value_t, value_name = "ROLE")]
    pub role: Role,
}

/// Which part of the work a process does.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Answers requests
    Api,
    /// Delivers what leaves the building and keeps the deadlines
    Worker,
    /// Both
    #[default]
    All,
}

impl Role {
    fn answers(self) -> bool {
        matches!(self, Self::Api | Self::All)
    }

    fn works(self) -> bool {
        matches!(self, Self::Worker | Self::All)
    }
}

/// Runs the server until it is told to stop.
///
/// # Errors
/// When it cannot start, or had to cut connections off at the end.
pub async fn run(arguments: &ServeArguments, config: Config) -> Result<(), Failure> {
    let (telling, reporter) = Telling::begin(&config.telemetry)?;
    let _log = telemetry::init(
        config.telemetry.log_level.clone(),
        config.telemetry.log_format,
        reporter,
    )
    .map_err(|error| Failure::failed(format!("logging cannot begin: {error}")))?;
    let served = serve(arguments, &config, telling.tracer.clone()).await;
    telling.end().await;
    served
}

async fn serve(
    arguments: &ServeArguments,
    config: &Config,
    tracer: Option<Tracer>,
) -> Result<(), Failure> {
    let stop = stop_on_signals()?;
    metrics::started(SystemClock.now());
    let scraped = metrics_listener(config).await?;
    let started = stop.run_until_cancelled(start(config)).await;
    let Some(app) = started.transpose()? else {
        tracing::info!("stopped before the start was over");
        return Ok(());
    };
    let tasks = TaskTracker::new();
    tasks.spawn(chores::keep_metrics(stop.clone()));
    tasks.spawn(chores::watch_database(app.clone(), stop.clone()));
    if let Some(listener) = scraped {
        tasks.spawn(serve_metrics(listener, options(config), stop.clone()));
    }
    let configured = config.checkpoints.file.as_deref();
    let file = configured.filter(|_| arguments.role.works());
    let file = file.map(CheckpointFile::new);
    if let Some(file) = file.clone() {
        tasks.spawn(chores::publish_checkpoints(app.clone(), file, stop.clone()));
    }
    if arguments.role.works() {
        chores::start_workers(&app, &tasks, &stop);
        let integrations = Integrations::open(config, &app.clock)?;
        let worker = integrations.worker(config, &app, &gate(&app));
        tasks.spawn(process(
            worker,
            options(config).shutdown_timeout,
            stop.clone(),
        ));
        if let Some(veriff) = integrations.veriff(config) {
            tasks.spawn(chores::poll_veriff(app.clone(), veriff, stop.clone()));
        }
        if let Some(follower) = integrations.follower(&app) {
            tasks.spawn(chores::follow(follower, stop.clone()));
            tasks.spawn(chores::watch_archive(app.clone(), stop.clone()));
        }
        let dispatcher = runtime::dispatcher(config, &app, &integrations)?;
        tasks.spawn(deliver(
            dispatcher,
            options(config).shutdown_timeout,
            stop.clone(),
        ));
    }
    let served = if arguments.role.answers() {
        chores::start_beside_requests(&app, &tasks, &stop);
        answer(config, app.clone(), tracer, &tasks, stop.clone()).await
    } else {
        tracing::info!("working");
        stop.cancelled().await;
        Ok(())
    };
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    chores::finish(&app, file.as_ref()).await;
    session::close(app).await;
    tracing::info!("stopped");
    served
}

/// Opens the use cases, over a database that is brought up to date if that is wanted.
/// May be dropped while it waits: a migration is applied as a whole or not at all.
async fn start(config: &Config) -> Result<Arc<App>, Failure> {
    let location = runtime::location(config)?;
    if config.storage.auto_migrate {
        let applied = runtime::migrate(&location, runtime::START_PATIENCE).await?;
        tracing::debug!(applied, "database is up to date");
    }
    let app = runtime::open(config, &location, Connections::default()).await?;
    if let Some(path) = config.erasure_list.clone() {
        customers::catch_up(&app, &ErasureList::at(path)).await?;
    }
    Ok(app)
}

/// The listener at `METRICS_BIND`, if there is to be one.
async fn metrics_listener(config: &Config) -> Result<Option<TcpListener>, Failure> {
    let Some(address) = config.telemetry.metrics else {
        return Ok(None);
    };
    let listener = TcpListener::bind(address).await.map_err(|error| {
        Failure::failed(format!("cannot listen on {address}: {error}"))
            .with_hint("METRICS_BIND chooses another address")
    })?;
    Ok(Some(listener))
}

async fn serve_metrics(listener: TcpListener, options: Options, stop: CancellationToken) {
    if let Ok(address) = listener.local_addr() {
        tracing::info!(listen = %address, "serving metrics, to anybody who can reach them");
    }
    let router = http::scrape::open_router();
    if let Err(abandoned) = listener::serve(listener, None, router, options, stop).await {
        tracing::warn!(%abandoned, "scrapes were cut off");
    }
}

/// Makes deliveries until `stop`, then waits for those under way, as long as a shutdown may take.
/// What is cut off is delivered again when its lease ends.
pub(super) async fn deliver(dispatcher: Dispatcher, patience: Duration, stop: CancellationToken) {
    let out_of_patience = async {
        stop.cancelled().await;
        tokio::time::sleep(patience).await;
    };
    tokio::select! {
        () = dispatcher.run(stop.cancelled()) => {}
        () = out_of_patience => tracing::warn!("deliveries were cut off"),
    }
}

/// Processes events until `stop`, then waits for those under way, as long as a shutdown may take.
/// What is cut off is processed again when its lease ends.
async fn process(worker: Worker, patience: Duration, stop: CancellationToken) {
    let out_of_patience = async {
        stop.cancelled().await;
        tokio::time::sleep(patience).await;
    };
    tokio::select! {
        () = worker.run(stop.cancelled()) => {}
        () = out_of_patience => tracing::warn!("events were cut off"),
    }
}

async fn answer(
    config: &Config,
    app: Arc<App>,
    tracer: Option<Tracer>,
    tasks: &TaskTracker,
    stop: CancellationToken,
) -> Result<(), Failure> {
    let listener = listener::listen(config.http.listen).map_err(|error| {
        Failure::failed(format!("cannot listen on {}: {error}", config.http.listen))
            .with_hint("PORT and BIND choose another address")
    })?;
    let tls = match &config.http.tls {
        None => None,
        Some(files) => Some(
            TlsReloader::load(files.clone())
                .map_err(|error| Failure::usage(format!("TLS: {error}")))?,
        ),
    };
    let server = runtime::server(config, app, tracer).await?;
    tasks.spawn(server.tokens.keep_fresh(stop.clone()));
    tasks.spawn(chores::watch_limits(server.clone(), stop.clone()));
    let address = listener.local_addr().unwrap_or(config.http.listen);
    first_start::welcome(config, &server.app, address.port()).await?;
    tracing::info!(listen = %address, database = server.app.store.engine(), "serving");
    listener::serve(listener, tls, http::router(server), options(config), stop)
        .await
        .map_err(|abandoned| Failure::failed(abandoned.to_string()))
}

/// The listener's limits as the configuration says.
pub(super) fn options(config: &Config) -> Options {
    Options {
        max_connections: config.http.max_connections as usize,
        shutdown_timeout: config.http.shutdown_timeout,
        ..Options::default()
    }
}

/// The token that SIGTERM and SIGINT trip; a second signal ends the process.
pub(super) fn stop_on_signals() -> Result<CancellationToken, Failure> {
    let failed =
        |error: std::io::Error| Failure::failed(format!("signals cannot be heard: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let stop = CancellationToken::new();
    let tripped = stop.clone();
    tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        tracing::info!("stopping");
        tripped.cancel();
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        std::process::exit(1);
    });
    Ok(stop)
}
