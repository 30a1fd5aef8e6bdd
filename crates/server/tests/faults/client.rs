//! A plain HTTP/1.1 client over one connection.
//!
//! Guarantees: sends exactly the bytes it is given, and tells an answer from a connection that was
//! closed without one; that is why it is no library's client, which would repair the first and
//! retry the second.
//! Must not: be taken for a complete client; it understands what this server answers.

use std::io::{Error, ErrorKind, Result};
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The longest wait for one answer: far more than the server may take.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A keep-alive connection.
pub struct Connection(BufReader<TcpStream>);

/// An answer as it came.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of this name, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The id under which the audit log knows the request.
    pub fn request_id(&self) -> &str {
        self.header("x-request-id").expect("every answer has an id")
    }

    /// Whether the server will close the connection after this answer.
    pub fn closes(&self) -> bool {
        self.header("connection") == Some("close")
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The code in the error envelope, if the body is exactly that envelope.
    pub fn error_code(&self) -> Option<String> {
        let body = self.json();
        let error = body
            .as_object()
            .filter(|body| body.len() == 1)?
            .get("error")?;
        let is_envelope = error.as_object()?.len() == 4
            && error["message"].as_str()?.len() > 5
            && error["request_id"].as_str()? == self.request_id()
            && error["details"]
                .as_array()?
                .iter()
                .all(|detail| detail["field"].is_string() && detail["message"].is_string())
            && self.header("content-type")? == "application/json";
        let code = error["code"].as_str()?;
        is_envelope.then(|| code.to_owned())
    }
}

impl Answer {
    /// The error of the token endpoint, if the body is exactly in RFC 6749's shape.
    pub fn token_error(&self) -> Option<String> {
        let body = self.json();
        let body = body.as_object().filter(|body| body.len() == 2)?;
        body.get("error_description")?.as_str()?;
        Some(body.get("error")?.as_str()?.to_owned())
    }
}

impl Connection {
    pub async fn open(port: u16) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    pub async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.get_mut().write_all(bytes).await
    }

    /// Says that nothing more will be sent.
    pub async fn finish_sending(&mut self) -> Result<()> {
        self.0.get_mut().shutdown().await
    }

    /// The next answer; none when the connection ended before its first byte.
    ///
    /// # Errors
    /// When the connection breaks in the middle, or nothing comes for [`PATIENCE`].
    pub async fn answer(&mut self) -> Result<Option<Answer>> {
        self.answer_to(false).await
    }

    /// The same, when it may be the answer to `HEAD`, which has no body whatever it says.
    pub async fn answer_to(&mut self, head: bool) -> Result<Option<Answer>> {
        timeout(PATIENCE, self.read(head))
            .await
            .unwrap_or_else(|_| Err(Error::new(ErrorKind::TimedOut, "no answer")))
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    /// When there was none.
    pub async fn ask(&mut self, request: &[u8]) -> Result<Answer> {
        self.send(request).await?;
        let answer = self.answer().await?;
        answer.ok_or_else(|| ErrorKind::UnexpectedEof.into())
    }

    async fn read(&mut self, head: bool) -> Result<Option<Answer>> {
        loop {
            let Some(status) = self.line().await? else {
                return Ok(None);
            };
            let status = status_of(&status)?;
            let headers = self.headers().await?;
            if status == 100 {
                continue;
            }
            let mut answer = Answer {
                status,
                headers,
                body: Vec::new(),
            };
            if !head && status != 204 && status != 304 {
                answer.body = self.body(&answer).await?;
            }
            return Ok(Some(answer));
        }
    }

    async fn headers(&mut self) -> Result<Vec<(String, String)>> {
        let mut headers = Vec::new();
        loop {
            let line = self.line().await?.ok_or(ErrorKind::UnexpectedEof)?;
            if line.is_empty() {
                return Ok(headers);
            }
            let (name, value) = line.split_once(':').ok_or(ErrorKind::InvalidData)?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    async fn body(&mut self, answer: &Answer) -> Result<Vec<u8>> {
        if let Some(length) = answer.header("content-length") {
            let length = length.parse().map_err(|_| ErrorKind::InvalidData)?;
            let mut body = vec![0; length];
            self.0.read_exact(&mut body).await?;
            return Ok(body);
        }
        let mut body = Vec::new();
        if answer.header("transfer-encoding").is_none() {
            self.0.read_to_end(&mut body).await?;
            return Ok(body);
        }
        loop {
            let size = self.line().await?.ok_or(ErrorKind::UnexpectedEof)?;
            let size = usize::from_str_radix(&size, 16).map_err(|_| ErrorKind::InvalidData)?;
            let mut chunk = vec![0; size + 2];
            self.0.read_exact(&mut chunk).await?;
            if size == 0 {
                return Ok(body);
            }
            body.extend_from_slice(&chunk[..size]);
        }
    }

    /// A line without its end; none at the end of the connection.
    async fn line(&mut self) -> Result<Option<String>> {
        let mut line = Vec::new();
        self.0.read_until(b'\n', &mut line).await?;
        match line.last() {
            None => Ok(None),
            Some(b'\n') => Ok(Some(String::from_utf8_lossy(&line).trim_end().to_owned())),
            Some(_) => Err(ErrorKind::UnexpectedEof.into()),
        }
    }
}

fn status_of(line: &str) -> Result<u16> {
    let status = line
        .strip_prefix("HTTP/1.")
        .and_then(|line| line.split(' ').nth(1))
        .and_then(|status| status.parse().ok());
    status.ok_or_else(|| Error::new(ErrorKind::InvalidData, format!("no HTTP: {line:?}")))
}

/// A request to check, update or bulk-check, with a body of JSON.
pub fn post(path: &str, key: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    post_to(&format!("/api/v1/customer/{path}"), key, headers, body)
}

/// A request to verify an age.
pub fn verify_age(key: &str, headers: &[(&str, &str)], claim: &serde_json::Value) -> Vec<u8> {
    let path = "/api/age-verification/verify";
    post_to(path, key, headers, &claim.to_string())
}

/// A request to look up the verification of a customer.
pub fn age_status(key: &str, customer: &str) -> Vec<u8> {
    get_with(&format!("/api/age-verification/status/{customer}"), key)
}

/// A request to open a session for a number, or to name one; with an empty key, without one.
pub fn verify_number(
    step: &str,
    key: &str,
    headers: &[(&str, &str)],
    body: &serde_json::Value,
) -> Vec<u8> {
    let path = format!("/api/v1/verification/{step}");
    post_to(&path, key, headers, &body.to_string())
}

/// A request with a body of JSON to any path.
pub fn post_to(path: &str, key: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n",
        body.len()
    );
    if !key.is_empty() {
        request.push_str(&format!("X-API-Key: {key}\r\n"));
    }
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    request.push_str(body);
    request.into_bytes()
}

pub fn check(key: &str, email: &str) -> Vec<u8> {
    post(
        "check-verification",
        key,
        &[],
        &format!(r#"{{"email":"{email}"}}"#),
    )
}

pub fn bulk_check(key: &str, email: &str) -> Vec<u8> {
    let body = format!(r#"{{"emails":["{email}","nobody@example.com"]}}"#);
    post("bulk-check", key, &[], &body)
}

pub fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes()
}

/// A request to look something up, with a key.
pub fn get_with(path: &str, key: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key}\r\n\r\n").into_bytes()
}

/// One request over a connection of its own.
pub async fn ask_once(port: u16, request: &[u8]) -> Result<Answer> {
    Connection::open(port).await?.ask(request).await
}
