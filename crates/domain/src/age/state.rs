//! The states a customer may live in, and what day it is there.
//!
//! Time zones are compiled in, so that every machine decides alike; new rules for clocks come with a
//! new release. A state keeps one zone: where it has several, that in which most of its people live.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{self, TimeZone};

static EASTERN: TimeZone = tz::get!("America/New_York");
static CENTRAL: TimeZone = tz::get!("America/Chicago");
static MOUNTAIN: TimeZone = tz::get!("America/Denver");
static PACIFIC: TimeZone = tz::get!("America/Los_Angeles");
static ANCHORAGE: TimeZone = tz::get!("America/Anchorage");
static BOISE: TimeZone = tz::get!("America/Boise");
static DETROIT: TimeZone = tz::get!("America/Detroit");
static INDIANAPOLIS: TimeZone = tz::get!("America/Indiana/Indianapolis");
static PHOENIX: TimeZone = tz::get!("America/Phoenix");
static PUERTO_RICO: TimeZone = tz::get!("America/Puerto_Rico");
static ST_THOMAS: TimeZone = tz::get!("America/St_Thomas");
static GUAM: TimeZone = tz::get!("Pacific/Guam");
static HONOLULU: TimeZone = tz::get!("Pacific/Honolulu");
static PAGO_PAGO: TimeZone = tz::get!("Pacific/Pago_Pago");
static SAIPAN: TimeZone = tz::get!("Pacific/Saipan");

/// Makes the enum and its tables from one list, so that no state can miss its code or its zone.
macro_rules! states {
    ($($variant:ident $code:literal $name:literal $zone:ident;)*) => {
        /// A state of the United States, the District of Columbia, or one of the five inhabited
        /// territories. Ordered as listed: states and district by name, then the territories.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum State {
            $(#[doc = concat!("`", $code, "`.")] $variant,)*
        }

        impl State {
            /// Every state, district and territory.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The two-letter code of the postal service, in capitals.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// What people call it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The time zone that most of its people live in.
            ///
            /// Where a state has several, the fewer people get the day of the others: Florida,
            /// Indiana, Kentucky and Michigan count as Eastern; Kansas, Nebraska, North Dakota, South
            /// Dakota, Tennessee and Texas as Central; Idaho as Mountain; Nevada and Oregon as
            /// Pacific; Arizona is without daylight saving time; Alaska is without its westernmost
            /// islands. For them a day begins at most an hour early or late.
            #[must_use]
            pub const fn time_zone(self) -> &'static TimeZone {
                match self { $(Self::$variant => &$zone,)* }
            }
        }
    };
}

