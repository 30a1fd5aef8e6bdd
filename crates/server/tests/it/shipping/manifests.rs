//! Images and manifests: every setting they name exists, every command is one, ports and paths agree.

use std::path::PathBuf;

use bonafide::cli;
use bonafide::config::settings::{ALL, Otherwise, PORT};
use serde_json::Value;

use super::{fields, files, text};
use crate::openapi::DOCUMENT;

/// What is meant for the programs beside ours.
const OTHERS: [&str; 4] = [
    "POSTGRES_DB",
    "POSTGRES_PASSWORD",
    "POSTGRES_PASSWORD_FILE",
    "POSTGRES_USER",
];

/// Where the manifests put the metrics.
const METRICS_PORT: &str = "9090";

/// Every file that says how the program is run.
fn manifests() -> Vec<PathBuf> {
    let own = ["Dockerfile", "docker-compose.yml", "heroku.yml", "app.json"];
    let mut paths: Vec<PathBuf> = own.iter().map(PathBuf::from).collect();
    for folder in ["cloud-run", "kubernetes", "systemd"] {
        paths.extend(files(&format!("deploy/{folder}")));
    }
    assert!(paths.len() >= 12, "{paths:?}");
    paths
}

/// The manifests that are structured, read.
fn documents() -> Vec<(PathBuf, Value)> {
    // JSON is YAML.
    let yaml = |path: &PathBuf| {
        let ending = path.extension().unwrap_or_default();
        ["json", "yaml", "yml"].iter().any(|one| ending == *one)
    };
    let read = |path: PathBuf| {
        let value = serde_saphyr::from_str(&text(&path));
        let value = value.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path, value)
    };
    manifests().into_iter().filter(yaml).map(read).collect()
}

/// The fields of this name.
fn named<'v>(value: &'v Value, wanted: &str) -> Vec<&'v Value> {
    let mut found = Vec::new();
    fields(value, &mut |name, value| {
        if name == wanted {
            found.push(value);
        }
    });
    found
}

/// The variables that the manifests give values to, or ask for.
fn variables() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for (path, document) in documents() {
        for group in ["env", "environment", "config", "stringData"] {
            for variables in named(&document, group) {
                let names: Vec<&str> = match variables {
                    Value::Array(list) => {
                        list.iter().filter_map(|one| one["name"].as_str()).collect()
                    }
                    Value::Object(object) => object.keys().map(String::as_str).collect(),
                    other => panic!("{}: {other}", path.display()),
                };
                found.extend(
                    names
                        .into_iter()
                        .map(|name| (path.clone(), name.to_owned())),
                );
            }
        }
    }
    let lines = |path: &str, prefix: &str, found: &mut Vec<(PathBuf, String)>| {
        let text = text(path);
        let assigned = text
            .lines()
            .filter_map(|line| line.strip_prefix(prefix)?.split_once('='));
        found.extend(assigned.map(|(name, _)| (path.into(), name.to_owned())));
    };
    lines("Dockerfile", "ENV ", &mut found);
    lines(
        "deploy/systemd/bonafide.service",
        "Environment=",
        &mut found,
    );
    found
}

fn is_setting(name: &str) -> bool {
    ALL.iter().any(|about| {
        let rest = name.strip_prefix(about.name);
        rest.is_some_and(|rest| ["", "_FILE"].contains(&rest))
    })
}

#[test]
fn every_variable_is_a_setting() {
    let variables = variables();
    for (path, name) in &variables {
        let known = is_setting(name) || OTHERS.contains(&name.as_str());
        assert!(known, "{}: {name}", path.display());
    }
    assert!(variables.len() > 30, "{variables:?}");
}

/// A value and a file with it are a mistake together, so that the image may not set what its users give
/// as a file.
#[test]
fn no_variable_is_given_twice() {
    let variables = variables();
    let of_image = variables
        .iter()
        .filter(|(path, _)| path.ends_with("Dockerfile"));
    for (_, name) in of_image {
        let file = format!("{name}_FILE");
        let other = variables.iter().find(|(_, other)| *other == file);
        assert!(other.is_none(), "{other:?} and {name}");
    }
}

