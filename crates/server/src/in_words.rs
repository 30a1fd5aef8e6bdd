//! Numbers and spans as people read them.

use jiff::SignedDuration;

/// A span in words: whole days or hours where there are at least two, otherwise whole minutes.
pub fn time_left(left: SignedDuration) -> String {
    const UNITS: [(i64, &str, &str); 3] = [
        (86_400, "day", "days"),
        (3_600, "hour", "hours"),
        (60, "minute", "minutes"),
    ];
    let seconds = left.as_secs();
    for (unit, one, many) in UNITS {
        let least = if unit == 60 { 1 } else { 2 };
        if seconds / unit >= least {
            return counted(seconds / unit, one, many);
        }
    }
    "less than a minute".to_owned()
}

/// A number with the word for one or for many.
pub fn counted(number: i64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_reads_well() {
        for (seconds, words) in [
            (-5, "less than a minute"),
            (59, "less than a minute"),
            (60, "1 minute"),
            (119, "1 minute"),
            (600, "10 minutes"),
            (7_199, "119 minutes"),
            (7_200, "2 hours"),
            (172_799, "47 hours"),
            (172_800, "2 days"),
        ] {
            assert_eq!(time_left(SignedDuration::from_secs(seconds)), words);
        }
    }
}
