//! What one check found, and what to do about it.

use serde::Serialize;

use crate::cli::style::Style;

/// How it is.
#[derive(Serialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and could be better.
    Warning,
    /// It has to be put right.
    Wrong,
}

/// What one check found.
#[derive(Serialize, Clone, Debug)]
pub struct Check {
    /// What was looked at.
    pub check: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// What was found.
    pub finding: String,
    /// What to do about it.
    pub cure: Option<String>,
}

impl Check {
    /// Something as it should be.
    pub fn fine(check: &'static str, finding: impl Into<String>) -> Self {
        Self {
            check,
            verdict: Verdict::Ok,
            finding: finding.into(),
            cure: None,
        }
    }

    /// Something that could be better.
    pub fn warning(
        check: &'static str,
        finding: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        Self {
            verdict: Verdict::Warning,
            cure: Some(cure.into()),
            ..Self::fine(check, finding)
        }
    }

    /// Something to put right.
    pub fn wrong(check: &'static str, finding: impl Into<String>, cure: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Wrong,
            ..Self::warning(check, finding, cure)
        }
    }

    /// One line, and one with the cure: a sign in colour at a terminal, a word elsewhere.
    pub fn in_words(&self, style: Style) -> String {
        let sign = match (self.verdict, style.has_colours()) {
            (Verdict::Ok, true) => style.green("✓"),
            (Verdict::Warning, true) => style.yellow("!"),
            (Verdict::Wrong, true) => style.red("✗"),
            (Verdict::Ok, false) => "ok     ".to_owned(),
            (Verdict::Warning, false) => "warning".to_owned(),
            (Verdict::Wrong, false) => "wrong  ".to_owned(),
        };
        let line = format!("{sign}  {:<15} {}", self.check, self.finding);
        match &self.cure {
            None => line,
            Some(cure) => {
                let indent = " ".repeat(if style.has_colours() { 19 } else { 25 });
                format!("{line}\n{indent}{}", style.bold(format!("→ {cure}")))
            }
        }
    }
}
