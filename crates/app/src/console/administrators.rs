//! Who may sign in to the console by an identity provider: whom the operator lists, and nobody else.
//!
//! The provider says who somebody is; that they are an administrator is never taken from it. An
//! address counts only if the provider has verified it, and only as it is written: of two that a mail
//! server might deliver to one mailbox, each is somebody else here.

use domain::access::CompanyId;
use domain::contact::Email;

use crate::credentials::Claims;

/// The sign that addresses have and what else names somebody has not.
const AT: char = '@';

/// The longest name that a provider may give somebody (OpenID Connect Core §2).
const LONGEST: usize = 255;

/// Somebody whom the provider names, after its word was checked.
pub struct Person {
    /// `iss`: who says so.
    pub issuer: String,
    /// `sub`: what the provider calls them, and nobody else, ever.
    pub subject: String,
    /// Their e-mail address, if the provider has verified it.
    pub email: Option<String>,
}

impl std::fmt::Debug for Person {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Person(…)")
    }
}

/// Why a list of administrators is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unlisted {
    /// Nobody is on it.
    #[error("lists nobody")]
    Nobody,
    /// What looks like an address is none.
    #[error("lists something with an @ that is no e-mail address")]
    NoAddress,
    /// What a provider would never call anybody.
    #[error("lists something longer than {LONGEST} characters")]
    TooLong,
}

/// The administrators among those whom a provider knows.
#[derive(Clone)]
pub struct Administrators {
    issuer: String,
    company: CompanyId,
    listed: Vec<String>,
}

impl Administrators {
    /// Those who are `listed`, by address or by what the provider calls them; they look after
    /// `company`.
    ///
    /// # Errors
    /// When the list says nothing that can be meant.
    pub fn new(issuer: &str, company: CompanyId, listed: &[String]) -> Result<Self, Unlisted> {
        if listed.is_empty() {
            return Err(Unlisted::Nobody);
        }
        for one in listed {
            if one.chars().count() > LONGEST {
                return Err(Unlisted::TooLong);
            }
            if one.contains(AT) && Email::parse(one).is_err() {
                return Err(Unlisted::NoAddress);
            }
        }
        Ok(Self {
            issuer: issuer.to_owned(),
            company,
            listed: listed.to_vec(),
        })
    }

    /// What somebody may do who was named by the provider: all that an administrator may, under the
    /// name that they are listed by; `None` if they are not.
    pub(super) fn claims_of(&self, person: &Person) -> Option<Claims> {
        let name = self
            .listed
            .iter()
            .find(|listed| self.means(listed, person))?;
        Some(Claims {
            subject: name.clone(),
            company: Some(self.company.as_str().to_owned()),
            scope: None,
            role: Some("admin".to_owned()),
            key: None,
        })
    }

    fn means(&self, listed: &str, person: &Person) -> bool {
        if person.issuer != self.issuer {
            return false;
        }
        match (listed.contains(AT), &person.email) {
            // Letters beyond ASCII that become equal in lower case are other mailboxes all the same.
            (true, Some(email)) => listed.eq_ignore_ascii_case(email),
            (true, None) => false,
            // What a provider calls somebody could be chosen to look like another's address.
            (false, _) => listed == person.subject,
        }
    }

    /// Whether somebody who signed in under that name is listed still.
    pub(super) fn has(&self, issuer: &str, name: &str) -> bool {
        self.issuer == issuer && self.listed.iter().any(|listed| listed == name)
    }
}

impl std::fmt::Debug for Administrators {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Administrators({})", self.listed.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://id.example.com";

    fn listing(listed: &[&str]) -> Result<Administrators, Unlisted> {
        let listed: Vec<String> = listed.iter().map(|one| (*one).to_owned()).collect();
        Administrators::new(ISSUER, CompanyId::default(), &listed)
    }

    fn person(subject: &str, email: Option<&str>) -> Person {
        Person {
            issuer: ISSUER.to_owned(),
            subject: subject.to_owned(),
            email: email.map(str::to_owned),
        }
    }

    fn name(subject: &str, email: Option<&str>) -> Option<String> {
        let administrators = listing(&["Maria@example.com", "248289761001", "mark@example.com"]);
        let claims = administrators.unwrap().claims_of(&person(subject, email));
        claims.map(|claims| claims.subject)
    }

    #[test]
    fn whoever_is_listed_gets_the_name_they_are_listed_by() {
        let maria = Some("Maria@example.com".to_owned());
        assert_eq!(name("1", Some("maria@Example.com")), maria);
        assert_eq!(name("248289761001", None), Some("248289761001".to_owned()));
        assert_eq!(
            name("248289761001", Some("eve@example.com")).unwrap(),
            "248289761001"
        );
    }

    #[test]
    fn nobody_else_is_let_in() {
        assert_eq!(name("1", None), None);
        assert_eq!(name("1", Some("eve@example.com")), None);
        assert_eq!(name("1", Some("248289761001")), None);
        // A subject that looks like an address is none.
        assert_eq!(name("maria@example.com", None), None);
        // The sign of the unit kelvin, which is a k in lower case.
        assert_eq!(name("1", Some("mar\u{212a}@example.com")), None);
        assert_eq!(name("1", Some("maria@example.com ")), None);
        let mut other = person("248289761001", Some("maria@example.com"));
        other.issuer = "https://evil.example".to_owned();
        let administrators = listing(&["maria@example.com", "248289761001"]).unwrap();
        assert!(administrators.claims_of(&other).is_none());
    }

    #[test]
    fn a_name_is_good_as_long_as_it_is_listed() {
        let administrators = listing(&["maria@example.com"]).unwrap();
        assert!(administrators.has(ISSUER, "maria@example.com"));
        assert!(!administrators.has(ISSUER, "eve@example.com"));
        assert!(!administrators.has("https://evil.example", "maria@example.com"));
    }

    #[test]
    fn a_list_that_means_nobody_is_none() {
        assert_eq!(listing(&[]).unwrap_err(), Unlisted::Nobody);
        assert_eq!(
            listing(&["a", "@example.com"]).unwrap_err(),
            Unlisted::NoAddress
        );
        assert_eq!(listing(&[&"x".repeat(256)]).unwrap_err(), Unlisted::TooLong);
        assert_eq!(
            format!("{:?}", listing(&["maria@example.com"]).unwrap()),
            "Administrators(1)"
        );
    }
}
