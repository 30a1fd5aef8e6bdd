//! The steps of a task: run all of them, say how long each took, fail if any did.
//!
//! Guarantees: a failed step does not hide the outcome of the others.
//! Must not: run a step in parallel with another; their output would mix.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// What was done so far.
#[derive(Default)]
pub struct Steps {
    done: Vec<Step>,
}

struct Step {
    name: &'static str,
    took: Duration,
    failure: Option<String>,
}

impl Steps {
    /// Runs one step; gives back its value unless it failed.
    pub fn run<T>(&mut self, name: &'static str, step: impl FnOnce() -> Result<T>) -> Option<T> {
        eprintln!("\n── {name}");
        let begin = Instant::now();
        let outcome = step();
        let failure = outcome.as_ref().err().map(|error| format!("{error:#}"));
        if let Some(failure) = &failure {
            eprintln!("error: {failure}");
        }
        self.done.push(Step {
            name,
            took: begin.elapsed(),
            failure,
        });
        outcome.ok()
    }

    /// Prints every step with its duration; an error if one failed.
    pub fn finish(self) -> Result<()> {
        eprintln!();
        for step in &self.done {
            eprintln!("{}", step.line());
        }
        let failed = self.done.iter().filter(|step| step.failure.is_some());
        let names: Vec<_> = failed.map(|step| step.name).collect();
        if !names.is_empty() {
            bail!("failed: {}", names.join(", "));
        }
        Ok(())
    }
}

impl Step {
    fn line(&self) -> String {
        let mark = if self.failure.is_some() {
            "FAILED"
        } else {
            "ok"
        };
        let seconds = self.took.as_secs_f64();
        format!("{mark:>8} {seconds:7.1} s  {}", self.name)
    }
}
