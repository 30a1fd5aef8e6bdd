//! A receiver of webhooks on loopback, as unreliable as a test wants it.
//!
//! Guarantees: whatever arrives as a whole is remembered, in the order of arrival, before anything
//! is answered. It speaks plain sockets: it can hang up in the middle, which no library's server can.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bonafide::ambient::SystemClock;
use data_encoding::BASE64;
use domain::clock::Clock as _;
use domain::webhook::WebhookSecret;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

/// A message as it arrived.
#[derive(Debug, Clone)]
pub struct Heard {
    /// The path it came to.
    pub path: String,
    /// `webhook-id`.
    pub id: String,
    /// When.
    pub at: Instant,
    /// Whether it was answered as accepted.
    pub accepted: bool,
    timestamp: String,
    signature: String,
    body: Vec<u8>,
}

impl Heard {
    /// What is in it.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The session it tells of.
    pub fn session(&self) -> String {
        self.json()["data"]["verificationId"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Ends the test unless the sender knew the secret: HMAC-SHA-256 over id, time and body.
    pub fn expect_signed(&self, secret: &WebhookSecret) {
        use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
        let key = Key::new(HMAC_SHA256, secret.as_bytes());
        let head = format!("{}.{}.", self.id, self.timestamp);
        let signature = sign(&key, &[head.as_bytes(), &self.body].concat());
        let expected = format!("v1,{}", BASE64.encode(signature.as_ref()));
        assert_eq!(self.signature, expected, "{}", self.id);
        let sent: i64 = self.timestamp.parse().unwrap();
        let now = SystemClock.now().as_second();
        assert!((now - 600..=now).contains(&sent), "{sent} is not now");
    }
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy)]
pub enum Manner {
    /// It is answered with this status.
    Status(u16),
    /// It is answered with this status after a while.
    Slowly(Duration, u16),
    /// The connection ends without an answer.
    HangsUp,
    /// Nothing, for ever.
    Hangs,
}

impl Manner {
    fn accepts(self) -> bool {
        matches!(self, Self::Status(200) | Self::Slowly(_, 200))
    }
}

type Behaviour = Box<dyn Fn(&str) -> Manner + Send + Sync>;

#[derive(Default)]
struct Desk {
    heard: Mutex<Vec<Heard>>,
    behaviour: Mutex<Option<Arc<Behaviour>>>,
}

/// A receiver that listens.
pub struct Receiver {
    address: SocketAddr,
    desk: Arc<Desk>,
    listening: AbortHandle,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Receiver {
    /// One that treats what comes to a path like this.
    pub async fn start(behaviour: impl Fn(&str) -> Manner + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let desk = Arc::new(Desk::default());
        let listening = tokio::spawn(listen(listener, desk.clone())).abort_handle();
        let receiver = Self {
            address,
            desk,
            listening,
        };
        receiver.behave(behaviour);
        receiver
    }

    /// From now on it treats what comes like this.
    pub fn behave(&self, behaviour: impl Fn(&str) -> Manner + Send + Sync + 'static) {
        let behaviour: Behaviour = Box::new(behaviour);
        *self.desk.behaviour.lock().unwrap() = Some(Arc::new(behaviour));
    }

    /// The URL of one of its paths.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Everything that came so far.
    pub fn heard(&self) -> Vec<Heard> {
        self.desk.heard.lock().unwrap().clone()
    }

    /// How much came so far.
    pub fn count(&self) -> usize {
        self.desk.heard.lock().unwrap().len()
    }

    /// How much was accepted so far.
    pub fn accepted(&self) -> usize {
        let heard = self.desk.heard.lock().unwrap();
        heard.iter().filter(|heard| heard.accepted).count()
    }
}

async fn listen(listener: TcpListener, desk: Arc<Desk>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        connections.spawn(converse(stream, desk.clone()));
        while connections.try_join_next().is_some() {}
    }
}

/// Takes one message after the other, until either side has enough.
async fn converse(stream: TcpStream, desk: Arc<Desk>) {
    let mut stream = BufReader::new(stream);
    while let Some(mut heard) = message(&mut stream).await {
        let behaviour = desk.behaviour.lock().unwrap().clone().unwrap();
        let manner = behaviour(&heard.path);
        heard.accepted = manner.accepts();
        desk.heard.lock().unwrap().push(heard);
        let status = match manner {
            Manner::Status(status) => status,
            Manner::Slowly(pause, status) => {
                tokio::time::sleep(pause).await;
                status
            }
            Manner::HangsUp => return,
            Manner::Hangs => {
                // Until the sender has enough.
                stream.read_u8().await.ok();
                return;
            }
        };
        let answer = format!("HTTP/1.1 {status} Whatever\r\nContent-Length: 0\r\n\r\n");
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The next message, if it comes as a whole.
async fn message(stream: &mut BufReader<TcpStream>) -> Option<Heard> {
    let request = line(stream).await?;
    let mut words = request.split(' ');
    assert_eq!(words.next(), Some("POST"));
    let mut heard = Heard {
        path: words.next()?.to_owned(),
        id: String::new(),
        at: Instant::now(),
        accepted: false,
        timestamp: String::new(),
        signature: String::new(),
        body: Vec::new(),
    };
    let mut length = 0;
    loop {
        let header = line(stream).await?;
        let Some((name, value)) = header.split_once(": ") else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "webhook-id" => value.clone_into(&mut heard.id),
            "webhook-timestamp" => value.clone_into(&mut heard.timestamp),
            "webhook-signature" => value.clone_into(&mut heard.signature),
            _ => {}
        }
    }
    heard.body = vec![0; length];
    stream.read_exact(&mut heard.body).await.ok()?;
    heard.at = Instant::now();
    Some(heard)
}

async fn line(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let whole = line.ends_with('\n');
    whole.then(|| line.trim_end().to_owned())
}
