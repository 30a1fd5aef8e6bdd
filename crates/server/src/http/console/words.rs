//! Times, counts and states as people read them.

use app::console::ENOUGH;
use domain::order::Status;
use domain::standing::Proof;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use minijinja::{Value, context};

use crate::in_words::time_left;

/// A moment: exact for programs, short for people, in UTC. The year is told when it is not this one.
pub fn moment(at: Timestamp, now: Timestamp) -> Value {
    let utc = |at: Timestamp| at.to_zoned(TimeZone::UTC);
    let form = match utc(at).year() == utc(now).year() {
        true => "%-d %b, %H:%M",
        false => "%-d %b %Y, %H:%M",
    };
    context! {
        exact => at.to_string(),
        short => at.strftime(form).to_string(),
        ago => ago(now.duration_since(at)),
    }
}

/// How long ago something was.
fn ago(span: SignedDuration) -> String {
    match span.as_secs() {
        ..60 => "just now".to_owned(),
        _ => format!("{} ago", time_left(span)),
    }
}

/// What is left of a hold, to the hour while there are days, otherwise to the minute.
pub fn left(span: SignedDuration) -> String {
    let minutes = span.as_mins().max(0);
    let (days, hours) = (minutes / 1_440, minutes / 60 % 24);
    match (days, hours) {
        (0, 0) => format!("{minutes} min"),
        (0, hours) => format!("{hours} h {} min", minutes % 60),
        (days, hours) => format!("{days} d {hours} h"),
    }
}

/// What is told of an order beside the event, with proofs as this console calls them.
pub fn detail(text: &str) -> String {
    let Some(missing) = text.strip_prefix("missing: ") else {
        return text.to_owned();
    };
    let name = |word| match Proof::parse(word) {
        Ok(known) => proof(known),
        Err(_) => word,
    };
    let names: Vec<&str> = missing.split(", ").map(name).collect();
    format!("missing: {}", names.join(", "))
}

/// How much of a hold is over, of a thousand.
pub fn elapsed(from: Timestamp, to: Timestamp, now: Timestamp) -> i64 {
    let whole = to.duration_since(from).as_secs().max(1);
    let gone = now.duration_since(from).as_secs().clamp(0, whole);
    gone * 1_000 / whole
}

/// A number with a space between thousands.
pub fn number(count: i64) -> String {
    let digits = count.unsigned_abs().to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    match count < 0 {
        true => format!("−{text}"),
        false => text,
    }
}

/// A count of something that is counted as far as a person cares.
pub fn queue(count: i64) -> String {
    match count > ENOUGH {
        true => format!("{}+", number(ENOUGH)),
        false => number(count),
    }
}

/// A share with one decimal; nothing of nothing is no share.
pub fn percent(part: i64, whole: i64) -> Option<String> {
    if whole <= 0 {
        return None;
    }
    let tenths = (part * 2_000 + whole) / (2 * whole);
    // What is not all is not called all, and what is something is not called nothing.
    let tenths = match (part, tenths) {
        (part, 1_000) if part < whole => 999,
        (1.., 0) => 1,
        _ => tenths,
    };
    Some(format!("{}.{} %", tenths / 10, tenths % 10))
}

/// A latency of a scale, in microseconds.
pub fn latency(microseconds: i64) -> String {
    match microseconds {
        1_000_000.. => format!("{} s", microseconds / 1_000_000),
        _ => format!("{} ms", microseconds / 1_000),
    }
}

/// How long something took, in microseconds.
pub fn took(microseconds: i64) -> String {
    match microseconds {
        ..1_000 => "less than 1 ms".to_owned(),
        1_000..1_000_000 => format!("{} ms", microseconds / 1_000),
        _ => format!(
            "{}.{} s",
            microseconds / 1_000_000,
            microseconds / 100_000 % 10
        ),
    }
}

/// What is in a message, as text: JSON with a line for each member.
pub fn payload(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    serde_json::from_str::<serde_json::Value>(&text)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| text.into_owned())
}

/// What an order's status is called, and how it is coloured.
pub const fn status(status: Status) -> (&'static str, &'static str) {
    match status {
        Status::Held => ("Held", "wait"),
        Status::Late => ("Late", "accent"),
        Status::Expired => ("Expired", "quiet"),
        Status::Released => ("Released", "good"),
        Status::Cancelled => ("Cancelled", "bad"),
    }
}

/// What a proof is called.
pub const fn proof(proof: Proof) -> &'static str {
    match proof {
        Proof::Veriff => "ID",
        Proof::Membership => "Agreement",
        Proof::EmailOptin => "E-mail opt-in",
    }
}

/// A browser in a few words, of what it says of itself.
pub fn browser(agent: &str) -> String {
    const BROWSERS: [(&str, &str); 6] = [
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ];
    const SYSTEMS: [(&str, &str); 6] = [
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    ];
    let find = |names: &[(&str, &'static str)]| {
        let found = names.iter().find(|(sign, _)| agent.contains(sign));
        found.map(|(_, name)| *name)
    };
    match (find(&BROWSERS), find(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(name), None) | (None, Some(name)) => name.to_owned(),
        (None, None) => "An unknown browser".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        for (count, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1\u{202f}000"),
            (-1_234_567, "−1\u{202f}234\u{202f}567"),
        ] {
            assert_eq!(number(count), text);
        }
        assert_eq!(took(999), "less than 1 ms");
        assert_eq!(took(1_250), "1 ms");
        assert_eq!(took(12_345_678), "12.3 s");
        assert_eq!(queue(1_001), "1\u{202f}000+");
        assert_eq!(queue(1_000), "1\u{202f}000");
    }

    #[test]
    fn what_is_left_is_told_to_the_hour_or_the_minute() {
        for (minutes, text) in [
            (-5, "0 min"),
            (59, "59 min"),
            (61, "1 h 1 min"),
            (1_439, "23 h 59 min"),
            (4_319, "2 d 23 h"),
            (4_320, "3 d 0 h"),
        ] {
            assert_eq!(left(SignedDuration::from_mins(minutes)), text);
        }
    }

    #[test]
    fn proofs_have_one_name_in_this_console() {
        assert_eq!(
            detail("missing: veriff, email_optin"),
            "missing: ID, E-mail opt-in"
        );
        assert_eq!(detail("1 of 4"), "1 of 4");
    }

    #[test]
    fn a_share_says_neither_all_nor_nothing_too_soon() {
        for (part, whole, text) in [
            (0, 0, None),
            (0, 7, Some("0.0 %")),
            (7, 7, Some("100.0 %")),
            (99_999, 100_000, Some("99.9 %")),
            (1, 100_000, Some("0.1 %")),
            (1, 3, Some("33.3 %")),
        ] {
            assert_eq!(percent(part, whole).as_deref(), text);
        }
    }

    #[test]
    fn the_elapsed_part_stays_within_the_whole() {
        let at = |second| Timestamp::from_second(second).unwrap();
        for (now, part) in [(-5, 0), (0, 0), (50, 500), (100, 1_000), (900, 1_000)] {
            assert_eq!(elapsed(at(0), at(100), at(now)), part);
        }
        assert_eq!(elapsed(at(5), at(5), at(5)), 0);
    }

    #[test]
    fn browsers_are_told_in_a_few_words() {
        let agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
                     HeadlessChrome/140.0.0.0 Safari/537.36";
        assert_eq!(browser(agent), "Chrome on Linux");
        assert_eq!(browser("curl/8.0"), "curl");
        assert_eq!(browser(""), "An unknown browser");
    }
}
