//! A receiver of webhooks with manners, good or bad, that remembers what it was told.
//!
//! Guarantees: what arrives as a whole is remembered before anything is answered. It speaks plain
//! sockets: it can hang up, babble and never end, which no library's server can.
//! Must not: judge signatures; the tests do that.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// What tells of a verified session.
const VERIFIED: &str = "verification.verified";
/// The longest body that is taken, in bytes.
const LONGEST: usize = 64 * 1024;

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// It is accepted.
    Accepts,
    /// Nothing comes back, for ever.
    Hangs,
    /// The connection ends before a word was heard.
    Closes,
    /// What comes back is not HTTP.
    Babbles,
    /// A failure, with a body that never ends.
    NeverEnds,
    /// It is sent elsewhere, to another path of the same receiver.
    Redirects,
    /// This status.
    Fails(u16),
}

/// What a receiver was told of one session.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Every `webhook-id` under which it came
    pub ids: BTreeSet<String>,
    /// How often it was accepted
    pub accepted: u64,
}

struct Desk {
    manner: Mutex<Manner>,
    told: Mutex<BTreeMap<String, Told>>,
    strays: Mutex<u64>,
}

/// A receiver at work, on a thread of its own.
pub struct Receiver {
    port: u16,
    desk: Arc<Desk>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Receiver {
    /// Listens on a port of 127.0.0.1.
    pub fn start(manner: Manner) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let desk = Arc::new(Desk {
            manner: Mutex::new(manner),
            told: Mutex::default(),
            strays: Mutex::default(),
        });
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn({
            let desk = desk.clone();
            move || serve(listener, &desk, stopped)
        });
        Ok(Self {
            port,
            desk,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}{PATH}", self.port)
    }

    /// From now on it behaves like this.
    pub fn behave(&self, manner: Manner) {
        *lock(&self.desk.manner) = manner;
    }

    /// What it was told so far of sessions that were verified.
    pub fn told(&self) -> BTreeMap<String, Told> {
        lock(&self.desk.told).clone()
    }

    /// How many messages followed a redirect.
    pub fn strays(&self) -> u64 {
        *lock(&self.desk.strays)
    }

    /// Of these sessions, those of which no message was accepted yet.
    pub fn missing<'a>(&self, sessions: &'a [String]) -> Vec<&'a str> {
        let told = lock(&self.desk.told);
        let is_missing = |session: &&String| {
            let told = told.get(*session);
            told.is_none_or(|told| told.accepted == 0)
        };
        let missing = sessions.iter().filter(is_missing);
        missing.map(String::as_str).collect()
    }

    /// How often messages about these sessions were accepted that had been accepted before.
    pub fn told_again(&self, sessions: &[String]) -> u64 {
        let told = lock(&self.desk.told);
        let told = sessions.iter().filter_map(|session| told.get(session));
        told.map(|told| told.accepted.saturating_sub(1)).sum()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        if !matches!(ended, None | Some(Ok(Ok(())))) {
            eprintln!("a receiver of webhooks ended badly");
        }
    }
}

/// Where messages are to go.
const PATH: &str = "/hook";

fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(listener: TcpListener, desk: &Arc<Desk>, stopped: oneshot::Receiver<()>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        tokio::select! {
            failed = accept_all(&listener, desk) => failed,
            // Whatever is under way ends with the runtime.
            _ = stopped => Ok(()),
        }
    })
}

async fn accept_all(listener: &tokio::net::TcpListener, desk: &Arc<Desk>) -> Result<()> {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        let desk = desk.clone();
        connections.spawn(async move {
            // A sender that has enough hangs up, which is its right.
            converse(stream, &desk).await.ok();
        });
        while connections.try_join_next().is_some() {}
    }
}

/// Takes one message after the other.
async fn converse(stream: TcpStream, desk: &Desk) -> Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        if *lock(&desk.manner) == Manner::Closes {
            return Ok(());
        }
        let message = message(&mut stream).await?;
        // It may have been told to behave while the message was awaited.
        let manner = *lock(&desk.manner);
        desk.note(&message, manner == Manner::Accepts)?;
        if !answer(&mut stream, manner).await? {
            return Ok(());
        }
    }
}

