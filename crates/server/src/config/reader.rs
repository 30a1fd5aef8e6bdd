//! Reads settings from the variables that were given, and notes every mistake on the way.
//!
//! `NAME` gives a value, `NAME_FILE` names a file that holds it. An empty value counts as not set.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::problems::Problems;
use super::settings::{ALL, About, Otherwise, Setting};

/// Prefixes that belong to us: an unknown variable with one of them is a mistake.
const OWN_PREFIXES: [&str; 25] = [
    "AGE_",
    "ALLOW_PRIVATE_",
    "AUDIT_",
    "BIGQUERY_",
    "CORS_",
    "ENCRYPTION_",
    "ERASURE_",
    "HOLD_",
    "IDENTITY_",
    "INDEX_",
    "INTEGRATION_",
    "JWT_",
    "LIGHTSPEED_",
    "LIMIT_",
    "LOG_",
    "MEMBERSHIP_",
    "METRICS_",
    "OIDC_",
    "RETENTION_",
    "SMTP_",
    "SQUARE_",
    "TLS_",
    "TRUSTED_",
    "VERIFF_",
    "WEBHOOK_",
];

/// Prefixes that others use as well (`REDIS_PORT` by Kubernetes, `SESSION_MANAGER` by desktops, `CHECKPOINT_DISABLE` by
/// HashiCorp's tools):
/// there only a variable that is nearly one of ours is a mistake.
const SHARED_PREFIXES: [&str; 14] = [
    "API_",
    "AUTO_",
    "CHECKPOINT_",
    "DATABASE_",
    "DATA_",
    "MAIL_",
    "MAX_",
    "OTEL_",
    "REDIS_",
    "REQUEST_",
    "REQUIRE_",
    "SENTRY_",
    "SESSION_",
    "SHUTDOWN_",
];

/// How many letters may differ in a name that is taken for a slip of the pen.
const NEARLY: usize = 2;

/// The given variables and the mistakes found so far.
pub struct Reader<'a> {
    given: BTreeMap<String, String>,
    read_file: &'a dyn Fn(&Path) -> io::Result<String>,
    /// Every mistake found so far.
    pub problems: Problems,
}

impl<'a> Reader<'a> {
    /// Takes the variables that concern us and notes unknown ones.
    pub fn new(
        variables: impl IntoIterator<Item = (String, String)>,
        read_file: &'a dyn Fn(&Path) -> io::Result<String>,
    ) -> Self {
        let mut reader = Self {
            given: BTreeMap::new(),
            read_file,
            problems: Problems::default(),
        };
        for (name, value) in variables {
            if is_known(&name) {
                reader.given.insert(name, value);
            } else if let Some(text) = objection(&name) {
                reader.problems.add(name, text);
            }
        }
        reader
    }

    /// Whether a value was given, right or wrong.
    pub fn is_set(&self, about: &About) -> bool {
        let set = |name: &str| {
            self.given
                .get(name)
                .is_some_and(|value| !value.trim().is_empty())
        };
        set(about.name) || set(&file_name(about))
    }

    /// The value that was given.
    pub fn optional<T>(&mut self, setting: &Setting<T>) -> Option<T> {
        let text = self.text(&setting.about)?;
        self.parsed(setting, &text)
    }

    /// The value that was given, or the default. `None` means that a problem was noted.
    pub fn value<T>(&mut self, setting: &Setting<T>) -> Option<T> {
        match (self.is_set(&setting.about), setting.about.otherwise) {
            (false, Otherwise::Default(text)) => self.parsed(setting, text),
            _ => self.optional(setting),
        }
    }

    /// Notes what is missing when only some of these are set.
    pub fn all_or_none(&mut self, abouts: &[&About]) {
        let (set, missing): (Vec<&About>, Vec<&About>) =
            abouts.iter().copied().partition(|about| self.is_set(about));
        if let Some(present) = set.first() {
            for about in missing {
                let text = format!("is missing: it is needed together with {}", present.name);
                self.problems.add(about.name, text);
            }
        }
    }

    fn text(&mut self, about: &About) -> Option<String> {
        let filled = |value: &&String| !value.trim().is_empty();
        let value = self.given.get(about.name).filter(filled);
        let file = self.given.get(&file_name(about)).filter(filled);
        match (value, file) {
            (Some(value), None) => Some(value.to_owned()),
            (None, Some(file)) => {
                let file = file.trim().to_owned();
                self.content(about, Path::new(&file))
            }
            (Some(_), Some(_)) => {
                let text = format!("and {} are both set: keep one", file_name(about));
                self.problems.add(about.name, text);
                None
            }
            (None, None) => None,
        }
    }

    fn content(&mut self, about: &About, file: &Path) -> Option<String> {
        let objection = match (self.read_file)(file) {
            Ok(text) if text.trim().is_empty() => "names an empty file".to_owned(),
            Ok(text) => return Some(text.trim_end_matches(['\r', '\n']).to_owned()),
            Err(error) => format!("names a file that cannot be read: {error}"),
        };
        self.problems.add(file_name(about), objection);
        None
    }

    fn parsed<T>(&mut self, setting: &Setting<T>, text: &str) -> Option<T> {
        let about = &setting.about;
        // A space may be part of a secret.
        let text = if about.secret { text } else { text.trim() };
        match (setting.parse)(text) {
            Ok(value) => Some(value),
            Err(reason) => {
                let text = if about.secret {
                    reason
                } else {
                    format!("{reason}: `{text}`")
                };
                self.problems.add(about.name, text);
                None
            }
        }
    }
}

fn file_name(about: &About) -> String {
    format!("{}_FILE", about.name)
}

/// Whether `name` is a setting, or a setting's `NAME_FILE`.
pub fn is_known(name: &str) -> bool {
    ALL.iter().any(|about| {
        name.strip_prefix(about.name)
            .is_some_and(|rest| matches!(rest, "" | "_FILE"))
    })
}

/// What is to say about a variable that is no setting, if it is meant for us.
fn objection(name: &str) -> Option<String> {
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    let (own, shared) = (starts(&OWN_PREFIXES), starts(&SHARED_PREFIXES));
    let near = (own || shared).then(|| nearest(name)).flatten();
    match near {
        Some(near) => Some(format!("is not a setting, did you mean {near}?")),
        None if own => Some("is not a setting".to_owned()),
        None => None,
    }
}

fn nearest(name: &str) -> Option<String> {
    ALL.iter()
        .flat_map(|about| [about.name.to_owned(), file_name(about)])
        .map(|known| (strsim::damerau_levenshtein(name, &known), known))
        .filter(|(distance, _)| *distance <= NEARLY)
        .min()
        .map(|(_, known)| known)
}
