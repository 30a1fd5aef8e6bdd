//! Alert rules and dashboard: tried with Prometheus' own tool, and true to what is counted.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use bonafide::metrics::{ALL, Family};
use serde_json::Value;
use test_support::programs::promtool;

use super::{files, root, text};

const RULES: &str = "deploy/prometheus/alerts.yml";
const TESTS: &str = "deploy/prometheus/alerts_test.yml";
const DASHBOARD: &str = "deploy/grafana/dashboard.json";

/// Words in expressions that look like families and are none of ours.
const SERIES_OF_PROMETHEUS: [&str; 1] = ["up"];

fn run(arguments: &[&str]) {
    let folder = root().join(RULES);
    let mut command = Command::new(promtool().unwrap());
    command
        .args(arguments)
        .current_dir(folder.parent().unwrap());
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&said)
    );
}

#[test]
fn prometheus_understands_the_rules() {
    run(&["check", "rules", "--lint-fatal", "alerts.yml"]);
}

#[test]
fn the_rules_fire_when_they_should_and_only_then() {
    run(&["test", "rules", "alerts_test.yml"]);
}

/// The names of all alerts, in the order of the rules.
fn alerts() -> Vec<String> {
    let rules: Value = serde_saphyr::from_str(&text(RULES)).unwrap();
    let rules = rules["groups"][0]["rules"].as_array().unwrap();
    let names = rules.iter().map(|rule| rule["alert"].as_str().unwrap());
    names.map(str::to_owned).collect()
}

#[test]
fn each_alert_is_tried_both_ways() {
    let tests: Value = serde_saphyr::from_str(&text(TESTS)).unwrap();
    let tests = tests["tests"].as_array().unwrap().iter();
    let cases: Vec<_> = tests.map(|test| &test["alert_rule_test"][0]).collect();
    for alert in alerts() {
        let mut expected = cases
            .iter()
            .filter(|case| case["alertname"] == alert.as_str());
        let fires = |case: &&&Value| {
            case["exp_alerts"]
                .as_array()
                .is_some_and(|all| !all.is_empty())
        };
        assert!(
            expected.clone().any(|case| fires(&case)),
            "{alert} never fires"
        );
        assert!(expected.any(|case| !fires(&case)), "{alert} always fires");
    }
}

#[test]
fn each_alert_says_what_to_do() {
    let page = text("docs/alerts.md");
    let told: Vec<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .collect();
    assert_eq!(told, alerts());
}

/// The expressions of the rules and of the dashboard, with the file of each.
fn expressions() -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let rules: Value = serde_saphyr::from_str(&text(RULES)).unwrap();
    let dashboard: Value = serde_json::from_str(&text(DASHBOARD)).unwrap();
    for (file, document) in [(RULES, &rules), (DASHBOARD, &dashboard)] {
        super::fields(document, &mut |name, value| {
            if name == "expr" {
                found.push((file, value.as_str().unwrap().to_owned()));
            }
        });
    }
    found
}

fn family(series: &str) -> Option<&'static Family> {
    let exact = ALL.into_iter().find(|family| family.name == series);
    exact.or_else(|| {
        let mut endings = ["_bucket", "_sum", "_count"].iter();
        let name = endings.find_map(|ending| series.strip_suffix(ending))?;
        let mut families = ALL.into_iter();
        families.find(|family| family.name == name && family.kind.as_str() == "histogram")
    })
}

/// The series that an expression asks for, each with the labels it asks them by.
fn series(expression: &str) -> Vec<(String, Vec<String>)> {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(start) = rest.find(is_word) {
        let tail = &rest[start..];
        let end = tail.find(|letter| !is_word(letter)).unwrap_or(tail.len());
        let (word, after) = tail.split_at(end);
        rest = after;
        if family(word).is_some() || word.contains("bonafide") || word.starts_with("process_") {
            let labels = after
                .strip_prefix('{')
                .and_then(|inner| inner.split_once('}'));
            let labels = labels.map_or("", |(labels, _)| labels);
            let names = labels
                .split_terminator(',')
                .filter_map(|label| label.split(['=', '!']).next());
            found.push((word.to_owned(), names.map(str::to_owned).collect()));
            rest = after
                .strip_prefix('{')
                .and_then(|inner| inner.split_once('}'))
                .map_or(after, |(_, rest)| rest);
        } else if let Some(inner) = after.strip_prefix('{') {
            assert!(
                SERIES_OF_PROMETHEUS.contains(&word),
                "{word} is counted by nobody"
            );
            rest = inner.split_once('}').unwrap().1;
        }
    }
    found
}

#[test]
fn what_rules_and_dashboard_ask_for_is_counted() {
    let mut asked = BTreeSet::new();
    for (file, expression) in expressions() {
        for (name, labels) in series(&expression) {
            let family = family(&name).unwrap_or_else(|| panic!("{file}: {name} is no metric"));
            for label in labels {
                let known = family.labels.contains(&label.as_str())
                    || ["job", "instance", "le"].contains(&label.as_str());
                assert!(known, "{file}: {name} has no label {label}");
            }
            asked.insert(family.name);
        }
    }
    let forgotten: Vec<_> = ALL
        .into_iter()
        .map(|family| family.name)
        .filter(|name| !asked.contains(name))
        .collect();
    assert_eq!(forgotten, [""; 0], "counted and never looked at");
}

#[test]
fn the_dashboard_names_each_panel_and_asks_one_source() {
    let dashboard: Value = serde_json::from_str(&text(DASHBOARD)).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut identifiers = BTreeSet::new();
    for panel in panels {
        assert!(identifiers.insert(panel["id"].as_u64().unwrap()), "{panel}");
        assert!(
            panel["title"]
                .as_str()
                .is_some_and(|title| !title.is_empty())
        );
        for target in panel["targets"].as_array().into_iter().flatten() {
            assert_eq!(target["datasource"]["uid"], "${source}", "{panel}");
        }
    }
    assert_eq!(dashboard["templating"]["list"][0]["name"], "source");
}

/// Files that nothing here looks at would rot.
#[test]
fn nothing_else_is_shipped() {
    let known = [
        "cloud-run",
        "grafana",
        "kubernetes",
        "prometheus",
        "systemd",
    ];
    let folders: BTreeSet<PathBuf> = files("deploy")
        .iter()
        .map(|path| path.iter().nth(1).map(PathBuf::from).unwrap())
        .collect();
    assert!(
        folders
            .iter()
            .map(PathBuf::as_path)
            .eq(known.iter().map(Path::new))
    );
}
