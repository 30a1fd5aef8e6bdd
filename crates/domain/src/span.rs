//! Lengths of time as people write them in a configuration: `90s`, `10m`, `24h`, `7d`, `1y`.
//!
//! A year is a calendar year, not 365 days: it ends on the same date, and a year from 29 February
//! ends on 28 February. Everything else is a fixed number of seconds.

use std::fmt;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// The longest span, in years and in days: far beyond any retention, far from any overflow.
const LONGEST_YEARS: u64 = 100;
const LONGEST_SECONDS: u64 = 36_525 * DAY;

/// A length of time of at most a hundred years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span(Length);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Length {
    Seconds(u64),
    Years(u64),
}

/// Why a text is not a length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// Not a whole number with one of the known units.
    #[error("expected a duration like 90s, 10m, 24h, 7d or 1y")]
    Malformed,
    /// More than a hundred years.
    #[error("a duration is at most 100 years")]
    TooLong,
}

impl Span {
    /// Reads a whole number with a unit (`s`, `m`, `h`, `d`, `y`); without a unit it is seconds.
    ///
    /// # Errors
    /// [`SpanError`] when the text is something else, or longer than a hundred years.
    pub fn parse(text: &str) -> Result<Self, SpanError> {
        let text = text.trim();
        let unit = text.trim_start_matches(|sign: char| sign.is_ascii_digit());
        let number = text.strip_suffix(unit).unwrap_or(text);
        let number = match number.parse::<u64>() {
            Ok(number) => number,
            Err(_) if number.is_empty() => return Err(SpanError::Malformed),
            Err(_) => return Err(SpanError::TooLong),
        };
        match unit {
            "" | "s" => Self::of_units(number, 1),
            "m" => Self::of_units(number, MINUTE),
            "h" => Self::of_units(number, HOUR),
            "d" => Self::of_units(number, DAY),
            "y" if number <= LONGEST_YEARS => Ok(Self(Length::Years(number))),
            "y" => Err(SpanError::TooLong),
            _ => Err(SpanError::Malformed),
        }
    }

    fn of_units(number: u64, unit: u64) -> Result<Self, SpanError> {
        number
            .checked_mul(unit)
            .filter(|seconds| *seconds <= LONGEST_SECONDS)
            .map(|seconds| Self(Length::Seconds(seconds)))
            .ok_or(SpanError::TooLong)
    }

    /// A span of whole seconds; more than a hundred years is cut to that.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Self {
        if seconds > LONGEST_SECONDS {
            return Self(Length::Seconds(LONGEST_SECONDS));
        }
        Self(Length::Seconds(seconds))
    }

    /// A span of calendar years; more than a hundred is cut to that.
    #[must_use]
    pub const fn years(years: u64) -> Self {
        if years > LONGEST_YEARS {
            return Self(Length::Years(LONGEST_YEARS));
        }
        Self(Length::Years(years))
    }

    /// Whether it ends where it starts.
    #[must_use]
    pub const fn is_nothing(self) -> bool {
        matches!(self.0, Length::Seconds(0) | Length::Years(0))
    }

    /// The moment this long after `start`; years are counted on the calendar in UTC. Stops at the
    /// end of the year 9999, where timestamps end.
    #[must_use]
    pub fn after(self, start: Timestamp) -> Timestamp {
        let end = match self.0 {
            Length::Seconds(seconds) => {
                start.checked_add(SignedDuration::from_secs(seconds.cast_signed()))
            }
            Length::Years(years) => start
                .to_zoned(TimeZone::UTC)
                .checked_add(years.cast_signed().years())
                .map(|end| end.timestamp()),
        };
        end.unwrap_or(Timestamp::MAX)
    }

    /// The moment this long before `end`, likewise; stops where timestamps begin.
    #[must_use]
    pub fn before(self, end: Timestamp) -> Timestamp {
        let start = match self.0 {
            Length::Seconds(seconds) => {
                end.checked_sub(SignedDuration::from_secs(seconds.cast_signed()))
            }
            Length::Years(years) => end
                .to_zoned(TimeZone::UTC)
                .checked_sub(years.cast_signed().years())
                .map(|start| start.timestamp()),
        };
        start.unwrap_or(Timestamp::MIN)
    }

    /// The same as a fixed duration; `None` for calendar years, whose length depends on the start.
    #[must_use]
    pub const fn as_duration(self) -> Option<Duration> {
        match self.0 {
            Length::Seconds(seconds) => Some(Duration::from_secs(seconds)),
            Length::Years(_) => None,
        }
    }
}

