//! Services we work with: whether they let us.

use std::sync::Arc;

use app::archive::{ArchiveProblem, Table};
use app::lightspeed::ShopProblem;
use app::square::SquareProblem;
use app::veriff::VeriffProblem;
use domain::clock::Clock;

use super::check::Check;
use crate::ambient::SystemClock;
use crate::config::Config;
use crate::integrations::Integrations;
use crate::outbound::BigQueryClient;

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
        ShopProblem::StatusRefused => "check LIGHTSPEED_HELD_STATUS and LIGHTSPEED_RELEASED_STATUS",
    }
}

/// Square, if configured: asked for one customer, and for the attribute's definition.
pub async fn square(config: &Config) -> Option<Check> {
    const NAME: &str = "square";
    let configured = config.square.as_ref()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let client = Integrations::open(config, &clock).ok()?.square()?.clone();
    Some(match client.check().await {
        Ok(()) => {
            let shown = match &configured.attribute {
                Some(attribute) => format!("shows who is verified in {attribute}"),
                None => "shows nothing".to_owned(),
            };
            Check::fine(NAME, format!("lets us read its customers, and {shown}"))
        }
        Err(problem) => Check::wrong(NAME, problem.to_string(), cure_square(problem)),
    })
}

fn cure_square(problem: SquareProblem) -> &'static str {
    match problem {
        SquareProblem::Refused => {
            "check SQUARE_ACCESS_TOKEN, and that SQUARE_API_URL is of the same environment"
        }
        SquareProblem::Forbidden => {
            "give the access token CUSTOMERS_READ, and CUSTOMERS_WRITE with SQUARE_ATTRIBUTE"
        }
        SquareProblem::Busy(_) => "wait a minute",
        _ => "check SQUARE_API_URL, and that it can be reached from here",
    }
}

/// Veriff, if configured: asked about a session that does not exist.
pub async fn veriff(config: &Config) -> Option<Check> {
    const NAME: &str = "veriff";
    config.veriff.as_ref()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let client = Integrations::open(config, &clock)
        .ok()?
        .veriff_client()?
        .clone();
    Some(match client.check().await {
        Ok(()) => Check::fine(NAME, "answers, and takes the API key".to_owned()),
        Err(problem) => Check::wrong(NAME, problem.to_string(), cure_veriff(problem)),
    })
}

fn cure_veriff(problem: VeriffProblem) -> &'static str {
    match problem {
        VeriffProblem::Refused | VeriffProblem::Unsigned => {
            "check VERIFF_API_KEY and VERIFF_SHARED_SECRET"
        }
        VeriffProblem::Busy(_) => "wait a minute",
        _ => "check VERIFF_API_URL, and that it can be reached from here",
    }
}

/// BigQuery, if enabled: asked for the dataset and the two tables.
pub async fn bigquery(config: &Config) -> Option<Check> {
    const NAME: &str = "bigquery";
    let configured = config.bigquery.as_ref()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let client = match BigQueryClient::new(configured, clock) {
        Ok(client) => client,
        Err(unusable) => {
            let cure = "give it the key file (JSON) of a service account";
            return Some(Check::wrong(NAME, unusable.to_string(), cure));
        }
    };
    Some(match client.check().await {
        Ok(missing) => {
            let dataset = &configured.dataset;
            Check::fine(
                NAME,
                format!("dataset {dataset} is there, {}", tables(&missing)),
            )
        }
        Err(problem) => Check::wrong(NAME, problem.to_string(), cure_bigquery(problem)),
    })
}

fn tables(missing: &[Table]) -> String {
    if missing.is_empty() {
        return "with its tables".to_owned();
    }
    let names: Vec<_> = missing.iter().map(|table| table.name()).collect();
    format!("and will be given the tables {}", names.join(" and "))
}

fn cure_bigquery(problem: ArchiveProblem) -> &'static str {
    match problem {
        ArchiveProblem::Refused => {
            "check BIGQUERY_CREDENTIALS_FILE and the clock of this machine; on Google Cloud, that it has a \
             service account"
        }
        ArchiveProblem::Forbidden => {
            "give the account the role BigQuery Data Editor on the dataset, and the project a billing account"
        }
        ArchiveProblem::Missing => {
            "check BIGQUERY_PROJECT and BIGQUERY_DATASET; the dataset is made by you"
        }
        ArchiveProblem::Unfit(_) => {
            "rename the table, and another is made; or correct it: docs/integrations/bigquery.md"
        }
        ArchiveProblem::Busy(_) => "wait a minute",
        _ => "check BIGQUERY_API_URL, and that it can be reached from here",
    }
}
