//! Who sends hooks.

/// A sender of hooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// Lightspeed eCom (E-Series), which is Ecwid.
    Lightspeed,
    /// Square.
    Square,
    /// Veriff.
    Veriff,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Lightspeed, Self::Square, Self::Veriff];

    /// As it is stored, shown and part of the path; the words never change.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lightspeed => "lightspeed",
            Self::Square => "square",
            Self::Veriff => "veriff",
        }
    }

    /// Reads what [`Source::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::Source;

    #[test]
    fn every_source_finds_its_way_back() {
        for source in Source::ALL {
            assert_eq!(Source::parse(source.as_str()), Some(source));
        }
        assert_eq!(Source::parse("Lightspeed"), None);
    }
}