#[test]
fn every_variable_in_the_instructions_is_a_setting() {
    let is_variable = |word: &&str| {
        let is_upper = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
        word.trim_matches('_').contains('_') && word.bytes().all(is_upper)
    };
    let mut seen = 0;
    for page in files("docs/deploy") {
        let page_text = text(&page);
        let words =
            page_text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        for word in words.filter(is_variable) {
            let known = is_setting(word) || OTHERS.contains(&word);
            assert!(known, "{}: {word}", page.display());
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen} variables");
}

#[test]
fn secrets_of_postgres_installations_are_asked_for_everywhere() {
    let required = ALL
        .iter()
        .filter(|about| about.otherwise == Otherwise::Generated);
    let required: Vec<_> = required.filter(|about| about.secret).collect();
    for path in [
        "docker-compose.yml",
        "app.json",
        "deploy/cloud-run/service.yaml",
        "deploy/kubernetes/secret.example.yaml",
    ] {
        for about in required
            .iter()
            .filter(|about| !about.name.contains("PREVIOUS"))
        {
            assert!(text(path).contains(about.name), "{path}: {}", about.name);
        }
    }
}

/// The arguments of every call of the program in a manifest.
fn calls() -> Vec<(PathBuf, Vec<String>)> {
    let mut calls = Vec::new();
    let split = |words: &str| words.split_whitespace().map(str::to_owned).collect();
    for (path, document) in documents() {
        // As one line, of Heroku; as lists, of containers.
        fields(&document, &mut |_, value| {
            let lines = std::iter::once(value).chain(value.as_array().into_iter().flatten());
            let lines = lines.filter_map(Value::as_str);
            let lines = lines.filter(|line| line.starts_with("bonafide "));
            calls.extend(lines.map(|line| (path.clone(), split(line))));
        });
        for container in named(&document, "containers") {
            for container in container.as_array().unwrap() {
                let words = [&container["command"], &container["args"]];
                let words = words
                    .iter()
                    .flat_map(|words| words.as_array().into_iter().flatten());
                let words: Vec<_> = words
                    .map(|word| word.as_str().unwrap().to_owned())
                    .collect();
                if !words.is_empty() {
                    calls.push((path.clone(), words));
                }
            }
        }
    }
    for line in text("Dockerfile").lines() {
        if let Some((_, list)) = line.split_once("CMD ") {
            calls.push(("Dockerfile".into(), serde_json::from_str(list).unwrap()));
        }
    }
    for line in text("deploy/systemd/bonafide.service").lines() {
        if let Some(words) = line.strip_prefix("ExecStart=/usr/local/bin/") {
            calls.push(("bonafide.service".into(), split(words)));
        }
    }
    calls
}

#[test]
fn every_call_of_the_program_is_understood() {
    let calls = calls();
    assert!(calls.len() >= 7, "{calls:?}");
    for (path, words) in calls {
        let read = cli::parse(&words);
        assert!(
            matches!(read, Ok(cli::Asked::For(_))),
            "{}: {words:?}",
            path.display()
        );
    }
}

#[test]
fn every_port_is_the_servers() {
    let Otherwise::Default(port) = PORT.about.otherwise else {
        panic!("no default port");
    };
    assert!(text("Dockerfile").contains(&format!("\nEXPOSE {port}\n")));
    let mut seen = 0;
    for (path, document) in documents() {
        for named in named(&document, "containerPort") {
            let number = named.to_string();
            let known = number == port || number == METRICS_PORT;
            assert!(known, "{}: {number}", path.display());
            seen += 1;
        }
        for bind in named(&document, "METRICS_BIND") {
            let bind = bind.as_str().unwrap();
            assert!(bind.ends_with(&format!(":{METRICS_PORT}")), "{bind}");
        }
        for published in named(&document, "ports") {
            for mapping in published
                .as_array()
                .unwrap()
                .iter()
                .filter_map(Value::as_str)
            {
                assert!(mapping.ends_with(&format!(":{port}")), "{mapping}");
            }
        }
    }
    assert_eq!(seen, 3);
}

#[test]
fn every_probe_asks_for_a_path_that_there_is() {
    let mut seen = 0;
    for (path, document) in documents() {
        for probe in named(&document, "httpGet") {
            let asked = probe["path"].as_str().unwrap();
            assert!(
                DOCUMENT["paths"][asked]["get"].is_object(),
                "{}: {asked}",
                path.display()
            );
            seen += 1;
        }
    }
    assert_eq!(seen, 5);
}

#[test]
fn nothing_runs_as_root() {
    let image = text("Dockerfile");
    let user = image
        .lines()
        .find_map(|line| line.strip_prefix("USER "))
        .unwrap();
    assert_eq!(user, "65532:65532");
    for (path, document) in documents() {
        for user in named(&document, "runAsUser") {
            assert_eq!(user, 65532, "{}", path.display());
        }
    }
    assert!(text("deploy/systemd/bonafide.service").contains("\nDynamicUser=yes\n"));
}

#[test]
fn stopping_leaves_time_for_what_is_under_way() {
    let seconds = |text: &str| -> u64 { text.trim_end_matches('s').parse().unwrap() };
    let Otherwise::Default(shutdown) = bonafide::config::settings::SHUTDOWN_TIMEOUT.about.otherwise
    else {
        panic!("no default");
    };
    let shutdown = seconds(shutdown);
    let document = |wanted: &str| {
        let mut all = documents().into_iter();
        all.find(|(path, _)| path.ends_with(wanted)).unwrap().1
    };
    let compose = document("docker-compose.yml");
    let grace = compose["services"]["bonafide"]["stop_grace_period"].as_str();
    assert!(seconds(grace.unwrap()) > shutdown);
    let pod = &document("deployment.yaml")["spec"]["template"]["spec"];
    let before = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64();
    let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
    assert!(grace > shutdown + before.unwrap());
    let unit = text("deploy/systemd/bonafide.service");
    let stop = unit
        .lines()
        .find_map(|line| line.strip_prefix("TimeoutStopSec="));
    assert!(seconds(stop.unwrap()) > shutdown);
}
