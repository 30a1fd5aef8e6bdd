//! What led to the answer of a verification.
//!
//! The words are part of the wire contract and are stored and counted under; they must not change.

/// The step at which a verification was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Method {
    /// Every check was made and passed.
    FullVerification,
    /// An earlier verification still held, so nothing was checked.
    Cache,
    /// What was sent cannot be true of anybody.
    InputValidation,
    /// The customer is too young.
    AgeCheck,
    /// The digits of the ID number are not four digits.
    IdValidation,
    /// The attempts were used up, so nothing was checked.
    RateLimit,
}

impl Method {
    /// Every method.
    pub const ALL: [Self; 6] = [
        Self::FullVerification,
        Self::Cache,
        Self::InputValidation,
        Self::AgeCheck,
        Self::IdValidation,
        Self::RateLimit,
    ];

    /// The method's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FullVerification => "full_verification",
            Self::Cache => "cache",
            Self::InputValidation => "input_validation",
            Self::AgeCheck => "age_check",
            Self::IdValidation => "id_validation",
            Self::RateLimit => "rate_limit",
        }
    }

    /// Reads a method's word; `None` for any other.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_means_one_method() {
        let words = [
            "full_verification",
            "cache",
            "input_validation",
            "age_check",
            "id_validation",
            "rate_limit",
        ];
        assert_eq!(Method::ALL.map(Method::as_str), words);
        assert_eq!(words.map(Method::parse), Method::ALL.map(Some));
        for word in ["", "Cache", "cache ", "full-verification"] {
            assert_eq!(Method::parse(word), None, "{word}");
        }
    }
}
