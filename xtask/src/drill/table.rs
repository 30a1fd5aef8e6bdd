//! The table at the end of a drill, as Markdown.
//!
//! Guarantees: every fault has a line, those that were not tried too, with the reason.
//! Must not: call anything held that lost something.

use std::fmt::Write as _;

use super::load::Seen;
use super::proof::Losses;

/// What came of one fault.
pub struct Row {
    name: String,
    outcome: Outcome,
}

enum Outcome {
    /// It was tried
    Tried(Box<Tried>),
    /// It could not be tried here, for this reason
    Skipped(String),
    /// The drill could not be led to its end
    Failed(String),
}

struct Tried {
    per_second: f64,
    refused_seconds: f64,
    refused: u64,
    unanswered: u64,
    losses: Losses,
    remark: String,
}

impl Row {
    /// A fault that was tried, what its clients saw, and what was not found afterwards.
    pub fn tried(name: &str, seen: &Seen, losses: Losses, remark: String) -> Self {
        let tried = Tried {
            per_second: seen.per_second(),
            refused_seconds: seen.refused_seconds(),
            refused: seen.refused,
            unanswered: seen.unanswered,
            losses,
            remark,
        };
        Self {
            name: name.to_owned(),
            outcome: Outcome::Tried(Box::new(tried)),
        }
    }

    /// A fault that cannot be tried on this machine.
    pub fn skipped(name: &str, reason: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            outcome: Outcome::Skipped(reason.into()),
        }
    }

    /// A drill that ended in the middle.
    pub fn failed(name: &str, error: &anyhow::Error) -> Self {
        Self {
            name: name.to_owned(),
            outcome: Outcome::Failed(format!("{error:#}")),
        }
    }

    /// The same of a fault in which no message may come again: whoever sends them has its database and
    /// is not cut off, and the receiver answers. One that did is a loss.
    pub fn told_once(mut self) -> Self {
        if let Outcome::Tried(tried) = &mut self.outcome {
            tried.losses.blame_repetition();
        }
        self
    }

    /// Whether nothing was lost, as far as it was tried.
    pub fn held(&self) -> bool {
        match &self.outcome {
            Outcome::Tried(tried) => tried.losses.is_nothing(),
            Outcome::Skipped(_) => true,
            Outcome::Failed(_) => false,
        }
    }

    /// The fault's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What was lost, one sentence each.
    pub fn complaints(&self) -> Vec<String> {
        match &self.outcome {
            Outcome::Tried(tried) => tried.losses.words.clone(),
            Outcome::Skipped(_) => Vec::new(),
            Outcome::Failed(error) => vec![error.clone()],
        }
    }

    fn line(&self) -> String {
        let name = &self.name;
        match &self.outcome {
            Outcome::Tried(tried) => format!("| {name} | {} |", tried.cells().join(" | ")),
            Outcome::Skipped(reason) => {
                format!("| {name} | – | – | – | – | – | – | – | skipped: {reason} |")
            }
            Outcome::Failed(_) => format!("| {name} | – | – | – | – | – | – | – | FAILED |"),
        }
    }
}

impl Tried {
    fn cells(&self) -> [String; 8] {
        let losses = &self.losses;
        let verdict = match losses.is_nothing() {
            true => "held",
            false => "LOST",
        };
        let mut verdict = format!("{verdict}; {} told again", losses.again);
        if !self.remark.is_empty() {
            _ = write!(verdict, "; {}", self.remark);
        }
        [
            format!("{:.0}", self.per_second),
            format!("{:.1}", self.refused_seconds),
            self.refused.to_string(),
            self.unanswered.to_string(),
            losses.answers.to_string(),
            losses.records.to_string(),
            losses.messages.to_string(),
            verdict,
        ]
    }
}

/// The table; `what` heads its first column.
pub fn markdown(what: &str, rows: &[Row]) -> String {
    let mut text = format!(
        "\n| {what} | load held, requests/s | refused, s | 503s | unanswered | answers lost | \
         records lost | messages lost | verdict |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---|\n"
    );
    for row in rows {
        _ = writeln!(text, "{}", row.line());
    }
    for row in rows {
        for complaint in row.complaints() {
            _ = write!(text, "\n{}: {complaint}\n", row.name);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_loss_is_told() {
        let seen = Seen {
            good: 500,
            lasted: Duration::from_secs(2),
            ..Seen::default()
        };
        let losses = Losses {
            records: 1,
            words: vec!["one record is gone".into()],
            ..Losses::default()
        };
        let row = Row::tried("a flood", &seen, losses, String::new());
        assert!(!row.held());
        let table = markdown("fault", &[row, Row::skipped("a full disk", "not root")]);
        assert!(table.contains("| a flood | 250 | 0.0 | 0 | 0 | 0 | 1 | 0 | LOST; 0 told again |"));
        assert!(table.contains("| a full disk | – | – | – | – | – | – | – | skipped: not root |"));
        assert!(table.contains("\na flood: one record is gone\n"));
    }

    #[test]
    fn what_was_told_again_is_shown_and_lost_only_where_it_may_not_be() {
        let row = || {
            let losses = Losses {
                again: 3,
                ..Losses::default()
            };
            Row::tried("a kill", &Seen::default(), losses, "1 kill".to_owned())
        };
        assert!(row().held());
        let table = markdown("fault", &[row()]);
        assert!(table.contains("| held; 3 told again; 1 kill |"), "{table}");
        let lost = row().told_once();
        assert!(!lost.held());
        assert_eq!(lost.complaints().len(), 1);
    }
}
