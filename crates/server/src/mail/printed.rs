//! Mails of an installation without a mail server: written to the log, so that it can be tried.
//!
//! A link of a mail is a credential, and whoever reads the log could use it. It is printed only
//! while this server's address is this machine (`API_BASE_URL` of `localhost`), where links work
//! for nobody else; elsewhere the log says that a mail went nowhere, and nothing of what was in it.
//! The address is never printed.

use app::mail::{Letter, Mailer};
use domain::mail::Outcome;
use futures_util::future::{BoxFuture, ready};
use url::{Host, Url};

/// Writes mails to the log.
pub struct PrintedMail {
    shows_links: bool,
}

impl PrintedMail {
    /// For a server that others reach at `base_url`.
    pub fn new(base_url: &str) -> Self {
        Self {
            shows_links: is_this_machine(base_url),
        }
    }
}

impl Mailer for PrintedMail {
    fn send<'a>(&'a self, letter: &'a Letter) -> BoxFuture<'a, Outcome> {
        let (id, occasion) = (letter.id, letter.occasion.word());
        if self.shows_links {
            let subject = letter.content.subject.as_str();
            let link = letter.links.verify.as_str();
            tracing::info!(%id, occasion, subject, link, "mail, printed for want of SMTP_URL");
        } else {
            tracing::warn!(%id, occasion, "a mail was sent to nobody: SMTP_URL is not set");
        }
        Box::pin(ready(Outcome::Printed))
    }
}

fn is_this_machine(base_url: &str) -> bool {
    let Ok(url) = Url::parse(base_url) else {
        return false;
    };
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_shown_on_this_machine_alone() {
        for (url, shown) in [
            ("http://localhost:3000", true),
            ("https://localhost", true),
            ("http://127.0.0.1:3000", true),
            ("http://[::1]:3000", true),
            ("https://verify.example.com", false),
            ("http://192.168.1.7:3000", false),
            ("http://localhost.example.com", false),
            ("nothing", false),
        ] {
            assert_eq!(PrintedMail::new(url).shows_links, shown, "{url}");
        }
    }
}
