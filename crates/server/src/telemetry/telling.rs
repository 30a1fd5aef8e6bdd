//! Telling others how the server fares: Sentry of what is wrong, a collector of what took how long.
//!
//! Guarantees: it is off unless configured, and then costs nothing; a shutdown waits for it no longer
//! than [`FAREWELL`].

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::reports::{Reporter, reporter};
use super::traces::{Tracer, tracer};
use crate::ambient::SystemRandom;
use crate::cli::failure::Failure;
use crate::config::Telemetry;
use crate::outbound::{OtlpClient, SentryClient};

/// How long what is left may take at the end.
const FAREWELL: Duration = Duration::from_secs(2);

/// The work of telling.
pub struct Telling {
    /// Who is traced, if anybody is.
    pub tracer: Option<Tracer>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Telling {
    /// Begins as configured; gives what is to listen to the log as well.
    ///
    /// # Errors
    /// When an address or a header is not understood, or no HTTP client can be made.
    pub fn begin(config: &Telemetry) -> Result<(Self, Option<Reporter>), Failure> {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let unusable = |error: &dyn std::fmt::Display| Failure::usage(error.to_string());
        let mut listener = None;
        if let Some(dsn) = &config.sentry_dsn {
            let client = SentryClient::new(dsn).map_err(|error| unusable(&error))?;
            let (reporter, reports) = reporter();
            tasks.spawn(client.run(reports, stop.clone()));
            listener = Some(reporter);
        }
        let mut chosen = None;
        if let Some(base) = &config.otlp_endpoint {
            let client = OtlpClient::new(base.as_str(), config.otlp_headers.as_ref());
            let client = client.map_err(|error| unusable(&error))?;
            let (tracer, spans) = tracer(config.traced_share, Arc::new(SystemRandom));
            tasks.spawn(client.run(spans, stop.clone()));
            chosen = Some(tracer);
        }
        let telling = Self {
            tracer: chosen,
            tasks,
            stop,
        };
        Ok((telling, listener))
    }

    /// Tells what is left, for as long as that may take.
    pub async fn end(self) {
        self.stop.cancel();
        self.tasks.close();
        let _ = tokio::time::timeout(FAREWELL, self.tasks.wait()).await;
    }
}
