//! The packages that the workspace is made of, as `cargo metadata` tells them.
//!
//! Guarantees: what is locked is what is told; nothing is updated.
//! Must not: judge them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::workspace::{capture, cargo};

/// The system that images are built for; what only others need is left out.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// A package.
#[derive(Debug, Clone, Deserialize)]
pub struct Package {
    id: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its licence, as an expression of SPDX.
    pub license: Option<String>,
    /// Where it comes from; none of our own do.
    pub source: Option<String>,
    /// What it is, in a line.
    pub description: Option<String>,
    /// Where its source is kept.
    pub repository: Option<String>,
}

/// All packages, and what needs what.
pub struct Packages {
    by_id: BTreeMap<String, Package>,
    needs: BTreeMap<String, Vec<Need>>,
}

struct Need {
    id: String,
    /// At run time, and not only to build or to test.
    runs: bool,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    /// `dev`, `build`, or nothing for what runs.
    kind: Option<String>,
}

impl Package {
    fn name_and_version(&self) -> (String, String) {
        (self.name.clone(), self.version.clone())
    }
}

/// Names and versions of what is built with the features that are on: `cargo metadata` tells of what
/// features could bring in as well. What only runs in the compiler is left out.
///
/// # Errors
/// When cargo cannot tell.
pub fn tree(arguments: &[&str]) -> Result<BTreeSet<(String, String)>> {
    let mut command = cargo()?;
    command.args(["tree", "--locked", "--prefix", "none", "--target", PLATFORM]);
    let told = capture(command.args(arguments))?;
    let lines = String::from_utf8(told).context("cargo tree")?;
    let lines = lines.lines().filter(|line| !line.contains("(proc-macro)"));
    let named = lines.filter_map(|line| {
        let (name, rest) = line.split_once(" v")?;
        let version = rest.split(' ').next()?;
        Some((name.to_owned(), version.to_owned()))
    });
    Ok(named.collect())
}

impl Packages {
    /// Asks cargo.
    ///
    /// # Errors
    /// When cargo cannot tell.
    pub fn ask() -> Result<Self> {
        let mut command = cargo()?;
        command.args(["metadata", "--format-version=1", "--locked"]);
        command.args(["--filter-platform", PLATFORM]);
        let told = capture(&mut command)?;
        let metadata: Metadata = serde_json::from_slice(&told).context("cargo metadata")?;
        let by_id = metadata.packages.into_iter();
        let by_id = by_id.map(|package| (package.id.clone(), package)).collect();
        let need = |dependency: Dependency| Need {
            runs: dependency.dep_kinds.iter().any(|kind| kind.kind.is_none()),
            id: dependency.pkg,
        };
        let nodes = metadata.resolve.nodes.into_iter();
        let needs = nodes.map(|node| (node.id, node.deps.into_iter().map(need).collect()));
        Ok(Self {
            by_id,
            needs: needs.collect(),
        })
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Package> {
        self.by_id.values()
    }

    /// The packages that are linked into a program, in the order of names, each with what it needs itself.
    ///
    /// # Errors
    /// When cargo cannot tell.
    pub fn linked_into(&self, program: &str) -> Result<Vec<(&Package, Vec<&Package>)>> {
        let linked = tree(&["--package", program, "--edges", "normal"])?;
        let is_linked = |package: &&Package| linked.contains(&package.name_and_version());
        let mut packages: Vec<_> = self.all().filter(is_linked).collect();
        packages.sort_by_key(|package| package.name_and_version());
        let with_needs = packages.into_iter().map(|package| {
            let needs = self.needs_of(package).into_iter().filter(is_linked);
            (package, needs.collect())
        });
        Ok(with_needs.collect())
    }

    fn needs_of(&self, package: &Package) -> Vec<&Package> {
        let needs = self.needs.get(&package.id).into_iter().flatten();
        let needs = needs.filter(|need| need.runs);
        needs.filter_map(|need| self.by_id.get(&need.id)).collect()
    }
}
