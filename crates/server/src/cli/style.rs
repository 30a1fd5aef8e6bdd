//! A little colour for people at a terminal, and none for anything else.

use std::fmt::Display;
use std::io::IsTerminal as _;

/// Whether and how texts are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    colours: bool,
}

impl Style {
    /// That of the standard output: colours on a terminal, unless `NO_COLOR` is set.
    pub fn of_output() -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            colours: std::io::stdout().is_terminal() && !unwanted,
        }
    }

    /// Whether a person watches who sees colours.
    pub fn has_colours(self) -> bool {
        self.colours
    }

    /// For headings.
    pub fn bold(self, text: impl Display) -> String {
        self.paint("1", text)
    }

    /// For what may be overlooked.
    pub fn dim(self, text: impl Display) -> String {
        self.paint("2", text)
    }

    /// For what is well.
    pub fn green(self, text: impl Display) -> String {
        self.paint("32", text)
    }

    /// For what deserves a look.
    pub fn yellow(self, text: impl Display) -> String {
        self.paint("33", text)
    }

    /// For what is wrong.
    pub fn red(self, text: impl Display) -> String {
        self.paint("31", text)
    }

    fn paint(self, code: &str, text: impl Display) -> String {
        if self.colours {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_terminal_gets_the_text_alone() {
        assert_eq!(Style { colours: false }.red("wrong"), "wrong");
        assert_eq!(
            Style { colours: true }.red("wrong"),
            "\u{1b}[31mwrong\u{1b}[0m"
        );
    }
}
