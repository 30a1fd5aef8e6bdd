//! `cargo xtask openapi`: the API's description, generated from the code and checked in.
//!
//! Guarantees: docs/openapi.json is exactly what the program says of itself, and the collection what is
//! made of that.
//! Must not: change what the program said.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::collection;
use crate::workspace::{capture, cargo, root};

/// The description.
const DOCUMENT: &str = "docs/openapi.json";

/// The collection for Postman.
pub const COLLECTION: &str = "docs/postman.json";

/// Write or compare.
#[derive(clap::Args)]
pub struct Options {
    /// Compares with the file instead of writing it
    #[arg(long)]
    check: bool,
}

/// Asks the program for its description, and writes it or compares it.
pub fn run(options: &Options) -> Result<()> {
    let mut command = cargo()?;
    command.args(["run", "--quiet", "--package", "bonafide", "--", "openapi"]);
    let generated = capture(&mut command)?;
    let document: Value = serde_json::from_slice(&generated).context("the description")?;
    let collection = format!("{:#}\n", collection::of(&document)).into_bytes();
    for (path, generated) in [(DOCUMENT, generated), (COLLECTION, collection)] {
        keep(path, &generated, options.check)?;
    }
    Ok(())
}

fn keep(path: &str, generated: &[u8], check: bool) -> Result<()> {
    let file = root()?.join(path);
    if check {
        let written = std::fs::read(&file).unwrap_or_default();
        ensure!(
            written == generated,
            "{path} is not what the code says: run `cargo xtask openapi`"
        );
        return Ok(());
    }
    std::fs::write(&file, generated)?;
    eprintln!("wrote {path}");
    Ok(())
}
