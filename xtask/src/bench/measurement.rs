//! The figures: the samples of each scenario in the order they were taken.
//!
//! Guarantees: a ratio compares a sample with the nearest one of the other scenario, so that both
//! saw the same machine; figures are medians.
//! Must not: drop a sample because it looks odd.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::load::Outcome;
use super::scenarios::Scenario;

/// What one measurement found.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// How many samples were taken before this one, of any scenario
    pub taken: usize,
    /// Good answers (or transactions) per second
    pub per_second: f64,
    /// CPU microseconds of all processes involved but the load generator, per answer
    pub cpu: f64,
    /// CPU microseconds of the load generator, per answer
    pub generator_cpu: Option<f64>,
    /// Latencies in milliseconds
    pub latency: Option<Latency>,
    /// The most memory the server had resident, in MiB
    pub memory: Option<f64>,
    /// Answers that were not 2xx, wrong, or never came
    pub failures: u64,
    /// The first of these failures, in words
    pub first_failure: Option<String>,
}

/// Latencies in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Latency {
    /// The median
    pub p50: f64,
    /// 95 of 100 took no longer
    pub p95: f64,
    /// 99 of 100 took no longer
    pub p99: f64,
    /// The longest
    pub longest: f64,
}

impl Sample {
    /// The figures of a load; an error if it got no good answer at all.
    pub fn of_load(
        outcome: &Outcome,
        cpu_seconds: f64,
        generator_seconds: f64,
        memory: Option<f64>,
    ) -> Result<Self> {
        let answers = outcome.latencies.total();
        let failure = outcome
            .first_failure
            .as_deref()
            .unwrap_or("no reason known");
        ensure!(answers > 0, "no good answer: {failure}");
        let quantile = |share| milliseconds(outcome.latencies.quantile(share));
        Ok(Self {
            taken: 0,
            per_second: outcome.per_second(),
            cpu: cpu_seconds * 1e6 / answers as f64,
            generator_cpu: Some(generator_seconds * 1e6 / answers as f64),
            latency: Some(Latency {
                p50: quantile(0.5),
                p95: quantile(0.95),
                p99: quantile(0.99),
                longest: milliseconds(outcome.latencies.longest()),
            }),
            memory,
            failures: outcome.failures(),
            first_failure: outcome.first_failure.clone(),
        })
    }

    /// The figures of a program that tells only its rate.
    pub fn of_rate(per_second: f64, cpu: f64) -> Self {
        Self {
            per_second,
            cpu,
            ..Self::default()
        }
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// All samples of one scenario, in the order of the rounds.
pub struct Row {
    /// The scenario's name
    pub name: String,
    /// In the order of [`Sample::taken`]
    pub samples: Vec<Sample>,
}

impl Row {
    /// The median of one figure over the samples; none if a sample lacks it.
    pub fn median(&self, figure: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
        median(self.samples.iter().map(figure).collect::<Option<_>>()?)
    }

    /// The failures of all samples together.
    pub fn failures(&self) -> u64 {
        self.samples.iter().map(|sample| sample.failures).sum()
    }

    /// The sample that was taken closest to `moment`.
    fn nearest(&self, moment: usize) -> Option<&Sample> {
        let samples = self.samples.iter();
        samples.min_by_key(|sample| sample.taken.abs_diff(moment))
    }
}

/// Everything that was measured.
#[derive(Default)]
pub struct Results {
    /// In the order of the scenarios
    pub rows: Vec<Row>,
    /// Time from start to first answer on an existing database
    pub starts: Vec<(String, Duration)>,
    /// Bytes of the program's file
    pub program_size: Option<u64>,
}

impl Results {
    /// Adds the next sample of a scenario.
    pub fn add(&mut self, scenario: &Scenario, sample: Sample) {
        let taken = self.rows.iter().map(|row| row.samples.len()).sum();
        let sample = Sample { taken, ..sample };
        match self.rows.iter_mut().find(|row| row.name == scenario.name()) {
            Some(row) => row.samples.push(sample),
            None => self.rows.push(Row {
                name: scenario.name().to_owned(),
                samples: vec![sample],
            }),
        }
    }

    /// The samples of a scenario, if it was measured.
    pub fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }

    /// The median of one figure of `above` divided by that of the nearest sample of `below`.
    pub fn ratio(
        &self,
        above: &str,
        below: &str,
        figure: impl Fn(&Sample) -> Option<f64>,
    ) -> Option<f64> {
        let (above, below) = (self.row(above)?, self.row(below)?);
        let ratios = above.samples.iter().map(|sample| {
            let beside = below.nearest(sample.taken)?;
            Some(figure(sample)? / figure(beside)?)
        });
        median(ratios.collect::<Option<_>>()?)
    }
}

/// The middle value, or the mean of the two in the middle.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let lower = values.get(values.len().checked_sub(1)? / 2)?;
    let upper = values.get(values.len() / 2)?;
    Some(f64::midpoint(*lower, *upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0]), Some(2.5));
        assert_eq!(median(Vec::new()), None);
    }

    #[test]
    fn ratios_are_taken_of_neighbours() {
        let row = |name: &str, samples: [(usize, f64); 3]| Row {
            name: name.to_owned(),
            samples: samples
                .map(|(taken, rate)| Sample {
                    taken,
                    ..Sample::of_rate(rate, 1.0)
                })
                .to_vec(),
        };
        let results = Results {
            rows: vec![
                row("a", [(2, 10.0), (5, 30.0), (9, 8.0)]),
                row("b", [(1, 20.0), (6, 60.0), (7, 10.0)]),
            ],
            starts: Vec::new(),
            program_size: None,
        };
        let rate = |sample: &Sample| Some(sample.per_second);
        assert_eq!(results.ratio("a", "b", rate), Some(0.5));
        assert_eq!(results.ratio("a", "c", rate), None);
    }
}