states! {
    Alabama "AL" "Alabama" CENTRAL;
    Alaska "AK" "Alaska" ANCHORAGE;
    Arizona "AZ" "Arizona" PHOENIX;
    Arkansas "AR" "Arkansas" CENTRAL;
    California "CA" "California" PACIFIC;
    Colorado "CO" "Colorado" MOUNTAIN;
    Connecticut "CT" "Connecticut" EASTERN;
    Delaware "DE" "Delaware" EASTERN;
    DistrictOfColumbia "DC" "District of Columbia" EASTERN;
    Florida "FL" "Florida" EASTERN;
    Georgia "GA" "Georgia" EASTERN;
    Hawaii "HI" "Hawaii" HONOLULU;
    Idaho "ID" "Idaho" BOISE;
    Illinois "IL" "Illinois" CENTRAL;
    Indiana "IN" "Indiana" INDIANAPOLIS;
    Iowa "IA" "Iowa" CENTRAL;
    Kansas "KS" "Kansas" CENTRAL;
    Kentucky "KY" "Kentucky" EASTERN;
    Louisiana "LA" "Louisiana" CENTRAL;
    Maine "ME" "Maine" EASTERN;
    Maryland "MD" "Maryland" EASTERN;
    Massachusetts "MA" "Massachusetts" EASTERN;
    Michigan "MI" "Michigan" DETROIT;
    Minnesota "MN" "Minnesota" CENTRAL;
    Mississippi "MS" "Mississippi" CENTRAL;
    Missouri "MO" "Missouri" CENTRAL;
    Montana "MT" "Montana" MOUNTAIN;
    Nebraska "NE" "Nebraska" CENTRAL;
    Nevada "NV" "Nevada" PACIFIC;
    NewHampshire "NH" "New Hampshire" EASTERN;
    NewJersey "NJ" "New Jersey" EASTERN;
    NewMexico "NM" "New Mexico" MOUNTAIN;
    NewYork "NY" "New York" EASTERN;
    NorthCarolina "NC" "North Carolina" EASTERN;
    NorthDakota "ND" "North Dakota" CENTRAL;
    Ohio "OH" "Ohio" EASTERN;
    Oklahoma "OK" "Oklahoma" CENTRAL;
    Oregon "OR" "Oregon" PACIFIC;
    Pennsylvania "PA" "Pennsylvania" EASTERN;
    RhodeIsland "RI" "Rhode Island" EASTERN;
    SouthCarolina "SC" "South Carolina" EASTERN;
    SouthDakota "SD" "South Dakota" CENTRAL;
    Tennessee "TN" "Tennessee" CENTRAL;
    Texas "TX" "Texas" CENTRAL;
    Utah "UT" "Utah" MOUNTAIN;
    Vermont "VT" "Vermont" EASTERN;
    Virginia "VA" "Virginia" EASTERN;
    Washington "WA" "Washington" PACIFIC;
    WestVirginia "WV" "West Virginia" EASTERN;
    Wisconsin "WI" "Wisconsin" CENTRAL;
    Wyoming "WY" "Wyoming" MOUNTAIN;
    AmericanSamoa "AS" "American Samoa" PAGO_PAGO;
    Guam "GU" "Guam" GUAM;
    NorthernMarianaIslands "MP" "Northern Mariana Islands" SAIPAN;
    PuertoRico "PR" "Puerto Rico" PUERTO_RICO;
    VirginIslands "VI" "U.S. Virgin Islands" ST_THOMAS;
}

impl State {
    /// The word that stands where a code would, for a text that is none: what was sent never serves
    /// as a label.
    pub const UNKNOWN: &'static str = "unknown";

