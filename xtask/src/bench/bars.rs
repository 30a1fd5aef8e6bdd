//! The bars: what the server promises beside its baselines, and whether this run kept it.
//!
//! Guarantees: a bar whose scenarios were not measured says so; it is never called passed.
//! Must not: be lowered without the reason in the history.

use super::Pace;
use super::console::Page;
use super::measurement::{Latency, Results, Sample};
use super::scenarios::{
    BULK, Engine, FEW_CUSTOMERS, FEW_RECORDS, Filter, Records, audit_name, console_name,
    erase_name, logged_name, page_name, retire_name, sized_name, statistics_name,
};

/// One promise and what was measured.
pub struct Bar {
    /// The promise in words
    pub text: String,
    /// The figure that decides, if its scenarios were measured
    pub measured: Option<f64>,
    /// What the figure is held against
    pub limit: Limit,
}

/// The side on which a figure has to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// This or more
    AtLeast(f64),
    /// This or less
    AtMost(f64),
    /// Less than this
    Below(f64),
}

impl Bar {
    fn new(text: impl Into<String>, measured: Option<f64>, limit: Limit) -> Self {
        Self {
            text: text.into(),
            measured,
            limit,
        }
    }

    /// `pass`, `miss` or `not measured`.
    pub fn verdict(&self) -> &'static str {
        let kept = self.measured.map(|figure| match self.limit {
            Limit::AtLeast(limit) => figure >= limit,
            Limit::AtMost(limit) => figure <= limit,
            Limit::Below(limit) => figure < limit,
        });
        match kept {
            Some(true) => "pass",
            Some(false) => "miss",
            None => "not measured",
        }
    }
}

/// Every bar, decided by these results.
pub fn all(results: &Results, pace: Pace) -> Vec<Bar> {
    let rate = |sample: &Sample| Some(sample.per_second);
    let rates = |above: &str, below: &str| results.ratio(above, below, rate);
    let mut bars = vec![
        Bar::new(
            "check, PostgreSQL and Redis, 256 connections ÷ `pgbench -S`, 64 clients",
            rates("check postgres 256", "pgbench -S 64"),
            Limit::AtLeast(0.85),
        ),
        Bar::new(
            "check, PostgreSQL and Redis ÷ bare handler, 256 connections",
            rates("check postgres 256", "bare 256"),
            Limit::AtLeast(0.33),
        ),
        Bar::new(
            "check, SQLite ÷ bare handler, 256 connections",
            rates("check sqlite 256", "bare 256"),
            Limit::AtLeast(0.4),
        ),
        Bar::new(
            "update, SQLite ÷ bare handler, 256 connections",
            rates("update sqlite 256", "bare 256"),
            Limit::AtLeast(0.2),
        ),
        Bar::new(
            "update, PostgreSQL, 256 connections ÷ `pgbench -N`, 64 clients",
            rates("update postgres 256", "pgbench -N 64"),
            Limit::AtLeast(1.5),
        ),
    ];
    for engine in [Engine::Sqlite, Engine::Postgres] {
        bars.extend(of_engine(results, engine, pace.most_customers));
    }
    bars.extend(of_ages(results, pace.most_decisions));
    bars.extend(of_numbers(results));
    bars.extend(of_audit(results, pace.most_answers));
    bars.extend(of_past(results, pace.most_records));
    bars.extend(of_console(results, pace));
    bars
}

/// The bars about the console's pages.
fn of_console(results: &Results, pace: Pace) -> Vec<Bar> {
    let p95 = |sample: &Sample| sample.latency.map(|Latency { p95, .. }| p95);
    let of = |engine, page, records| {
        let name = console_name(engine, page, records);
        let row = results.row(&name);
        let measured = row.and_then(|row| row.median(p95));
        Bar::new(format!("{name}: p95, ms"), measured, Limit::Below(50.0))
    };
    let mut bars = Vec::new();
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let (shop, past) = (
            Records::Shop(pace.most_customers),
            Records::Past(pace.most_records),
        );
        bars.extend(Page::ALL.map(|page| of(engine, page, shop)));
        bars.extend(Page::LOGGED.map(|page| of(engine, page, past)));
    }
    bars
}

