//! `Retry-After` (RFC 9110 §10.2.3): how long a receiver wants to be left alone.

use std::time::Duration;

use http::{HeaderMap, header};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

/// The wish in an answer's headers, counted from `now`. Seconds and dates are understood; a date that
/// has passed is no wait, and anything else is no wish.
pub fn wish(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    seconds(text).or_else(|| until(text, now))
}

/// Seconds; more than there are stand for all there are.
fn seconds(text: &str) -> Option<Duration> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| Duration::from_secs(text.parse().unwrap_or(u64::MAX)))
}

fn until(text: &str, now: Timestamp) -> Option<Duration> {
    // A weekday that does not fit the date is a receiver's slip, not a reason to hurry.
    const DATES: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);
    let date = DATES.parse_timestamp(text).ok();
    let date = date.or_else(|| obsolete(text))?;
    Some(Duration::try_from(date.duration_since(now)).unwrap_or_default())
}

/// The two forms that nobody writes any more and everybody reads (RFC 9110 §5.6.7).
fn obsolete(text: &str) -> Option<Timestamp> {
    let date = httpdate::parse_http_date(text).ok()?;
    Timestamp::try_from(date).ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// Sunday, 6 November 1994, 08:49:37 GMT.
    const NOW: i64 = 784_111_777;

    fn wish_of(value: &'static str) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static(value));
        wish(&headers, Timestamp::from_second(NOW).unwrap()).map(|wish| wish.as_secs())
    }

    #[test]
    fn seconds_and_dates_are_understood() {
        for (value, expected) in [
            ("0", Some(0)),
            ("120", Some(120)),
            (" 120 ", Some(120)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:51:37 GMT", Some(120)),
            ("Mon, 06 Nov 1994 08:51:37 GMT", Some(120)),
            ("Fri, 31 Dec 9998 23:59:59 GMT", Some(252_586_653_022)),
            ("Sun, 06 Nov 1994 08:49:36 GMT", Some(0)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Sunday, 06-Nov-94 08:51:37 GMT", Some(120)),
            ("Sun Nov  6 08:51:37 1994", Some(120)),
            ("", None),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
            ("1994-11-06T08:51:37Z", None),
        ] {
            assert_eq!(wish_of(value), expected, "{value:?}");
        }
    }

    #[test]
    fn no_header_is_no_wish() {
        assert_eq!(wish(&HeaderMap::new(), Timestamp::UNIX_EPOCH), None);
    }
}
