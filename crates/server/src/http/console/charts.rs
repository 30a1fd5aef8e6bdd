//! Charts, worked out here and drawn by templates as SVG: nothing is rounded up to look better, and
//! every axis begins at nothing.
//!
//! A drawing holds shapes alone and is stretched to the page; its labels are text beside it.

use app::console::{Figures, Hour, Latencies};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use minijinja::{Value, context};

use super::words;

/// The drawing's own units.
const WIDTH: i64 = 3_000;
const HEIGHT: i64 = 1_000;

/// Columns over time: what was answered, refused, and went wrong, one upon the other.
pub fn columns(figures: &Figures) -> Value {
    let top = top_of(figures.hours.iter().map(Hour::total).max().unwrap_or(0));
    let count = i64::try_from(figures.hours.len()).unwrap_or(1).max(1);
    let step = WIDTH / count;
    let columns = figures
        .hours
        .iter()
        .zip(0..)
        .map(|(hour, at): (&Hour, i64)| {
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
                label => label(hour.begins_at, figures),
                counts => [hour.answered, hour.refused, hour.failed].map(words::number),
            }
        });
    let middle = figures.hours.get(figures.hours.len() / 2);
    context! {
        columns => columns.collect::<Vec<_>>(),
        top => words::number(top),
        half => words::number(top / 2),
        width => step * count,
        height => HEIGHT,
        first => figures.hours.first().map(|hour| label(hour.begins_at, figures)),
        middle => middle.map(|hour| label(hour.begins_at, figures)),
    }
}

fn label(at: Timestamp, figures: &Figures) -> String {
    let form = match figures.hours.len() {
        24 => "%H:%M",
        28 => "%a %-d %b, %H:%M",
        _ => "%-d %b",
    };
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
