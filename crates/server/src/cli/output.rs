//! What commands print: JSON for programs, small aligned tables for people.
//!
//! Results go to the standard output and nothing else does. A reader that has seen enough (`| head`)
//! is no error.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use serde::Serialize;

use super::failure::Failure;

/// How this run of the program prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    json: bool,
}

impl Output {
    /// For programs (`--json`) or for people.
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether programs read it.
    pub fn is_json(self) -> bool {
        self.json
    }

    /// Prints `value` as one line of JSON, or the words for people.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn print<T: Serialize>(
        self,
        value: &T,
        words: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        print_line(&self.render(value, words)?)
    }

    fn render<T: Serialize>(
        self,
        value: &T,
        words: impl FnOnce() -> String,
    ) -> Result<String, Failure> {
        if self.json {
            serde_json::to_string(value).map_err(|error| Failure::failed(error.to_string()))
        } else {
            Ok(words())
        }
    }
}

/// Prints one line, or several, to the standard output.
///
/// # Errors
/// The output cannot be written.
pub fn print_line(text: &str) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    match writeln!(output, "{text}").and_then(|()| output.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::failed(format!(
            "the result cannot be printed: {error}"
        ))),
        _ => Ok(()),
    }
}

/// `1 record`, `2 records`, `3 batches`.
pub fn counted(count: u64, noun: &str) -> String {
    let ending = match (count, noun.ends_with("ch")) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{count} {noun}{ending}")
}

/// A table of texts in aligned columns.
#[derive(Clone, Debug)]
pub struct Table<const COLUMNS: usize> {
    heading: [&'static str; COLUMNS],
    rows: Vec<[String; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    /// A table without rows.
    pub fn new(heading: [&'static str; COLUMNS]) -> Self {
        Self {
            heading,
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn add(&mut self, row: [String; COLUMNS]) {
        self.rows.push(row);
    }

    /// The heading and the rows, two spaces between columns and none at the ends of lines.
    pub fn render(&self) -> String {
        let heading = self.heading.map(str::to_owned);
        let lines = || std::iter::once(&heading).chain(&self.rows);
        let mut widths = [0; COLUMNS];
        for line in lines() {
            for (width, cell) in widths.iter_mut().zip(line) {
                *width = cell.chars().count().max(*width);
            }
        }
        let rendered = lines().map(|line| {
            let mut text = String::new();
            for (cell, width) in line.iter().zip(widths) {
                // Writing to a string does not fail.
                let _ = write!(text, "{cell:<width$}  ");
            }
            text.trim_end().to_owned()
        });
        rendered.collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(["ID", "NAME"]);
        table.add(["acme".to_owned(), "Äcme".to_owned()]);
        table.add(["a-long-id".to_owned(), String::new()]);
        assert_eq!(
            table.render(),
            "ID         NAME\nacme       Äcme\na-long-id"
        );
    }

    #[test]
    fn programs_get_json_and_people_words() {
        let value = serde_json::json!({"id": "acme", "webhook_url": null});
        let render = |json| Output::new(json).render(&value, || "acme".to_owned());
        assert_eq!(render(true).unwrap(), r#"{"id":"acme","webhook_url":null}"#);
        assert_eq!(render(false).unwrap(), "acme");
    }
}
