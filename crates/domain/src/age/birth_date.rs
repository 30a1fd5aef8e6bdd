//! A birth date, and the age that follows from it.
//!
//! Reads `YYYY-MM-DD` alone, so that nobody's day and month are swapped. `Debug` never shows it.

use std::fmt;

use jiff::civil::Date;

/// A date of the Gregorian calendar on which somebody was born, extended to before its invention;
/// from 0000-01-01 to 9999-12-31.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BirthDate(Date);

impl BirthDate {
    /// Reads exactly `YYYY-MM-DD`, in ASCII digits; `None` when it is anything else or the calendar
    /// has no such date.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        is_year_month_day(text)
            .then(|| text.parse().ok().map(Self))
            .flatten()
    }

    /// Whether somebody was born on an earlier day than `today`.
    #[must_use]
    pub fn is_before(self, today: Date) -> bool {
        self.0 < today
    }

    /// The full calendar years somebody has lived on `today`, whose time of day does not matter;
    /// `None` before they were born.
    ///
    /// One turns a year older as the birthday begins. Those born on 29 February turn a year older on
    /// 1 March in years without that day: only then has the anniversary of their birth surely come,
    /// and a check that must keep minors out takes the later of two arguable days.
    #[must_use]
    pub fn age_on(self, today: Date) -> Option<u16> {
        if today < self.0 {
            return None;
        }
        let birthday_to_come = (today.month(), today.day()) < (self.0.month(), self.0.day());
        let years = today.year() - self.0.year() - i16::from(birthday_to_come);
        u16::try_from(years).ok()
    }
}

fn is_year_month_day(text: &str) -> bool {
    let fits = |(at, sign): (usize, u8)| match at {
        4 | 7 => sign == b'-',
        _ => sign.is_ascii_digit(),
    };
    text.len() == "YYYY-MM-DD".len() && text.bytes().enumerate().all(fits)
}

