//! The cookie that holds a session's token.
//!
//! A script cannot read it (`HttpOnly`), no other site's page can have it sent (`SameSite=Strict`), and
//! it leaves the browser encrypted only (`Secure`), unless it never leaves the machine. Where it is
//! `Secure` its name says so (`__Host-`), and the browser then takes it from this host alone.

use http::{HeaderMap, HeaderValue, header};

use crate::http::Server;
use crate::http::conventions::origin::Origin;

/// How the cookie travels for this request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Encrypted.
    Encrypted,
    /// In clear, and not beyond this machine.
    Loopback,
}

impl Transport {
    /// How a request came; `None` when others could read along: then nobody can sign in.
    pub fn of(server: &Server, origin: &Origin) -> Option<Self> {
        // Whoever calls himself https is reached through a proxy, whatever that says of itself.
        let is_https = server.app.orders.base_url.starts_with("https://");
        let is_near = origin.address.is_some_and(|address| address.is_loopback());
        match (origin.encrypted || is_https, is_near) {
            (true, _) => Some(Self::Encrypted),
            (false, true) => Some(Self::Loopback),
            (false, false) => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Encrypted => "__Host-bonafide",
            Self::Loopback => "bonafide",
        }
    }

    const fn secure(self) -> &'static str {
        match self {
            Self::Encrypted => "; Secure",
            Self::Loopback => "",
        }
    }

    /// The token that a browser sent; `None` when it sent none, or several.
    pub fn token(self, headers: &HeaderMap) -> Option<&str> {
        let lines = headers.get_all(header::COOKIE).iter();
        let texts = lines.filter_map(|line| line.to_str().ok());
        let pairs = texts.flat_map(|text| text.split(';'));
        let mut found = pairs
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(name, _)| *name == self.name());
        let (_, token) = found.next()?;
        found.next().is_none().then_some(token)
    }

    /// Has the browser keep a token until it is closed.
    pub fn keep(self, token: &str) -> Option<HeaderValue> {
        self.header(token, "")
    }

    /// Has the browser forget what it kept.
    pub fn forget(self) -> Option<HeaderValue> {
        self.header("", "; Max-Age=0")
    }

    fn header(self, token: &str, age: &str) -> Option<HeaderValue> {
        let (name, secure) = (self.name(), self.secure());
        let text = format!("{name}={token}; Path=/; HttpOnly; SameSite=Strict{secure}{age}");
        let mut value = HeaderValue::try_from(text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(lines: &[&'static str]) -> HeaderMap {
        let lines = lines.iter().map(|line| HeaderValue::from_static(line));
        lines.map(|line| (header::COOKIE, line)).collect()
    }

    #[test]
    fn the_token_is_found_among_other_cookies() {
        let headers = sent(&["a=b; bonafide=xyz; __Host-bonafide=abc"]);
        assert_eq!(Transport::Encrypted.token(&headers), Some("abc"));
        assert_eq!(Transport::Loopback.token(&headers), Some("xyz"));
        assert_eq!(Transport::Loopback.token(&sent(&["bonafidee=x"])), None);
    }

    #[test]
    fn two_tokens_are_none() {
        let headers = sent(&["bonafide=x", "bonafide=y"]);
        assert_eq!(Transport::Loopback.token(&headers), None);
    }

    #[test]
    fn what_is_kept_is_kept_from_others() {
        let kept = Transport::Encrypted.keep("abc").unwrap();
        assert_eq!(
            kept.to_str().unwrap(),
            "__Host-bonafide=abc; Path=/; HttpOnly; SameSite=Strict; Secure"
        );
        assert!(!format!("{kept:?}").contains("abc"));
    }
}
