//! What the page behind a link shows.

use std::time::Duration;

use app::numbers::Link;
use axum::response::Response;
use domain::number::Status;
use jiff::Timestamp;
use minijinja::{Value, context};

use crate::http::conventions::failure::Failure;
use crate::http::pages::{page, qr_code};
use crate::in_words::{counted, time_left};

/// What is said of a text that is no mobile number.
pub const INVALID_NUMBER: &str = "This does not read as a mobile number. Please begin with + and the \
                                  country code, then write the whole number.";

/// The page of every link, before its token is known.
pub fn start() -> Result<Response, Failure> {
    page("number/start.html", context! {})
}

/// The page of a token that is not accepted.
pub fn refused() -> Result<Response, Failure> {
    page("number/refused.html", context! {})
}

/// A session as it stands when its link is followed.
pub fn opened(link: &Link, token: &str, now: Timestamp) -> Result<Response, Failure> {
    match link.session.status {
        Status::Pending => open(link, token, None, now),
        over => ended(link, over),
    }
}

/// A session that still waits for its number, and why that was not it.
pub fn ask_again(
    link: &Link,
    token: &str,
    problem: &str,
    now: Timestamp,
) -> Result<Response, Failure> {
    match link.session.status {
        Status::Pending => open(link, token, Some(problem), now),
        over => ended(link, over),
    }
}

/// The number was named just now.
pub fn verified(link: &Link) -> Result<Response, Failure> {
    ended(link, Status::Verified)
}

/// The last attempt was used just now.
pub fn failed(link: &Link) -> Result<Response, Failure> {
    ended(link, Status::Failed)
}

/// What is said of a number that is not the one.
pub fn mismatch(attempts_left: u32) -> String {
    let tries = counted(i64::from(attempts_left), "try", "tries");
    format!("This is not the number. You have {tries} left.")
}

/// What is said when numbers come too fast.
pub fn too_many(retry_after: Duration) -> String {
    let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
    let seconds = i64::try_from(seconds.max(1)).unwrap_or(i64::MAX);
    let seconds = counted(seconds, "second", "seconds");
    format!("These were many tries in a short time. Please wait {seconds}, then try again.")
}

fn open(
    link: &Link,
    token: &str,
    problem: Option<&str>,
    now: Timestamp,
) -> Result<Response, Failure> {
    let values = context! {
        company => link.company_name.as_str(),
        expires_at => link.session.expires_at.to_string(),
        time_left => time_left(link.session.expires_at.duration_since(now)),
        app_address => app_address(link),
        // Not while the person is at filling the form in.
        opens_app => problem.is_none(),
        problem,
        token,
        qr_code => qr_code(&link.page_address)?,
    };
    page("number/open.html", values)
}

fn ended(link: &Link, status: Status) -> Result<Response, Failure> {
    let (title, tone) = match status {
        Status::Verified => ("Confirmed", "good"),
        Status::Failed => ("Not confirmed", "bad"),
        Status::Pending | Status::Expired => ("The time is over", "bad"),
    };
    let values = context! {
        company => link.company_name.as_str(),
        app_address => app_address(link),
        status => status.as_str(),
        title,
        tone,
    };
    page("number/over.html", values)
}

fn app_address(link: &Link) -> Option<Value> {
    link.app_address
        .as_deref()
        .map(|address| Value::from(address.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        assert!(mismatch(1).ends_with("You have 1 try left."));
        assert!(mismatch(2).ends_with("You have 2 tries left."));
        assert!(too_many(Duration::from_millis(1)).contains("wait 1 second,"));
        assert!(too_many(Duration::from_millis(1_001)).contains("wait 2 seconds,"));
    }
}
