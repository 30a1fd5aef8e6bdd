//! The program `bonafide`: reads its command line, does what it asks, and ends with its exit code.

use std::process::ExitCode;

use bonafide::cli::failure::Failure;
use bonafide::cli::{self, Asked, output};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run() -> Result<(), Failure> {
    let line = match cli::parse(std::env::args_os())? {
        Asked::For(line) => line,
        Asked::Text(text) => return output::print_line(text.trim_end()),
    };
    // One provider for every TLS connection, in and out.
    if rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .is_err()
    {
        return Err(Failure::failed("TLS has been set up twice"));
    }
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("no runtime: {error}")))?
        .block_on(cli::run(*line))
}
