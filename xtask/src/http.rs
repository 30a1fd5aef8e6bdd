//! Requests made once and varied in place, and a reader of plain HTTP/1.1 answers.
//!
//! Guarantees: no allocation per request once the buffers have grown.
//! Must not: follow anything but `Content-Length` answers on a kept-alive connection.

use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

/// What stands for a customer's number in a body: as many digits as this has signs.
pub const NUMBER: &str = "#######";
/// What stands for a session's id: as many signs as it has.
pub const SESSION: &str = "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@";
/// What stands for the token of its link.
pub const TOKEN: &str = "%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%";
/// How far apart the customers of one bulk request are.
const STRIDE: u64 = 7_919;

/// A session of number verification, as its link names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id, as long as [`SESSION`]
    pub id: String,
    /// The token of its link, as long as [`TOKEN`]
    pub token: String,
}

/// One request whose customer numbers are filled in before each sending.
#[derive(Clone)]
pub struct Request {
    bytes: Vec<u8>,
    slots: Vec<usize>,
    /// The number of customers to choose from; the slots of a bulk request differ within it.
    spread_over: Option<u64>,
    /// Where ids and tokens of sessions stand, and the sessions to choose from.
    session_slots: Vec<usize>,
    token_slots: Vec<usize>,
    sessions: Arc<[Session]>,
}

impl Request {
    /// A POST of this JSON body, in which each [`NUMBER`] is the number of one customer.
    pub fn post(path: &str, key: &str, body: &str) -> Self {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: {key}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        Self::new(head + body)
    }

    /// The same without a credential: something in the body authorises it.
    pub fn anonymous(path: &str, body: &str) -> Self {
        Self::new(format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    }

    /// A GET of this path, in which each [`NUMBER`] is the number of one customer.
    pub fn get(path: &str, key: &str) -> Self {
        Self::new(format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: {key}\r\n\r\n"
        ))
    }

    /// A GET of this path, as a browser with that cookie sends it.
    pub fn page(path: &str, cookie: &str) -> Self {
        Self::new(format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n\r\n"
        ))
    }

    fn new(text: String) -> Self {
        let places = |sign: &str| text.match_indices(sign).map(|(offset, _)| offset).collect();
        Self {
            slots: places(NUMBER),
            session_slots: places(SESSION),
            token_slots: places(TOKEN),
            bytes: text.into_bytes(),
            spread_over: None,
            sessions: Arc::new([]),
        }
    }

    /// Fills each slot with another one of this many customers.
    pub fn spread_over(mut self, customers: u64) -> Self {
        self.spread_over = Some(customers);
        self
    }

    /// Fills each [`SESSION`] and [`TOKEN`] with those of one of these.
    pub fn of_sessions(mut self, sessions: Arc<[Session]>) -> Self {
        self.sessions = sessions;
        self
    }

    /// The request about customer `number`.
    pub fn about(&mut self, number: u64) -> &[u8] {
        let session = usize::try_from(number).ok();
        if let Some(session) = session.and_then(|number| self.sessions.get(number)) {
            for (slots, value) in [
                (&self.session_slots, &session.id),
                (&self.token_slots, &session.token),
            ] {
                for offset in slots {
                    if let Some(slot) = self.bytes.get_mut(*offset..*offset + value.len()) {
                        slot.copy_from_slice(value.as_bytes());
                    }
                }
            }
        }
        for (index, offset) in (0..).zip(&self.slots) {
            let number = match self.spread_over {
                Some(customers) => (number + index * STRIDE) % customers,
                None => number,
            };
            if let Some(slot) = self.bytes.get_mut(*offset..*offset + NUMBER.len()) {
                write_digits(slot, number);
            }
        }
        &self.bytes
    }
}

