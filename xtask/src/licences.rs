//! Which packages may come in from outside: `deny.toml`, read again by the tests.
//!
//! `cargo deny check` says the same and more (it knows of advisories), where it is installed; this is
//! checked everywhere. Only the tests use it.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::packages::{Packages, tree};
use crate::workspace::root;

#[derive(Deserialize)]
struct Rules {
    licenses: Licences,
    bans: Bans,
}

#[derive(Deserialize)]
struct Licences {
    allow: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
}

fn rules() -> Result<Rules> {
    let text = std::fs::read_to_string(root()?.join("deny.toml"))?;
    toml::from_str(&text).context("deny.toml")
}

/// Whether an SPDX expression (annex D of its specification) can be met with the allowed licences. An
/// exception only gives more than its licence does.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> Result<bool> {
    // Some old manifests write a slash for OR.
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut words = words.as_slice();
    let verdict = alternatives(&mut words, allowed)?;
    ensure!(words.is_empty(), "`{expression}` goes on after its end");
    Ok(verdict)
}

fn alternatives(words: &mut &[&str], allowed: &BTreeSet<String>) -> Result<bool> {
    let mut verdict = all_of(words, allowed)?;
    while take(words, "OR") {
        verdict |= all_of(words, allowed)?;
    }
    Ok(verdict)
}

fn all_of(words: &mut &[&str], allowed: &BTreeSet<String>) -> Result<bool> {
    let mut verdict = one(words, allowed)?;
    while take(words, "AND") {
        verdict &= one(words, allowed)?;
    }
    Ok(verdict)
}

fn one(words: &mut &[&str], allowed: &BTreeSet<String>) -> Result<bool> {
    if take(words, "(") {
        let verdict = alternatives(words, allowed)?;
        ensure!(take(words, ")"), "a bracket is not closed");
        return Ok(verdict);
    }
    let (name, rest) = words.split_first().context("a licence is missing")?;
    *words = rest;
    if take(words, "WITH") {
        let (_, rest) = words.split_first().context("an exception is missing")?;
        *words = rest;
    }
    Ok(allowed.contains(*name))
}

fn take(words: &mut &[&str], word: &str) -> bool {
    match words.split_first() {
        Some((first, rest)) if *first == word => {
            *words = rest;
            true
        }
        _ => false,
    }
}

#[test]
fn expressions_are_read_as_spdx_has_them() {
    let allowed = BTreeSet::from(["MIT".to_owned(), "Apache-2.0".to_owned()]);
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0/MIT", true),
        ("GPL-3.0 AND MIT", false),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("(GPL-3.0 OR MIT) AND Apache-2.0", true),
        ("GPL-3.0 OR MIT AND ISC", false),
    ] {
        assert_eq!(
            is_allowed(expression, &allowed).unwrap(),
            expected,
            "{expression}"
        );
    }
    for wrong in ["", "MIT OR", "(MIT", "MIT Apache-2.0"] {
        assert!(is_allowed(wrong, &allowed).is_err(), "{wrong}");
    }
}

#[test]
fn every_package_is_under_a_licence_that_we_allow() {
    let allowed = rules().unwrap().licenses.allow;
    let packages = Packages::ask().unwrap();
    let mut seen = 0;
    for package in packages.all() {
        let license = package.license.as_deref();
        let license = license.unwrap_or_else(|| panic!("{} names no licence", package.name));
        assert!(
            is_allowed(license, &allowed).unwrap(),
            "{}: {license}",
            package.name
        );
        seen += 1;
    }
    assert!(seen > 200, "{seen} packages");
}

#[test]
fn no_banned_package_has_come_in_and_all_come_from_the_registry() {
    let bans = rules().unwrap().bans.deny;
    assert!(!bans.is_empty());
    let built = tree(&["--workspace"]).unwrap();
    assert!(built.len() > 200, "{} packages", built.len());
    for (name, _) in built {
        assert!(bans.iter().all(|ban| ban.name != name), "{name}");
    }
    for package in Packages::ask().unwrap().all() {
        let source = package.source.as_deref();
        let known = source.is_none_or(|source| source.starts_with("registry+"));
        assert!(known, "{} comes from {source:?}", package.name);
    }
}

#[test]
fn our_own_licence_is_told_and_kept() {
    let text = std::fs::read_to_string(root().unwrap().join("LICENSE")).unwrap();
    assert!(text.contains("Apache License") && text.contains("Version 2.0, January 2004"));
    let packages = Packages::ask().unwrap();
    for own in packages.all().filter(|package| package.source.is_none()) {
        assert_eq!(own.license.as_deref(), Some("Apache-2.0"), "{}", own.name);
    }
}