/// The bars about a long audit log.
fn of_past(results: &Results, most_records: u64) -> Vec<Bar> {
    let latency = |pick: fn(Latency) -> f64| move |sample: &Sample| sample.latency.map(pick);
    let mut bars = Vec::new();
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let (long, short) = (
            logged_name(engine, most_records),
            logged_name(engine, FEW_RECORDS),
        );
        bars.push(Bar::new(
            format!(
                "check, {engine}: p50 beside {most_records} past records ÷ beside {FEW_RECORDS}"
            ),
            results.ratio(&long, &short, latency(|latency| latency.p50)),
            Limit::AtMost(1.2),
        ));
        for filter in Filter::ALL {
            let name = page_name(engine, filter, most_records);
            let row = results.row(&name);
            bars.push(Bar::new(
                format!("{name}: p95, ms"),
                row.and_then(|row| row.median(latency(|latency| latency.p95))),
                Limit::Below(50.0),
            ));
        }
        let (erased, retired) = (
            erase_name(engine, most_records),
            retire_name(engine, most_records),
        );
        for name in [erased, retired] {
            let row = results.row(&name);
            bars.push(Bar::new(
                format!("{name}: longest, ms"),
                row.and_then(|row| row.median(latency(|latency| latency.longest))),
                Limit::Below(1_000.0),
            ));
        }
    }
    bars
}

/// The bars about the audit log.
fn of_audit(results: &Results, most_answers: u64) -> Vec<Bar> {
    let of = |engine| {
        let row = results.row(&audit_name(engine, most_answers));
        let on_one_core = |sample: &Sample| Some(1e6 / sample.cpu);
        Bar::new(
            format!("audit verify, {engine}, {most_answers} records: records/s of one core"),
            row.and_then(|row| row.median(on_one_core)),
            Limit::AtLeast(300_000.0),
        )
    };
    [Engine::Sqlite, Engine::Postgres].map(of).into()
}

/// The bars about numbers and deliveries.
fn of_numbers(results: &Results) -> Vec<Bar> {
    let rate = |sample: &Sample| Some(sample.per_second);
    let p95 = |sample: &Sample| sample.latency.map(|Latency { p95, .. }| p95);
    let mut bars = Vec::new();
    for (engine, least) in [
        (Engine::Sqlite, [0.2, 0.18, 0.4]),
        (Engine::Postgres, [0.1, 0.09, 0.33]),
    ] {
        for (action, least) in ["initiate", "submit", "number status"].iter().zip(least) {
            bars.push(Bar::new(
                format!("{action}, {engine} ÷ bare handler, 256 connections"),
                results.ratio(&format!("{action} {engine} 256"), "bare 256", rate),
                Limit::AtLeast(least),
            ));
            let crowd = results.row(&format!("{action} {engine} 1000"));
            bars.push(Bar::new(
                format!("{action}, {engine}, 1000 connections: p95, ms"),
                crowd.and_then(|row| row.median(p95)),
                Limit::Below(100.0),
            ));
            bars.push(Bar::new(
                format!("{action}, {engine}, 1000 connections: failures"),
                crowd.map(|row| row.failures() as f64),
                Limit::AtMost(0.0),
            ));
        }
        let delivered = results.row(&format!("deliver {engine} 1"));
        bars.push(Bar::new(
            format!("deliveries to a loopback receiver, {engine}: webhooks/s"),
            delivered.and_then(|row| row.median(rate)),
            Limit::AtLeast(2_000.0),
        ));
    }
    bars
}

/// The bars about ages.
fn of_ages(results: &Results, most_decisions: u64) -> Vec<Bar> {
    let rate = |sample: &Sample| Some(sample.per_second);
    let p95 = |sample: &Sample| sample.latency.map(|Latency { p95, .. }| p95);
    let mut bars = Vec::new();
    for (engine, first, again) in [(Engine::Sqlite, 0.2, 0.4), (Engine::Postgres, 0.1, 0.33)] {
        for (action, least) in [
            ("verify age", first),
            ("verify age again", again),
            ("age status", again),
        ] {
            bars.push(Bar::new(
                format!("{action}, {engine} ÷ bare handler, 256 connections"),
                results.ratio(&format!("{action} {engine} 256"), "bare 256", rate),
                Limit::AtLeast(least),
            ));
            let crowd = results.row(&format!("{action} {engine} 1000"));
            bars.push(Bar::new(
                format!("{action}, {engine}, 1000 connections: p95, ms"),
                crowd.and_then(|row| row.median(p95)),
                Limit::Below(100.0),
            ));
            bars.push(Bar::new(
                format!("{action}, {engine}, 1000 connections: failures"),
                crowd.map(|row| row.failures() as f64),
                Limit::AtMost(0.0),
            ));
        }
        let statistics = results.row(&statistics_name(engine, most_decisions));
        bars.push(Bar::new(
            format!("age statistics, {engine}, over {most_decisions} decisions: p95, ms"),
            statistics.and_then(|row| row.median(p95)),
            Limit::Below(20.0),
        ));
    }
    bars.push(Bar::new(
        "verify age, PostgreSQL, 256 connections ÷ `pgbench -N`, 64 clients",
        results.ratio("verify age postgres 256", "pgbench -N 64", rate),
        Limit::AtLeast(1.2),
    ));
    bars
}

