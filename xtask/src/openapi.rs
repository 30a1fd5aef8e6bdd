//! `cargo xtask openapi`: the API's description, generated from the code and checked in.
//!
//! Guarantees: docs/openapi.json is exactly what the program says of itself.
//! Must not: change what the program said.

use anyhow::{Result, ensure};

use crate::workspace::{capture, cargo, root};

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
    let path = root()?.join("docs/openapi.json");
    if options.check {
        let written = std::fs::read(&path).unwrap_or_default();
        ensure!(
            written == generated,
            "docs/openapi.json is not what the code says: run `cargo xtask openapi`"
        );
        return Ok(());
    }
    std::fs::create_dir_all(root()?.join("docs"))?;
    std::fs::write(&path, generated)?;
    eprintln!("wrote docs/openapi.json");
    Ok(())
}
