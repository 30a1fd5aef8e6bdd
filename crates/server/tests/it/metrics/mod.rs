//! What the server counts of itself, as Prometheus sees it.
//!
//! The counts belong to the process: where other tests may run in it too, a count may rise by more
//! than a test's own share, and never by less.

mod counting;
mod exposition;
mod listener;
mod scraping;

use exposition::Exposition;

/// What is counted now.
pub fn scrape() -> Exposition {
    Exposition::parse(&bonafide::metrics::render())
}

/// Remembers what was counted.
pub struct Since(Exposition);

impl Since {
    /// From now on.
    pub fn now() -> Self {
        Self(scrape())
    }

    /// How much a series has risen by.
    pub fn rise(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        scrape().value(name, labels) - self.0.value(name, labels)
    }

    /// Fails unless a series has risen by this much at least.
    pub fn assert_rise(&self, name: &str, labels: &[(&str, &str)], least: f64) {
        let rise = self.rise(name, labels);
        assert!(rise >= least, "{name} {labels:?} has risen by {rise}");
    }
}

#[test]
fn the_page_is_up_to_date() {
    crate::config::table::compare("docs/metrics.md", &bonafide::metrics::render_page());
}
