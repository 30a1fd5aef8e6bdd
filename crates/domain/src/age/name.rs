//! A customer's full name.
//!
//! Names come in every script and with every sign, so only one thing is asked of them: that there
//! are at least two words, a given name and a family name. `Debug` never shows the name.

use std::fmt;

use unicode_normalization::char::is_combining_mark;

/// A name of at least two words.
///
/// Words are separated by white space as Unicode defines it. A word has at least one letter of any
/// script; apostrophes and other modifiers, hyphens, full stops, numerals, combining marks and signs
/// that nobody sees may stand in it, but do not make one by themselves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FullName<'a>(&'a str);

impl<'a> FullName<'a> {
    const FEWEST_WORDS: usize = 2;

    /// Takes a name as it was written; `None` when it has fewer than two words.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let words = text.split_whitespace().filter(|word| has_letter(word));
        (words.take(Self::FEWEST_WORDS).count() == Self::FEWEST_WORDS).then_some(Self(text))
    }

    /// The name as it was written.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

fn has_letter(word: &str) -> bool {
    word.chars().any(is_letter)
}

/// Unicode calls more than letters alphabetic: vowel signs, which are marks on a letter, numerals that look
/// like letters, apostrophes that modify one, and the fillers of Hangul, which show nothing.
fn is_letter(sign: char) -> bool {
    let modifies = ('\u{2B0}'..='\u{2FF}').contains(&sign);
    let fills = matches!(sign, '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}');
    let seems = is_combining_mark(sign) || sign.is_numeric() || modifies || fills;
    sign.is_alphabetic() && !seems
}

impl fmt::Debug for FullName<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("FullName(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn takes_two_words_of_any_script() {
        for name in [
            "Ann Lee",
            "  Ann\t Lee \n",
            "J. R. R. Tolkien",
            "X Y",
            "Miles O'Brien",
            "Miles O\u{2019}Brien",
            "Lilinoe Ka\u{2BB}ahumanu",
            "Seán Ó\u{2BC}Neill",
            "Anne-Marie Smith\u{2010}Jones",
            "Sammy Davis, Jr.",
            "Henry Ford 2nd",
            "Jose\u{301} Nu\u{303}ez",
            "José Ñuñez",
            "Nguyễn Thị Minh Khai",
            "Анна Каренина",
            "محمد عَلِيّ",
            "יִצְחָק רבין",
            "कृष्णा शर्मा",
            "நா. முத்துக்குமார்",
            "山田\u{3000}太郎",
            "김 민준",
            "ณัฐ ใจดี",
            "ᏣᎳᎩ ᏎᏉᏯ",
            "Ann\u{A0}Lee",
            "Ann\u{2003}Lee",
            "\u{1E900}\u{1E922} \u{1E901}\u{1E923}",
        ] {
            assert!(FullName::parse(name).is_some(), "{name}");
        }
    }

    #[test]
    fn refuses_fewer_than_two_words() {
        for name in [
            "",
            " ",
            "\u{3000}",
            "Ann",
            " Ann ",
            "Ann-Lee",
            "Ann_Lee",
            "Ann.Lee",
            "Ann\u{200B}Lee",
            "山田太郎",
            "Ann -",
            "Ann '",
            "Ann ’",
            "Ann .",
            "- Lee",
            "Ann 2",
            "Ann ٢",
            "... ---",
            "12 34",
            "Ann \u{301}",
            "क \u{93E}",
            "Ann \u{1F642}",
            "Ann \u{2BC}",
            "Ann \u{2161}",
            "Ann \u{3164}",
            "Ann \u{FFA0}\u{1160}",
        ] {
            assert!(FullName::parse(name).is_none(), "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn letters_around_white_space_are_a_name(
            name in "[[\\p{Lu}\\p{Ll}\\p{Lo}]--[\u{115F}\u{1160}\u{3164}\u{FFA0}]][\\p{Mark}'’ʼ.-]{0,3}\\p{White_Space}{1,3}[.'’-]?[[\\p{Lu}\\p{Ll}\\p{Lo}]--[\u{115F}\u{1160}\u{3164}\u{FFA0}]]\\PC*"
        ) {
            let parsed = FullName::parse(&name).unwrap();
            prop_assert_eq!(parsed.as_str(), &name);
            prop_assert_eq!(format!("{parsed:?}"), "FullName(…)");
        }

        #[test]
        fn signs_without_letters_are_no_name(
            text in "[\\p{Punctuation}\\p{Mark}\\p{Number}\u{2B0}-\u{2FF}\\p{White_Space}]*"
        ) {
            prop_assert_eq!(FullName::parse(&text), None);
            let one_word = format!("{text} Ann {text}");
            prop_assert_eq!(FullName::parse(&one_word), None);
        }

        #[test]
        fn any_text_gets_an_answer_which_more_words_do_not_spoil(text in any::<String>()) {
            let longer = format!("Ann {text} Lee");
            prop_assert!(FullName::parse(&longer).is_some());
            if FullName::parse(&text).is_some() {
                prop_assert!(text.split_whitespace().count() >= 2);
            }
        }
    }
}
