//! The program `bonafide`: reads its command line, does what it asks, and ends with its exit code.

use std::process::ExitCode;

use bonafide::cli::failure::Failure;
use bonafide::cli::{self, Asked, Command, output};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
    match line.into_command() {
        Command::Completions { shell } => output::print_line(&cli::completions(shell)),
        _ => Err(Failure::usage("this build has no such command")
            .with_hint("`bonafide completions SHELL` is what it can do")),
    }
}
