//! `cargo xtask sbom`: what the program is made of, as CycloneDX 1.5 in JSON.
//!
//! Guarantees: lists exactly the packages that are linked into `bonafide` on Linux, each with version
//! and licence; the same lock file gives the same document.
//! Must not: list what only builds or tests.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::{Value, json};

use crate::packages::{Package, Packages};
use crate::workspace::target;

/// The program.
const PROGRAM: &str = "bonafide";

/// Where to.
#[derive(clap::Args)]
pub struct Options {
    /// The file to write; by default `bonafide.cdx.json` in cargo's target folder
    #[arg(long)]
    output: Option<PathBuf>,
}

/// Writes the document.
pub fn run(options: &Options) -> Result<()> {
    let output = match &options.output {
        Some(output) => output.clone(),
        None => target()?.join("bonafide.cdx.json"),
    };
    let document = document(&Packages::ask()?)?;
    std::fs::write(&output, format!("{document:#}\n"))?;
    eprintln!("wrote {}", output.display());
    Ok(())
}

fn document(packages: &Packages) -> Result<Value> {
    let all = packages.linked_into(PROGRAM)?;
    let program = all.iter().find(|(package, _)| package.name == PROGRAM);
    let program = program.map(|(package, _)| component(package, "application"));
    let others = all.iter().filter(|(package, _)| package.name != PROGRAM);
    let others: Vec<_> = others
        .map(|(package, _)| component(package, "library"))
        .collect();
    let needs = all.iter().map(|(package, needs)| {
        let mut needs: Vec<_> = needs.iter().map(|needed| reference(needed)).collect();
        needs.sort();
        json!({"ref": reference(package), "dependsOn": needs})
    });
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": program},
        "components": others,
        "dependencies": needs.collect::<Vec<_>>(),
    }))
}

fn component(package: &Package, kind: &str) -> Value {
    let mut component = json!({
        "type": kind,
        "bom-ref": reference(package),
        "name": package.name,
        "version": package.version,
    });
    // What is only here has a name in the document, and no address in a registry.
    let is_published = package.source.is_some();
    let fields = [
        ("purl", is_published.then(|| json!(reference(package)))),
        (
            "description",
            package.description.as_ref().map(|text| json!(text.trim())),
        ),
        (
            "licenses",
            package.license.as_ref().map(|license| {
                // Some old manifests write a slash for OR.
                json!([{"expression": license.replace('/', " OR ")}])
            }),
        ),
        (
            "externalReferences",
            package
                .repository
                .as_ref()
                .map(|url| json!([{"type": "vcs", "url": url}])),
        ),
    ];
    if let Some(object) = component.as_object_mut() {
        let told = fields
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        object.extend(told);
    }
    component
}

/// A package URL, which is its name in the document too.
fn reference(package: &Package) -> String {
    format!("pkg:cargo/{}@{}", package.name, package.version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lists_what_runs_and_nothing_else() {
        let document = document(&Packages::ask().unwrap()).unwrap();
        let components = document["components"].as_array().unwrap();
        let names: Vec<_> = components
            .iter()
            .map(|one| one["name"].as_str().unwrap())
            .collect();
        for linked in ["bonafide-domain", "rustls", "rusqlite", "tokio-postgres"] {
            assert!(names.contains(&linked), "{linked} is missing");
        }
        for other in [
            "bonafide",
            "xtask",
            "proptest",
            "insta",
            "cc",
            "ring",
            "serde_derive",
        ] {
            assert!(!names.contains(&other), "{other} is not linked");
        }
        for component in components {
            assert!(
                component["licenses"][0]["expression"].is_string(),
                "{component}"
            );
        }
        assert_eq!(document["metadata"]["component"]["name"], "bonafide");
        let known = |reference: &Value| {
            reference == &document["metadata"]["component"]["bom-ref"]
                || components.iter().any(|one| one["bom-ref"] == *reference)
        };
        for needs in document["dependencies"].as_array().unwrap() {
            assert!(known(&needs["ref"]), "{needs}");
            assert!(
                needs["dependsOn"].as_array().unwrap().iter().all(known),
                "{needs}"
            );
        }
    }
}
