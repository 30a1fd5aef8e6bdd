//! Addresses that a company names: where its webhooks go, and what opens its app.
//!
//! Both are kept as they were written, so that whoever set one finds it again.

use url::Url;

/// The longest address, in bytes.
const LONGEST: usize = 2048;

/// Schemes that belong to the web or run what they are given; none opens an app.
const NO_APP: [&str; 11] = [
    "about",
    "blob",
    "data",
    "file",
    "ftp",
    "http",
    "https",
    "javascript",
    "vbscript",
    "ws",
    "wss",
];

/// Why a text is no such address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Not an address that webhooks can be sent to.
    #[error(
        "must be an http or https URL of at most 2048 characters, without user, password or fragment"
    )]
    Webhook,
    /// Not an address that opens an app.
    #[error(
        "must be a link of an app's own scheme, as in acme://verify, of at most 2048 characters, \
         without user, password, query or fragment"
    )]
    App,
}

/// Where a company's webhooks go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookUrl(String);

impl WebhookUrl {
    /// Reads an absolute `http` or `https` URL. Credentials would end up in logs, and a fragment is
    /// never sent, so neither is taken.
    ///
    /// # Errors
    /// [`LinkError::Webhook`].
    pub fn parse(text: &str) -> Result<Self, LinkError> {
        let url = plain(text).ok_or(LinkError::Webhook)?;
        let web = matches!(url.scheme(), "http" | "https");
        web.then(|| Self(text.trim().to_owned()))
            .ok_or(LinkError::Webhook)
    }

    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What opens a company's app: `acme://verify`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppLink(String);

impl AppLink {
    /// Reads a link of a scheme of the app's own. The web's schemes are refused: a one-time token
    /// is added to the link as a query, which a web server would log.
    ///
    /// # Errors
    /// [`LinkError::App`].
    pub fn parse(text: &str) -> Result<Self, LinkError> {
        let url = plain(text).ok_or(LinkError::App)?;
        let app = !NO_APP.contains(&url.scheme()) && url.query().is_none();
        app.then(|| Self(text.trim().to_owned()))
            .ok_or(LinkError::App)
    }

    /// The link as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An absolute URL with a host, without credentials and fragment, of a sane length.
fn plain(text: &str) -> Option<Url> {
    let text = text.trim();
    // The parser drops line breaks and tabs anywhere; what is kept must not hold them.
    if text.len() > LONGEST || text.chars().any(char::is_control) {
        return None;
    }
    let url = Url::parse(text).ok()?;
    let credentials = !url.username().is_empty() || url.password().is_some();
    let plain = url.host_str().is_some_and(|host| !host.is_empty())
        && !credentials
        && url.fragment().is_none();
    plain.then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn webhooks_go_to_the_web() {
        for (text, kept) in [
            (
                "https://shop.example/hooks?v=1",
                "https://shop.example/hooks?v=1",
            ),
            (" HTTP://Shop.Example ", "HTTP://Shop.Example"),
            ("http://127.0.0.1:8080/x", "http://127.0.0.1:8080/x"),
        ] {
            assert_eq!(WebhookUrl::parse(text).unwrap().as_str(), kept);
        }
        let long = format!("https://shop.example/{}", "x".repeat(LONGEST));
        for text in [
            "",
            "shop.example/hooks",
            "ftp://shop.example/",
            "https://",
            "https://user@shop.example/",
            "https://user:word@shop.example/",
            "https://shop.example/#part",
            "https://shop.example/a\nb",
            &long,
        ] {
            assert_eq!(WebhookUrl::parse(text), Err(LinkError::Webhook), "{text}");
        }
    }

    #[test]
    fn apps_have_a_scheme_of_their_own() {
        assert_eq!(
            AppLink::parse("acme://verify").unwrap().as_str(),
            "acme://verify"
        );
        for text in [
            "acme",
            "acme:verify",
            "acme://",
            "acme://verify?id=1",
            "acme://verify#x",
            "https://acme.example/verify",
            "javascript://verify/%0aalert(1)",
            "file://host/etc",
        ] {
            assert_eq!(AppLink::parse(text), Err(LinkError::App), "{text}");
        }
    }
}
