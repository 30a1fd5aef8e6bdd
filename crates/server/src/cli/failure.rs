//! How a command fails: one line that says what, one that says what to do, and an exit code.

use std::fmt;
use std::process::ExitCode;

use crate::config::Problems;

/// Why a command did not do what it was asked.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    kind: Kind,
    message: String,
    hint: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Failed,
    Usage,
}

impl Failure {
    /// It could not be done, or a check found something (exit code 1).
    pub fn failed(message: impl Into<String>) -> Self {
        Self {
            kind: Kind::Failed,
            message: message.into(),
            hint: None,
        }
    }

    /// It was asked for wrongly, or configured wrongly (exit code 2).
    pub fn usage(message: impl Into<String>) -> Self {
        Self {
            kind: Kind::Usage,
            ..Self::failed(message)
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What went wrong, without the hint.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The process's exit code: 1 or 2.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Failed => 1,
            Kind::Usage => 2,
        }
    }

    /// Prints it to the standard error output.
    pub fn report(&self) -> ExitCode {
        use std::io::Write;
        // When even that output is closed, the exit code is all that is left to say.
        let _ = writeln!(std::io::stderr(), "{self}");
        ExitCode::from(self.exit_code())
    }

    /// Words of the argument parser, brought into our form.
    pub(super) fn of_arguments(error: &clap::Error) -> Self {
        let text = error.render().to_string();
        let paragraphs: Vec<String> = text
            .split("\n\n")
            .map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        let first = paragraphs.first().map(String::as_str).unwrap_or_default();
        let tip = paragraphs
            .iter()
            .find_map(|text| text.strip_prefix("tip: "));
        let usage = paragraphs
            .iter()
            .find_map(|text| text.strip_prefix("Usage: "));
        let help = || {
            let command = command_in(usage.unwrap_or("bonafide"));
            format!("`{command} --help` shows what there is")
        };
        Self::usage(first.trim_start_matches("error: "))
            .with_hint(tip.map_or_else(help, str::to_owned))
    }
}

/// The command at the beginning of a usage line, before its arguments.
fn command_in(usage: &str) -> String {
    let words = usage.split(' ');
    let command = words.take_while(|word| !word.starts_with(['<', '[', '-']));
    command.collect::<Vec<_>>().join(" ")
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "error: {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(formatter, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::usage(problems.to_string()).with_hint("docs/configuration.md explains every setting")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usage_line_begins_with_its_command() {
        assert_eq!(
            command_in("bonafide keys create [OPTIONS] --name <NAME>"),
            "bonafide keys create"
        );
        assert_eq!(command_in("bonafide [OPTIONS] [COMMAND]"), "bonafide");
    }
}
