//! The LLVM programs that read the compiler's profiles.
//!
//! Guarantees: of the version that the compiler writes; an older one cannot read its profiles.
//! Must not: be looked for anywhere but in the toolchain and in the system's versioned packages.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::install::{can_install, install};
use crate::workspace::capture;

/// Where to find the two programs.
pub struct Tools {
    /// `llvm-profdata`, which merges profiles
    pub profdata: PathBuf,
    /// `llvm-cov`, which maps counters to lines
    pub cov: PathBuf,
}

impl Tools {
    /// The toolchain's own, or the system's of the same version, installed if need be.
    pub fn find_or_install() -> Result<Self> {
        let version = llvm_version()?;
        if let Some(tools) = Self::find(&version)? {
            return Ok(tools);
        }
        if can_install() {
            install(&[&format!("llvm-{version}")])?;
        }
        Self::find(&version)?.with_context(|| {
            format!(
                "llvm-cov {version} is not installed: run `rustup component add llvm-tools`, or \
                 on Debian `apt-get install llvm-{version}`"
            )
        })
    }

    fn find(version: &str) -> Result<Option<Self>> {
        let toolchain = PathBuf::from(rustc(&["--print", "target-libdir"])?.trim());
        let toolchain = toolchain.parent().map(|folder| folder.join("bin"));
        let system = PathBuf::from(format!("/usr/lib/llvm-{version}/bin"));
        let mut folders = toolchain.into_iter().chain([system]);
        Ok(folders.find_map(|folder| Self::inside(&folder)))
    }

    fn inside(folder: &Path) -> Option<Self> {
        let tools = Self {
            profdata: folder.join("llvm-profdata"),
            cov: folder.join("llvm-cov"),
        };
        (tools.profdata.is_file() && tools.cov.is_file()).then_some(tools)
    }
}

/// The major version of the compiler's LLVM.
fn llvm_version() -> Result<String> {
    let said = rustc(&["--version", "--verbose"])?;
    let version = said
        .lines()
        .find_map(|line| line.strip_prefix("LLVM version: "))
        .and_then(|version| version.split('.').next());
    Ok(version.context("rustc names its LLVM version")?.to_owned())
}

fn rustc(arguments: &[&str]) -> Result<String> {
    let program = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    Ok(String::from_utf8(capture(
        Command::new(program).args(arguments),
    )?)?)
}
