//! The membership agreement that customers sign.
//!
//! A text and the version that names it: the SHA-256 of its bytes, so that nobody has to count
//! versions, and a signature under a version is one under that text.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;

/// The longest text, in bytes.
pub const LONGEST: usize = 256 * 1024;

/// An agreement's text.
#[derive(Clone, PartialEq, Eq)]
pub struct Agreement {
    text: String,
    version: String,
}

/// Why a text is no agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgreementError {
    /// There is nothing to sign.
    #[error("it is empty")]
    Empty,
    /// Nobody would read it.
    #[error("it is longer than {LONGEST} bytes")]
    TooLong,
}

impl Agreement {
    /// An agreement of this text. How an editor ends lines, and what it leaves at the end, makes no
    /// other version.
    ///
    /// # Errors
    /// [`AgreementError`] says what is wrong.
    pub fn new(text: &str) -> Result<Self, AgreementError> {
        let text = text.replace("\r\n", "\n");
        let text = text.trim_matches(['\n', ' ', '\u{feff}']).to_owned();
        if text.is_empty() {
            return Err(AgreementError::Empty);
        }
        if text.len() > LONGEST {
            return Err(AgreementError::TooLong);
        }
        let version = HEXLOWER.encode(digest(&SHA256, text.as_bytes()).as_ref());
        Ok(Self { text, version })
    }

    /// The text, with lines ended by line feeds.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its name: 64 hexadecimal digits.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }
}

/// Shows the version alone.
impl fmt::Debug for Agreement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Agreement({})", self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_has_a_version_of_its_own() {
        let one = Agreement::new("I am 21.").unwrap();
        // As `printf 'I am 21.' | sha256sum` says.
        let digest = digest(&SHA256, b"I am 21.");
        assert_eq!(one.version(), HEXLOWER.encode(digest.as_ref()));
        assert_eq!(one.version().len(), 64);
        let other = Agreement::new("I am 22.").unwrap();
        assert_ne!(one.version(), other.version());
    }

    #[test]
    fn how_lines_end_makes_no_other_version() {
        let one = Agreement::new("First.\nSecond.").unwrap();
        let other = Agreement::new("\u{feff}First.\r\nSecond.\r\n").unwrap();
        assert_eq!(one, other);
        assert_eq!(other.text(), "First.\nSecond.");
    }

    #[test]
    fn there_must_be_something_that_can_be_read() {
        assert_eq!(Agreement::new(" \r\n"), Err(AgreementError::Empty));
        let long = "a".repeat(LONGEST + 1);
        assert_eq!(Agreement::new(&long), Err(AgreementError::TooLong));
        assert!(Agreement::new(&long[1..]).is_ok());
    }
}
