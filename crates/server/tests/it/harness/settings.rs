//! The settings of an instance under test: those of the product, unless a test changes them.

use std::time::Duration;

use app::limits::Limits;
use bonafide::http::conventions::edge;
use domain::rate::Limit;

/// What an operator can configure, as far as the router sees it.
#[derive(Clone)]
pub struct Settings {
    /// The general limits.
    pub limits: Limits,
    /// How the edge behaves.
    pub edge: edge::Settings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Limits {
                customers: limit("100/1m"),
                initiate: limit("100/1h"),
                status: limit("1000/1h"),
                submit: limit("10/1m"),
            },
            edge: edge::Settings {
                trusted_proxies: Vec::new(),
                require_https: false,
                timeout: Duration::from_secs(30),
            },
        }
    }
}

impl Settings {
    /// The same with another limit of Customers: `2/1m`, `off`.
    pub fn customers(mut self, text: &str) -> Self {
        self.limits.customers = limit(text);
        self
    }
}

fn limit(text: &str) -> Limit {
    Limit::parse(text).unwrap()
}
