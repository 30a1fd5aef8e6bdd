//! The identity provider that administrators sign in to the console by.

use std::fmt;

use url::{Host, Url};

use super::kinds::is_confidential;
use super::reader::Reader;
use super::secret::Secret;
use super::settings;

/// Signing in to the console by OpenID Connect.
#[derive(Clone)]
pub struct OpenId {
    /// The provider.
    pub issuer: Issuer,
    /// What the provider calls this installation.
    pub client_id: String,
    /// What proves to the provider that it is us; a public client has none.
    pub client_secret: Option<Secret>,
    /// Who may sign in: e-mail addresses, and names that the provider gives.
    pub administrators: Vec<String>,
}

impl fmt::Debug for OpenId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "OpenId({:?}, …)", self.issuer)
    }
}

impl OpenId {
    pub(super) fn read(read: &mut Reader<'_>) -> Option<Self> {
        let issuer = read.optional(&settings::OIDC_ISSUER);
        let client_id = read.optional(&settings::OIDC_CLIENT_ID);
        let client_secret = read.optional(&settings::OIDC_CLIENT_SECRET);
        let administrators = read.optional(&settings::OIDC_ADMINS);
        read.all_or_none(&[
            &settings::OIDC_ISSUER.about,
            &settings::OIDC_CLIENT_ID.about,
            &settings::OIDC_ADMINS.about,
        ]);
        if client_secret.is_some() && !read.is_set(&settings::OIDC_ISSUER.about) {
            let text = "is used only with OIDC_ISSUER";
            read.problems
                .add(settings::OIDC_CLIENT_SECRET.about.name, text);
        }
        if issuer
            .as_ref()
            .is_some_and(|issuer| !issuer.is_confidential())
        {
            let text = "must begin with https://: whoever reads along could sign in";
            read.problems.add(settings::OIDC_ISSUER.about.name, text);
        }
        Some(Self {
            issuer: issuer?,
            client_id: client_id?,
            client_secret,
            administrators: administrators?,
        })
    }
}

/// What a provider calls itself: an address that is compared as it is written, to the last slash.
#[derive(Clone, PartialEq, Eq)]
pub struct Issuer {
    text: String,
    url: Url,
}

impl Issuer {
    /// Reads one.
    ///
    /// # Errors
    /// When it cannot be one; the words complete the sentence "NAME …".
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).ok();
        let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let url = url.ok_or("is not an address such as https://id.example.com")?;
        let has_user = !url.username().is_empty() || url.password().is_some();
        if url.query().is_some() || url.fragment().is_some() || has_user {
            return Err("may hold no user, `?` or `#`".to_owned());
        }
        Ok(Self {
            text: text.to_owned(),
            url,
        })
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Where its document is (OpenID Connect Discovery §4).
    pub fn document(&self) -> String {
        format!(
            "{}/.well-known/openid-configuration",
            self.text.trim_end_matches('/')
        )
    }

    /// Where it is.
    pub fn host(&self) -> Option<Host<&str>> {
        self.url.host()
    }

    /// The same, for people.
    pub fn name(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Whether what is sent there stays between us.
    pub fn is_confidential(&self) -> bool {
        is_confidential(&self.url)
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Issuer({})", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_kept_as_it_is_written() {
        for (text, document) in [
            (
                "https://id.example.com",
                "https://id.example.com/.well-known/openid-configuration",
            ),
            (
                "https://id.example.com/",
                "https://id.example.com/.well-known/openid-configuration",
            ),
            (
                "https://id.example.com/realms/shop",
                "https://id.example.com/realms/shop/.well-known/openid-configuration",
            ),
        ] {
            let issuer = Issuer::parse(text).unwrap();
            assert_eq!(
                (issuer.as_str(), issuer.document().as_str()),
                (text, document)
            );
            assert_eq!(issuer.name(), "id.example.com");
        }
        for text in [
            "",
            "id.example.com",
            "ftp://id.example.com",
            "https://id.example.com?x",
            "https://id.example.com#x",
            "https://ann@id.example.com",
        ] {
            assert!(Issuer::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn in_clear_a_provider_is_on_this_machine_alone() {
        for (text, is_confidential) in [
            ("https://id.example.com", true),
            ("http://localhost:8080/realms/shop", true),
            ("http://127.0.0.1:8080", true),
            ("http://id.example.com", false),
            ("http://192.168.1.7", false),
        ] {
            let issuer = Issuer::parse(text).unwrap();
            assert_eq!(issuer.is_confidential(), is_confidential, "{text}");
        }
    }
}