    /// Reads a code in large or small letters, white space around it allowed; `None` for any other
    /// text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let code = text.trim();
        let same = |state: &&Self| state.as_str().eq_ignore_ascii_case(code);
        Self::ALL.iter().find(same).copied()
    }

    /// What day it is there at `now`.
    #[must_use]
    pub fn date_at(self, now: Timestamp) -> Date {
        self.time_zone().to_datetime(now).date()
    }
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Debug for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "State({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    /// Written down apart from the table above: a zone, and all codes that keep it.
    const ZONES: [(&str, &str); 15] = [
        (
            "America/New_York",
            "CT DC DE FL GA KY MA MD ME NC NH NJ NY OH PA RI SC VA VT WV",
        ),
        (
            "America/Chicago",
            "AL AR IA IL KS LA MN MO MS ND NE OK SD TN TX WI",
        ),
        ("America/Denver", "CO MT NM UT WY"),
        ("America/Los_Angeles", "CA NV OR WA"),
        ("America/Anchorage", "AK"),
        ("America/Boise", "ID"),
        ("America/Detroit", "MI"),
        ("America/Indiana/Indianapolis", "IN"),
        ("America/Phoenix", "AZ"),
        ("America/Puerto_Rico", "PR"),
        ("America/St_Thomas", "VI"),
        ("Pacific/Guam", "GU"),
        ("Pacific/Honolulu", "HI"),
        ("Pacific/Pago_Pago", "AS"),
        ("Pacific/Saipan", "MP"),
    ];

    #[test]
    fn every_name_is_one_state() {
        let mut names: Vec<_> = State::ALL.iter().map(|state| state.name()).collect();
        assert_eq!((names[0], names[8]), ("Alabama", "District of Columbia"));
        assert_eq!(names.last(), Some(&"U.S. Virgin Islands"));
        let mark = |sign: char| !sign.is_ascii_alphabetic() && !" .".contains(sign);
        assert!(names.iter().all(|name| !name.contains(mark)));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 56);
    }

    fn codes() -> impl Iterator<Item = (&'static str, &'static str)> {
        let each =
            |(zone, codes): (_, &'static str)| codes.split(' ').map(move |code| (code, zone));
        ZONES.into_iter().flat_map(each)
    }

    #[test]
    fn every_code_has_its_zone() {
        assert_eq!(codes().count(), 56);
        assert_eq!(State::ALL.len(), 56);
        for (code, zone) in codes() {
            let state = State::parse(code).unwrap();
            assert_eq!(state.as_str(), code);
            assert_eq!(state.to_string(), code);
            assert_eq!(format!("{state:?}"), format!("State({code})"));
            assert_eq!(state.time_zone().iana_name(), Some(zone), "{code}");
            assert_eq!(State::parse(&code.to_lowercase()), Some(state));
            assert_eq!(State::parse(&format!("\t{code}\u{3000}\n")), Some(state));
        }
    }

    #[test]
    fn no_other_pair_of_letters_is_a_code() {
        let letters = || 'A'..='Z';
        let pairs =
            letters().flat_map(|first| letters().map(move |second| format!("{first}{second}")));
        let read: Vec<String> = pairs.filter(|pair| State::parse(pair).is_some()).collect();
        let mut expected: Vec<&str> = codes().map(|(code, _)| code).collect();
        expected.sort_unstable();
        assert_eq!(read, expected);
    }

    #[test]
    fn refuses_other_texts() {
        for text in [
            "",
            " ",
            "T",
            "TXX",
            "T X",
            "Texas",
            "TX,",
            "ＴＸ",
            "ТХ",
            "US-TX",
            "FM",
            "MH",
            "PW",
            "UM",
            "AA",
            "AE",
            "AP",
            "ON",
            "00",
            "ıd",
            "İD",
            "\u{212A}S",
        ] {
            assert_eq!(State::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn tells_the_day_where_the_customer_is() {
        for (now, code, day) in [
            ("2025-01-01T04:59:59.999999Z", "NY", date(2024, 12, 31)),
            ("2025-01-01T05:00:00Z", "NY", date(2025, 1, 1)),
            ("2025-01-01T05:00:00Z", "TX", date(2024, 12, 31)),
            ("2025-07-01T04:00:00Z", "NY", date(2025, 7, 1)),
            ("2025-07-01T04:59:59Z", "IN", date(2025, 7, 1)),
            ("2025-07-01T06:59:59Z", "AZ", date(2025, 6, 30)),
            ("2025-07-01T06:00:00Z", "CO", date(2025, 7, 1)),
            ("2025-07-01T09:59:59Z", "HI", date(2025, 6, 30)),
            ("2025-07-01T10:59:59Z", "AS", date(2025, 6, 30)),
            ("2025-06-30T14:00:00Z", "GU", date(2025, 7, 1)),
            ("2025-06-30T14:00:00Z", "MP", date(2025, 7, 1)),
            ("2025-07-01T03:59:59Z", "PR", date(2025, 6, 30)),
            ("2025-07-01T04:00:00Z", "VI", date(2025, 7, 1)),
            // Beyond the years that zone files spell out.
            ("2095-07-01T04:00:00Z", "NY", date(2095, 7, 1)),
            ("2095-12-01T04:59:59Z", "NY", date(2095, 11, 30)),
        ] {
            let now = now.parse().unwrap();
            assert_eq!(
                State::parse(code).unwrap().date_at(now),
                day,
                "{code} {now}"
            );
        }
    }

    #[test]
    fn no_moment_is_too_early_or_too_late() {
        for state in State::ALL {
            assert!(state.date_at(Timestamp::MIN) < date(-9998, 1, 1));
            assert!(state.date_at(Timestamp::MAX) > date(9999, 12, 1));
        }
    }

    proptest! {
        #[test]
        fn any_text_gets_an_answer(text in any::<String>()) {
            if let Some(state) = State::parse(&text) {
                prop_assert_eq!(text.trim().to_ascii_uppercase(), state.as_str());
            }
        }
    }
}