/// Written with the largest unit that leaves no remainder: `3600s` shows as `1h`.
impl fmt::Display for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Length::Years(years) => write!(formatter, "{years}y"),
            Length::Seconds(0) => formatter.write_str("0s"),
            Length::Seconds(seconds) => {
                let units = [(DAY, 'd'), (HOUR, 'h'), (MINUTE, 'm'), (1, 's')];
                let fitting = units.iter().find(|(unit, _)| seconds.is_multiple_of(*unit));
                let (unit, letter) = fitting.unwrap_or(&(1, 's'));
                write!(formatter, "{}{letter}", seconds / unit)
            }
        }
    }
}

impl std::str::FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_every_unit() {
        for (text, seconds) in [
            ("30", 30),
            ("90s", 90),
            ("10m", 600),
            ("24h", 86_400),
            ("7d", 604_800),
            ("0h", 0),
            (" 5s ", 5),
        ] {
            let span = Span::parse(text).unwrap();
            assert_eq!(
                span.as_duration(),
                Some(Duration::from_secs(seconds)),
                "{text}"
            );
        }
        assert_eq!(Span::parse("1y").unwrap(), Span::years(1));
        assert_eq!(Span::parse("1y").unwrap().as_duration(), None);
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "", "s", "-1s", "1.5h", "1 h", "1w", "1H", "1h30m", "h1", "١s",
        ] {
            assert_eq!(Span::parse(text), Err(SpanError::Malformed), "{text}");
        }
        for text in [
            "101y",
            "36526d",
            "18446744073709551615d",
            "99999999999999999999",
        ] {
            assert_eq!(Span::parse(text), Err(SpanError::TooLong), "{text}");
        }
    }

    #[test]
    fn shows_the_largest_whole_unit() {
        for (text, shown) in [
            ("90", "90s"),
            ("120s", "2m"),
            ("24h", "1d"),
            ("36h", "36h"),
            ("0d", "0s"),
            ("7y", "7y"),
        ] {
            assert_eq!(Span::parse(text).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn a_year_is_a_calendar_year() {
        for (start, years, end) in [
            ("2025-01-01T00:00:00Z", 1, "2026-01-01T00:00:00Z"),
            ("2023-03-01T10:00:00Z", 1, "2024-03-01T10:00:00Z"),
            ("2024-02-29T12:00:00.5Z", 1, "2025-02-28T12:00:00.5Z"),
            ("2024-02-29T12:00:00Z", 4, "2028-02-29T12:00:00Z"),
            ("9999-06-01T00:00:00Z", 1, "9999-12-30T22:00:00.999999999Z"),
        ] {
            let end: Timestamp = end.parse().unwrap();
            assert_eq!(
                Span::years(years).after(start.parse().unwrap()),
                end,
                "{start}"
            );
        }
    }

    proptest! {
        #[test]
        fn reads_what_it_shows(seconds in 0..LONGEST_SECONDS) {
            let span = Span::seconds(seconds);
            prop_assert_eq!(Span::parse(&span.to_string()), Ok(span));
            let later = span.after(Timestamp::UNIX_EPOCH);
            prop_assert_eq!(later.as_second(), seconds.cast_signed());
        }
    }
}
