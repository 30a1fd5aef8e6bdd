//! How a person is reached: an e-mail address or a telephone number.
//!
//! A value of these types has been checked and brought to its one canonical form, so that equal
//! means "the same mailbox" or "the same line". Neither `Debug` nor an error ever shows the value.

mod email;
mod phone;

pub use email::Email;
pub use phone::E164;

/// Why a text is neither an e-mail address nor a telephone number.
///
/// The messages may be shown to a caller: they say what is wrong and never repeat the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContactError {
    /// The address has nothing in it but white space.
    #[error("the e-mail address is empty")]
    EmailEmpty,
    /// The address is longer than SMTP can carry (RFC 5321, section 4.5.3.1).
    #[error("the e-mail address is longer than 254 characters")]
    EmailTooLong,
    /// The text lacks the sign between mailbox and domain.
    #[error("the e-mail address has no @")]
    EmailWithoutAt,
    /// What stands before the `@` is not a mailbox name.
    #[error("the part before the @ is not a valid mailbox name")]
    EmailMailbox,
    /// What stands after the `@` is not the name of a host on the internet.
    #[error("the part after the @ is not a valid domain name")]
    EmailDomain,
    /// The number does not say which country it is in.
    #[error("the phone number must be international: + and the country code first")]
    PhoneNotInternational,
    /// The number holds letters, an extension or other signs that cannot be dialled.
    #[error("the phone number may hold only digits, spaces, dots, dashes, slashes and brackets")]
    PhoneCharacters,
    /// The numbering plan knows no such number.
    #[error("this is not a possible phone number")]
    PhoneImpossible,
}
