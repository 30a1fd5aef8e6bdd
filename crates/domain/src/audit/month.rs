//! Months of the calendar, by which records are kept and, when their time is over, taken out.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// A month of a year, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Month {
    year: i16,
    month: i8,
}

impl Month {
    /// The month in which a moment lies.
    pub fn of(at: Timestamp) -> Self {
        let date = TimeZone::UTC.to_datetime(at).date();
        Self {
            year: date.year(),
            month: date.month(),
        }
    }

    /// As it is stored: 202611 for November 2026.
    pub const fn number(self) -> i64 {
        self.year as i64 * 100 + self.month as i64
    }

    /// Reads what [`Month::number`] wrote; `None` for what is no month.
    pub fn from_number(number: i64) -> Option<Self> {
        let year = i16::try_from(number.div_euclid(100)).ok()?;
        let month = i8::try_from(number.rem_euclid(100)).ok()?;
        Date::new(year, month, 1).ok()?;
        Some(Self { year, month })
    }

    /// The month after; the last one that can be told is its own.
    #[must_use]
    pub fn next(self) -> Self {
        self.moved(1)
    }

    /// The month before; the first one that can be told is its own.
    #[must_use]
    pub fn before(self) -> Self {
        self.moved(-1)
    }

    fn moved(self, months: i64) -> Self {
        let first = Date::new(self.year, self.month, 1);
        let moved = first.and_then(|first| first.checked_add(Span::new().months(months)));
        moved.map_or(self, |date| Self {
            year: date.year(),
            month: date.month(),
        })
    }

    /// Its first moment.
    pub fn begins(self) -> Timestamp {
        let first = Date::new(self.year, self.month, 1);
        first
            .and_then(|first| first.to_zoned(TimeZone::UTC))
            .map_or(Timestamp::MIN, |zoned| zoned.timestamp())
    }

    /// The first moment that is not in it any more.
    pub fn ends(self) -> Timestamp {
        match self.next() {
            next if next == self => Timestamp::MAX,
            next => next.begins(),
        }
    }
}

impl std::fmt::Display for Month {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:04}-{:02}", self.year, self.month)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_month_holds_its_moments_and_no_other() {
        let month = Month::of(at("2026-12-31T23:59:59.999999Z"));
        assert_eq!(month.number(), 202_612);
        assert_eq!(month.to_string(), "2026-12");
        assert_eq!(month.begins(), at("2026-12-01T00:00:00Z"));
        assert_eq!(month.ends(), at("2027-01-01T00:00:00Z"));
        assert_eq!(Month::of(month.ends()), month.next());
        assert_eq!(month.next().before(), month);
    }

    #[test]
    fn numbers_read_back_and_nothing_else_is_one() {
        for number in [202_401, 202_412, 197_001] {
            assert_eq!(Month::from_number(number).unwrap().number(), number);
        }
        for number in [0, 202_400, 202_413, -1, i64::MAX, i64::MIN] {
            assert_eq!(Month::from_number(number), None, "{number}");
        }
    }

    #[test]
    fn the_ends_of_time_are_months_too() {
        for at in [Timestamp::MIN, Timestamp::MAX] {
            let month = Month::of(at);
            assert!(month.begins() <= at && at <= month.ends());
        }
    }
}
