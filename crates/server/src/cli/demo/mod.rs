//! `bonafide demo`: a tour of the real server, over real HTTP, of which nothing is
//! kept.
//!
//! Guarantees: everything lives in a temporary directory that vanishes at the end;
//! no setting of the environment takes part, so the tour is the same everywhere and
//! touches no real installation; a step that does not turn out as told ends the
//! tour with a failure.

mod console;
mod narrator;
mod tour;

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use app::App;
use clap::Args;
use store::Connections;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::failure::Failure;
use super::output::print_line;
use super::{serve, session};
use crate::config::{Config, Outside, secrets};
use crate::http::listener;
use crate::integrations::Integrations;
use crate::{chores, http, runtime};

/// Show it all in a minute, and keep nothing.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct DemoArguments {
    /// The port to use; without it, any free one
    #[arg(long)]
    pub port: Option<u16>,
    /// End after the tour instead of leaving the server up
    #[arg(long)]
    pub once: bool,
}

/// Plays the tour.
///
/// # Errors
/// When the server cannot start, or a step did not turn out as told.
pub async fn run(arguments: &DemoArguments) -> Result<(), Failure> {
    let directory = tempfile::Builder::new()
        .prefix("bonafide-demo-")
        .tempdir()
        .map_err(|error| Failure::failed(format!("no temporary directory: {error}")))?;
    let stop = serve::stop_on_signals()?;
    let stage = Stage::build(&directory, arguments.port, &stop).await?;
    let played = stage.play(arguments.once, &stop).await;
    stop.cancel();
    stage.clear().await;
    played
}

/// The running server and what the tour needs of it.
struct Stage {
    app: Arc<App>,
    config: Config,
    port: u16,
    tasks: TaskTracker,
    _log: crate::telemetry::LogGuard,
}

impl Stage {
    async fn build(
        directory: &TempDir,
        port: Option<u16>,
        stop: &CancellationToken,
    ) -> Result<Self, Failure> {
        let address = (Ipv4Addr::LOCALHOST, port.unwrap_or_default());
        let unable = |error: std::io::Error| {
            Failure::failed(format!("cannot listen on port {}: {error}", address.1))
                .with_hint("--port chooses another one; without it, any free one is taken")
        };
        let listener = listener::listen(address.into()).map_err(unable)?;
        let port = listener.local_addr().map_err(unable)?.port();
        let config = configuration(directory.path(), port)?;
        let log = session::quiet_log(&config)?;
        let location = runtime::location(&config)?;
        runtime::migrate(&location, runtime::START_PATIENCE).await?;
        let app = runtime::open(&config, &location, Connections::default()).await?;
        let tasks = TaskTracker::new();
        chores::start_beside_requests(&app, &tasks, stop);
        chores::start_workers(&app, &tasks, stop);
        let integrations = Integrations::open(&config, &app.clock)?;
        let dispatcher = runtime::dispatcher(&config, &app, &integrations)?;
        let patience = serve::options(&config).shutdown_timeout;
        tasks.spawn(serve::deliver(dispatcher, patience, stop.clone()));
        let router = http::router(runtime::server(&config, app.clone(), None).await?);
        let serving = listener::serve(
            listener,
            None,
            router,
            serve::options(&config),
            stop.clone(),
        );
        tasks.spawn(serving);
        Ok(Self {
            app,
            config,
            port,
            tasks,
            _log: log,
        })
    }

    async fn play(&self, once: bool, stop: &CancellationToken) -> Result<(), Failure> {
        let base = format!("http://127.0.0.1:{}", self.port);
        let key = tour::play(&self.app, &base).await?;
        if once {
            return Ok(());
        }
        let link = console::furnish(&self.app).await?;
        print_line(&self.farewell(&key, &link))?;
        stop.cancelled().await;
        Ok(())
    }

    /// What can be done now, in words that can be pasted.
    fn farewell(&self, key: &str, link: &str) -> String {
        let data = self.config.storage.data_dir.display();
        let port = self.port;
        format!(
            "The server stays up on http://127.0.0.1:{port} until Ctrl-C, and then all of this is gone.\n\
             The console, with an example to try things on, signed in by this link once:\n\n\
             http://localhost:{port}/console/enter/{link}\n\n\
             Ask it yourself:\n\n\
             {}\n\n\
             In another terminal, the commands work beside it:\n\n\
             export DATA_DIR={data} DATABASE_URL=sqlite://{data}/bonafide.db PORT={port}\n\
             bonafide keys list\n\
             bonafide companies create acme --name Acme\n\
             bonafide audit export\n\
             bonafide doctor\n\n\
             To start in earnest: bonafide",
            super::first_start::call(
                &format!("http://127.0.0.1:{port}"),
                key,
                "check-verification",
                r#"{"email":"ann@example.com"}"#
            )
        )
    }

    async fn clear(self) {
        self.tasks.close();
        self.tasks.wait().await;
        session::close(self.app).await;
    }
}

/// The defaults, in a directory of its own.
fn configuration(directory: &Path, port: u16) -> Result<Config, Failure> {
    let data = directory.display();
    let variables = [
        ("DATA_DIR", data.to_string()),
        ("DATABASE_URL", format!("sqlite://{data}/bonafide.db")),
        ("PORT", port.to_string()),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value));
    let outside = Outside {
        read_file: &|path| std::fs::read_to_string(path),
        stored_secrets: &secrets::stored,
    };
    Ok(Config::load(variables, &outside)?)
}
