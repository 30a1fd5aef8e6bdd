//! Asks the server and tells what was sent and answered, short enough to read along.

use std::collections::HashSet;

use http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::cli::failure::Failure;
use crate::cli::output::print_line;
use crate::cli::style::Style;

/// Where lines are broken.
const WIDTH: usize = 96;

/// The headers that a tour of limits shows.
const LIMIT_HEADERS: [&str; 3] = ["retry-after", "ratelimit", "ratelimit-policy"];

/// Tells the tour while it is played.
pub struct Narrator {
    client: reqwest::Client,
    base: String,
    style: Style,
    step: u32,
    /// The answers told so far, which need not be told in full again.
    told: HashSet<String>,
}

/// What the server answered.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Narrator {
    /// For a server at `base`.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(base: &str) -> Result<Self, Failure> {
        let client = reqwest::Client::builder()
            // A proxy of the environment knows nothing of our loopback.
            .no_proxy()
            .build()
            .map_err(|error| Failure::failed(format!("no HTTP client: {error}")))?;
        Ok(Self {
            client,
            base: base.to_owned(),
            style: Style::of_output(),
            step: 0,
            told: HashSet::new(),
        })
    }

    /// Begins the next scene.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn scene(&mut self, title: &str) -> Result<(), Failure> {
        self.step += 1;
        let title = format!("{}. {title}", self.step);
        print_line(&format!("\n{}", self.style.bold(title)))
    }

    /// Says something.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn say(&self, text: &str) -> Result<(), Failure> {
        print_line(&format!("   {text}"))
    }

    /// Posts JSON to a path of the server, and tells both sides.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn post(&mut self, key: &str, path: &str, body: &str) -> Result<Answer, Failure> {
        let request = self
            .client
            .post(format!("{}{path}", self.base))
            .header("Content-Type", "application/json")
            .body(body.to_owned());
        let sent = format!("POST {path} {body}");
        self.ask(key, request, &sent).await
    }

    /// Looks up a path of the server, and tells both sides.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn get(&mut self, key: &str, path: &str) -> Result<Answer, Failure> {
        let request = self.client.get(format!("{}{path}", self.base));
        let sent = format!("GET {path}");
        self.ask(key, request, &sent).await
    }

    /// Sends a request, of which `sent` is told, and tells the answer.
    async fn ask(
        &mut self,
        key: &str,
        request: reqwest::RequestBuilder,
        sent: &str,
    ) -> Result<Answer, Failure> {
        print_line(&wrapped(&self.style.dim("→"), sent))?;
        let unanswered =
            |error: reqwest::Error| Failure::failed(format!("no answer: {}", error.without_url()));
        let request = request.header("X-API-Key", key);
        let response = request.send().await.map_err(unanswered)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.map_err(unanswered)?;
        self.tell(status, &headers, &text)?;
        Ok(Answer {
            status,
            headers,
            body: serde_json::from_str(&text).unwrap_or_default(),
        })
    }

    fn tell(&mut self, status: StatusCode, headers: &HeaderMap, text: &str) -> Result<(), Failure> {
        let text = if self.told.insert(text.to_owned()) {
            brief(text)
        } else {
            "the same answer as before".to_owned()
        };
        let arrow = if status.is_success() {
            self.style.green("←")
        } else {
            self.style.yellow("←")
        };
        print_line(&wrapped(&arrow, &format!("{} {}", status.as_u16(), text)))?;
        if status == StatusCode::TOO_MANY_REQUESTS {
            for name in LIMIT_HEADERS {
                let value = headers.get(name).and_then(|value| value.to_str().ok());
                self.say(&format!("  {name}: {}", value.unwrap_or("missing")))?;
            }
        }
        Ok(())
    }
}

/// The answer without the long list of a bulk check.
fn brief(text: &str) -> String {
    match text.split_once("],\"total_checked\"") {
        Some((_, totals)) => format!("{{\"results\":[…],\"total_checked\"{totals}"),
        None => text.to_owned(),
    }
}

/// Lines of bearable length, broken between the members of the JSON in them.
fn wrapped(arrow: &str, text: &str) -> String {
    let spaced = text.replace(",\"", ", \"");
    let mut lines = vec![String::new()];
    let mut length = 0;
    for word in spaced.split(' ') {
        let more = word.chars().count() + 1;
        if length > 0 && length + more > WIDTH {
            lines.push(String::new());
            length = 0;
        }
        if let Some(line) = lines.last_mut() {
            if length > 0 {
                line.push(' ');
            }
            line.push_str(word);
        }
        length += more;
    }
    format!("   {arrow} {}", lines.join("\n       "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_answers_are_broken_between_members() {
        let text = format!("{{{}\"last\":1}}", "\"member\":true,".repeat(12));
        let told = wrapped("→", &text);
        assert!(told.lines().count() > 1, "{told}");
        assert!(told.lines().all(|line| line.chars().count() <= WIDTH + 8));
        assert_eq!(told.matches("\"member\":true").count(), 12);
        assert_eq!(wrapped("→", "short"), "   → short");
    }

    #[test]
    fn the_list_of_a_bulk_check_is_left_out() {
        let text = r#"{"results":[{"email":"a@b.c"}],"total_checked":1}"#;
        assert_eq!(brief(text), r#"{"results":[…],"total_checked":1}"#);
    }
}
