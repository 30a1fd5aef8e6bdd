//! `cargo xtask`: the project's own tasks.
//!
//! Guarantees: a task that fails says why in its last lines and exits non-zero.
//! Must not: be needed to build or run the server.

mod bench;
mod collection;
mod coverage;
mod drill;
mod faults;
mod http;
mod install;
mod instrument;
#[cfg(test)]
mod licences;
mod openapi;
mod packages;
mod pictures;
mod program;
mod readers;
mod sbom;
mod scale;
mod steps;
mod tests;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

// The server's allocator: the bare handler of the bench runs in this program.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The tasks of this project.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct CommandLine {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Proves the project: formatting, lints, and every test on real servers
    Test(tests::Options),
    /// Measures which lines the tests run
    Coverage(coverage::Options),
    /// Writes docs/openapi.json and the collection for Postman from the code, or checks them
    Openapi(openapi::Options),
    /// Takes the pictures of the console that the documentation shows
    Pictures,
    /// Writes what the program is made of, as CycloneDX
    Sbom(sbom::Options),
    /// Has tools of others read the API's description, and try a server by it
    Readers(readers::Options),
    /// Measures the server beside its baselines and prints a table
    Bench(bench::Options),
    /// Mistreats servers under load and prints what each fault cost, and what was lost
    Faults(faults::Options),
    /// Has engines fail over under three instances and prints what each event cost
    Scale(scale::Options),
    /// Serves the bench's bare handler
    #[command(hide = true)]
    BenchBare {
        /// Port on 127.0.0.1
        #[arg(long)]
        port: u16,
    },
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    if instrument::is_asked_for() {
        return instrument::run_compiler();
    }
    match CommandLine::parse().task {
        Task::Test(options) => tests::run(&options),
        Task::Coverage(options) => coverage::run(&options),
        Task::Openapi(options) => openapi::run(&options),
        Task::Pictures => pictures::run(),
        Task::Sbom(options) => sbom::run(&options),
        Task::Readers(options) => readers::run(&options),
        Task::Bench(options) => bench::run(&options),
        Task::Faults(options) => faults::run(&options),
        Task::Scale(options) => scale::run(&options),
        Task::BenchBare { port } => bench::bare::serve(port),
    }
}
