//! What leaves the building: told once, in order, and again until it is heard.

mod endpoints;
mod events;
mod leases;
mod lines;
mod patience;
mod retries;

use std::sync::Arc;
use std::time::Duration;

use app::deliveries::{Chosen, Listed};

use crate::harness::{Receivers, TestApp};
use crate::numbers::{self, NUMBER, Opened};

/// Where the webhooks of the company `default` go.
pub const URL: &str = "https://hooks.example.com/bonafide";

const SECOND: Duration = Duration::from_secs(1);

/// A company that wants to be told, and its key.
pub async fn told(app: &TestApp) -> (Arc<Receivers>, String) {
    app.webhook("default", URL).await;
    (Receivers::new(), app.key("default", numbers::ALL).await)
}

/// A session that ends as verified.
pub async fn verify(app: &TestApp, key: &str, request: &str) -> Opened {
    let session = numbers::open(app, key, request).await;
    numbers::submit(app, &session, NUMBER).expect(200).await;
    session
}

/// All deliveries, the newest first.
pub async fn all(app: &TestApp) -> Vec<Listed> {
    let listed = app::deliveries::list(&app.app, Chosen::default(), 1_000).await;
    listed.unwrap()
}

/// The only delivery.
pub async fn only(app: &TestApp) -> Listed {
    let listed = all(app).await;
    assert_eq!(listed.len(), 1);
    listed.into_iter().next().unwrap()
}
