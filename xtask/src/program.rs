//! The program `bonafide` as tasks measure and mistreat it: built as images ship it, and asked for what
//! an operator asks for.
//!
//! Guarantees: a command that fails is an error with the command's own words.
//! Must not: reach the database by any other way than the program's commands.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use rustix::process::{Resource, getrlimit, setrlimit};
use test_support::Server;

use crate::workspace::{cargo, succeed, target};

/// How the server is built for its images.
pub const PROFILE: &str = "dist";

/// The same as arguments of cargo: the profile, and how the linker is called.
pub const AS_SHIPPED: [&str; 4] = ["--config", "dist.toml", "--profile", PROFILE];

/// The program that was named, or else one that is built now.
pub fn binary(named: Option<&Path>) -> Result<PathBuf> {
    if let Some(binary) = named {
        return Ok(std::path::absolute(binary)?);
    }
    let mut build = cargo()?;
    build.arg("build").args(AS_SHIPPED);
    succeed(build.args(["--package", "bonafide"]))?;
    built()
}

/// Where the program is once it is built.
pub fn built() -> Result<PathBuf> {
    Ok(target()?.join(PROFILE).join("bonafide"))
}

/// Raises our limit of open files as far as we may: a load needs one file per connection. Servers
/// that are started afterwards inherit it.
pub fn allow_many_connections() -> Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).context("cannot raise the limit of open files")
}

/// Runs a command of the program with a server's configuration; what it printed.
pub fn ask(server: &Server, arguments: &[&str]) -> Result<String> {
    let output = server.command(arguments)?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "`bonafide {}`: {said}",
        arguments.join(" ")
    );
    Ok(String::from_utf8(output.stdout)?)
}

/// A new key of a company, with these scopes and, where it is named, a limit of its own.
pub fn create_key(
    server: &Server,
    company: &str,
    scopes: &[&str],
    limit: Option<&str>,
) -> Result<String> {
    let mut words = vec!["keys", "create", "--company", company, "--name", "task"];
    words.extend(scopes.iter().flat_map(|scope| ["--scope", *scope]));
    words.extend(limit.iter().flat_map(|limit| ["--limit", *limit]));
    Ok(ask(server, &words)?.trim().to_owned())
}

/// Has a company's webhooks sent to this address, from now on or again.
pub fn name_webhook(server: &Server, company: &str, url: &str) -> Result<()> {
    ask(
        server,
        &["companies", "update", company, "--webhook-url", url],
    )
    .map(drop)
}
