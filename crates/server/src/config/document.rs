//! The documentation of the settings, made from their table.
//!
//! `.env.example` and `docs/configuration.md` are checked in; a test compares them with what stands
//! here.

use std::fmt::Write;

use super::settings::{ALL, About, Otherwise, Part};

/// The text of `.env.example`.
pub fn render_env_example() -> String {
    let mut text = String::from(
        "# Settings of Bonafide. Copy this file to `.env` and remove the `#` before what you set.\n\
         # Each NAME can also be given as NAME_FILE, a file that holds the value.\n",
    );
    for (part, settings) in parts() {
        let _ = write!(text, "\n# --- {} ---\n", part.title());
        for about in settings {
            text.push('\n');
            for line in about.help {
                let _ = writeln!(text, "#{line}");
            }
            let _ = writeln!(text, "# {}", sentence(about));
            let default = match about.otherwise {
                Otherwise::Default(value) => value,
                Otherwise::Nothing(_) | Otherwise::Generated => "",
            };
            let _ = writeln!(text, "#{}={default}", about.name);
        }
    }
    text
}

/// The text of `docs/configuration.md`.
pub fn render_markdown() -> String {
    let mut text = String::from(INTRODUCTION);
    for (part, settings) in parts() {
        let _ = write!(text, "\n## {}\n\n", part.title());
        text.push_str("| variable | value | default | what it does |\n|---|---|---|---|\n");
        for about in settings {
            let _ = writeln!(
                text,
                "| `{}` | {}{} | {} | {} |",
                about.name,
                about.form,
                if about.secret { " (secret)" } else { "" },
                default(about),
                about.help_text(),
            );
        }
    }
    text
}

const INTRODUCTION: &str = "\
# Configuration

<!-- Generated from the table of settings. `UPDATE_GENERATED=1 cargo test -p bonafide` writes it anew. -->

Bonafide is configured by variables of the environment. A file `.env` in the working directory is
read too; a variable of the environment wins over the same name in the file.

- Each `NAME` can also be given as `NAME_FILE`: the path of a file that holds the value, as secrets
  are mounted in containers. The end of its last line does not count. Setting both is a mistake.
- An empty value counts as not set.
- Durations read `90s`, `10m`, `24h`, `7d`, `1y` (a calendar year); a bare number is seconds.
- Lists are separated by commas.
- A mistake stops the start with one message that lists all of them: an unknown variable with one
  of our prefixes, a malformed value, a missing secret.

With the embedded database (SQLite) missing secrets are generated at the first start into
`secrets.toml` in `DATA_DIR`, readable by its owner only. Keep a copy of that file: without it the
data cannot be read. With PostgreSQL the secrets are required and never generated, because all
instances must share them.
";

fn parts() -> Vec<(Part, Vec<&'static About>)> {
    let mut parts: Vec<(Part, Vec<&About>)> = Vec::new();
    for about in ALL {
        match parts.last_mut() {
            Some((part, settings)) if *part == about.part => settings.push(about),
            _ => parts.push((about.part, vec![about])),
        }
    }
    parts
}

fn default(about: &About) -> String {
    match about.otherwise {
        Otherwise::Default(value) => format!("`{value}`"),
        Otherwise::Nothing(words) => words.to_owned(),
        Otherwise::Generated => "generated with SQLite, required with PostgreSQL".to_owned(),
    }
}

fn sentence(about: &About) -> String {
    format!("Value: {}. Default: {}.", about.form, default(about))
}