/// Answers a message; whether the connection goes on.
async fn answer(stream: &mut BufReader<TcpStream>, manner: Manner) -> Result<bool> {
    let status = match manner {
        Manner::Accepts => 200,
        Manner::Fails(status) => status,
        Manner::Closes => return Ok(false),
        Manner::Hangs => {
            // Until the sender has enough.
            stream.read_u8().await?;
            return Ok(false);
        }
        Manner::Babbles => {
            stream
                .write_all(b"\x16\x03\x01 220 hello\0\r\n\r\n")
                .await?;
            return Ok(false);
        }
        Manner::NeverEnds => return never_end(stream).await,
        Manner::Redirects => {
            let head = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(head).await?;
            return Ok(true);
        }
    };
    let head = format!("HTTP/1.1 {status} So\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    Ok(true)
}

async fn never_end(stream: &mut BufReader<TcpStream>) -> Result<bool> {
    let head = b"HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head).await?;
    let chunk = [b"400\r\n".as_slice(), &[b'x'; 0x400], b"\r\n"].concat();
    loop {
        stream.write_all(&chunk).await?;
        tokio::task::yield_now().await;
    }
}

struct Message {
    path: String,
    id: String,
    body: Vec<u8>,
}

impl Desk {
    fn note(&self, message: &Message, accepted: bool) -> Result<()> {
        if message.path != PATH {
            *lock(&self.strays) += 1;
            return Ok(());
        }
        let body: Value = serde_json::from_slice(&message.body)?;
        if body.get("type").and_then(Value::as_str) != Some(VERIFIED) {
            return Ok(());
        }
        let session = body.pointer("/data/verificationId").and_then(Value::as_str);
        let session = session.context("a message about no session")?.to_owned();
        let mut told = lock(&self.told);
        let told = told.entry(session).or_default();
        told.ids.insert(message.id.clone());
        told.accepted += u64::from(accepted);
        Ok(())
    }
}

/// The next message, if it comes as a whole.
async fn message(stream: &mut BufReader<TcpStream>) -> Result<Message> {
    let request = line(stream).await?;
    let path = request.split(' ').nth(1).context("no request line")?;
    let mut message = Message {
        path: path.to_owned(),
        id: String::new(),
        body: Vec::new(),
    };
    let mut length = 0;
    loop {
        let header = line(stream).await?;
        let Some((name, value)) = header.split_once(": ") else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse()?,
            "webhook-id" => value.clone_into(&mut message.id),
            _ => {}
        }
    }
    ensure!(length <= LONGEST, "a message of {length} bytes");
    message.body = vec![0; length];
    stream.read_exact(&mut message.body).await?;
    Ok(message)
}

async fn line(stream: &mut BufReader<TcpStream>) -> Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    ensure!(line.ends_with('\n'), "the sender hung up");
    Ok(line.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    /// Tells of a session; the beginning of the answer.
    fn tell(receiver: &Receiver, id: &str) -> String {
        let body = r#"{"type":"verification.verified","data":{"verificationId":"nv_1"}}"#;
        let mut stream =
            std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, receiver.port)).unwrap();
        let length = body.len();
        write!(
            stream,
            "POST /hook HTTP/1.1\r\nwebhook-id: {id}\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = [0; 16];
        let read = stream.read(&mut answer).unwrap_or(0);
        String::from_utf8_lossy(&answer[..read]).into_owned()
    }

    #[test]
    fn what_was_told_counts_once_it_is_accepted() {
        let sessions = ["nv_1".to_owned(), "nv_2".to_owned()];
        let receiver = Receiver::start(Manner::Fails(500)).unwrap();
        assert!(tell(&receiver, "msg_1").starts_with("HTTP/1.1 500"));
        assert_eq!(receiver.missing(&sessions), ["nv_1", "nv_2"]);
        receiver.behave(Manner::Accepts);
        assert!(tell(&receiver, "msg_1").starts_with("HTTP/1.1 200"));
        assert_eq!(receiver.missing(&sessions), ["nv_2"]);
        let told = receiver.told();
        assert_eq!((told["nv_1"].ids.len(), told["nv_1"].accepted), (1, 1));
        assert_eq!(receiver.told_again(&sessions), 0);
        assert!(tell(&receiver, "msg_1").starts_with("HTTP/1.1 200"));
        assert_eq!(receiver.told_again(&sessions), 1);
        assert_eq!(receiver.told_again(&sessions[1..]), 0);
    }

    #[test]
    fn bad_manners_are_bad() {
        let receiver = Receiver::start(Manner::Closes).unwrap();
        assert_eq!(tell(&receiver, "msg_1"), "");
        receiver.behave(Manner::Babbles);
        assert!(!tell(&receiver, "msg_1").starts_with("HTTP"));
        receiver.behave(Manner::NeverEnds);
        assert!(tell(&receiver, "msg_1").starts_with("HTTP/1.1 500"));
        receiver.behave(Manner::Redirects);
        assert!(tell(&receiver, "msg_1").starts_with("HTTP/1.1 302"));
        assert_eq!(receiver.told()["nv_1"].accepted, 0);
    }
}
