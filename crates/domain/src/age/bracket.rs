//! The bracket that an age falls into: enough to count by, too little to tell one person from another.

/// The first age of each bracket, and its name, the oldest first.
const BRACKETS: [(i64, &str); 8] = [
    (65, "65+"),
    (55, "55-64"),
    (45, "45-54"),
    (35, "35-44"),
    (25, "25-34"),
    (21, "21-24"),
    (18, "18-20"),
    (i64::MIN, "under-18"),
];

/// The name of the bracket of an age in years. The names never change, for others store them.
#[must_use]
pub fn bracket(age: i64) -> &'static str {
    let mut brackets = BRACKETS.iter();
    let found = brackets.find(|(first, _)| age >= *first);
    found.map_or("under-18", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_age_has_one_bracket() {
        for (age, expected) in [
            (i64::MIN, "under-18"),
            (0, "under-18"),
            (17, "under-18"),
            (18, "18-20"),
            (20, "18-20"),
            (21, "21-24"),
            (24, "21-24"),
            (25, "25-34"),
            (34, "25-34"),
            (35, "35-44"),
            (45, "45-54"),
            (55, "55-64"),
            (64, "55-64"),
            (65, "65+"),
            (i64::MAX, "65+"),
        ] {
            assert_eq!(bracket(age), expected, "{age}");
        }
    }
}
