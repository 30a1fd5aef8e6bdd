//! The cookies: one that holds a session's token, and one of a sign-in that was begun.
//!
//! A script cannot read them (`HttpOnly`), no other site's page can have the session's sent
//! (`SameSite=Strict`), and they leave the browser encrypted only (`Secure`), unless they never leave the
//! machine. Where they are `Secure` their names say so (`__Host-`), and the browser then takes them from
//! this host alone. The other cookie comes along when an identity provider sends somebody back
//! (`SameSite=Lax`); it signs nobody in.

use domain::access::SignInAttempt;
use http::{HeaderMap, HeaderValue, header};

use crate::http::Server;
use crate::http::conventions::origin::Origin;

/// What a cookie is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cookie {
    /// A session.
    Session,
    /// A sign-in that was begun and is to be finished.
    Attempt,
}

impl Cookie {
    const fn same_site(self) -> &'static str {
        match self {
            Self::Session => "Strict",
            Self::Attempt => "Lax",
        }
    }
}

/// How the cookies travel for this request.
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

    const fn name(self, cookie: Cookie) -> &'static str {
        match (self, cookie) {
            (Self::Encrypted, Cookie::Session) => "__Host-bonafide",
            (Self::Loopback, Cookie::Session) => "bonafide",
            (Self::Encrypted, Cookie::Attempt) => "__Host-bonafide-openid",
            (Self::Loopback, Cookie::Attempt) => "bonafide-openid",
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
        self.sent(Cookie::Session, headers)
    }

    /// The sign-in that a browser says it has begun; `None` when it says none, or several.
    pub fn attempt(self, headers: &HeaderMap) -> Option<&str> {
        self.sent(Cookie::Attempt, headers)
    }

    fn sent(self, cookie: Cookie, headers: &HeaderMap) -> Option<&str> {
        let lines = headers.get_all(header::COOKIE).iter();
        let texts = lines.filter_map(|line| line.to_str().ok());
        let pairs = texts.flat_map(|text| text.split(';'));
        let mut found = pairs
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(name, _)| *name == self.name(cookie));
        let (_, token) = found.next()?;
        found.next().is_none().then_some(token)
    }

    /// Has the browser keep a token until it is closed.
    pub fn keep(self, token: &str) -> Option<HeaderValue> {
        self.header(Cookie::Session, token, None)
    }

    /// Has the browser forget what it kept.
    pub fn forget(self) -> Option<HeaderValue> {
        self.header(Cookie::Session, "", Some(0))
    }

    /// Has the browser keep a sign-in that was begun, as long as it can be finished.
    pub fn keep_attempt(self, attempt: &SignInAttempt) -> Option<HeaderValue> {
        let seconds = Some(SignInAttempt::SECONDS);
        self.header(Cookie::Attempt, attempt.expose(), seconds)
    }

    /// Has the browser forget it.
    pub fn forget_attempt(self) -> Option<HeaderValue> {
        self.header(Cookie::Attempt, "", Some(0))
    }

    fn header(self, cookie: Cookie, value: &str, seconds: Option<i64>) -> Option<HeaderValue> {
        let (name, site, secure) = (self.name(cookie), cookie.same_site(), self.secure());
        let age = seconds.map_or_else(String::new, |seconds| format!("; Max-Age={seconds}"));
        let text = format!("{name}={value}; Path=/; HttpOnly; SameSite={site}{secure}{age}");
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
    fn one_cookie_is_not_taken_for_the_other() {
        let headers = sent(&["__Host-bonafide-openid=a.1.b"]);
        assert_eq!(Transport::Encrypted.token(&headers), None);
        assert_eq!(Transport::Encrypted.attempt(&headers), Some("a.1.b"));
        assert_eq!(Transport::Loopback.attempt(&headers), None);
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
        let forgotten = Transport::Loopback.forget_attempt().unwrap();
        assert_eq!(
            forgotten.to_str().unwrap(),
            "bonafide-openid=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"
        );
    }
}
