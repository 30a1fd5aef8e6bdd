//! The lcov format: leaving out test code, and counting lines per crate.
//!
//! Guarantees: what is left out is a `#[cfg(test)]` item at the margin of a file, a `tests` file or
//! folder, and the crate test-support; every other line counts.
//! Must not: know how the counts were made.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::Path;

use anyhow::{Context, Result};

/// Lines that could be run and lines that were, of one crate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Lines {
    found: u64,
    run: u64,
}

impl Lines {
    fn percent(self) -> f64 {
        if self.found == 0 {
            return 100.0;
        }
        self.run as f64 * 100.0 / self.found as f64
    }
}

/// The share of lines run, per crate and file.
#[derive(Debug, Default)]
pub struct Table {
    crates: BTreeMap<String, BTreeMap<String, Lines>>,
}

impl Table {
    /// Counts the `DA` records of an lcov text; files are named from `root` on.
    pub fn of(lcov: &str, root: &str) -> Self {
        let mut table = Self::default();
        for record in records(lcov) {
            let name = record.file.strip_prefix(root).unwrap_or(record.file);
            let mut parts = name.trim_start_matches("/crates/").splitn(2, '/');
            let (Some(of), Some(file)) = (parts.next(), parts.next()) else {
                continue;
            };
            let files = table.crates.entry(of.to_owned()).or_default();
            files.insert(file.to_owned(), record.lines());
        }
        table
    }

    /// The share over all crates, in percent.
    pub fn total_percent(&self) -> f64 {
        sum(self.crates.values().flat_map(BTreeMap::values)).percent()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "| file | lines | run | % |\n|---|---:|---:|---:|")?;
        for (of, files) in &self.crates {
            for (file, lines) in files {
                row(out, &format!("{of}/{file}"), *lines)?;
            }
        }
        for (of, files) in &self.crates {
            row(out, &format!("**{of}**"), sum(files.values()))?;
        }
        let all = sum(self.crates.values().flat_map(BTreeMap::values));
        row(out, "**total**", all)
    }
}

fn row(out: &mut fmt::Formatter<'_>, name: &str, lines: Lines) -> fmt::Result {
    let percent = lines.percent();
    writeln!(
        out,
        "| {name} | {} | {} | {percent:.1} |",
        lines.found, lines.run
    )
}

fn sum<'a>(all: impl Iterator<Item = &'a Lines>) -> Lines {
    all.fold(Lines::default(), |sum, lines| Lines {
        found: sum.found + lines.found,
        run: sum.run + lines.run,
    })
}

/// One file's part of an lcov text.
struct Record<'a> {
    file: &'a str,
    body: Vec<&'a str>,
}

impl Record<'_> {
    fn lines(&self) -> Lines {
        let counts = self.body.iter().filter_map(|line| line_and_count(line));
        counts.fold(Lines::default(), |sum, (_, count)| Lines {
            found: sum.found + 1,
            run: sum.run + u64::from(count > 0),
        })
    }
}

fn records(lcov: &str) -> impl Iterator<Item = Record<'_>> {
    lcov.split("end_of_record").filter_map(|text| {
        let mut lines = text.lines().filter(|line| !line.is_empty());
        let file = lines.find_map(|line| line.strip_prefix("SF:"))?;
        Some(Record {
            file,
            body: lines.collect(),
        })
    })
}

/// Line number and count of a `DA:<line>,<count>` record.
fn line_and_count(record: &str) -> Option<(usize, u64)> {
    let (line, count) = record.strip_prefix("DA:")?.split_once(',')?;
    Some((line.parse().ok()?, count.parse().ok()?))
}

/// The same lcov text with line records only, and without those of test code.
pub fn without_test_code(lcov: &str, root: &str) -> Result<String> {
    let mut kept = String::new();
    for record in records(lcov).filter(|record| is_product(record.file, root)) {
        let source = std::fs::read_to_string(record.file)
            .with_context(|| format!("cannot read {}", record.file))?;
        let test_code = test_ranges(&source);
        kept.push_str(&format!("SF:{}\n", record.file));
        for line in &record.body {
            let number = line_and_count(line).map(|(number, _)| number);
            let is_kept = |number| !test_code.iter().any(|range| range.contains(&number));
            if number.is_some_and(is_kept) {
                kept.push_str(line);
                kept.push('\n');
            }
        }
        kept.push_str("end_of_record\n");
    }
    Ok(kept)
}

/// Whether a file is part of what we ship.
fn is_product(file: &str, root: &str) -> bool {
    let Some(name) = file
        .strip_prefix(root)
        .and_then(|name| name.strip_prefix("/crates/"))
    else {
        return false;
    };
    let is_test = |part: &std::ffi::OsStr| part == "tests" || part == "tests.rs";
    !name.starts_with("test-support/") && !Path::new(name).iter().any(is_test)
}

/// The lines of the `#[cfg(test)]` items that stand at the margin, counted from one.
fn test_ranges(source: &str) -> Vec<RangeInclusive<usize>> {
    let mut ranges = Vec::new();
    let mut lines = source.lines().zip(1..);
    while let Some((line, first)) = lines.next() {
        if line == "#[cfg(test)]" {
            let ends = |line: &str| line == "}" || (line.ends_with(';') && !line.starts_with(' '));
            let end = lines.find(|(line, _)| ends(line));
            ranges.push(first..=end.map_or(usize::MAX, |(_, last)| last));
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_lines_per_crate() {
        let lcov = "SF:/w/crates/app/src/a.rs\nDA:1,3\nDA:2,0\nend_of_record\n\
                    SF:/w/crates/store/src/b.rs\nFN:1,x\nDA:7,1\nend_of_record\n";
        let table = Table::of(lcov, "/w");
        let text = table.to_string();
        assert!(text.contains("| **app** | 2 | 1 | 50.0 |"), "{text}");
        assert!(
            text.contains("| store/src/b.rs | 1 | 1 | 100.0 |"),
            "{text}"
        );
        assert!((table.total_percent() - 66.66).abs() < 0.01);
    }

    #[test]
    fn only_test_items_at_the_margin_are_test_code() {
        let source = "fn a() {}\n#[cfg(test)]\nmod tests {\n    use x;\n}\nfn b() {}\n\
                      #[cfg(test)]\nmod more;\nfn c() {}\n    #[cfg(test)]\nfn d() {}\n";
        assert_eq!(test_ranges(source), [2..=5, 7..=8]);
    }

    #[test]
    fn products_are_told_from_tests() {
        assert!(is_product("/w/crates/app/src/contests.rs", "/w"));
        assert!(!is_product("/w/crates/app/tests/flow.rs", "/w"));
        assert!(!is_product("/w/crates/app/src/flow/tests.rs", "/w"));
        assert!(!is_product("/w/crates/test-support/src/lib.rs", "/w"));
        assert!(!is_product("/w/xtask/src/main.rs", "/w"));
    }
}