fn write_digits(slot: &mut [u8], mut number: u64) {
    for digit in slot.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// The answers that arrive on one connection.
pub struct Answers {
    buffer: Vec<u8>,
    head: usize,
    closes: bool,
}

impl Answers {
    /// A reader with an empty buffer.
    pub fn new() -> Self {
        Self {
            buffer: Vec::with_capacity(4 * 1024),
            head: 0,
            closes: false,
        }
    }

    /// Waits for one whole answer and returns its status.
    pub async fn next(&mut self, stream: &mut TcpStream) -> Result<u16> {
        self.buffer.clear();
        loop {
            let read = stream.read_buf(&mut self.buffer).await?;
            ensure!(read > 0, "the connection was closed");
            if let Some(head) = Head::parse(&self.buffer)? {
                (self.head, self.closes) = (head.length, head.closes);
                let whole = head.length + head.body;
                self.buffer.reserve(whole.saturating_sub(self.buffer.len()));
                while self.buffer.len() < whole {
                    let read = stream.read_buf(&mut self.buffer).await?;
                    ensure!(read > 0, "the connection was closed within an answer");
                }
                return Ok(head.status);
            }
        }
    }

    /// Whether the server ends the connection after the last answer.
    pub fn closes(&self) -> bool {
        self.closes
    }

    /// Whether the body of the last answer contains this text.
    pub fn body_contains(&self, text: &str) -> bool {
        let body = self.buffer.get(self.head..).unwrap_or_default();
        body.windows(text.len()).any(|part| part == text.as_bytes())
    }

    /// The body of the last answer, for an error message.
    pub fn body(&self) -> String {
        let body = self.buffer.get(self.head..).unwrap_or_default();
        String::from_utf8_lossy(body).into_owned()
    }
}

/// What the head of an answer says.
struct Head {
    status: u16,
    length: usize,
    body: usize,
    closes: bool,
}

impl Head {
    /// None while the head is incomplete.
    fn parse(bytes: &[u8]) -> Result<Option<Self>> {
        let mut headers = [httparse::EMPTY_HEADER; 48];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(length) = response.parse(bytes)? else {
            return Ok(None);
        };
        let status = response.code.context("an answer has a status")?;
        let (mut body, mut closes) = (None, false);
        for header in response.headers.iter() {
            if header.name.eq_ignore_ascii_case("content-length") {
                body = Some(std::str::from_utf8(header.value)?.trim().parse()?);
            } else if header.name.eq_ignore_ascii_case("connection") {
                closes = header.value.eq_ignore_ascii_case(b"close");
            }
        }
        let Some(body) = body else {
            bail!("an answer with status {status} has no Content-Length")
        };
        Ok(Some(Self {
            status,
            length,
            body,
            closes,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_filled_in_place() {
        let mut request = Request::post("/p", "k", r#"{"a":"c#######","b":"+#######"}"#);
        let text = String::from_utf8(request.about(42).to_vec()).unwrap();
        assert!(
            text.ends_with(r#"{"a":"c0000042","b":"+0000042"}"#),
            "{text}"
        );
        assert!(text.contains("Content-Length: 31\r\n"), "{text}");
    }

    #[test]
    fn sessions_are_filled_in_place() {
        let (id, token) = ("n".repeat(SESSION.len()), "t".repeat(TOKEN.len()));
        let session = Session {
            id: id.clone(),
            token: token.clone(),
        };
        let body = format!("[\"{SESSION}\",\"{TOKEN}\",\"#######\"]");
        let mut request = Request::post("/p", "k", &body).of_sessions(vec![session].into());
        let text = String::from_utf8(request.about(0).to_vec()).unwrap();
        let filled = format!("[\"{id}\",\"{token}\",\"0000000\"]");
        assert!(text.ends_with(&filled), "{text}");
    }

    #[test]
    fn a_bulk_request_names_different_customers() {
        let mut request = Request::post("/p", "k", "[#######,#######]").spread_over(10_000);
        let text = String::from_utf8(request.about(5_000).to_vec()).unwrap();
        assert!(text.ends_with("[0005000,0002919]"), "{text}");
    }

    #[test]
    fn heads_are_read_when_complete() {
        let head = b"HTTP/1.1 429 Too Many\r\ncontent-length: 12\r\n\r\n";
        let parsed = Head::parse(head).unwrap().unwrap();
        assert_eq!(
            (parsed.status, parsed.length, parsed.body),
            (429, head.len(), 12)
        );
        assert!(!parsed.closes);
        let last = b"HTTP/1.1 503 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        assert!(Head::parse(last).unwrap().unwrap().closes);
        assert!(Head::parse(&head[..20]).unwrap().is_none());
        assert!(Head::parse(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
