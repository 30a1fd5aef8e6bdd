//! The bench's figures for a person (markdown) and for a program (JSON).
//!
//! Guarantees: both show the same figures; CPU per answer stands in every row.
//! Must not: round anything before it is compared.

use std::fmt::Write as _;

use anyhow::Result;
use serde_json::{Value, json};

use super::bars::{Bar, Limit};
use super::measurement::{Latency, Results, Row, Sample};

/// Against which each row's rate and CPU are told.
const REFERENCE: &str = "bare 256";

/// The table of scenarios and the table of bars.
pub fn markdown(results: &Results, bars: &[Bar]) -> String {
    let mut text = String::from(
        "\n| scenario | answers/s | ÷ bare 256 | CPU µs/answer | ÷ bare 256 | load's CPU µs | p50 ms | p95 ms | \
         p99 ms | max ms | memory MiB | failures |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for row in &results.rows {
        text.push_str(&line(results, row));
    }
    for row in &results.rows {
        let failure = row
            .samples
            .iter()
            .find_map(|sample| sample.first_failure.as_ref());
        if let Some(failure) = failure {
            _ = write!(text, "\n{}: first failure: {failure}\n", row.name);
        }
    }
    for (name, took) in &results.starts {
        _ = write!(
            text,
            "\nStart on an existing database, {name}: {took:.0?}\n"
        );
    }
    text.push_str(&verdicts(bars));
    text
}

/// The table of bars, of those that this run has measured, and how many it has not.
fn verdicts(bars: &[Bar]) -> String {
    let (measured, others): (Vec<_>, Vec<_>) = bars.iter().partition(|bar| bar.measured.is_some());
    let mut text = String::new();
    if !measured.is_empty() {
        text.push_str("\n| bar | wanted | measured | |\n|---|---:|---:|---|\n");
    }
    for bar in measured {
        let (wanted, verdict) = (wanted(bar.limit), bar.verdict());
        let measured = shown(bar.measured, 2);
        _ = writeln!(text, "| {} | {wanted} | {measured} | {verdict} |", bar.text);
    }
    if !others.is_empty() {
        _ = write!(text, "\nNot measured: {} bars\n", others.len());
    }
    text
}

fn line(results: &Results, row: &Row) -> String {
    let rate = |sample: &Sample| Some(sample.per_second);
    let cpu = |sample: &Sample| Some(sample.cpu);
    let latency = |pick: fn(Latency) -> f64| row.median(|sample| sample.latency.map(pick));
    let cells = [
        row.name.clone(),
        shown(row.median(rate), 0),
        shown(results.ratio(&row.name, REFERENCE, rate), 2),
        shown(row.median(cpu), 1),
        shown(results.ratio(&row.name, REFERENCE, cpu), 2),
        shown(row.median(|sample| sample.generator_cpu), 1),
        shown(latency(|latency| latency.p50), 2),
        shown(latency(|latency| latency.p95), 2),
        shown(latency(|latency| latency.p99), 2),
        shown(latency(|latency| latency.longest), 1),
        shown(row.median(|sample| sample.memory), 1),
        row.failures().to_string(),
    ];
    format!("| {} |\n", cells.join(" | "))
}

fn shown(figure: Option<f64>, decimals: usize) -> String {
    figure.map_or_else(|| "–".to_owned(), |figure| format!("{figure:.decimals$}"))
}

fn wanted(limit: Limit) -> String {
    match limit {
        Limit::AtLeast(figure) => format!("≥ {figure}"),
        Limit::AtMost(figure) => format!("≤ {figure}"),
        Limit::Below(figure) => format!("< {figure}"),
    }
}

/// Everything, every round included.
pub fn json(results: &Results, bars: &[Bar]) -> Result<String> {
    let scenarios: Vec<Value> = results
        .rows
        .iter()
        .map(|row| {
            let rounds: Vec<Value> = row.samples.iter().map(sample_json).collect();
            json!({ "name": row.name, "rounds": rounds })
        })
        .collect();
    let bars: Vec<Value> = bars
        .iter()
        .map(|bar| {
            json!({
                "bar": bar.text,
                "wanted": wanted(bar.limit),
                "measured": bar.measured,
                "verdict": bar.verdict(),
            })
        })
        .collect();
    let starts = results.starts.iter();
    let starts: Vec<Value> = starts
        .map(|(name, took)| json!({ "name": name, "milliseconds": took.as_secs_f64() * 1e3 }))
        .collect();
    let all = json!({ "scenarios": scenarios, "starts": starts, "bars": bars });
    Ok(serde_json::to_string_pretty(&all)? + "\n")
}

fn sample_json(sample: &Sample) -> Value {
    let latency = sample.latency.map(|latency| {
        json!({
            "p50": latency.p50,
            "p95": latency.p95,
            "p99": latency.p99,
            "max": latency.longest,
        })
    });
    json!({
        "per_second": sample.per_second,
        "cpu_microseconds_per_answer": sample.cpu,
        "generator_cpu_microseconds_per_answer": sample.generator_cpu,
        "latency_milliseconds": latency,
        "memory_mebibytes": sample.memory,
        "failures": sample.failures,
        "first_failure": sample.first_failure,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_that_were_not_measured_are_counted() {
        let bar = |text: &str, measured| Bar {
            text: text.into(),
            measured,
            limit: Limit::AtLeast(2.0),
        };
        let bars = [
            bar("kept", Some(2.5)),
            bar("missed", Some(1.0)),
            bar("left", None),
        ];
        assert_eq!(
            verdicts(&bars),
            "\n| bar | wanted | measured | |\n|---|---:|---:|---|\n\
             | kept | ≥ 2 | 2.50 | pass |\n| missed | ≥ 2 | 1.00 | miss |\n\
             \nNot measured: 1 bars\n"
        );
    }
}