/// The bars that hold on each engine.
fn of_engine(results: &Results, engine: Engine, most_customers: u64) -> Vec<Bar> {
    let p95 = |sample: &Sample| sample.latency.map(|Latency { p95, .. }| p95);
    let p50 = |sample: &Sample| sample.latency.map(|Latency { p50, .. }| p50);
    let crowd = results.row(&format!("check {engine} 1000"));
    let bulk = results.row(&format!("bulk {engine} 64"));
    let addresses = |sample: &Sample| Some(sample.per_second * BULK as f64);
    let few = sized_name(engine, FEW_CUSTOMERS);
    let many = sized_name(engine, most_customers);
    let cpu = |sample: &Sample| Some(sample.cpu);
    let slowest_start = results
        .starts
        .iter()
        .map(|(_, took)| took.as_secs_f64() * 1e3);
    let mut bars = vec![
        Bar::new(
            format!("check, {engine}, 1000 connections: failures"),
            crowd.map(|row| row.failures() as f64),
            Limit::AtMost(0.0),
        ),
        Bar::new(
            format!("check, {engine}, 1000 connections: p95, ms"),
            crowd.and_then(|row| row.median(p95)),
            Limit::Below(100.0),
        ),
        Bar::new(
            format!("check, {engine}, 1000 connections: resident memory, MiB"),
            crowd.and_then(|row| row.median(|sample| sample.memory)),
            Limit::Below(96.0),
        ),
        Bar::new(
            format!("check, {engine}: p50 at {most_customers} customers ÷ at {FEW_CUSTOMERS}"),
            results.ratio(&many, &few, p50),
            Limit::AtMost(1.3),
        ),
        Bar::new(
            format!("bulk-check, {engine}, 64 connections: addresses/s"),
            bulk.and_then(|row| row.median(addresses)),
            Limit::AtLeast(150_000.0),
        ),
        Bar::new(
            format!("CPU per audited answer, {engine} ÷ bare handler, 256 connections"),
            results.ratio(&format!("check {engine} 256"), "bare 256", cpu),
            Limit::AtMost(4.0),
        ),
        Bar::new(
            format!("check by phone, {engine}: CPU ÷ of a check by e-mail, 256 connections"),
            results.ratio(
                &format!("check by phone {engine} 256"),
                &format!("check {engine} 256"),
                cpu,
            ),
            Limit::AtMost(1.5),
        ),
    ];
    if engine == Engine::Postgres {
        bars.push(Bar::new(
            "slowest start on an existing database, ms",
            slowest_start.reduce(f64::max),
            Limit::Below(300.0),
        ));
        let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        bars.push(Bar::new(
            "the program as images ship it, MiB",
            results.program_size.map(mebibytes),
            Limit::Below(30.0),
        ));
    }
    bars
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn verdicts() {
        let verdict = |measured, limit| Bar::new("", measured, limit).verdict();
        assert_eq!(verdict(Some(0.9), Limit::AtLeast(0.85)), "pass");
        assert_eq!(verdict(Some(0.8), Limit::AtLeast(0.85)), "miss");
        assert_eq!(verdict(Some(0.0), Limit::AtMost(0.0)), "pass");
        assert_eq!(verdict(Some(100.0), Limit::Below(100.0)), "miss");
        assert_eq!(verdict(None, Limit::Below(100.0)), "not measured");
    }

    #[test]
    fn without_results_no_bar_passes() {
        let pace = Pace {
            warm_up: Duration::ZERO,
            measured: Duration::ZERO,
            rounds: 0,
            most_customers: 1_000_000,
            most_decisions: 10_000_000,
            most_answers: 1_000_000,
            most_records: 10_000_000,
            sessions: 50_000,
        };
        let bars = all(&Results::default(), pace);
        assert!(bars.len() > 10);
        assert!(bars.iter().all(|bar| bar.verdict() == "not measured"));
    }
}
