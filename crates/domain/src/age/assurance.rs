//! How much a piece of evidence is worth.
//!
//! The words are stored with every verification and must not change.

/// Who vouches for what a verification says, from the weakest to the strongest.
///
/// A typed birth date is **not** an ID check. Somebody who types another one is believed, so
/// [`Assurance::SelfDeclared`] must never be presented as proof of who or how old a person is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Assurance {
    /// The customer's own word: nobody looked at a document.
    SelfDeclared,
    /// Read from the customer's document, which nobody but this server looked at.
    Document,
    /// An identity provider looked at document and person, and decided.
    Provider,
}

impl Assurance {
    /// Every level, from the weakest to the strongest.
    pub const ALL: [Self; 3] = [Self::SelfDeclared, Self::Document, Self::Provider];

    /// The level's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SelfDeclared => "self_declared",
            Self::Document => "document",
            Self::Provider => "provider",
        }
    }

    /// Reads a level's word; `None` for any other.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_means_one_level_and_they_rise() {
        let words = ["self_declared", "document", "provider"];
        assert_eq!(Assurance::ALL.map(Assurance::as_str), words);
        assert_eq!(words.map(Assurance::parse), Assurance::ALL.map(Some));
        assert!(Assurance::ALL.is_sorted());
        for word in ["", "Provider", " document", "none"] {
            assert_eq!(Assurance::parse(word), None, "{word}");
        }
    }
}
