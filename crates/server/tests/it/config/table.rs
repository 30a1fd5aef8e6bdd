//! The table of settings, and what is generated from it.

use std::fs;
use std::path::Path;

use bonafide::config::document::{render_env_example, render_markdown};
use bonafide::config::settings::{ALL, Otherwise};
use bonafide::config::{Config, Outside, environment};
use tempfile::TempDir;

use super::{SECRETS, no_file, nothing_stored, owned};

#[test]
fn the_table_is_sound() {
    let mut names: Vec<&str> = ALL.iter().map(|about| about.name).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count, "each name once");
    for about in ALL {
        assert!(about.help_text().ends_with('.'), "{}", about.name);
        assert!(
            !about.secret
                || !matches!(about.otherwise, Otherwise::Default(value) if value.contains('@'))
        );
    }
}

/// Compares a checked-in file with what is generated; `UPDATE_GENERATED=1` writes it anew.
pub fn compare(path: &str, generated: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path);
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, generated).unwrap();
    }
    let stands = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stands == generated,
        "{} is out of date: run `UPDATE_GENERATED=1 cargo test -p bonafide`",
        path.display()
    );
}

#[test]
fn the_documentation_is_up_to_date() {
    compare(".env.example", &render_env_example());
    compare("docs/configuration.md", &render_markdown());
}

#[test]
fn the_example_changes_nothing_and_its_defaults_are_valid() {
    let home = TempDir::new().unwrap();
    let file = home.path().join(".env");
    let example = render_env_example();
    fs::write(&file, &example).unwrap();
    assert!(environment::variables(&file, vec![]).unwrap().is_empty());

    let set: String = example
        .lines()
        .filter_map(|line| line.strip_prefix('#'))
        .filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()))
        .map(|line| match line.split_once('=') {
            Some((name, value)) => format!("{name}=\"{value}\"\n"),
            None => panic!("not a setting: {line}"),
        })
        .collect();
    assert_eq!(set.lines().count(), ALL.len());
    fs::write(&file, set).unwrap();
    let mut variables = environment::variables(&file, vec![]).unwrap();
    variables.extend(owned(&SECRETS));
    let outside = Outside {
        read_file: &no_file,
        stored_secrets: &nothing_stored,
    };
    Config::load(variables, &outside).unwrap();
}
