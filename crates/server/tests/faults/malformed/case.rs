//! What a malformed request is made of, and whose data it carries.

use super::chance::Chance;

/// One thing to send.
pub struct Case {
    pub bytes: Vec<u8>,
    /// Whether the client stops sending after it, although more was announced.
    pub ends: bool,
    /// How many answers are due at most.
    pub answers: usize,
    /// Whether it asks by `HEAD`.
    pub head: bool,
}

/// Somebody whose data must not be told.
pub struct Person {
    pub email: String,
    pub phone: String,
    pub address: String,
    pub agent: String,
}

/// What the requests carry that no answer and no log line may.
pub struct Sent {
    pub key: String,
    /// A key that reads the audit log and the orders.
    pub auditor: String,
    marks: Vec<String>,
}

impl Sent {
    pub fn new(key: &str, auditor: &str) -> Self {
        let [secret, other] = [key, auditor].map(|key| key.rsplit('_').next().unwrap_or(key));
        let marks = [
            "zq-person",
            "zq-mail.example",
            "4155550",
            "203.0.113.",
            "zqbrowser",
            secret,
            other,
        ];
        Self {
            key: key.to_owned(),
            auditor: auditor.to_owned(),
            marks: marks.map(str::to_lowercase).to_vec(),
        }
    }

    pub fn person(&self, chance: &mut Chance) -> Person {
        let number = chance.below(100);
        Person {
            email: format!("zq-person{number}@zq-mail.example"),
            phone: format!("+141555501{number:02}"),
            address: format!("203.0.113.{number}"),
            agent: format!("ZqBrowser/{number} (of somebody)"),
        }
    }

    /// Everything personal or secret in a text.
    pub fn leaks(&self, text: &str) -> Vec<String> {
        let text = text.to_lowercase();
        let found = self.marks.iter().filter(|mark| text.contains(*mark));
        found.map(|mark| format!("{mark:?}")).collect()
    }
}

/// The head of a request without its last line.
pub struct Head(Vec<u8>);

impl Head {
    pub fn new(method: &str, target: &str) -> Self {
        Self(format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n").into_bytes())
    }

    pub fn customers(path: &str) -> Self {
        Self::new("POST", &format!("/api/v1/customer/{path}"))
    }

    pub fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b": ");
        self.0.extend_from_slice(value.as_ref());
        self.0.extend_from_slice(b"\r\n");
        self
    }

    /// A line as it is, whether it is a header or not.
    pub fn with_line(mut self, line: impl AsRef<[u8]>) -> Self {
        self.0.extend_from_slice(line.as_ref());
        self
    }

    pub fn json(self) -> Self {
        self.with("Content-Type", "application/json")
    }

    pub fn with_person(self, person: &Person) -> Self {
        self.with("User-Agent", &person.agent)
            .with("X-Forwarded-For", &person.address)
    }

    pub fn body(self, body: impl AsRef<[u8]>) -> Case {
        let length = body.as_ref().len().to_string();
        self.with("Content-Length", length).raw(body)
    }

    /// The end of the head, and whatever follows.
    pub fn raw(mut self, rest: impl AsRef<[u8]>) -> Case {
        self.0.extend_from_slice(b"\r\n");
        self.0.extend_from_slice(rest.as_ref());
        Case {
            bytes: self.0,
            ends: false,
            answers: 1,
            head: false,
        }
    }
}
