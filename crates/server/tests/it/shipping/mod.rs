//! What is shipped beside the program (images, manifests, rules, pages) speaks of the program as it is.

mod alerts;
mod examples;
mod logs;
mod manifests;
mod pages;

use std::path::{Path, PathBuf};

use serde_json::Value;

/// The repository.
pub fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).unwrap()
}

/// The text of a file of the repository.
pub fn text(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All files below a folder of the repository, by their path in it.
pub fn files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// Calls `look` with every field of every object.
pub fn fields<'v>(value: &'v Value, look: &mut impl FnMut(&'v str, &'v Value)) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                look(name, value);
                fields(value, look);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| fields(item, look)),
        _ => {}
    }
}
