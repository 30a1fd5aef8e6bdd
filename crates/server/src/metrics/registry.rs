//! Where the series are, and how a family makes one.
//!
//! To register a series takes a lock and allocates: whoever counts keeps the handle. Registering
//! the same series again gives another handle to it.

use std::sync::LazyLock;

use metrics::{
    Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder as _, SharedString,
};
use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};

use super::families::{ALL, Family, Kind};

/// The registry of this process.
pub static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::new);

/// All series.
pub struct Registry {
    recorder: PrometheusRecorder,
    /// Renders them.
    pub handle: PrometheusHandle,
}

impl Registry {
    fn new() -> Self {
        let recorder = ALL
            .into_iter()
            .fold(PrometheusBuilder::new(), with_buckets)
            .build_recorder();
        for family in ALL {
            describe(&recorder, family);
        }
        let handle = recorder.handle();
        Self { recorder, handle }
    }
}

#[allow(
    clippy::expect_used,
    reason = "buckets are constants; only an empty list is refused"
)]
fn with_buckets(builder: PrometheusBuilder, family: &Family) -> PrometheusBuilder {
    match family.kind {
        Kind::Histogram(bounds) => builder
            .set_buckets_for_metric(Matcher::Full(family.name.to_owned()), bounds)
            .expect("a histogram has buckets"),
        Kind::Counter | Kind::Gauge => builder,
    }
}

fn describe(recorder: &PrometheusRecorder, family: &Family) {
    let (name, help) = (family.name.into(), family.help.into());
    match family.kind {
        Kind::Counter => recorder.describe_counter(name, None, help),
        Kind::Gauge => recorder.describe_gauge(name, None, help),
        Kind::Histogram(_) => recorder.describe_histogram(name, None, help),
    }
}

const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, None);

impl Family {
    /// One of its series, as a counter; `values` in the order of its labels.
    pub(super) fn counter<const N: usize>(&self, values: [SharedString; N]) -> Counter {
        REGISTRY
            .recorder
            .register_counter(&self.series(values), &METADATA)
    }

    /// One of its series, as a gauge.
    pub(super) fn gauge<const N: usize>(&self, values: [SharedString; N]) -> Gauge {
        REGISTRY
            .recorder
            .register_gauge(&self.series(values), &METADATA)
    }

    /// One of its series, as a histogram.
    pub(super) fn histogram<const N: usize>(&self, values: [SharedString; N]) -> Histogram {
        REGISTRY
            .recorder
            .register_histogram(&self.series(values), &METADATA)
    }

    fn series<const N: usize>(&self, values: [SharedString; N]) -> Key {
        let labels = self.labels.iter().copied().zip(values);
        let labels: Vec<_> = labels
            .map(|(name, value)| Label::new(name, value))
            .collect();
        Key::from_parts(self.name, labels)
    }
}
