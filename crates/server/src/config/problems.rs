//! What is wrong with a configuration, all of it at once.
//!
//! A problem never shows the value of a secret.

use std::fmt;

/// One thing to put right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The variable, or the file, in question.
    pub name: String,
    /// Completes the sentence that begins with the name.
    pub text: String,
}

/// Everything that has to be put right before the server can start.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Notes one more.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) {
        self.0.push(Problem {
            name: name.into(),
            text: text.into(),
        });
    }

    /// Whether there is nothing to put right.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.0.len() == 1 {
            "problem"
        } else {
            "problems"
        };
        write!(formatter, "the configuration has {} {noun}", self.0.len())?;
        for Problem { name, text } in &self.0 {
            write!(formatter, "\n  {name} {text}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