impl fmt::Debug for BirthDate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("BirthDate(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::ToSpan;
    use jiff::civil::date;
    use proptest::prelude::*;

    #[test]
    fn reads_dates_that_exist() {
        for (text, read) in [
            ("2004-02-29", date(2004, 2, 29)),
            ("2000-02-29", date(2000, 2, 29)),
            ("1999-12-31", date(1999, 12, 31)),
            ("1600-01-01", date(1600, 1, 1)),
            ("0000-01-01", date(0, 1, 1)),
            ("9999-12-31", date(9999, 12, 31)),
        ] {
            assert_eq!(BirthDate::parse(text), Some(BirthDate(read)), "{text}");
        }
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "2023-02-29",
            "1900-02-29",
            "2100-02-29",
            "2004-02-30",
            "2004-04-31",
            "2004-00-10",
            "2004-13-01",
            "2004-01-00",
            "2004-01-32",
            "2004-2-29",
            "2004-02-9",
            "04-02-29",
            "2004/02/29",
            "2004.02.29",
            "29-02-2004",
            "02/29/2004",
            "20040229",
            "2004-0229",
            "2004-060",
            "2004-W09-7",
            " 2004-02-29",
            "2004-02-29 ",
            "2004-02-29T00:00:00Z",
            "-004-02-29",
            "+004-02-29",
            "-2004-02-29",
            "+02004-02-29",
            "2004-02-２９",
            "２００４-０２-２９",
            "٢٠٠٤-٠٢-٢٩",
            "2004\u{2010}02\u{2010}29",
            "2004–02–29",
            "YYYY-MM-DD",
            "0x04-02-29",
            "2004-02-29\0",
        ] {
            assert_eq!(BirthDate::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn is_a_year_older_on_the_birthday() {
        for (born, today, age) in [
            ("2004-06-15", date(2025, 6, 14), Some(20)),
            ("2004-06-15", date(2025, 6, 15), Some(21)),
            ("2004-06-15", date(2025, 5, 31), Some(20)),
            ("2004-06-15", date(2025, 7, 1), Some(21)),
            ("2004-12-31", date(2025, 12, 30), Some(20)),
            ("2004-01-01", date(2025, 1, 1), Some(21)),
            ("2004-06-15", date(2004, 6, 15), Some(0)),
            ("2004-06-15", date(2004, 6, 14), None),
            ("2004-06-15", date(-1, 6, 14), None),
            ("0000-01-01", date(9999, 12, 31), Some(9999)),
            ("9999-12-31", date(-9999, 1, 1), None),
            // The 29th of February: 1 March in common years, the day itself in leap years.
            ("2004-02-29", date(2025, 2, 28), Some(20)),
            ("2004-02-29", date(2025, 3, 1), Some(21)),
            ("2004-02-29", date(2024, 2, 28), Some(19)),
            ("2004-02-29", date(2024, 2, 29), Some(20)),
            ("2004-02-29", date(2100, 2, 28), Some(95)),
            ("2004-02-29", date(2100, 3, 1), Some(96)),
            ("2000-02-29", date(2400, 2, 29), Some(400)),
            ("1896-02-29", date(1900, 2, 28), Some(3)),
            // Born on the day after, or before: a birthday every year.
            ("2004-03-01", date(2024, 2, 29), Some(19)),
            ("2004-02-28", date(2025, 2, 28), Some(21)),
        ] {
            let birth_date = BirthDate::parse(born).unwrap();
            assert_eq!(birth_date.age_on(today), age, "{born} on {today}");
        }
    }

    fn any_date() -> impl Strategy<Value = Date> {
        (0..3_652_058_i32).prop_map(|days| date(0, 1, 1) + days.days())
    }

    proptest! {
        #[test]
        fn reads_every_date_and_hides_it(day in any_date()) {
            let birth_date = BirthDate::parse(&day.to_string()).unwrap();
            prop_assert_eq!(birth_date, BirthDate(day));
            prop_assert_eq!(format!("{birth_date:?}"), "BirthDate(…)");
        }

        #[test]
        fn any_text_gets_an_answer(text in "[0-9]{4}-[01][0-9]-[0-3][0-9]|\\PC*") {
            let read = BirthDate::parse(&text);
            prop_assert!(read.is_none_or(|birth_date| birth_date.0.to_string() == text));
        }

        #[test]
        fn what_looks_like_a_date_is_read_if_it_exists(year in 0..=9999_i16, month in 0..20_i8, day in 0..40_i8) {
            let text = format!("{year:04}-{month:02}-{day:02}");
            let existing = Date::new(year, month, day).ok().map(BirthDate);
            prop_assert_eq!(BirthDate::parse(&text), existing);
        }

        #[test]
        fn an_age_never_falls_and_rises_by_one(born in any_date(), today in any_date()) {
            let birth_date = BirthDate(born);
            let tomorrow = today.saturating_add(1.day());
            let (age, next) = (birth_date.age_on(today), birth_date.age_on(tomorrow));
            prop_assert!(age <= next);
            prop_assert!(next.unwrap_or(0) - age.unwrap_or(0) <= 1);
            prop_assert_eq!(age.is_some(), born <= today);
            prop_assert_eq!(birth_date.is_before(today), born < today);
        }

        #[test]
        fn who_is_born_later_is_not_older(born in any_date(), later in 0..40_000_i32, today in any_date()) {
            let younger = BirthDate(born.saturating_add(later.days()));
            prop_assert!(younger.age_on(today) <= BirthDate(born).age_on(today));
        }

        #[test]
        fn agrees_with_the_calendar(born in any_date(), age in 1..130_i16) {
            // The day so many years on, where it exists, is the first at that age.
            let year = born.year() + age;
            prop_assume!(year <= 9999);
            let birthday = Date::new(year, born.month(), born.day()).unwrap_or(date(year, 3, 1));
            let turned = u16::try_from(age).unwrap();
            prop_assert_eq!(BirthDate(born).age_on(birthday), Some(turned));
            prop_assert_eq!(BirthDate(born).age_on(birthday - 1.day()), Some(turned - 1));
        }
    }
}
