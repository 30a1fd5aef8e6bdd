//! Charts, worked out here and drawn by templates as SVG: nothing is rounded up to look better, and
//! every axis begins at nothing.
//!
//! A drawing holds shapes alone and is stretched to the page; its labels are text beside it.

use app::console::{Hour, Latencies};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use minijinja::{Value, context};

use super::words;

/// The drawing's own units.
const WIDTH: i64 = 3_000;
const HEIGHT: i64 = 1_000;

/// Columns over time, up to three parts one upon the other: what was answered, refused, and went
/// wrong, or whatever else `names` calls them. `form` says how a label tells the time.
pub fn columns(hours: &[Hour], form: &str, names: &[&str]) -> Value {
    let top = top_of(hours.iter().map(Hour::total).max().unwrap_or(0));
    let count = i64::try_from(hours.len()).unwrap_or(1).max(1);
    let step = WIDTH / count;
    let label = |hour: &Hour| label(hour.begins_at, form);
    let columns = hours.iter().zip(0..).map(|(hour, at): (&Hour, i64)| {
        let height = |part: i64| part * HEIGHT / top;
        let (answered, refused) = (height(hour.answered), height(hour.refused));
        let failed = height(hour.failed);
        context! {
            x => at * step + step / 8,
            width => step - step / 4,
            answered, refused, failed,
            y_answered => HEIGHT - answered,
            y_refused => HEIGHT - answered - refused,
            y_failed => HEIGHT - answered - refused - failed,
            label => label(hour),
            said => said(hour, names),
            counts => counts(hour, names),
        }
    });
    context! {
        columns => columns.collect::<Vec<_>>(),
        top => words::number(top),
        half => words::number(top / 2),
        width => step * count,
        height => HEIGHT,
        first => hours.first().map(label),
        middle => hours.get(hours.len() / 2).map(label),
    }
}

/// The parts of a column, as many as have a name.
fn counts(hour: &Hour, names: &[&str]) -> Vec<String> {
    let parts = [hour.answered, hour.refused, hour.failed];
    parts
        .into_iter()
        .zip(names)
        .map(|(part, _)| words::number(part))
        .collect()
}

fn said(hour: &Hour, names: &[&str]) -> String {
    let counts = counts(hour, names);
    let parts = counts.iter().zip(names);
    let parts = parts.map(|(count, name)| format!("{count} {}", name.to_lowercase()));
    parts.collect::<Vec<_>>().join(", ")
}

/// All columns together: the legend.
pub fn total(total: &Hour, names: &[&str]) -> Value {
    const TONES: [&str; 3] = ["answered", "refused", "failed"];
    let parts = [total.answered, total.refused, total.failed];
    let parts = parts.into_iter().zip(TONES).zip(names);
    let parts = parts.map(|((count, tone), title)| {
        context! {
            title => *title,
            tone,
            count => words::number(count),
            share => words::percent(count, total.total()),
        }
    });
    context! {
        requests => words::number(total.total()),
        parts => parts.collect::<Vec<_>>(),
    }
}

fn label(at: Timestamp, form: &str) -> String {
    at.to_zoned(TimeZone::UTC).strftime(form).to_string()
}

/// The end of an axis that is no smaller than the largest value, even, and easy to read.
fn top_of(largest: i64) -> i64 {
    let mut unit = 1;
    loop {
        for top in [2, 4, 6, 10] {
            if top * unit >= largest {
                return top * unit;
            }
        }
        unit *= 10;
    }
}

/// How many answers took how long, a bar for each step of the scale that matters.
pub fn latencies(latencies: &Latencies) -> Value {
    let steps: Vec<_> = latencies.steps().collect();
    let all: i64 = steps.iter().map(|(_, count)| count).sum();
    let largest = steps
        .iter()
        .map(|(_, count)| *count)
        .max()
        .unwrap_or(0)
        .max(1);
    let last = steps.iter().rposition(|(_, count)| *count > 0).unwrap_or(0);
    // A few steps are shown in any case, so that the scale can be seen.
    let shown = steps.iter().take((last + 1).max(6));
    let mut before = String::new();
    let mut bars = Vec::new();
    for (end, count) in shown {
        let label = match end {
            Some(end) => format!("≤ {}", words::latency(*end)),
            None => format!("> {before}"),
        };
        before = end.map(words::latency).unwrap_or_default();
        bars.push(context! {
            label,
            count => words::number(*count),
            share => words::percent(*count, all),
            length => count * 1_000 / largest,
        });
    }
    context! {
        bars,
        marks => [50, 95, 99].map(|percent| context! {
            name => format!("p{percent}"),
            value => match latencies.percentile(percent) {
                None => "–".to_owned(),
                Some(None) => format!("> {}", words::latency(5_000_000)),
                Some(Some(end)) => format!("≤ {}", words::latency(end)),
            },
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_holds_every_value_and_can_be_halved() {
        for (largest, top) in [
            (0, 2),
            (1, 2),
            (3, 4),
            (10, 10),
            (11, 20),
            (99, 100),
            (101, 200),
            (61_000, 100_000),
        ] {
            assert_eq!(top_of(largest), top);
            assert_eq!(top_of(largest) % 2, 0);
        }
    }
}
