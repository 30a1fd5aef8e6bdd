//! Services we work with: whether they let us.

use std::sync::Arc;

use app::lightspeed::ShopProblem;
use domain::clock::Clock;

use super::check::Check;
use crate::ambient::SystemClock;
use crate::config::Config;
use crate::integrations::Integrations;

/// Lightspeed eCom, if configured: asked for one order.
pub async fn lightspeed(config: &Config) -> Option<Check> {
    const NAME: &str = "lightspeed";
    let configured = config.lightspeed.as_ref()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let client = Integrations::open(config, &clock)
        .ok()?
        .lightspeed()?
        .clone();
    Some(match client.check().await {
        Ok(()) => {
            let store = &configured.store_id;
            Check::fine(NAME, format!("store {store} lets us read its orders"))
        }
        Err(problem) => Check::wrong(NAME, problem.to_string(), cure(problem)),
    })
}

fn cure(problem: ShopProblem) -> &'static str {
    match problem {
        ShopProblem::Refused(_) => {
            "check LIGHTSPEED_TOKEN, the app's scopes, and that the plan includes the API"
        }
        ShopProblem::Busy(_) => "wait a minute: it takes 600 requests in one",
        ShopProblem::Away => "check LIGHTSPEED_API_URL, and that it can be reached from here",
        ShopProblem::Garbled | ShopProblem::Unacceptable => {
            "check LIGHTSPEED_API_URL and LIGHTSPEED_STORE_ID"
        }
    }
}
