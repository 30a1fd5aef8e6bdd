//! Reads Prometheus' text format, and takes nothing that is not exactly that.

use std::collections::BTreeMap;

use bonafide::metrics::{ALL, Family};

/// Labels by name.
pub type Labels = BTreeMap<String, String>;

/// One sample: the name as it stands, its labels, its value.
#[derive(Debug)]
pub struct Sample {
    pub name: String,
    pub labels: Labels,
    pub value: f64,
}

/// A whole page of samples.
#[derive(Debug)]
pub struct Exposition {
    pub samples: Vec<Sample>,
}

impl Exposition {
    /// Reads a page. Every line is a help text, a type or a sample; every sample is of a family
    /// that has said both, as the table of families has it, and carries exactly its labels.
    pub fn parse(text: &str) -> Self {
        let complete = text.is_empty() || text.ends_with('\n');
        assert!(complete, "the last line has no end");
        let (mut helps, mut types) = (BTreeMap::new(), BTreeMap::new());
        let mut samples = Vec::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').unwrap();
                assert!(helps.insert(name, help).is_none(), "two helps: {name}");
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap();
                assert!(types.insert(name, kind).is_none(), "two types: {name}");
            } else {
                samples.push(sample(line));
            }
        }
        assert!(helps.keys().eq(types.keys()), "{helps:?} {types:?}");
        for (name, kind) in &types {
            let family = ALL.iter().find(|family| family.name == *name);
            let family = family.unwrap_or_else(|| panic!("{name} is in no table"));
            assert_eq!(*kind, family.kind.as_str(), "{name}");
            assert_eq!(helps[name], family.help, "{name}");
        }
        for sample in &samples {
            check(sample, &types);
        }
        Self { samples }
    }

    /// The value of one series; 0 when there is none yet.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let wanted: Labels = labels
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let mut found = self
            .samples
            .iter()
            .filter(|sample| sample.name == name && sample.labels == wanted);
        let value = found.next().map_or(0.0, |sample| sample.value);
        assert!(found.next().is_none(), "{name} {labels:?} stands twice");
        value
    }
}

fn check(sample: &Sample, types: &BTreeMap<&str, &str>) {
    let family = family(&sample.name);
    assert!(types.contains_key(family.name), "{sample:?} has no type");
    let mut labels: Vec<_> = sample.labels.keys().map(String::as_str).collect();
    if sample.name.ends_with("_bucket") {
        labels.retain(|label| *label != "le");
    }
    let mut expected = family.labels.to_vec();
    expected.sort_unstable();
    assert_eq!(labels, expected, "{sample:?}");
    assert!(sample.value >= 0.0, "{sample:?}");
}

/// The family of a sample's name.
fn family(name: &str) -> &'static Family {
    let of_histogram = ["_bucket", "_sum", "_count"]
        .iter()
        .filter_map(|ending| name.strip_suffix(ending));
    let found = of_histogram
        .filter_map(|name| ALL.iter().find(|family| family.name == name))
        .find(|family| family.kind.as_str() == "histogram");
    found
        .or_else(|| ALL.iter().find(|family| family.name == name))
        .unwrap_or_else(|| panic!("{name} is of no family"))
}

/// `name{label="value",…} number`.
fn sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
    let (name, labels) = match series.split_once('{') {
        None => (series, ""),
        Some((name, labels)) => (name, labels.strip_suffix('}').unwrap()),
    };
    let is_name = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    assert!(is_name(name), "{line}");
    let labels = labels.split_terminator(',').map(|label| {
        let (name, value) = label.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
        let value = value.strip_suffix('"').unwrap_or_else(|| panic!("{line}"));
        assert!(is_name(name) && !value.contains(['"', '\\']), "{line}");
        (name.to_owned(), value.to_owned())
    });
    Sample {
        name: name.to_owned(),
        labels: labels.collect(),
        value: value.parse().unwrap_or_else(|_| panic!("{line}")),
    }
}

#[test]
fn what_is_not_the_format_is_not_read() {
    let help = "# HELP bonafide_audit_records_total Audit records that were made durable.\n";
    let kind = "# TYPE bonafide_audit_records_total counter\n";
    let sample = "bonafide_audit_records_total 3\n";
    let good = Exposition::parse(&format!("{help}{kind}{sample}\n"));
    assert!((good.value("bonafide_audit_records_total", &[]) - 3.0).abs() < f64::EPSILON);
    for bad in [
        format!("{kind}{sample}"),
        format!("{help}{sample}"),
        format!("{help}{kind}{help}"),
        format!("{help}{kind}bonafide_audit_records_total three\n"),
        format!("{help}{kind}bonafide_audit_records_total{{key=\"k\"}} 3\n"),
        format!("{help}{kind}bonafide_audit_failures_total 3\n"),
        format!("{help}# TYPE bonafide_audit_records_total gauge\n"),
        sample.to_owned(),
        "words\n".to_owned(),
    ] {
        let read = std::panic::catch_unwind(|| Exposition::parse(&bad));
        assert!(read.is_err(), "{bad}");
    }
}
