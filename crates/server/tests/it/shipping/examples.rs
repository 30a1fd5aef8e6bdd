//! What the pages show is what happens: their commands are run, one after the other, against the real
//! program, and their answers compared.

use std::process::Command;

use serde_json::{Value, json};
use test_support::{Server, ServerBuilder};

use super::text;

/// What the pages say in place of a server's address.
const SHOWN: &str = "http://localhost:3000";

/// Everything that a key can be allowed.
const SCOPES: [&str; 11] = [
    "customers:read",
    "customers:write",
    "orders:read",
    "orders:write",
    "numbers:read",
    "numbers:write",
    "ages:read",
    "ages:write",
    "statistics:read",
    "audit:read",
    "admin",
];

/// A command as a page shows it, and what it answers, if that is shown.
#[derive(Debug, Default)]
struct Step {
    command: String,
    answer: String,
}

/// The commands of a page: in its blocks, behind `$ `.
fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let blocks = page.split("```").skip(1).step_by(2);
    for block in blocks {
        let mut in_command = false;
        let mut begun = false;
        for line in block.lines().skip(1) {
            if let Some(command) = line.strip_prefix("$ ") {
                steps.push(Step::default());
                begun = true;
                in_command = true;
                steps.last_mut().unwrap().command.push_str(command);
            } else if let (true, Some(step)) = (begun, steps.last_mut()) {
                let part = if in_command {
                    &mut step.command
                } else {
                    &mut step.answer
                };
                part.push('\n');
                part.push_str(line);
            }
            in_command = in_command && line.ends_with('\\');
        }
    }
    steps
}

/// A reader who types what a page shows.
struct Reader {
    server: Server,
    key: String,
    /// The newest name of a key or session.
    id: String,
    token: String,
}

impl Reader {
    fn begin() -> Self {
        let server = ServerBuilder::new().binary(env!("CARGO_BIN_EXE_bonafide"));
        let mut reader = Self {
            server: server.start().unwrap(),
            key: String::new(),
            id: String::new(),
            token: String::new(),
        };
        let scopes = SCOPES.map(|scope| format!(" --scope {scope}")).concat();
        reader.run(&format!(
            "bonafide keys create --company default --name reader{scopes}"
        ));
        reader.token = reader
            .run("bonafide tokens issue --subject shop")
            .trim()
            .to_owned();
        reader
    }

    /// Types a command; what it answers.
    fn run(&mut self, command: &str) -> String {
        let output = match command.strip_prefix("bonafide ") {
            Some(words) => {
                let words = words.split_whitespace();
                let words = words.map(|word| if word == "ID" { self.id.as_str() } else { word });
                self.server.command(words.collect::<Vec<_>>()).unwrap()
            }
            None => {
                let command = command.replace(SHOWN, &self.server.base_url());
                let command = command.replacen("curl -s ", "curl -sS --fail-with-body ", 1);
                let mut shell = Command::new("sh");
                shell.args(["-c", &command]);
                shell.envs([("KEY", &self.key), ("ID", &self.id), ("TOKEN", &self.token)]);
                shell.output().unwrap()
            }
        };
        let answer = String::from_utf8(output.stdout).unwrap();
        let trouble = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{command}: {answer}{trouble}");
        self.learn(command, &answer);
        answer.replace(&format!("http://localhost:{}", self.server.port()), SHOWN)
    }

    /// Keeps what a reader would keep of an answer.
    fn learn(&mut self, command: &str, answer: &str) {
        if command.starts_with("bonafide keys create") {
            self.key = answer.trim().to_owned();
            self.id = self.key.split('_').nth(1).unwrap().to_owned();
        }
        let answer: Value = serde_json::from_str(answer).unwrap_or_default();
        if let Some((_, token)) = answer["deepLink"]
            .as_str()
            .and_then(|link| link.split_once('#'))
        {
            self.id = answer["verificationId"].as_str().unwrap().to_owned();
            self.token = token.to_owned();
        }
    }

    /// Everything is proven about somebody.
    fn prove(&mut self, email: &str) {
        for proof in ["veriff", "membership", "email_optin"] {
            let body = json!({"email": email, "verification_type": proof, "status": true});
            self.run(&format!(
                "curl -s {SHOWN}/api/v1/customer/update-verification -H \"X-API-Key: $KEY\" \
                 -H 'Content-Type: application/json' -d '{body}'"
            ));
        }
    }
}

/// The text without its times, which are those of the day it was written.
fn timeless(text: &str) -> String {
    let is_time = |word: &str| {
        let bytes = word.as_bytes();
        bytes.len() >= 20 && bytes[4] == b'-' && bytes[10] == b'T' && bytes.ends_with(b"Z")
    };
    let words = text.split('"');
    let words = words.map(|word| if is_time(word) { "<time>" } else { word });
    words.collect::<Vec<_>>().join("\"")
}

/// Whether an answer is the one shown, in which `…` stands for anything.
fn is_shown(shown: &str, answer: &str) -> bool {
    let (shown, answer) = (timeless(shown.trim()), timeless(answer.trim()));
    let mut parts = shown.split('…');
    let first = parts.next().unwrap();
    let Some(mut rest) = answer.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<_> = parts.collect();
    for (number, part) in parts.iter().enumerate() {
        let last = number + 1 == parts.len();
        let place = if last {
            rest.rfind(part)
        } else {
            rest.find(part)
        };
        let Some(place) = place else { return false };
        rest = &rest[place + part.len()..];
    }
    rest.is_empty()
}

/// Runs what a page shows; `after` is done behind each step.
fn read(page: &str, reader: &mut Reader, after: impl Fn(&mut Reader, &str)) {
    let steps = steps(&text(page));
    assert!(!steps.is_empty(), "{page} shows nothing");
    for step in steps {
        let answer = reader.run(&step.command);
        let shown = step.answer.trim();
        assert!(
            shown.is_empty() || is_shown(shown, &answer),
            "{page}: {}\nshows   {shown}\nanswers {answer}",
            step.command
        );
        after(reader, &answer);
    }
}

#[test]
fn the_first_page_is_true() {
    let mut reader = Reader::begin();
    reader.prove("ann@example.com");
    read("README.md", &mut reader, |_, _| {});
}

#[test]
fn the_page_of_ages_is_true() {
    read("docs/age-verification.md", &mut Reader::begin(), |_, _| {});
}

#[test]
fn the_page_of_numbers_is_true() {
    read(
        "docs/number-verification.md",
        &mut Reader::begin(),
        |_, _| {},
    );
}

#[test]
fn the_page_of_orders_is_true() {
    let mut reader = Reader::begin();
    let admin = reader.key.clone();
    // "Proofs come as they always do", behind the order that is held.
    read("docs/orders.md", &mut reader, |reader, answer| {
        if answer.contains("\"status\":\"held\"") {
            let shop = std::mem::replace(&mut reader.key, admin.clone());
            reader.prove("ada@example.com");
            reader.key = shop;
        }
    });
}

#[test]
fn three_dots_stand_for_anything_and_nothing_else_does() {
    assert!(is_shown("{\"a\":1,…}", "{\"a\":1,\"b\":2}\n"));
    assert!(is_shown("\"nv_…\",…\"x\"", "\"nv_1\",\"x\",\"x\""));
    assert!(is_shown(
        "\"2025-01-01T00:00:00Z\"",
        "\"2026-11-21T21:00:00.123Z\""
    ));
    assert!(!is_shown("{\"a\":1}", "{\"a\":2}"));
    assert!(!is_shown("{\"a\":1,…}", "{\"a\":2,\"b\":2}"));
    assert!(!is_shown("{…}", "{}, and more"));
}
